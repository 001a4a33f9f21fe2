#include "neurolens/gate/certificate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"

namespace neurolens::gate {
namespace {

/// Comparisons that show "at most 1 %" when none of them is false.
constexpr std::int64_t kEnough = 299;

void add(Tally& sum, const Tally& one) {
  sum.comparisons += one.comparisons;
  sum.regressed += one.regressed;
  sum.improved += one.improved;
  sum.inconclusive += one.inconclusive;
  sum.silenced += one.silenced;
  sum.blocks += one.blocks;
  sum.out_of_reach += one.out_of_reach;
  sum.out_of_reach_regressed += one.out_of_reach_regressed;
  sum.most_needed = std::max(sum.most_needed, one.most_needed);
}

void write(json::Writer& w, const char* key, const Tally& tally) {
  w.key(key).begin_object().member("comparisons", tally.comparisons);
  w.member("regressed", tally.regressed).member("improved", tally.improved);
  w.member("inconclusive", tally.inconclusive).member("silenced", tally.silenced);
  w.member("blocks", tally.blocks).member("out_of_reach", tally.out_of_reach);
  w.member("out_of_reach_regressed", tally.out_of_reach_regressed);
  w.member("most_needed", tally.most_needed).end_object();
}

/// Reads members and remembers the first that is missing or of another type.
class Reader {
 public:
  explicit Reader(const json::Value& value) : value_(value) {}
  std::string text(const char* key) {
    const auto* found = value_.find(key);
    const auto* text = found != nullptr ? found->as_string() : nullptr;
    if (text == nullptr) wrong_ = true;
    return text != nullptr ? *text : std::string();
  }
  std::int64_t count(const char* key) {
    const auto* found = value_.find(key);
    const auto number = found != nullptr ? found->as_int() : std::nullopt;
    if (!number || *number < 0) wrong_ = true;
    return number.value_or(0);
  }
  double ratio(const char* key) {
    const auto* found = value_.find(key);
    const auto number = found != nullptr ? found->as_double() : std::nullopt;
    if (!number || !(*number >= 0)) wrong_ = true;
    return number.value_or(0);
  }
  Tally tally(const char* key) {
    const auto* found = value_.find(key);
    if (found == nullptr) {
      wrong_ = true;
      return {};
    }
    Reader r(*found);
    Tally tally{r.count("comparisons"),  r.count("regressed"),
                r.count("improved"),     r.count("inconclusive"),
                r.count("silenced"),     r.count("blocks"),
                r.count("out_of_reach"), r.count("out_of_reach_regressed"),
                r.count("most_needed")};
    wrong_ = wrong_ || r.wrong_ ||
             tally.regressed + tally.improved + tally.inconclusive > tally.comparisons;
    return tally;
  }
  template <class Item, class Read>
  std::vector<Item> list(const char* key, const Read& read) {
    std::vector<Item> out;
    const auto* found = value_.find(key);
    if (found == nullptr || found->as_array() == nullptr) {
      wrong_ = true;
      return out;
    }
    for (const auto& item : *found->as_array()) {
      Reader r(item);
      out.push_back(read(r));
      wrong_ = wrong_ || r.wrong_;
    }
    return out;
  }
  [[nodiscard]] bool wrong() const { return wrong_; }

