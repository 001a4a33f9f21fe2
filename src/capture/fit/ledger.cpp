#include "fit/ledger.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace neurolens::capture {
namespace {

/// An op takes at least this share of what was reported for it: below that the ledger is noise.
constexpr double kFloorShare = 0.02;
constexpr double kSmallestScale = 0.2;
constexpr double kLargestScale = 5;
constexpr int kScaleSteps = 400;
/// No spread is smaller: a clock that is read twice knows no time better than this.
constexpr double kLeastSpread = 1e-4;

/// Solves the normal equations of the columns that are in use; the others stay 0.
std::array<double, 3> solve(std::span<const LedgerPoint> points, const std::array<bool, 3>& use) {
  std::array<std::array<double, 4>, 3> m{};
  for (const auto& point : points) {
    const std::array<double, 3> row{1, point.shape.tensors, point.shape.dimensions};
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 3; ++j) m[i][j] += row[i] * row[j];
      m[i][3] += row[i] * point.cost_ns;
    }
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (use[i]) continue;
    m[i] = {};
    for (auto& row : m) row[i] = 0;
    m[i][i] = 1;
  }
  for (std::size_t i = 0; i < 3; ++i) {
    std::size_t pivot = i;
    for (std::size_t r = i + 1; r < 3; ++r) {
      if (std::abs(m[r][i]) > std::abs(m[pivot][i])) pivot = r;
    }
    std::swap(m[i], m[pivot]);
    if (std::abs(m[i][i]) < 1e-9) continue;  // not told apart by these points
    for (std::size_t r = 0; r < 3; ++r) {
      if (r == i) continue;
      const double factor = m[r][i] / m[i][i];
      for (std::size_t c = i; c < 4; ++c) m[r][c] -= factor * m[i][c];
    }
  }
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) out[i] = std::abs(m[i][i]) < 1e-9 ? 0 : m[i][3] / m[i][i];
  return out;
}

double squares(std::span<const LedgerPoint> points, const LedgerModel& model) {
  double sum = 0;
  for (const auto& point : points) sum += std::pow(point.cost_ns - model.cost_ns(point.shape), 2);
  return sum;
}

/// Three coefficients: the best of the eight choices of which ones are 0 is the non-negative
/// solution.
LedgerModel fit(std::span<const LedgerPoint> points) {
  LedgerModel best;
  double least = std::numeric_limits<double>::infinity();
  for (int mask = 0; mask < 8; ++mask) {
    const auto x = solve(points, {(mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0});
    if (std::any_of(x.begin(), x.end(), [](double v) { return v < 0; })) continue;
    const LedgerModel model{x[0], x[1], x[2], 0};
    const double sum = squares(points, model);
    if (sum < least) {
      least = sum;
      best = model;
    }
  }
  return best;
}

}  // namespace

LedgerModel fit_ledger(std::span<const LedgerPoint> points) {
  LedgerModel best = fit(points);
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<LedgerPoint> others(points.begin(), points.end());
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    const double predicted = fit(others).cost_ns(points[i].shape);
    const double size = std::max(best.cost_ns(points[i].shape), 1.0);
    sum += std::pow((points[i].cost_ns - predicted) / size, 2);
  }
  if (!points.empty()) best.relative_error = std::sqrt(sum / static_cast<double>(points.size()));
  return best;
}

Plausible expected_scale(double added_ns, double added_error_ns, double predicted_ns,
                         double balance_spread, double scale_spread) {
  Plausible out;
  out.scale_spread = std::max(scale_spread, kLeastSpread);
  if (predicted_ns <= 0 || added_ns <= 0) return out;
  const double ratio = std::clamp(added_ns / predicted_ns, kSmallestScale, kLargestScale);
  const double seen = std::hypot(added_error_ns / added_ns, balance_spread, kLeastSpread);
  const double before = 1 / (out.scale_spread * out.scale_spread);
  const double now = 1 / (seen * seen);
  out.scale = std::exp(std::log(ratio) * now / (before + now));
  out.scale_spread = 1 / std::sqrt(before + now);
  return out;
}

Corrected correct(std::span<const double> raw_ns, std::span<const double> cost_ns, double target_ns,
                  const Plausible& plausible) {
  const double scale_spread = std::max(plausible.scale_spread, kLeastSpread);
  const double gain_spread = std::max(plausible.gain_spread, kLeastSpread);
  const auto times = [&](double scale, std::vector<double>& out) {
    double sum = 0;
    for (std::size_t i = 0; i < raw_ns.size(); ++i) {
      out[i] = std::max(raw_ns[i] - scale * cost_ns[i], kFloorShare * raw_ns[i]);
      sum += out[i];
    }
    return sum;
  };
  Corrected best;
  best.time_ns.assign(raw_ns.size(), 0);
  if (target_ns <= 0) return best;
  std::vector<double> trial(raw_ns.size());
  double least = std::numeric_limits<double>::infinity();
  const double low = std::log(kSmallestScale);
  const double step = (std::log(kLargestScale) - low) / kScaleSteps;
  for (int i = 0; i <= kScaleSteps; ++i) {
    const double log_scale = low + step * i;
    const double sum = times(std::exp(log_scale), trial);
    if (sum <= 0) continue;
    const double gain = target_ns / sum;
    const double penalty = std::pow((log_scale - std::log(plausible.scale)) / scale_spread, 2) +
                           std::pow(std::log(gain) / gain_spread, 2);
    if (penalty >= least) continue;
    least = penalty;
    best.scale = std::exp(log_scale);
    best.gain = gain;
  }
  if (!std::isfinite(least)) return best;
  times(best.scale, best.time_ns);
  for (auto& time : best.time_ns) time *= best.gain;
  return best;
}

}  // namespace neurolens::capture
