#include "neurolens/analyze/scaling.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

std::vector<ScalingPoint> usl_points(double lambda, double sigma, double kappa, double noise,
                                     Random& random) {
  std::vector<ScalingPoint> points;
  for (const double n : {1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0}) {
    const double x = lambda * n / (1 + sigma * (n - 1) + kappa * n * (n - 1));
    points.push_back({n, x * std::exp(noise * random.normal())});
  }
  return points;
}

TEST(Usl, RecoversPlantedCoefficients) {
  Random random(1);
  const auto fit = fit_usl(usl_points(1000, 0.05, 0.002, 0, random));
  ASSERT_TRUE(fit.ok()) << fit.error();
  EXPECT_NEAR(fit->lambda, 1000, 1e-6);
  EXPECT_NEAR(fit->sigma, 0.05, 1e-9);
  EXPECT_NEAR(fit->kappa, 0.002, 1e-10);
  EXPECT_NEAR(fit->best_threads, std::sqrt(0.95 / 0.002), 1e-3);
}

TEST(Usl, SeesNothingWherePerfectScalingIs) {
  Random random(1);
  const auto fit = fit_usl(usl_points(10, 0, 0, 0, random));
  EXPECT_NEAR(fit->sigma, 0, 1e-9);
  EXPECT_TRUE(std::isinf(fit->best_threads) || fit->best_threads > 1e3);
}

TEST(Usl, IntervalsBracketTheTruthMostOfTheTime) {
  Random random(3);
  int covered = 0;
  for (int i = 0; i < 200; ++i) {
    const auto fit =
        fit_usl(usl_points(1000, 0.08, 0.003, 0.02, random), static_cast<std::uint64_t>(i));
    covered += fit->sigma_interval.low <= 0.08 && 0.08 <= fit->sigma_interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, 170);
}

TEST(Exponent, RecoversAPlantedPowerAndItsInterval) {
  Random random(4);
  int covered = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<ScalingPoint> points;
    for (const double n : {64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0}) {
      points.push_back({n, 3 * std::pow(n, 1.5) * std::exp(0.03 * random.normal())});
    }
    const auto fit = fit_exponent(points, static_cast<std::uint64_t>(i));
    EXPECT_NEAR(fit->exponent, 1.5, 0.06);
    covered += fit->exponent_interval.low <= 1.5 && 1.5 <= fit->exponent_interval.high ? 1 : 0;
  }
  EXPECT_GE(covered, 170);
}

TEST(Scaling, RefusesTooLittleAndNonsense) {
  EXPECT_EQ(fit_usl(std::vector<ScalingPoint>{{1, 1}, {2, 2}}).error().code, Errc::too_few_samples);
  EXPECT_EQ(fit_exponent(std::vector<ScalingPoint>{{1, 1}, {2, -2}, {3, 1}}).error().code,
            Errc::out_of_range);
}

}  // namespace
}  // namespace neurolens::analyze
