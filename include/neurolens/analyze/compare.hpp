/// \file
/// Two Runs in, differences with intervals and verdicts out.
///
/// Method: ops are aligned (align.hpp). Each Run's settled iterations are cut, in the order of
/// time, into up to 20 blocks; a block gives its median, per op and for whole iterations. The k-th
/// blocks of both sides form a pair, and the logarithms of their quotients go through
/// judge_log_ratios(). Per op the samples are scaled to the Run's own estimate, and the ops of a
/// group are added up first. Verdicts on ops also need Benjamini-Hochberg at rate q.
///
/// Two stored Runs are two launches, not two samples of launches: what one launch was lucky with is
/// in all of its blocks, and the interval cannot know it. Verdicts therefore need a change beyond
/// `margin`, which stands for the luck of launches, and the result says that the Runs were not
/// measured interleaved. For an answer below the margin measure interleaved (`compare --live`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/analyze/align.hpp"
#include "neurolens/analyze/verdict.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// How two Runs are compared.
struct CompareOptions {
  /// Smallest change of two stored Runs that can be told from the luck of two launches; ratio - 1,
  /// > 0. Raising it hides changes, lowering it below what launches vary by cries wolf.
  double margin = 0.10;
  double alpha = 0.01;  ///< Per side of an interval, in (0, 0.25].
  double q = 0.05;      ///< False discovery rate across ops, in (0, 1).
  /// Compare even what is not comparable: other hardware, other inputs, another model.
  bool force = false;
};

/// A fact that differs between the Runs.
struct Difference {
  std::string field;  ///< "host.cpu_model", "software.optimisation", "workload.inputs"...
  std::string baseline;
  std::string candidate;
  bool blocking = false;  ///< Times cannot be compared while this differs.
};

/// What one metric did. Ratios are candidate / baseline.
struct Change {
  std::optional<double> baseline;  ///< In the metric's unit; nullopt when not collected.
  std::optional<double> candidate;
  PairedVerdict judged;
};

/// What became of one group of ops.
struct OpChange {
  OpGroup group;
  std::string name;  ///< Of the longest op of the baseline (of the candidate when added).
  std::string type;
  Change time;                        ///< ns per iteration.
  bool discovered = false;            ///< Survived Benjamini-Hochberg.
  std::optional<double> flops_ratio;  ///< nullopt when unknown on a side or 0 in the baseline.
  std::optional<double> bytes_ratio;
};

/// What changed between two Runs.
struct Comparison {
  Change total;                        ///< Median unobserved iteration, ns.
  Change tail;                         ///< 95th percentile of it; ratio without verdict.
  std::optional<double> memory_ratio;  ///< Peak of the process.
  std::optional<double> flops_ratio;
  std::optional<double> bytes_ratio;
  std::vector<OpChange> ops;  ///< By the time that they won or lost, most first.
  Alignment alignment;
  double baseline_covered_ratio = 0;  ///< Share of op time in groups with both sides.
  double candidate_covered_ratio = 0;
  std::vector<Difference> differences;
  double margin = 0;
  std::vector<std::string> notes;  ///< What limits the answer, in sentences.
};

/// What differs between two Runs' hosts, software and workloads.
[[nodiscard]] std::vector<Difference> find_differences(const run::Run& baseline,
                                                       const run::Run& candidate);

/// Compares two Runs. Requires: both passed run::validate().
/// Errors: not_comparable, with every blocking difference, unless options.force; too_few_samples
/// when a Run has no settled iteration of a kind that both have; out_of_range for an option.
/// Exchanging the Runs inverts every ratio and exchanges every verdict. Pure.
[[nodiscard]] Result<Comparison> compare(const run::Run& baseline, const run::Run& candidate,
                                         const CompareOptions& options = {});

/// Names that compare_metric() knows: "total_time" (median iteration), "p95_time", "peak_memory",
/// "flops", "bytes".
[[nodiscard]] std::vector<std::string> metric_names();

/// One metric of two Runs.
struct MetricChange {
  std::string name;
  std::string unit;  ///< "ns", "bytes" or "flops".
  Change change;
  std::string basis;  ///< What the verdict rests on, in a sentence.
};

/// Compares one metric. Times come from blocks of iterations (p95: blocks of at least 20) and have
/// intervals; peak memory is one value per Run, which changed when it moved beyond the margin;
/// FLOPs and bytes are counted, so any difference is one. A metric that a side lacks is
/// inconclusive. Errors: not_found; those of compare(). Exchanging the Runs inverts ratio and
/// verdict. Pure.
[[nodiscard]] Result<MetricChange> compare_metric(const run::Run& baseline,
                                                  const run::Run& candidate,
                                                  const std::string& metric,
                                                  const CompareOptions& options = {});

}  // namespace neurolens::analyze
