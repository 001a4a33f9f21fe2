/// \file
/// Two paired samples compared without assuming a distribution: Wilcoxon's signed-rank statistic
/// with its exact null, the Hodges-Lehmann estimate, and the interval that belongs to both.
///
/// Method: d_k are differences of n independent pairs (blocks). The Walsh averages (d_i + d_j)/2, i
/// <= j, sorted are w_1..w_M, M = n(n+1)/2. Estimate: their median. Interval: [w_(k+1), w_(M-k)]
/// with k the largest v such that P(W <= v) <= alpha per side under the null, by dynamic
/// programming over all 2^n sign patterns. Exact for continuous symmetric differences; ties make it
/// conservative.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "neurolens/analyze/statistics.hpp"

namespace neurolens::analyze {

/// P(W <= v) for the sum W of the ranks with positive sign, n pairs, under the null. n <= 1,000.
/// Exact while 2^-n is a double; v < 0 gives 0, v >= n(n+1)/2 gives 1.
[[nodiscard]] double signed_rank_cdf(std::int64_t v, int n);

/// The largest v with P(W <= v) <= alpha; -1 when even v = 0 is more likely than that.
[[nodiscard]] std::int64_t signed_rank_quantile(double alpha, int n);

/// Two-sided p-value of the hypothesis that the differences are symmetric around 0. Zeros are
/// dropped, ties get mean ranks (rounded down: conservative). nullopt when nothing is left.
[[nodiscard]] std::optional<double> signed_rank_p_value(std::span<const double> differences);

/// Estimate and interval of the shift.
struct Shift {
  double estimate = 0;
  std::optional<Interval> interval;  ///< nullopt when n is too small for this alpha.
};

/// nullopt for an empty sample. `alpha` per side, in (0, 0.5). O(n^2 log n); n <= 1,000 (more are
/// cut to the first 1,000).
[[nodiscard]] std::optional<Shift> hodges_lehmann(std::span<const double> differences,
                                                  double alpha);

/// Benjamini-Hochberg: which of the hypotheses with these p-values are rejected at false discovery
/// rate q. Same order as the input.
[[nodiscard]] std::vector<bool> benjamini_hochberg(std::span<const double> p_values, double q);

}  // namespace neurolens::analyze
