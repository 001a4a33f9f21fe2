/// \file
/// What one Run says: total time with its interval, and the ops ranked by the time they take.
///
/// Method: the time of the whole is the median of the settled, undisturbed, unobserved iterations;
/// that is the truth the parts are held against. The time of an op is the Run's own estimate where
/// it has one, else the median over observed iterations, observer included. Shares are shares of
/// the sum over ops.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/analyze/statistics.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// One op of the executed plan, with its time.
struct OpSummary {
  run::OpId op;
  std::string name;
  std::string type;
  double time_ns = 0;                 ///< Best estimate per iteration.
  std::optional<Interval> interval;   ///< 95 %, ns.
  std::optional<double> raw_time_ns;  ///< As the backend's profiler says.
  double share_ratio = 0;             ///< Of the sum over ops; the shares of all ops add up to 1.
  std::string method;                 ///< "observed", "corrected", "cut", "sampled"; empty: not collected.
  std::optional<std::int64_t> flops;  ///< Matrix + vector.
  std::optional<std::int64_t> bytes;  ///< Minimum traffic, weights included.
  std::optional<std::string> bound;   ///< "compute", "L2", "L3", "DRAM", "overhead".
  std::optional<double> roof_ratio;   ///< Achieved share of what the roof allows; see roofline.hpp.
};

/// All ops of one type taken together.
struct TypeSummary {
  std::string type;
  std::size_t count = 0;
  double time_ns = 0;
  double share_ratio = 0;
  std::optional<std::int64_t> flops;  ///< nullopt when unknown for any member.
  std::optional<std::int64_t> bytes;
};

/// Time of whole iterations of one kind.
struct IterationSummary {
  std::size_t count = 0;  ///< Settled and undisturbed ones.
  std::optional<double> p50_ns;
  std::optional<double> p95_ns;
  std::optional<double> min_ns;
  std::optional<Interval> interval;  ///< 95 %, of the median.
};

/// What summarise() found.
struct Summary {
  IterationSummary unobserved;
  IterationSummary observed;
  std::size_t warmup_count = 0;
  std::size_t disturbed_count = 0;
  double total_ns = 0;                          ///< Sum over ops.
  std::optional<double> observed_ratio;         ///< Median observed / unobserved iteration.
  std::optional<double> throughput_per_second;  ///< Batch size / unobserved p50.
  std::optional<std::int64_t> flops;  ///< Of the whole; nullopt when unknown for any op with time.
  std::optional<double>
      roof_ratio;  ///< Sum of the ops' ideal times / unobserved p50, over ops of known cost.
  std::size_t unknown_cost_count =
      0;                           ///< Ops without known cost, left out of flops and roof_ratio.
  std::vector<OpSummary> ops;      ///< By time, largest first; ties in plan order.
  std::vector<TypeSummary> types;  ///< By time, largest first.
};

/// Summarises a Run. Requires: the Run passed run::validate().
/// Errors: too_few_samples when the Run holds neither estimates nor settled samples of any op or
/// iteration. Pure: same Run, same bytes of answer.
[[nodiscard]] Result<Summary> summarise(const run::Run& run);

}  // namespace neurolens::analyze
