#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "builtin.hpp"
#include "common.hpp"
#include "live.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/gate/certificate.hpp"
#include "neurolens/gate/gate.hpp"

namespace neurolens::cli {
namespace {

/// Keeps processors busy in bursts, as neighbours do: about two thirds of the time.
class Load {
 public:
  explicit Load(std::int64_t threads) {
    for (std::int64_t i = 0; i < threads; ++i)
      threads_.emplace_back([this, i] { burn(static_cast<std::uint64_t>(i)); });
  }
  ~Load() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  void burn(std::uint64_t stream) {
    Random random(7, stream);
    while (!stop_) {
      const auto busy = std::chrono::milliseconds(20 + random.below(200));
      const auto end = std::chrono::steady_clock::now() + busy;
      double x = 1;
      while (!stop_ && std::chrono::steady_clock::now() < end) {
        for (int i = 0; i < 1000; ++i) x = x * 0.999 + 0.001;
      }
      sink_ = x;
      std::this_thread::sleep_for(busy / 2);
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<double> sink_{0};
  std::vector<std::thread> threads_;
};

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
    options.value("--seed", "N", seed_, "Order of launches (default: number of the sitting)");
    options.choice("--runner", {"auto", "fresh", "resident"}, runner_,
                   "Processes that follow each other, or stay and take turns");
    options.value("--load", "THREADS", load_, "Keep so many threads busy beside it (default: 0)");
    options.flag("--append", append_, "Add to the certificate: --aa and --injected are totals");
    options.values("--add", "FILE", added_, "Add the sittings of this certificate too");
    options.value("-o,--output", "FILE", output_,
                  "The certificate (default: the one of this machine, which later gates quote)");
    options.flag("--json", json_, "The certificate on stdout");
    options.example("neurolens gate selftest --aa 299 --injected 100 --append --time 600");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_TRY(begin(context));
    gate::Tally before_null = certificate_.null();
    gate::Tally before_power = certificate_.injected();
    const std::int64_t aa = std::max<std::int64_t>(0, wanted_aa_ - before_null.comparisons);
    const std::int64_t power = std::max<std::int64_t>(0, wanted_power_ - before_power.comparisons);
    NEUROLENS_TRY(collect(context, aa, power));
    const std::string document = gate::to_json(certificate_);
    context.terminal.out(json_ ? document : gate::describe(certificate_));
    const gate::Tally null = certificate_.null();
    return (null.regressed + null.improved) * 100 <= null.comparisons ? kDone : kAnswerIsNo;
  }

 private:
  Status begin(Context& context) {
    wanted_aa_ = aa_.value_or(20);
    wanted_power_ = injected_.value_or(wanted_aa_);
    if (wanted_aa_ < 0 || wanted_power_ < 0)
      return Error{Errc::out_of_range, "A number of comparisons is 0 or more.", "--aa"};
    constexpr std::int64_t kMostLoad = 1024;
    if (load_.value_or(0) < 0 || load_.value_or(0) > kMostLoad)
      return Error{Errc::out_of_range, "A load is 0 to 1024 threads.", "--load"};
    NEUROLENS_ASSIGN(certificate_.inject_ratio, gate::parse_ratio(inject_, "--inject"));
    if (!(certificate_.inject_ratio > 0))
      return Error{Errc::out_of_range, "The slow-down to find must be above 0.", "--inject"};
    const auto host = capture::read_host().facts;
    certificate_.cpu_model = host.cpu_model;
    certificate_.cores_logical = host.cores_logical;
    path_ = output_.value_or(certificate_cache_path());
    if (append_) {
      NEUROLENS_ASSIGN(const auto there, context.files.info(path_));
      if (there) added_.push_back(path_);
    }
    for (const auto& path : added_) {
      NEUROLENS_ASSIGN(const auto text, context.files.read(path));
      auto other = gate::parse_certificate(text);
      if (!other.ok()) return std::move(other).error().at(path);
      NEUROLENS_TRY(gate::add(certificate_, *other));
    }
    if (seed_) {
      NEUROLENS_ASSIGN(seed_used_, seed_from(seed_));
    } else {
      seed_used_ = certificate_.sittings.size() + 1;
    }
    return {};
  }

