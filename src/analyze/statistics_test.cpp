#include "neurolens/analyze/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

TEST(Quantile, MeetsKnownAnswersOfTypeSeven) {
  const std::vector<std::int64_t> sample{40, 10, 30, 20};
  EXPECT_DOUBLE_EQ(*median(sample), 25);
  EXPECT_DOUBLE_EQ(*quantile(sample, 0), 10);
  EXPECT_DOUBLE_EQ(*quantile(sample, 1), 40);
  EXPECT_DOUBLE_EQ(*quantile(sample, 0.95), 38.5);  // position 2.85 of 0..3
  EXPECT_FALSE(median({}).has_value());
}

// Ranks of the sign test: the tables of any text book give k = 1 for n = 6, 2 for 10, 6 for 20 (95
// %).
TEST(MedianInterval, TakesTheRanksOfTheSignTest) {
  const auto ranks = [](std::size_t n) {
    std::vector<std::int64_t> sample(n);
    for (std::size_t i = 0; i < n; ++i) sample[i] = static_cast<std::int64_t>(n - i);
    return median_interval(sample);
  };
  EXPECT_FALSE(ranks(5).has_value());
  EXPECT_EQ(ranks(6)->low, 1);
  EXPECT_EQ(ranks(10)->low, 2);
  EXPECT_EQ(ranks(10)->high, 9);
  EXPECT_EQ(ranks(20)->low, 6);
  EXPECT_EQ(ranks(20)->high, 15);
}

// Null and power: skewed draws with a known median are covered at least as often as promised, and
// not so much more often that the interval says nothing.
TEST(MedianInterval, CoversTheMedianOfASkewedDistributionAtItsRate) {
  Random random(11);
  constexpr int kTrials = 2000;
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<std::int64_t> sample(41);
    for (auto& x : sample) x = std::llround(1e6 * std::exp(0.5 * random.normal()));
    const auto interval = median_interval(sample);
    covered += interval->low <= 1e6 && 1e6 <= interval->high ? 1 : 0;
  }
  EXPECT_GE(covered, kTrials * 94 / 100);
  EXPECT_LE(covered, kTrials * 99 / 100);
}

TEST(MedianInterval, StaysFiniteForLargeSamples) {
  std::vector<std::int64_t> sample(20000);
  for (std::size_t i = 0; i < sample.size(); ++i) sample[i] = static_cast<std::int64_t>(i);
  const auto interval = median_interval(sample);
  ASSERT_TRUE(interval.has_value());
  EXPECT_NEAR(interval->low, 9999.5 - 0.98 * std::sqrt(20000.0), 3);
}

}  // namespace
}  // namespace neurolens::analyze