 private:
  const json::Value& value_;
  bool wrong_ = false;
};

Sitting read_sitting(Reader& r) {
  Sitting sitting;
  sitting.created_at = r.text("created_at");
  sitting.seed = static_cast<std::uint64_t>(r.count("seed"));
  sitting.load = r.count("load_threads");
  sitting.null = r.tally("null");
  sitting.injected = r.tally("injected");
  sitting.settings = r.list<Setting>("settings", [](Reader& s) {
    return Setting{s.text("kernel"), s.text("runner"), s.ratio("spread_ratio"),
                   s.ratio("process_ratio"), s.count("needed_blocks")};
  });
  return sitting;
}

}  // namespace

Tally Certificate::null() const {
  Tally sum;
  for (const auto& sitting : sittings) add(sum, sitting.null);
  return sum;
}

Tally Certificate::injected() const {
  Tally sum;
  for (const auto& sitting : sittings) add(sum, sitting.injected);
  return sum;
}

double upper_bound(std::int64_t hits, std::int64_t n) {
  if (n == 0 || hits >= n) return 1;
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
  constexpr int kHalvings = 100;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (tail(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

std::string to_json(const Certificate& c) {
  const Tally null = c.null();
  json::Writer w({2});
  w.begin_object().member("version", "1.0.0").member("kind", "gate_selftest");
  w.member("cpu_model", c.cpu_model).member("cores_logical", c.cores_logical);
  w.member("inject_ratio", c.inject_ratio);
  write(w, "null", null);
  write(w, "injected", c.injected());
  w.member("false_rate_upper", upper_bound(null.regressed + null.improved, null.comparisons));
  w.key("sittings").begin_array();
  for (const auto& sitting : c.sittings) {
    w.begin_object().member("created_at", sitting.created_at);
    w.member("seed", static_cast<std::int64_t>(sitting.seed)).member("load_threads", sitting.load);
    write(w, "null", sitting.null);
    write(w, "injected", sitting.injected);
    w.key("settings").begin_array();
    for (const auto& s : sitting.settings) {
      w.begin_object().member("kernel", s.kernel).member("runner", s.runner);
      w.member("spread_ratio", s.spread_ratio).member("process_ratio", s.process_ratio);
      w.member("needed_blocks", s.needed).end_object();
    }
    w.end_array().end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

Result<Certificate> parse_certificate(std::string_view text) {
  NEUROLENS_ASSIGN(const auto document, json::parse(text));
  Reader r(document);
  Certificate c;
  const bool kind = r.text("kind") == "gate_selftest" && r.text("version") == "1.0.0";
  c.cpu_model = r.text("cpu_model");
  c.cores_logical = r.count("cores_logical");
  c.inject_ratio = r.ratio("inject_ratio");
  c.sittings = r.list<Sitting>("sittings", read_sitting);
  if (!kind || r.wrong())
    return Error{Errc::invalid_document,
                 "This is no certificate; `neurolens gate selftest` writes one.", ""};
  return c;
}

Status add(Certificate& certificate, const Certificate& other) {
  if (certificate.cpu_model != other.cpu_model ||
      certificate.cores_logical != other.cores_logical ||
      certificate.inject_ratio != other.inject_ratio)
    return Error{Errc::not_comparable,
                 fmt::format("The certificates are of {} with {} cores and +{:.3g} %, and of {} "
                             "with {} cores and +{:.3g} %: they do not add up.",
                             certificate.cpu_model, certificate.cores_logical,
                             100 * certificate.inject_ratio, other.cpu_model, other.cores_logical,
                             100 * other.inject_ratio),
                 ""};
  for (const auto& sitting : other.sittings) {
    auto& own = certificate.sittings;
    if (std::find(own.begin(), own.end(), sitting) == own.end()) own.push_back(sitting);
  }
  return {};
}

std::string describe(const Certificate& c) {
  const Tally null = c.null();
  const Tally power = c.injected();
  const std::int64_t wrong = null.regressed + null.improved;
  std::string out = fmt::format(
      "false verdicts: {} of {} (at 95 %: at most {:.2f} %); {} inconclusive, {} of them silenced "
      "by their control\n",
      wrong, null.comparisons, 100 * upper_bound(wrong, null.comparisons), null.inconclusive,
      null.silenced);
  out += fmt::format("+{:.3g} % found: {} of {}; {} called faster; {} inconclusive\n",
                     100 * c.inject_ratio, power.regressed, power.comparisons, power.improved,
                     power.inconclusive);
  if (power.out_of_reach > 0)
    out +=
        fmt::format("within reach of the spread: {} of {}; {} comparisons needed up to {} blocks\n",
                    power.regressed - power.out_of_reach_regressed,
                    power.comparisons - power.out_of_reach, power.out_of_reach, power.most_needed);
  for (const auto& s : c.sittings.empty() ? std::vector<Setting>{} : c.sittings.back().settings)
    out += fmt::format(
        "{}: {} processes; a block's ratio varies by {:.2f} %, one process against another of the "
        "same program by {:.2f} %; {} blocks find +{:.3g} % in 90 of 100\n",
        s.kernel, s.runner, 100 * s.spread_ratio, 100 * s.process_ratio, s.needed,
        100 * c.inject_ratio);
  if (wrong == 0 && null.comparisons < kEnough)
    out += fmt::format("\"at most 1 %\" needs {} comparisons without a false verdict\n", kEnough);
  return out;
}

std::string quote(const Certificate& c) {
  const Tally null = c.null();
  const Tally power = c.injected();
  if (null.comparisons == 0 && power.comparisons == 0) return {};
  const std::int64_t wrong = null.regressed + null.improved;
  return fmt::format(
      "on this machine {} of {} comparisons of a program with itself were called changed (at 95 %: "
      "at most {:.2f} %), and +{:.3g} % was found in {} of {} ({})",
      wrong, null.comparisons, 100 * upper_bound(wrong, null.comparisons), 100 * c.inject_ratio,
      power.regressed, power.comparisons,
      c.sittings.empty() ? "" : c.sittings.back().created_at.substr(0, 10));
}

}  // namespace neurolens::gate
