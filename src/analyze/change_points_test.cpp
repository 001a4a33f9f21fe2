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

/// The smallest value that at most a share `alpha` of the sorted maxima reach: the statistic is
/// discrete.
double smallest_rare_value(const std::vector<double>& sorted, double alpha) {
  std::size_t i =
      sorted.size() - static_cast<std::size_t>(alpha * static_cast<double>(sorted.size()));
  while (i < sorted.size() && sorted[i] == sorted[i - 1]) ++i;
  return sorted[i];
}

// The table re-derived by simulation of the null: within .02, plus what 60,000 draws leave open.
TEST(ChangePoints, CriticalValuesAreThoseOfTheNull) {
  constexpr int kDraws = 60'000;
  for (const std::size_t length : {15U, 30U, 75U}) {
    Random random(length);
    std::vector<double> maxima(kDraws);
    std::vector<double> series(length);
    for (auto& z : maxima) {
      for (auto& x : series) x = random.uniform();
      z = max_rank_cusum(series, 3, false).statistic;
    }
    std::sort(maxima.begin(), maxima.end());
    EXPECT_NEAR(critical_value(length, ChangeLevel::five_percent),
                smallest_rare_value(maxima, 0.05), 0.03)
        << length;
    EXPECT_NEAR(critical_value(length, ChangeLevel::one_percent), smallest_rare_value(maxima, 0.01),
                0.04)
        << length;
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
  EXPECT_NEAR(changes[1].after, 130, 0.1);
  EXPECT_TRUE(find_changes(series, {.delta = 0.5}).empty());
  EXPECT_TRUE(find_changes(std::vector<double>(9, 1.0)).empty());
  EXPECT_TRUE(find_changes(std::vector<double>(500, 1.0)).empty());
}

}  // namespace
}  // namespace neurolens::analyze
