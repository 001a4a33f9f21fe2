#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/blocks.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/work.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::size_t kFewestInTail = 20;

std::optional<double> p95(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double at = 0.95 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

std::vector<double> block_p95(const std::vector<double>& samples, std::size_t blocks) {
  std::vector<double> out;
  for (std::size_t k = 0; k < blocks; ++k) {
    const auto begin = static_cast<std::ptrdiff_t>(k * samples.size() / blocks);
    const auto end = static_cast<std::ptrdiff_t>((k + 1) * samples.size() / blocks);
    out.push_back(p95({samples.begin() + begin, samples.begin() + end}).value_or(0));
  }
  return out;
}

Change tail_change(const run::Run& a, const run::Run& b, const CompareOptions& options) {
  std::vector<double> x = SettledSamples(a).iterations(false);
  std::vector<double> y = SettledSamples(b).iterations(false);
  if (x.empty() || y.empty()) {
    x = SettledSamples(a).iterations(true);
    y = SettledSamples(b).iterations(true);
  }
  Change change{p95(x), p95(y), {}};
  if (!change.baseline || !change.candidate || !(*change.baseline > 0)) return change;
  const auto blocks = std::min({kMostBlocks, x.size() / kFewestInTail, y.size() / kFewestInTail});
  std::vector<double> logs;
  const auto xs = block_p95(x, blocks);
  const auto ys = block_p95(y, blocks);
  for (std::size_t k = 0; k < blocks; ++k) {
    if (xs[k] > 0 && ys[k] > 0) logs.push_back(std::log(ys[k]) - std::log(xs[k]));
  }
  change.judged = judge_log_ratios(logs, {options.alpha, options.margin, options.margin});
  if (logs.empty()) change.judged.ratio = *change.candidate / *change.baseline;
  return change;
}

/// A value per Run: changed when it moved by more than `margin`.
Change single_change(std::optional<double> a, std::optional<double> b, double margin) {
  Change change{a, b, {}};
  if (!a || !b || !(*a > 0) || !(*b > 0)) return change;
  change.judged.ratio = *b / *a;
  // Products instead of quotients: exchanging the sides exchanges the answers exactly.
  const bool more = *b > *a * (1 + margin);
  const bool less = *a > *b * (1 + margin);
  change.judged.verdict = more   ? Verdict::regressed
                          : less ? Verdict::improved
                                 : Verdict::equivalent;
  return change;
}

std::optional<double> counted(const run::Run& run, bool flops) {
  if (run.ops.empty()) return {};
  return flops ? run::flops_of(run) : run::bytes_of(run);
}

std::optional<double> memory(const run::Run& run) {
  if (!run.memory.host_peak_bytes) return {};
  return static_cast<double>(*run.memory.host_peak_bytes);
}

}  // namespace

std::vector<std::string> metric_names() {
  return {"total_time", "p95_time", "peak_memory", "flops", "bytes"};
}

Result<MetricChange> compare_metric(const run::Run& baseline, const run::Run& candidate,
                                    const std::string& metric, const CompareOptions& options) {
  const auto known = metric_names();
  if (std::find(known.begin(), known.end(), metric) == known.end())
    return Error{Errc::not_found,
                 fmt::format("There is no metric \"{}\".{} There are: {}.", printable(metric),
                             did_you_mean(metric, known), fmt::join(known, ", ")),
                 "--metric"};
  // Refuses what cannot be compared, whatever the metric.
  NEUROLENS_ASSIGN(auto whole, compare(baseline, candidate, options));
  MetricChange out{metric, "ns", {}, {}};
  if (metric == "total_time") {
    out.change = std::move(whole.total);
    out.basis = "Medians of blocks of iterations; the Runs were not measured interleaved.";
  } else if (metric == "p95_time") {
    out.change = tail_change(baseline, candidate, options);
    out.basis = fmt::format(
        "95th percentiles of {} blocks of at least {} iterations; {} blocks make a verdict.",
        out.change.judged.blocks, kFewestInTail, kFewestBlocks);
  } else if (metric == "peak_memory") {
    out.unit = "bytes";
    out.change = single_change(memory(baseline), memory(candidate), options.margin);
    out.basis = fmt::format("One value per Run; it changed when it moved by more than {:.3g} %.",
                            100 * options.margin);
  } else {
    const bool flops = metric == "flops";
    out.unit = flops ? "flops" : "bytes";
    out.change = single_change(counted(baseline, flops), counted(candidate, flops), 0);
    out.basis = "Counted from the plans, so any difference is one.";
  }
  return out;
}

}  // namespace neurolens::analyze
