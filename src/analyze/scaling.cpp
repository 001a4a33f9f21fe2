#include "neurolens/analyze/scaling.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

constexpr int kResamples = 400;

Status check_points(std::span<const ScalingPoint> points) {
  std::set<double> places;
  for (const auto& p : points) {
    if (!(p.x > 0) || !(p.y > 0) || !std::isfinite(p.x) || !std::isfinite(p.y)) {
      return Error{Errc::out_of_range,
                   "Every size, thread count and measured value must be finite and above 0.", ""};
    }
    places.insert(p.x);
  }
  if (places.size() < 3) {
    return Error{Errc::too_few_samples,
                 "A scaling law needs at least 3 different sizes or thread counts; measure more.",
                 ""};
  }
  return {};
}

/// Solves the 3x3 (or smaller, by `active`) normal equations by Gaussian elimination with pivoting.
std::array<double, 3> solve_active(std::array<std::array<double, 4>, 3> a,
                                   const std::array<bool, 3>& active) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (active[i]) continue;
    for (std::size_t k = 0; k < 4; ++k) a[i][k] = 0;
    for (auto& row : a) row[i] = 0;
    a[i][i] = 1;
  }
  for (std::size_t c = 0; c < 3; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < 3; ++r)
      pivot = std::abs(a[r][c]) > std::abs(a[pivot][c]) ? r : pivot;
    std::swap(a[c], a[pivot]);
    if (a[c][c] == 0) continue;
    for (std::size_t r = 0; r < 3; ++r) {
      if (r == c) continue;
      const double factor = a[r][c] / a[c][c];
      for (std::size_t k = c; k < 4; ++k) a[r][k] -= factor * a[c][k];
    }
  }
  std::array<double, 3> x{};
  for (std::size_t i = 0; i < 3; ++i) x[i] = a[i][i] == 0 ? 0 : a[i][3] / a[i][i];
  return x;
}

struct Usl {
  double lambda, sigma, kappa;
};

/// N/X = (1 + sigma (N-1) + kappa N (N-1)) / lambda, weighted by X/N for relative errors; the best
/// non-negative solution over the four sets of coefficients that may be zero.
Usl solve_usl(std::span<const ScalingPoint> points) {
  std::array<std::array<double, 4>, 3> normal{};
  for (const auto& p : points) {
    const double w = p.y / p.x;
    const std::array<double, 3> row{w, w * (p.x - 1), w * p.x * (p.x - 1)};
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 3; ++k) normal[i][k] += row[i] * row[k];
      normal[i][3] += row[i];  // the target is w * N/X = 1
    }
  }
  Usl best{0, 0, 0};
  double least = std::numeric_limits<double>::infinity();
  for (const auto& active : {std::array{true, true, true}, std::array{true, true, false},
                             std::array{true, false, true}, std::array{true, false, false}}) {
    const auto c = solve_active(normal, active);
    if (!(c[0] > 0) || c[1] < 0 || c[2] < 0) continue;
    double error = 0;
    for (const auto& p : points) {
      const double fit = (c[0] + c[1] * (p.x - 1) + c[2] * p.x * (p.x - 1)) * p.y / p.x;
      error += (fit - 1) * (fit - 1);
    }
    if (error < least) {
      least = error;
      best = {1 / c[0], c[1] / c[0], c[2] / c[0]};
    }
  }
  return best;
}

struct Line {
  double intercept, slope;
};

Line fit_line(std::span<const ScalingPoint> points) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (const auto& p : points) {
    const double x = std::log(p.x);
    const double y = std::log(p.y);
    n += 1;
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  const double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
  return {(sy - slope * sx) / n, slope};
}

/// 95 % percentile interval of `statistic` over data made of the fit times resampled relative
/// residuals, inflated by sqrt(n / (n - parameters)) because residuals are smaller than errors.
template <class Fitted, class Statistic>
Interval residual_bootstrap(std::span<const ScalingPoint> points, double parameters,
                            std::uint64_t seed, const Fitted& fitted, const Statistic& statistic) {
  std::vector<double> residuals;
  const auto n = static_cast<double>(points.size());
  const double inflation = n > parameters ? std::sqrt(n / (n - parameters)) : 1;
  for (const auto& p : points) residuals.push_back(inflation * std::log(p.y / fitted(p.x)));
  Random random(seed);
  std::vector<double> values;
  std::vector<ScalingPoint> resample(points.begin(), points.end());
  for (int r = 0; r < kResamples; ++r) {
    for (auto& p : resample)
      p.y = fitted(p.x) * std::exp(residuals[random.below(residuals.size())]);
    values.push_back(statistic(resample));
  }
  std::sort(values.begin(), values.end());
  return {values[kResamples * 25 / 1000], values[kResamples * 975 / 1000 - 1]};
}

}  // namespace

Result<UslFit> fit_usl(std::span<const ScalingPoint> points, std::uint64_t seed) {
  NEUROLENS_TRY(check_points(points));
  const Usl usl = solve_usl(points);
  const auto fitted = [&](double n) {
    return usl.lambda * n / (1 + usl.sigma * (n - 1) + usl.kappa * n * (n - 1));
  };
  UslFit fit{usl.lambda, usl.sigma, usl.kappa, {}, {}, 0};
  fit.sigma_interval =
      residual_bootstrap(points, 3, seed, fitted, [](const auto& p) { return solve_usl(p).sigma; });
  fit.kappa_interval =
      residual_bootstrap(points, 3, seed, fitted, [](const auto& p) { return solve_usl(p).kappa; });
  fit.best_threads = usl.kappa > 0 ? std::sqrt(std::max(0.0, 1 - usl.sigma) / usl.kappa)
                                   : std::numeric_limits<double>::infinity();
  return fit;
}

Result<ExponentFit> fit_exponent(std::span<const ScalingPoint> points, std::uint64_t seed) {
  NEUROLENS_TRY(check_points(points));
  const Line line = fit_line(points);
  const auto fitted = [&](double n) { return std::exp(line.intercept + line.slope * std::log(n)); };
  return ExponentFit{
      std::exp(line.intercept), line.slope,
      residual_bootstrap(points, 2, seed, fitted, [](const auto& p) { return fit_line(p).slope; })};
}

}  // namespace neurolens::analyze
