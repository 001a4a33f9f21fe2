#include "neurolens/analyze/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/blocks.hpp"
#include "neurolens/analyze/signed_rank.hpp"
#include "neurolens/run/work.hpp"

namespace neurolens::analyze {
namespace {

constexpr double kFewestCovered = 0.5;

VerdictOptions verdict_options(const CompareOptions& options) {
  // "The same" and "changed" share the margin: within it nothing can be told.
  return {options.alpha, options.margin, options.margin};
}

PairedVerdict judge_samples(const std::vector<double>& a, const std::vector<double>& b,
                            const CompareOptions& options) {
  const std::size_t blocks = std::min({a.size(), b.size(), kMostBlocks});
  if (blocks == 0) return {};
  thread_local std::vector<double> x;
  thread_local std::vector<double> y;
  thread_local std::vector<double> logs;
  block_medians(a, blocks, x);
  block_medians(b, blocks, y);
  logs.clear();
  for (std::size_t k = 0; k < blocks; ++k) {
    if (x[k] > 0 && y[k] > 0) logs.push_back(std::log(y[k]) - std::log(x[k]));
  }
  return judge_log_ratios(logs, verdict_options(options));
}

std::optional<double> quantile_of(std::vector<double> values, double p) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

std::optional<double> quotient(std::optional<double> candidate, std::optional<double> baseline) {
  if (!candidate || !baseline || !(*baseline > 0)) return {};
  return *candidate / *baseline;
}

/// Sum over ops; nullopt when unknown for one of them or when there is none.
template <class Value>
std::optional<double> sum(const std::vector<run::OpId>& ops, const Value& value) {
  if (ops.empty()) return {};
  double total = 0;
  for (const auto op : ops) {
    const std::optional<double> one = value(op.index());
    if (!one) return {};
    total += *one;
  }
  return total;
}

/// Samples of the ops of a group added up, in `out`; nothing when one of them has none.
void group_samples(const SettledSamples& samples, const std::vector<run::OpId>& ops,
                   std::vector<double>& out) {
  out.clear();
  thread_local std::vector<double> one;
  for (const auto op : ops) {
    samples.op(op.index(), out.empty() ? out : one);
    if (out.empty()) return;
    if (op == ops.front()) continue;
    if (one.empty()) return out.clear();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += one[i];
  }
}

/// By the time that they won or lost, most first. Sorts places instead of the large changes.
std::vector<OpChange> most_moved_first(std::vector<OpChange> ops) {
  struct Place {
    double moved;
    std::uint32_t at;
  };
  std::vector<Place> places;
  places.reserve(ops.size());
  for (const auto& op : ops) {
    const double moved = std::abs(op.time.candidate.value_or(0) - op.time.baseline.value_or(0));
    places.push_back({moved, static_cast<std::uint32_t>(places.size())});
  }
  std::sort(places.begin(), places.end(), [](const Place& x, const Place& y) {
    return x.moved != y.moved ? x.moved > y.moved : x.at < y.at;
  });
  std::vector<OpChange> sorted;
  sorted.reserve(ops.size());
  for (const auto& place : places) sorted.push_back(std::move(ops[place.at]));
  return sorted;
}

class Comparer {
 public:
  Comparer(const run::Run& a, const run::Run& b, const CompareOptions& options)
      : a_(a), b_(b), options_(options), samples_a_(a), samples_b_(b) {}

  Result<Comparison> run() {
    out_.margin = options_.margin;
    out_.differences = find_differences(a_, b_);
    NEUROLENS_TRY(refuse_differences());
    out_.alignment = align(a_, b_);
    NEUROLENS_TRY(compare_totals());
    compare_ops();
    NEUROLENS_TRY(refuse_strangers());
    discover();
    add_notes();
    return std::move(out_);
  }

 private:
  Status refuse_differences() const {
    std::string list;
    for (const auto& d : out_.differences) {
      if (d.blocking)
        list += fmt::format("{}{} ({} against {})", list.empty() ? "" : ", ", d.field, d.baseline,
                            d.candidate);
    }
    if (list.empty() || options_.force) return {};
    return Error{Errc::not_comparable,
                 fmt::format("The Runs differ in {}; --force compares them all the same.", list),
                 ""};
  }

  Status refuse_strangers() {
    const bool strangers =
        !out_.ops.empty() && !a_.ops.empty() && !b_.ops.empty() &&
        std::min(out_.baseline_covered_ratio, out_.candidate_covered_ratio) < kFewestCovered;
    if (!strangers || options_.force) return {};
    return Error{
        Errc::not_comparable,
        fmt::format("Only {:.0f} % and {:.0f} % of the time is spent in ops that both Runs have: "
                    "these are different models. --force compares them all the same.",
                    100 * out_.baseline_covered_ratio, 100 * out_.candidate_covered_ratio),
        ""};
  }

  Status compare_totals() {
    bool observed = false;
    auto x = samples_a_.iterations(false);
    auto y = samples_b_.iterations(false);
    if (x.empty() || y.empty()) {
      observed = true;
      x = samples_a_.iterations(true);
      y = samples_b_.iterations(true);
    }
    if (x.empty() || y.empty()) {
      return Error{Errc::too_few_samples,
                   "The Runs have no settled iterations of the same kind; measure again.", ""};
    }
    if (observed)
      out_.notes.emplace_back(
          "Whole iterations are compared with the observer's cost included: a Run has none "
          "without.");
    out_.total = {quantile_of(x, .5), quantile_of(y, .5), judge_samples(x, y, options_)};
    out_.tail.baseline = quantile_of(x, .95);
    out_.tail.candidate = quantile_of(y, .95);
    out_.tail.judged.ratio = quotient(out_.tail.candidate, out_.tail.baseline).value_or(1);
    const auto memory = [](const run::Run& run) -> std::optional<double> {
      if (!run.memory.host_peak_bytes) return {};
      return static_cast<double>(*run.memory.host_peak_bytes);
    };
    out_.memory_ratio = quotient(memory(b_), memory(a_));
    return {};
  }

