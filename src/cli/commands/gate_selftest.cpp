#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "builtin.hpp"
#include "common.hpp"
#include "live.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/gate/gate.hpp"

namespace neurolens::cli {
namespace {

struct Tally {
  std::int64_t comparisons = 0;
  std::int64_t regressed = 0;
  std::int64_t improved = 0;
  std::int64_t inconclusive = 0;
  std::int64_t silenced = 0;  ///< By their control.
  std::int64_t blocks = 0;
};

/// Largest rate that `hits` of `n` do not rule out at 95 % (Clopper and Pearson 1934), by
/// bisection.
double upper_bound(std::int64_t hits, std::int64_t n) {
  if (n == 0) return 1;
  const auto tail = [&](double p) {  // P(X <= hits)
    double term = static_cast<double>(n) * std::log1p(-p);
    double sum = 0;
    for (std::int64_t k = 0; k <= hits; ++k) {
      sum += std::exp(term);
      term += std::log(static_cast<double>(n - k) / static_cast<double>(k + 1)) + std::log(p) -
              std::log1p(-p);
    }
    return sum;
  };
  double low = 0;
  double high = 1 - 1e-12;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (tail(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

class Selftest final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "gate selftest"; }
  [[nodiscard]] std::string summary() const override {
    return "measure the gate's false alarms and power on this machine";
  }
  void declare(Options& options) override {
    options.value("--aa", "N", aa_, "Comparisons of a program with itself (default: 20)");
    options.value("--inject", "RATIO", inject_, "Slow-down to find, by loop count (default: 5%)");
    options.value("--injected", "N", injected_, "Comparisons with it (default: as many as --aa)");
    options.value("--time", "SECONDS", seconds_, "Stop after this long, between comparisons");
    options.value("--seed", "N", seed_, "Order of launches (default: 1)");
    options.value("-o,--output", "FILE", output_, "Write the certificate (JSON)");
    options.flag("--json", json_, "The certificate on stdout");
    options.example("neurolens gate selftest --aa 299 --inject 5% -o certificate.json");
  }
  Result<int> run(Context& context) override {
    const std::int64_t aa = aa_.value_or(20);
    const std::int64_t injected = injected_.value_or(aa);
    if (aa < 0 || injected < 0)
      return Error{Errc::out_of_range, "A number of comparisons is 0 or more.", "--aa"};
    NEUROLENS_ASSIGN(effect_, gate::parse_ratio(inject_, "--inject"));
    NEUROLENS_ASSIGN(base_seed_, seed_from(seed_));
    const Nanoseconds begin = context.clock.now();
    const auto time_left = [&] {
      return !seconds_ ||
             static_cast<double>((context.clock.now() - begin).count) < *seconds_ * 1e9;
    };
    // Both kinds take turns, so that a time limit leaves some of each.
    for (std::int64_t i = 0; i < std::max(aa, injected) && time_left(); ++i) {
      context.attention.report(
          "self-test", static_cast<double>(i) / static_cast<double>(std::max(aa, injected)));
      if (i < aa) NEUROLENS_TRY(compare_once(context, i, 1, null_));
      if (i < injected && time_left()) NEUROLENS_TRY(compare_once(context, i, 1 + effect_, power_));
      if (context.attention.cancelled()) break;
    }
    const std::string document = certificate(context);
    if (output_) NEUROLENS_TRY(context.files.write_atomic(*output_, document));
    context.terminal.out(json_ ? document : text());
    const std::int64_t wrong = null_.regressed + null_.improved;
    return wrong * 100 <= null_.comparisons ? kDone : kAnswerIsNo;
  }

 private:
  Status compare_once(Context& context, std::int64_t index, double work, Tally& tally) {
    const auto names = capture::kernel_names();
    const std::string& kernel = names[static_cast<std::size_t>(index) % names.size()];
    LiveSides sides;
    sides.baseline = {{own_program(), "launch", "--kernel", kernel}, true};
    sides.candidate = sides.baseline;
    sides.candidate.command.insert(sides.candidate.command.end(), {"--work", shortest(work)});
    sides.baseline.command.insert(sides.baseline.command.end(), {"--work", "1"});
    sides.seed = base_seed_ * 1000003 + static_cast<std::uint64_t>(2 * index) + (work > 1 ? 1 : 0);
    NEUROLENS_ASSIGN(const auto outcome, measure_live(context, sides));
    if (!outcome.verdict.finished) return {};  // stopped by the user: counts as nothing
    ++tally.comparisons;
    tally.blocks += outcome.verdict.judged.blocks;
    const auto verdict = outcome.verdict.judged.verdict;
    tally.regressed += verdict == analyze::Verdict::regressed;
    tally.improved += verdict == analyze::Verdict::improved;
    tally.inconclusive += verdict == analyze::Verdict::inconclusive;
    tally.silenced += outcome.verdict.control_flagged;
    return {};
  }

  [[nodiscard]] std::string text() const {
    const std::int64_t wrong = null_.regressed + null_.improved;
    std::string out = fmt::format(
        "false verdicts: {} of {} (at 95 %: at most {:.2f} %); {} inconclusive, {} of them "
        "silenced "
        "by their control\n",
        wrong, null_.comparisons, 100 * upper_bound(wrong, null_.comparisons), null_.inconclusive,
        null_.silenced);
    out +=
        fmt::format("+{:.3g} % found: {} of {}; {} called faster; {} inconclusive\n", 100 * effect_,
                    power_.regressed, power_.comparisons, power_.improved, power_.inconclusive);
    if (wrong == 0 && null_.comparisons < 299)
      out += "\"at most 1 %\" needs 299 comparisons without a false verdict\n";
    return out;
  }

  static void write(json::Writer& w, const char* key, const Tally& tally) {
    w.key(key).begin_object().member("comparisons", tally.comparisons);
    w.member("regressed", tally.regressed).member("improved", tally.improved);
    w.member("inconclusive", tally.inconclusive).member("silenced", tally.silenced);
    w.member("blocks", tally.blocks).end_object();
  }

  [[nodiscard]] std::string certificate(Context& context) const {
    const auto host = capture::read_host().facts;
    json::Writer w({2});
    w.begin_object().member("version", "1.0.0").member("kind", "gate_selftest");
    w.member("created_at", to_rfc3339(context.clock.wall())).member("cpu_model", host.cpu_model);
    w.member("cores_logical", host.cores_logical).member("seed", base_seed_);
    w.member("inject_ratio", effect_);
    write(w, "null", null_);
    write(w, "injected", power_);
    w.member("false_rate_upper", upper_bound(null_.regressed + null_.improved, null_.comparisons));
    w.end_object();
    return std::move(w).take() + "\n";
  }

  std::optional<std::int64_t> aa_;
  std::optional<std::int64_t> injected_;
  std::optional<std::int64_t> seed_;
  std::optional<double> seconds_;
  std::optional<std::string> output_;
  std::string inject_ = "5%";
  bool json_ = false;
  double effect_ = 0.05;
  std::uint64_t base_seed_ = 1;
  Tally null_;
  Tally power_;
};

}  // namespace

std::unique_ptr<Command> make_gate_selftest() {
  return std::make_unique<Selftest>();
}

}  // namespace neurolens::cli