  /// Both kinds take turns, so that a time limit leaves some of each. The certificate is written
  /// after each comparison: whoever ends the program loses one at most.
  Status collect(Context& context, std::int64_t aa, std::int64_t power) {
    const std::int64_t rounds = std::max(aa, power);
    if (rounds == 0) return save(context);
    const Nanoseconds begin = context.clock.now();
    const auto time_left = [&] {
      return !seconds_ ||
             static_cast<double>((context.clock.now() - begin).count) < *seconds_ * 1e9;
    };
    const Load load(load_.value_or(0));
    certificate_.sittings.emplace_back();
    sitting().created_at = to_rfc3339(context.clock.wall());
    sitting().seed = seed_used_;
    sitting().load = load_.value_or(0);
    for (std::int64_t i = 0; i < rounds && time_left(); ++i) {
      context.attention.report("self-test", static_cast<double>(i) / static_cast<double>(rounds));
      if (i < aa) NEUROLENS_TRY(compare_once(context, i, 0, sitting().null));
      if (i < power && time_left())
        NEUROLENS_TRY(compare_once(context, i, certificate_.inject_ratio, sitting().injected));
      NEUROLENS_TRY(save(context));
      if (context.attention.cancelled()) break;
    }
    return {};
  }

  gate::Sitting& sitting() { return certificate_.sittings.back(); }

  Status save(Context& context) {
    return context.files.write_atomic(path_, gate::to_json(certificate_));
  }

  Status compare_once(Context& context, std::int64_t index, double effect, gate::Tally& tally) {
    const auto names = capture::kernel_names();
    const std::string& kernel = names[static_cast<std::size_t>(index) % names.size()];
    LiveSides sides;
    sides.baseline = {{own_program(), "launch", "--kernel", kernel, "--work"}, true};
    sides.candidate = sides.baseline;
    sides.baseline.command.emplace_back("1");
    sides.candidate.command.push_back(shortest(1 + effect));
    sides.seed =
        seed_used_ * 1000003 + static_cast<std::uint64_t>(2 * index) + (effect > 0 ? 1 : 0);
    sides.detect = std::max(certificate_.inject_ratio, 2 * sides.delta);
    if (runner_ != "auto")
      sides.runner = runner_ == "fresh" ? capture::Runner::fresh : capture::Runner::resident;
    NEUROLENS_ASSIGN(const auto setup, setup_for(context, sides, kernel));
    NEUROLENS_ASSIGN(const auto outcome, measure_live(context, sides, setup));
    const auto& found = outcome.findings.total;
    if (!found.finished) return {};  // stopped by the user: counts as nothing
    const auto verdict = found.judged.verdict;
    ++tally.comparisons;
    tally.blocks += found.judged.blocks;
    tally.regressed += verdict == analyze::Verdict::regressed;
    tally.improved += verdict == analyze::Verdict::improved;
    tally.inconclusive += verdict == analyze::Verdict::inconclusive;
    tally.silenced += found.control_flagged;
    const bool out_of_reach = setup.plan.needed > setup.plan.blocks;
    tally.out_of_reach += out_of_reach;
    tally.out_of_reach_regressed += out_of_reach && verdict == analyze::Verdict::regressed;
    if (out_of_reach) tally.most_needed = std::max(tally.most_needed, setup.plan.needed);
    return {};
  }

  /// Calibrates each kernel now and then: the machine's unrest changes.
  Result<LiveSetup> setup_for(Context& context, const LiveSides& sides, const std::string& kernel) {
    constexpr int kUses = 8;
    auto& known = setups_[kernel];
    if (known.uses++ % kUses == 0) {
      NEUROLENS_ASSIGN(known.setup, calibrate_live(context, sides));
      auto& list = sitting().settings;
      auto at = std::find_if(list.begin(), list.end(),
                             [&](const auto& setting) { return setting.kernel == kernel; });
      if (at == list.end()) at = list.emplace(list.end());
      const auto& s = known.setup;
      *at = {kernel, std::string(capture::to_string(s.runner)), s.spread().value_or(0),
             s.process_spread.value_or(0), s.plan.needed};
    }
    return known.setup;
  }

  struct Known {
    LiveSetup setup;
    int uses = 0;
  };

  std::optional<std::int64_t> aa_;
  std::optional<std::int64_t> injected_;
  std::optional<std::int64_t> seed_;
  std::optional<std::int64_t> load_;
  std::optional<double> seconds_;
  std::optional<std::string> output_;
  std::vector<std::string> added_;
  std::string inject_ = "5%";
  std::string runner_ = "auto";
  bool append_ = false;
  bool json_ = false;
  std::int64_t wanted_aa_ = 0;
  std::int64_t wanted_power_ = 0;
  std::uint64_t seed_used_ = 1;
  std::string path_;
  gate::Certificate certificate_;
  std::map<std::string, Known> setups_;
};

}  // namespace

std::unique_ptr<Command> make_gate_selftest() {
  return std::make_unique<Selftest>();
}

}  // namespace neurolens::cli
