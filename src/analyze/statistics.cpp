#include "neurolens/analyze/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace neurolens::analyze {
namespace {

/// The largest k with P(Bin(n, 1/2) < k) <= tail; 0 when there is none.
std::size_t binomial_rank(std::size_t n, double tail) {
  double log_term = -static_cast<double>(n) * std::log(2.0);  // ln P(X = 0)
  double cumulative = 0;
  std::size_t k = 0;
  while (k < n) {
    cumulative += std::exp(log_term);
    if (cumulative > tail) break;
    ++k;
    log_term += std::log(static_cast<double>(n - k + 1) / static_cast<double>(k));
  }
  return k;
}

}  // namespace

std::optional<double> quantile(std::span<const std::int64_t> sample, double p) {
  if (sample.empty()) return {};
  std::vector<std::int64_t> work(sample.begin(), sample.end());
  const double position = std::clamp(p, 0.0, 1.0) * static_cast<double>(work.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  std::nth_element(work.begin(), work.begin() + below, work.end());
  const auto low = static_cast<double>(work[static_cast<std::size_t>(below)]);
  const double weight = position - static_cast<double>(below);
  if (weight == 0) return low;
  const auto high = static_cast<double>(*std::min_element(work.begin() + below + 1, work.end()));
  return low * (1 - weight) + high * weight;
}

std::optional<double> quantile_of_sorted(std::span<const std::int64_t> sorted, double p) {
  if (sorted.empty()) return {};
  const double position = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto low = static_cast<double>(sorted[below]);
  const double weight = position - static_cast<double>(below);
  if (weight == 0) return low;
  return low * (1 - weight) + static_cast<double>(sorted[below + 1]) * weight;
}

std::optional<double> median(std::span<const std::int64_t> sample) {
  return quantile(sample, 0.5);
}

std::optional<Interval> median_interval(std::span<const std::int64_t> sample, double confidence) {
  const std::size_t k = binomial_rank(sample.size(), (1 - confidence) / 2);
  if (k == 0) return {};
  std::vector<std::int64_t> work(sample.begin(), sample.end());
  std::sort(work.begin(), work.end());
  return Interval{static_cast<double>(work[k - 1]), static_cast<double>(work[work.size() - k])};
}

double median_of(std::vector<double> values) {
  return median_in_place(values);
}

double median_in_place(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

}  // namespace neurolens::analyze
