/// \file
/// Where a history of measurements changed its level.
///
/// Method: max-rank CUSUM. Ranks R_i of a segment of length T; S_t = sum over i <= t of (R_i -
/// (T+1)/2); z_t = |S_t| / sqrt(t (T-t) (T+1) / 12); Z = max of z_t over m <= t <= T-m. Z is
/// corrected for serial correlation: Z *= sqrt((1-phi)/(1+phi)), phi the lag-1 correlation of the
/// ranks about the means of four pieces (both sides of t, each split once more where that explains
/// most), bias-corrected and clamped to [0, 0.9]. When Z reaches the critical value the segment is
/// split at t and both halves are searched. A change stays only when the medians beside it differ
/// by the smallest change of interest. Critical values are those of the exact null distribution;
/// the test re-derives them by simulation.
/// Known limit: below about 100 points the correlation is uncertain, and autocorrelated noise shows
/// a change in 2-3 of 100 series (6 of 100 at 30 points and AR(.6)) at the one-percent level.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace neurolens::analyze {

/// Error probability of one segment: how often a series without a change shows one.
enum class ChangeLevel { five_percent, one_percent, tenth_of_a_percent };

/// How eager the search is.
struct ChangePointOptions {
  ChangeLevel level = ChangeLevel::one_percent;
  /// Fewest points on each side of a change, >= 2. 3 to explore, 5 for alerts.
  std::size_t margin = 3;
  /// Smallest relative change of the median that counts, >= 0.
  double delta = 0.01;
};

/// A change between the points `index` - 1 and `index`.
struct ChangePoint {
  std::size_t index = 0;
  double before = 0;     ///< Median of the segment that ends here.
  double after = 0;      ///< Median of the segment that begins here.
  double statistic = 0;  ///< Corrected Z.
};

/// Changes in the order of the series. Series shorter than 10 or with fewer than 2 margins have
/// none. O(T log T) per level of splitting.
[[nodiscard]] std::vector<ChangePoint> find_changes(std::span<const double> series,
                                                    const ChangePointOptions& options = {});

/// The corrected maximum and where it stands; Z = 0 for series too short. For tests and for
/// calibration.
struct CusumMaximum {
  double statistic = 0;
  std::size_t split = 0;
};
[[nodiscard]] CusumMaximum max_rank_cusum(std::span<const double> series, std::size_t margin,
                                          bool correct_for_correlation = true);

/// Critical value for a segment of `length` >= 10, interpolated in ln(length) between tabulated
/// ones.
[[nodiscard]] double critical_value(std::size_t length, ChangeLevel level);

}  // namespace neurolens::analyze
