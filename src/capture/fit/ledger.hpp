/// \file
/// What one observation costs, as a function of what is observed, and times without it. Pure
/// functions.
///
/// Model. The runtime builds a text of all shapes inside the timed region, so the reported duration
/// of an op is its own time plus  a + b * tensors + c * dimensions  (summed over inputs and
/// outputs). The coefficients come from graphs of tiny ops whose own time is the slope of
/// unobserved latency against their number. Within a real model the caches are colder than there,
/// so two factors remain free, both near 1: s for the cost of observation and g for what
/// observation does to the ops. They are the ones of greatest plausibility that make corrected
/// times add up to the unobserved latency:
///   t_i = g max(raw_i - s e_i, floor_i),   sum t_i = target,   min (ln s / S)^2 + (ln g / G)^2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace neurolens::capture {

/// What of an op the cost of observing it depends on.
struct EventShape {
  double tensors = 0;     ///< Inputs and outputs that the event lists.
  double dimensions = 0;  ///< Their ranks, summed.
};

/// Cost of one observation in ns.
struct LedgerModel {
  double base_ns = 0;           ///< a.
  double per_tensor_ns = 0;     ///< b.
  double per_dimension_ns = 0;  ///< c.
  /// Spread of the calibration's residuals relative to their prediction: the part of a single op's
  /// cost that the model does not know. >= 0.
  double relative_error = 0.15;
  [[nodiscard]] double cost_ns(const EventShape& shape) const {
    return base_ns + per_tensor_ns * shape.tensors + per_dimension_ns * shape.dimensions;
  }
};

/// Least squares over calibration points (cost of one event of that shape), coefficients >= 0.
struct LedgerPoint {
  EventShape shape;
  double cost_ns = 0;
};
[[nodiscard]] LedgerModel fit_ledger(std::span<const LedgerPoint> points);

/// Times without the observer.
struct Corrected {
  std::vector<double> time_ns;  ///< >= 0; sums to the target unless every raw time is 0.
  double scale = 1;             ///< s.
  double gain = 1;              ///< g.
};
/// `raw_ns` reported times, `cost_ns` what observing each cost (both per iteration), `target_ns`
/// what the times must add up to. Requires equal sizes. `scale_spread` and `gain_spread` are S and
/// G.
[[nodiscard]] Corrected correct(std::span<const double> raw_ns, std::span<const double> cost_ns,
                                double target_ns, double scale_spread = 0.3,
                                double gain_spread = 0.03);

}  // namespace neurolens::capture
