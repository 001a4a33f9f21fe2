#include "fit/order_statistics.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::capture {

double median_of(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  const double below = *std::max_element(values.begin(), middle);
  return (below + *middle) / 2;
}

double median(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  return median_of(copy);
}

std::optional<std::size_t> median_rank(std::size_t count) {
  if (count < 6) return std::nullopt;
  const auto n = static_cast<double>(count);
  if (count >= 30) {
    const double rank = std::floor((n - 1.959964 * std::sqrt(n)) / 2);
    return static_cast<std::size_t>(std::max(rank - 1, 0.0));
  }
  // P(B <= r) for B ~ Bin(n, 1/2); the interval leaves out r + 1 values on each side when that is
  // <= 2.5 %.
  double probability = std::pow(0.5, n);
  double cumulative = probability;
  std::size_t rank = 0;
  while (cumulative <= 0.025) {
    ++rank;
    probability *= (n - static_cast<double>(rank) + 1) / static_cast<double>(rank);
    cumulative += probability;
  }
  return rank == 0 ? 0 : rank - 1;
}

std::optional<double> MedianInterval::relative_width() const {
  if (!low || !high || median <= 0) return std::nullopt;
  return (*high - *low) / median;
}

MedianInterval median_interval(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  MedianInterval out;
  if (sorted.empty()) return out;
  const std::size_t n = sorted.size();
  out.median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  if (const auto rank = median_rank(n)) {
    out.low = sorted[*rank];
    out.high = sorted[n - 1 - *rank];
  }
  return out;
}

}  // namespace neurolens::capture
