/// \file
/// Robust estimates of one sample. Distribution-free throughout: durations are skewed and have
/// outliers, so nothing here assumes a normal distribution.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace neurolens::analyze {

/// A closed interval in the unit of the sample it came from; low <= high.
struct Interval {
  double low = 0;
  double high = 0;
};

/// Quantile by linear interpolation between order statistics (Hyndman and Fan 1996, type 7).
/// nullopt for an empty sample. `p` in [0, 1]. O(n) expected.
[[nodiscard]] std::optional<double> quantile(std::span<const std::int64_t> sample, double p);
/// The same of a sample that ascends already. O(1).
[[nodiscard]] std::optional<double> quantile_of_sorted(std::span<const std::int64_t> sorted,
                                                       double p);
[[nodiscard]] std::optional<double> median(std::span<const std::int64_t> sample);
/// The middle value, the mean of the middle two for an even number; 0 when there are none. O(n)
/// expected.
[[nodiscard]] double median_of(std::vector<double> values);
/// The same without a copy; changes the order of `values`.
[[nodiscard]] double median_in_place(std::vector<double>& values);

/// Interval for the median that covers it with at least `confidence` for any continuous
/// distribution: the order statistics x_(k), x_(n+1-k) with the largest k such that P(Bin(n, 1/2) <
/// k) <= (1-confidence)/2. nullopt where no such k exists (n < 6 at 95 %): not enough data.
[[nodiscard]] std::optional<Interval> median_interval(std::span<const std::int64_t> sample,
                                                      double confidence = 0.95);

}  // namespace neurolens::analyze
