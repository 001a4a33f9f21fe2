#include "neurolens/analyze/signed_rank.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace neurolens::analyze {
namespace {

constexpr int kMostPairs = 1000;

/// P(W = v) for v = 0..M, n pairs. Adding rank r either keeps or adds r to the sum, each with
/// probability 1/2.
std::vector<double> make_density(int n) {
  std::vector<double> density{1.0};
  for (int rank = 1; rank <= n; ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    std::vector<double> next(density.size() + r);
    for (std::size_t v = 0; v < density.size(); ++v) {
      next[v] += density[v] / 2;
      next[v + r] += density[v] / 2;
    }
    density = std::move(next);
  }
  return density;
}

/// P(W <= v) for v = 0..M, kept for small n: comparing 100,000 ops asks for one of them 200,000
/// times.
const std::vector<double>& signed_rank_distribution(int n) {
  constexpr std::size_t kKept = 65;
  thread_local std::array<std::vector<double>, kKept> kept;
  thread_local std::vector<double> other;
  const auto make = [n] {
    auto density = make_density(n);
    std::partial_sum(density.begin(), density.end(), density.begin());
    return density;
  };
  const auto at = static_cast<std::size_t>(std::max(n, 0));
  if (at >= kKept) return other = make();
  if (kept[at].empty()) kept[at] = make();
  return kept[at];
}

/// Puts the order statistics `ranks` (ascending) of a[0, n) in their places, all in one recursion.
/// The partition has no branch on the data: Walsh averages come in no order, and half of such
/// branches would be mispredicted. `depth` bounds unlucky pivots.
void settle(double* a, std::size_t n, std::size_t* ranks, std::size_t wanted, int depth) {
  constexpr std::size_t kSorted = 16;
  if (wanted == 0) return;
  if (n <= kSorted || depth == 0) {
    std::sort(a, a + n);
    return;
  }
  const double x = a[n / 4];
  const double y = a[n / 2];
  const double z = a[n - 1 - n / 4];
  const double pivot = std::max(std::min(x, y), std::min(std::max(x, y), z));
  const auto split = [a, n](auto belongs) {
    std::size_t left = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double value = a[i];
      a[i] = a[left];
      a[left] = value;
      left += belongs(value) ? 1 : 0;
    }
    return left;
  };
  std::size_t left = split([pivot](double value) { return value < pivot; });
  const bool smallest = left == 0;  // then what equals the pivot is settled
  if (smallest) left = split([pivot](double value) { return value <= pivot; });
  std::size_t below = 0;
  while (below < wanted && ranks[below] < left) ++below;
  if (!smallest) settle(a, left, ranks, below, depth - 1);
  for (std::size_t i = below; i < wanted; ++i) ranks[i] -= left;
  settle(a + left, n - left, ranks + below, wanted - below, depth - 1);
}

}  // namespace

double signed_rank_cdf(std::int64_t v, int n) {
  if (v < 0) return 0;
  const auto& distribution = signed_rank_distribution(n);
  const auto at = std::min<std::int64_t>(v, std::ssize(distribution) - 1);
  return std::min(1.0, distribution[static_cast<std::size_t>(at)]);
}

std::int64_t signed_rank_quantile(double alpha, int n) {
  const auto& distribution = signed_rank_distribution(n);
  return std::upper_bound(distribution.begin(), distribution.end(), alpha) - distribution.begin() -
         1;
}

std::optional<double> signed_rank_p_value(std::span<const double> differences) {
  thread_local std::vector<double> kept;
  kept.clear();
  for (const double d : differences) {
    if (d != 0) kept.push_back(d);
  }
  if (kept.empty() || kept.size() > kMostPairs) return {};
  std::sort(kept.begin(), kept.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  // Twice the rank sum keeps mean ranks of ties whole.
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  for (std::size_t i = 0; i < kept.size();) {
    std::size_t end = i;
    while (end < kept.size() && std::abs(kept[end]) == std::abs(kept[i])) ++end;
    const auto twice_rank = static_cast<std::int64_t>(i + 1 + end);
    for (; i < end; ++i) (kept[i] > 0 ? positive : negative) += twice_rank;
  }
  // The smaller side rounded up to a whole sum: a larger tail, never a smaller one.
  const std::int64_t smaller = (std::min(positive, negative) + 1) / 2;
  return std::min(1.0, 2 * signed_rank_cdf(smaller, static_cast<int>(kept.size())));
}

std::optional<Shift> hodges_lehmann(std::span<const double> differences, double alpha) {
  const std::size_t n = std::min<std::size_t>(differences.size(), kMostPairs);
  if (n == 0) return {};
  thread_local std::vector<double> walsh;
  walsh.resize(n * (n + 1) / 2);
  double* next = walsh.data();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i; j < n; ++j) *next++ = (differences[i] + differences[j]) / 2;
  }
  // Four order statistics are wanted, not the whole order.
  const std::int64_t k = signed_rank_quantile(alpha, static_cast<int>(n));
  const std::size_t last = walsh.size() - 1;
  const std::size_t low = k >= 0 ? static_cast<std::size_t>(k) : last / 2;  // w_(k+1) from 1
  std::array<std::size_t, 4> ranks{low, last / 2, walsh.size() / 2, last - low};
  std::sort(ranks.begin(), ranks.end());
  constexpr int kDepth = 60;
  settle(walsh.data(), walsh.size(), ranks.data(), ranks.size(), kDepth);
  Shift shift{(walsh[last / 2] + walsh[walsh.size() / 2]) / 2, std::nullopt};
  if (k >= 0) shift.interval = Interval{walsh[low], walsh[last - low]};
  return shift;
}

std::vector<bool> benjamini_hochberg(std::span<const double> p_values, double q) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::size_t rejected = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double bound = q * static_cast<double>(i + 1) / static_cast<double>(order.size());
    if (p_values[order[i]] <= bound) rejected = i + 1;
  }
  std::vector<bool> result(p_values.size(), false);
  for (std::size_t i = 0; i < rejected; ++i) result[order[i]] = true;
  return result;
}

}  // namespace neurolens::analyze
