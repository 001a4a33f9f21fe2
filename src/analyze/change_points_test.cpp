#include "neurolens/analyze/change_points.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

std::vector<double> draw_series(std::size_t length, const std::function<double()>& noise) {
  std::vector<double> series(length);
  for (auto& x : series) x = 100 * std::exp(noise());
  return series;
}

// The table re-derived by simulation of the null. The statistic is discrete, so a critical value is
// right when at most alpha of the nulls reach it, and more than alpha reach what lies a little
// below.
TEST(ChangePoints, CriticalValuesAreThoseOfTheNull) {
  constexpr int kDraws = 60'000;
  constexpr double kBelow = 0.08;
  for (const std::size_t length : {15U, 30U, 75U}) {
    Random random(length);
    std::vector<double> maxima(kDraws);
    std::vector<double> series(length);
    for (auto& z : maxima) {
      for (auto& x : series) x = random.uniform();
      z = max_rank_cusum(series, 3, false).statistic;
    }
    for (const auto& [level, alpha] :
         {std::pair{ChangeLevel::five_percent, 0.05}, std::pair{ChangeLevel::one_percent, 0.01}}) {
      const double critical = critical_value(length, level);
      const auto rate = [&](double bound) {
        return static_cast<double>(std::count_if(maxima.begin(), maxima.end(),
                                                 [&](double z) { return z >= bound; })) /
               kDraws;
      };
      const double error = 3 * std::sqrt(alpha / kDraws);
      EXPECT_LE(rate(critical), alpha + error) << length;
      EXPECT_GE(rate(critical - kBelow), alpha - error) << length;
    }
  }
}

// Short series leave the correlation uncertain: 60 points with AR(.3) noise show a change in about
// 2 of 100.
TEST(ChangePoints, StayQuietUnderFourKindsOfNoise) {
  constexpr int kSeries = 2000;
  for (int kind = 0; kind < 4; ++kind) {
    Random random(20, static_cast<std::uint64_t>(kind));
    int alarms = 0;
    for (int i = 0; i < kSeries; ++i) {
      double state = 0;
      const double phi = kind == 2 ? 0.3 : 0.6;
      const auto noise = [&]() -> double {
        if (kind == 0) return 0.02 * random.normal();
        if (kind == 1) return 0.02 * random.normal() + (random.uniform() < 0.05 ? 0.3 : 0);
        state = phi * state + 0.02 * random.normal();
        return state;
      };
      alarms += find_changes(draw_series(200, noise)).empty() ? 0 : 1;
    }
    EXPECT_LE(alarms, kSeries * 16 / 1000) << "noise model " << kind;
  }
}

TEST(ChangePoints, FindAStepOfFivePercentNearItsPlace) {
  Random random(5);
  int found = 0;
  constexpr int kSeries = 300;
  for (int i = 0; i < kSeries; ++i) {
    std::vector<double> series(50);
    for (std::size_t t = 0; t < series.size(); ++t)
      series[t] = (t < 40 ? 100 : 105) * std::exp(0.02 * random.normal());
    const auto changes = find_changes(series);
    found += std::any_of(changes.begin(), changes.end(),
                         [](const auto& c) { return c.index >= 37 && c.index <= 43; })
                 ? 1
                 : 0;
  }
  EXPECT_GE(found, kSeries * 85 / 100);
}

// Shown red by estimating the correlation about two means: the second step then hides the first.
TEST(ChangePoints, TellLevelsAndIgnoreWhatIsTooSmall) {
  std::vector<double> series;
  for (int t = 0; t < 90; ++t)
    series.push_back((t < 30 ? 100 : t < 60 ? 120 : 90) + 0.01 * (t % 7));
  const auto changes = find_changes(series);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].index, 30U);
  EXPECT_EQ(changes[1].index, 60U);
  EXPECT_NEAR(changes[0].before, 100, 0.1);
  EXPECT_NEAR(changes[0].after, 120, 0.1);
  EXPECT_NEAR(changes[1].after, 90, 0.1);
  EXPECT_TRUE(find_changes(series, {.delta = 0.5}).empty());
  EXPECT_TRUE(find_changes(std::vector<double>(9, 1.0)).empty());
  EXPECT_TRUE(find_changes(std::vector<double>(500, 1.0)).empty());
}

}  // namespace
}  // namespace neurolens::analyze
