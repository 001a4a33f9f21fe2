/// \file
/// Medians with distribution-free intervals. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace neurolens::capture {

/// Median of the values, the mean of the middle two for an even number; 0 when there are none.
/// Changes the order of `values`.
[[nodiscard]] double median_of(std::vector<double>& values);
[[nodiscard]] double median(std::span<const double> values);

/// Median and its two-sided 95 % interval from order statistics (binomial, normal approximation
/// from 30 values on, exact below). No interval below 6 values: not enough data is an answer.
struct MedianInterval {
  double median = 0;
  std::optional<double> low;
  std::optional<double> high;
  /// (high - low) / median; nullopt without an interval or for a median of 0.
  [[nodiscard]] std::optional<double> relative_width() const;
};
[[nodiscard]] MedianInterval median_interval(std::span<const double> values);

/// The rank r (0-based) such that [x_(r), x_(n-1-r)] covers the median with at least 95 %; nullopt
/// below 6 values.
[[nodiscard]] std::optional<std::size_t> median_rank(std::size_t count);

}  // namespace neurolens::capture
