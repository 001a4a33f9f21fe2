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

/// The same, kept for small n: comparing 100,000 ops asks for one of them 200,000 times.
const std::vector<double>& signed_rank_density(int n) {
  constexpr std::size_t kKept = 65;
  thread_local std::array<std::vector<double>, kKept> kept;
  thread_local std::vector<double> other;
  const auto at = static_cast<std::size_t>(std::max(n, 0));
  if (at >= kKept) return other = make_density(n);
  if (kept[at].empty()) kept[at] = make_density(n);
  return kept[at];
}

}  // namespace

double signed_rank_cdf(std::int64_t v, int n) {
  if (v < 0) return 0;
  const auto& density = signed_rank_density(n);
  const auto end = std::min<std::int64_t>(v + 1, std::ssize(density));
  return std::min(1.0, std::accumulate(density.begin(), density.begin() + end, 0.0));
}

std::int64_t signed_rank_quantile(double alpha, int n) {
  const auto& density = signed_rank_density(n);
  double cumulative = 0;
  std::int64_t v = -1;
  for (const double p : density) {
    cumulative += p;
    if (cumulative > alpha) break;
    ++v;
  }
  return v;
}

std::optional<double> signed_rank_p_value(std::span<const double> differences) {
  std::vector<double> kept;
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
  std::vector<double> walsh;
  walsh.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i; j < n; ++j) walsh.push_back((differences[i] + differences[j]) / 2);
  }
  // Four order statistics are wanted, not the whole order; each search starts behind the last.
  const std::int64_t k = signed_rank_quantile(alpha, static_cast<int>(n));
  const std::size_t last = walsh.size() - 1;
  auto from = walsh.begin();
  const auto settle = [&](std::size_t position) {
    const auto at = walsh.begin() + static_cast<std::ptrdiff_t>(position);
    if (at < from) return;  // settled already
    std::nth_element(from, at, walsh.end());
    from = at + 1;
  };
  if (k >= 0) settle(static_cast<std::size_t>(k));  // w_(k+1), counted from 1
  settle(last / 2);
  settle(walsh.size() / 2);
  if (k >= 0) settle(last - static_cast<std::size_t>(k));
  Shift shift{(walsh[last / 2] + walsh[walsh.size() / 2]) / 2, std::nullopt};
  if (k >= 0) {
    const auto low = static_cast<std::size_t>(k);
    shift.interval = Interval{walsh[low], walsh[last - low]};
  }
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
