/// \file
/// What one observation costs, as a function of what is observed, and times without it. Pure
/// functions.
///
/// Model. The runtime builds a text of all shapes inside the timed region, so the reported duration
/// of an op is its own time plus  a + b * tensors + c * dimensions  (summed over inputs and
/// outputs). The coefficients come from graphs of tiny ops whose own time is the slope of
/// unobserved latency against their number. Within a real model the caches are colder than there,
/// so two factors remain free: s for the cost of observation, and g for what the measurement does
/// not know of the sums. They are the ones of greatest plausibility that make corrected times add
/// up to the unobserved latency:
///   t_i = g max(raw_i - s e_i, floor_i),  sum t_i = target,  min (ln(s / s0) / S)^2 + (ln g /
///   G)^2.
/// s0, S and G are measured: see Plausible and expected_scale().
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
  /// How well the model predicts the cost of an event that it was not fitted to: relative error of
  /// each calibration point predicted from the others, root mean square. >= 0.
  double relative_error = 0;
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

/// What is plausible for the two factors.
struct Plausible {
  double scale = 1;         ///< s0.
  double scale_spread = 0;  ///< S, standard deviation of ln s; > 0 for a scale that may differ.
  double gain_spread = 0;   ///< G, standard deviation of ln g.
};

/// What the whole of an iteration says of the scale. Observation adds `added_ns` (with its standard
/// error) to an iteration, of which the calibration predicts `predicted_ns`, inside of ops and
/// outside; `balance_spread` is how well the one tells the other, `scale_spread` what is known
/// beforehand. Returns s0 and S, in inverse proportion to the variances; G is left as it is.
[[nodiscard]] Plausible expected_scale(double added_ns, double added_error_ns, double predicted_ns,
                                       double balance_spread, double scale_spread);

/// Times without the observer.
struct Corrected {
  std::vector<double> time_ns;  ///< >= 0; sums to the target unless every raw time is 0.
  double scale = 1;             ///< s.
  double gain = 1;              ///< g.
};
/// `raw_ns` reported times, `cost_ns` what observing each cost (both per iteration), `target_ns`
/// what the times must add up to. Requires equal sizes.
[[nodiscard]] Corrected correct(std::span<const double> raw_ns, std::span<const double> cost_ns,
                                double target_ns, const Plausible& plausible);

}  // namespace neurolens::capture