  void compare_ops() {
    double covered_a = 0, covered_b = 0, all_a = 0, all_b = 0;
    out_.ops.reserve(out_.alignment.groups.size());
    for (const auto& group : out_.alignment.groups) {
      OpChange change = compare_group(group);
      all_a += change.time.baseline.value_or(0);
      all_b += change.time.candidate.value_or(0);
      if (!group.baseline.empty() && !group.candidate.empty()) {
        covered_a += change.time.baseline.value_or(0);
        covered_b += change.time.candidate.value_or(0);
      }
      out_.ops.push_back(std::move(change));
    }
    out_.baseline_covered_ratio = all_a > 0 ? covered_a / all_a : 0;
    out_.candidate_covered_ratio = all_b > 0 ? covered_b / all_b : 0;
    out_.flops_ratio = quotient(run::flops_of(b_), run::flops_of(a_));
    out_.bytes_ratio = quotient(run::bytes_of(b_), run::bytes_of(a_));
    out_.ops = most_moved_first(std::move(out_.ops));
  }

  OpChange compare_group(const OpGroup& group) const {
    OpChange change;
    change.group = group;
    const bool added = group.baseline.empty();
    const run::Run& named = added ? b_ : a_;
    const SettledSamples& timed = added ? samples_b_ : samples_a_;
    const auto& ops = added ? group.candidate : group.baseline;
    std::size_t longest = ops[0].index();
    if (ops.size() > 1) {
      for (const auto op : ops) {
        if (timed.op_time(op.index()).value_or(0) > timed.op_time(longest).value_or(0))
          longest = op.index();
      }
    }
    change.name = named.ops[longest].name;
    change.type = named.ops[longest].type;
    change.time.baseline =
        sum(group.baseline, [&](std::size_t op) { return samples_a_.op_time(op); });
    change.time.candidate =
        sum(group.candidate, [&](std::size_t op) { return samples_b_.op_time(op); });
    if (added || group.candidate.empty()) return change;
    thread_local std::vector<double> x;
    thread_local std::vector<double> y;
    group_samples(samples_a_, group.baseline, x);
    group_samples(samples_b_, group.candidate, y);
    change.time.judged = judge_samples(x, y, options_);
    const auto ratio = [&](std::optional<std::int64_t> (*of)(const run::Cost&)) {
      return quotient(sum(group.candidate, [&](std::size_t op) { return of(b_.ops[op].cost); }),
                      sum(group.baseline, [&](std::size_t op) { return of(a_.ops[op].cost); }));
    };
    change.flops_ratio = ratio(run::flops_of);
    change.bytes_ratio = ratio(run::bytes_of);
    return change;
  }

  /// A verdict on one op of many also has to survive the number of ops.
  void discover() {
    std::vector<double> p_values;
    std::vector<OpChange*> judged;
    for (auto& op : out_.ops) {
      if (!op.time.judged.p_value) continue;
      p_values.push_back(*op.time.judged.p_value);
      judged.push_back(&op);
    }
    const auto found = benjamini_hochberg(p_values, options_.q);
    for (std::size_t i = 0; i < judged.size(); ++i) {
      judged[i]->discovered = found[i];
      auto& verdict = judged[i]->time.judged.verdict;
      if (!found[i] && (verdict == Verdict::regressed || verdict == Verdict::improved))
        verdict = Verdict::inconclusive;
    }
  }

  void add_notes() {
    out_.notes.push_back(
        fmt::format("The Runs were not measured interleaved, so a change below {:.3g} % cannot be "
                    "told from the "
                    "luck of two launches. `neurolens compare --live` can.",
                    100 * options_.margin));
    if (out_.total.judged.blocks < kFewestBlocks) {
      out_.notes.push_back(
          fmt::format("{} settled iterations are too few for a verdict; {} are "
                      "needed.",
                      out_.total.judged.blocks, kFewestBlocks));
    }
    for (const auto* run : {&a_, &b_}) {
      if (run->overhead.integrity != "ok")
        out_.notes.push_back(fmt::format("The {} calls its own measurement {}.",
                                         run == &a_ ? "baseline" : "candidate",
                                         run->overhead.integrity));
      if (run->status == "partial")
        out_.notes.push_back(
            fmt::format("The {} was stopped early.", run == &a_ ? "baseline" : "candidate"));
    }
  }

  const run::Run& a_;
  const run::Run& b_;
  const CompareOptions& options_;
  SettledSamples samples_a_;
  SettledSamples samples_b_;
  Comparison out_;
};

}  // namespace

Result<Comparison> compare(const run::Run& baseline, const run::Run& candidate,
                           const CompareOptions& options) {
  if (!(options.margin > 0) || !(options.alpha > 0 && options.alpha <= 0.25) ||
      !(options.q > 0 && options.q < 1)) {
    return Error{Errc::out_of_range,
                 "The margin must be above 0, alpha in (0, 0.25], and q in (0, 1).",
                 "compare options"};
  }
  return Comparer(baseline, candidate, options).run();
}

}  // namespace neurolens::analyze
