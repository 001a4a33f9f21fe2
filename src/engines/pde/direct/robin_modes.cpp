#include "direct/robin_modes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr double kPi = std::numbers::pi;

// tan(phase) = rise / run.
struct Slope {
  double rise, run;
};
Slope slope_of(const BoxAxis& axis, std::size_t side, double theta) {
  const BoxEnd& end = axis.end[side];
  if (end.kind == ConditionKind::dirichlet) return {1, 0};
  const double half = std::sin(theta / 2);
  return {axis.h * end.ratio + 4 * half * half * (0.5 - end.weight), std::sin(theta)};
}
double phase(const BoxAxis& axis, std::size_t side, double theta) {
  const Slope slope = slope_of(axis, side, theta);
  return std::atan2(slope.rise, slope.run);
}
// The value at the end itself, cos(phase): large ratios leave little of it, which the difference of
// two angles would lose.
double end_value(const BoxAxis& axis, std::size_t side, double theta) {
  const Slope slope = slope_of(axis, side, theta);
  const double length = std::hypot(slope.rise, slope.run);
  return length > 0 ? slope.run / length : 1;
}

// The sum of both phases in mode m, and its share of the lower end.
double phases(const BoxAxis& axis, int m, double& lower) {
  const double n = axis.intervals;
  double low = 0;
  double high = kPi;
  for (int i = 0; i < 60 && low < high; ++i) {
    const double middle = (low + high) / 2;
    const double theta = (m * kPi + middle) / n;
    const bool above = middle > phase(axis, 0, theta) + phase(axis, 1, theta);
    (above ? high : low) = middle;
  }
  const double theta = (m * kPi + low) / n;
  lower = theta > 0 ? phase(axis, 0, theta) : 0;
  return low;
}

double dot(std::size_t n, const double* a, const double* b) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void normalise(std::size_t n, double* v) {
  const double scale = 1 / std::sqrt(dot(n, v, v));
  for (std::size_t i = 0; i < n; ++i) v[i] *= scale;
}

// The symmetric matrix times v.
std::vector<double> apply(const BoxAxis& axis, const std::vector<double>& root, const double* v) {
  const std::size_t n = root.size();
  std::vector<double> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool first = i == 0 && axis.end[0].kind != ConditionKind::dirichlet;
    const bool last = i + 1 == n && axis.end[1].kind != ConditionKind::dirichlet;
    double diagonal = 2;
    if (first) diagonal = (1 + axis.h * axis.end[0].ratio) / axis.end[0].weight;
    if (last) diagonal = (1 + axis.h * axis.end[1].ratio) / axis.end[1].weight;
    out[i] = diagonal * v[i];
    if (i > 0) out[i] -= v[i - 1] / (root[i] * root[i - 1]);
    if (i + 1 < n) out[i] -= v[i + 1] / (root[i] * root[i + 1]);
  }
  return out;
}

}  // namespace

bool robin_modes(const BoxAxis& axis, std::vector<double>& vectors, std::vector<double>& symbol) {
  for (const BoxEnd& end : axis.end)
    if (!(end.ratio >= 0)) return false;
  const std::size_t n = index(axis.count);
  const int intervals = axis.intervals;
  std::vector<double> root(n, 1.0);
  root.front() = std::sqrt(axis.end[0].weight);
  root.back() = std::sqrt(axis.end[1].weight);
  vectors.assign(n * n, 0.0);
  symbol.assign(n, 0.0);
  const std::size_t waves = index(intervals - 1);
  for (std::size_t k = 0; k < waves; ++k) {
    double lower = 0;
    const double sum = phases(axis, static_cast<int>(k), lower);
    const double theta = (static_cast<double>(k) * kPi + sum) / intervals;
    const double half = std::sin(theta / 2);
    symbol[k] = 4 * half * half;
    double* v = vectors.data() + k * n;
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t j = axis.first + static_cast<std::int64_t>(i);
      const std::int64_t turn = j * static_cast<std::int64_t>(k) % (2 * intervals);
      v[i] = root[i] * std::cos(kPi * static_cast<double>(turn) / intervals +
                                (static_cast<double>(j) * sum / intervals - lower));
    }
    if (axis.end[0].kind != ConditionKind::dirichlet)
      v[0] = root.front() * end_value(axis, 0, theta);
    if (axis.end[1].kind != ConditionKind::dirichlet)
      v[n - 1] = root.back() * end_value(axis, 1, theta) * (k % 2 == 0 ? 1 : -1);
    normalise(n, v);
  }
  // What is left: alternating, at either end. Twice is enough for orthogonality to rounding.
  for (std::size_t k = waves; k < n; ++k) {
    double* v = vectors.data() + k * n;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t distance = k == waves ? i : n - 1 - i;
      v[i] = (i % 2 == 0 ? 1 : -1) * std::exp(-0.1 * static_cast<double>(distance));
    }
    for (int turn = 0; turn < 2; ++turn) {
      for (std::size_t other = 0; other < k; ++other) {
        const double* w = vectors.data() + other * n;
        const double share = dot(n, v, w);
        for (std::size_t i = 0; i < n; ++i) v[i] -= share * w[i];
      }
      normalise(n, v);
    }
  }
  if (waves + 2 == n) {  // the right two among their combinations
    double* a = vectors.data() + waves * n;
    double* b = a + n;
    const double aa = dot(n, a, apply(axis, root, a).data());
    const double ab = dot(n, a, apply(axis, root, b).data());
    const double bb = dot(n, b, apply(axis, root, b).data());
    const double angle = 0.5 * std::atan2(2 * ab, aa - bb);
    const double c = std::cos(angle);
    const double s = std::sin(angle);
    for (std::size_t i = 0; i < n; ++i) {
      const double x = a[i];
      const double y = b[i];
      a[i] = c * x + s * y;
      b[i] = c * y - s * x;
    }
  }
  for (std::size_t k = waves; k < n; ++k) {
    const double* v = vectors.data() + k * n;
    symbol[k] = dot(n, v, apply(axis, root, v).data());
  }
  return true;
}

}  // namespace neurolens::pde
