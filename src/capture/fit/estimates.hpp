/// \file
/// From samples to times per op with intervals: the corrected method. Pure function of its input
/// and a seed.
#pragma once

#include <cstdint>
#include <vector>

#include "fit/ledger.hpp"

namespace neurolens::capture {

struct CorrectionInput {
  /// Per op, one value per observed iteration that counts (all of the same length), in ns.
  std::vector<std::vector<double>> samples_ns;
  std::vector<EventShape> shapes;     ///< Per op.
  std::vector<double> executions;     ///< Per op: events per iteration.
  std::vector<double> observed_ns;    ///< Whole observed iterations, as many as samples.
  std::vector<double> unobserved_ns;  ///< Whole unobserved iterations that count.
  LedgerModel ledger;
  Plausible plausible;
  double call_ns = 0;  ///< Of an unobserved call, in no op; with its interval.
  double call_low_ns = 0;
  double call_high_ns = 0;
  std::uint64_t seed = 1;
};

struct TimeInterval {
  double time_ns = 0;
  double low_ns = 0;
  double high_ns = 0;
  double raw_ns = 0;
};

struct CorrectionResult {
  std::vector<TimeInterval> ops;
  double target_ns = 0;  ///< What the times add up to: median unobserved latency less the call.
  double scale = 1;      ///< See Corrected.
  double gain = 1;
};

/// Times add up to `target_ns`; intervals are percentile bootstraps (95 %) over iterations, the
/// ledger's error per op, what is plausible for the factors, and the cost of the call.
[[nodiscard]] CorrectionResult estimate_corrected(const CorrectionInput& input);

/// Positions of the iterations up to the third quartile of `durations`. Means over them are robust
/// like a median, yet not bound to the whole microseconds that the runtime reports.
[[nodiscard]] std::vector<std::size_t> calm_positions(const std::vector<double>& durations);

/// The p-quantile (linear interpolation); sorts `values`. Requires a value.
[[nodiscard]] double quantile(std::vector<double>& values, double p);

}  // namespace neurolens::capture
