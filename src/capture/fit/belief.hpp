/// \file
/// Times that are known with an error: what ledger, cuts and like ops pass to each other.
#pragma once

#include <cmath>
#include <cstddef>

namespace neurolens::capture {

/// 95 % of normal errors lie within so many standard errors.
inline constexpr double kNormal95 = 1.959964;
inline constexpr double kLeastErrorNs = 1;  ///< The clock's step; keeps systems regular.

/// A time and its standard error, both in ns.
struct Belief {
  double time_ns = 0;
  double error_ns = 0;
};

/// Standard error from a 95 % interval.
[[nodiscard]] inline double error_of_interval(double low, double high) {
  return (high - low) / (2 * kNormal95);
}

/// What none of `count` normal errors exceeds in 95 of 100 cases, in standard errors:
/// P(any beyond z) <= n exp(-z^2 / 2).
[[nodiscard]] inline double largest_by_chance(std::size_t count) {
  return std::sqrt(2 * std::log((count > 1 ? static_cast<double>(count) : 1.0) / 0.05));
}

}  // namespace neurolens::capture
