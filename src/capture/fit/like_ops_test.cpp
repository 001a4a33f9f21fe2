#include "fit/like_ops.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

double root_mean_square(const std::vector<double>& times, const std::vector<double>& right) {
  double sum = 0;
  for (std::size_t i = 0; i < times.size(); ++i) sum += std::pow(times[i] - right[i], 2);
  return std::sqrt(sum / static_cast<double>(times.size()));
}

TEST(LikeOps, EqualWorkSharesItsError) {
  Random random(3, 1);
  std::vector<Belief> ops;
  for (int i = 0; i < 100; ++i) ops.push_back({1000 + 100 * random.normal(), 100});
  const auto times = times_of_like_ops(ops);
  // The mean of 100 has an error of 10; the spread found by chance may leave a little.
  EXPECT_LT(root_mean_square(times, std::vector<double>(100, 1000)), 35);
}

TEST(LikeOps, WhatTrulyDiffersStaysApart) {
  Random random(4, 1);
  std::vector<Belief> ops;
  std::vector<double> right;
  for (int i = 0; i < 50; ++i) {
    right.push_back(1000 + 20 * random.normal());
    ops.push_back({right.back() + 5 * random.normal(), 5});
  }
  // 20 against an error of 5: what pooling may take from a true difference is a sixteenth.
  EXPECT_LT(root_mean_square(times_of_like_ops(ops), right), 6);
}

TEST(LikeOps, OneOfAnotherKindIsNeitherMovedNorUsed) {
  std::vector<Belief> ops(20, Belief{100, 10});
  ops[0].time_ns = 400;
  ops[7].time_ns = 110;
  const auto times = times_of_like_ops(ops);
  EXPECT_EQ(times[0], 400);
  EXPECT_NEAR(times[7], 100, 1.5);
}

TEST(LikeOps, PreciseOnesOutweighTheOthers) {
  const auto times = times_of_like_ops(std::vector<Belief>{{100, 1}, {130, 30}, {100, 1}});
  EXPECT_NEAR(times[1], 100, 0.5);
  EXPECT_NEAR(times[0], 100, 0.5);
}

TEST(LikeOps, TheSpreadIsWhatErrorsDoNotExplain) {
  Random random(5, 1);
  std::vector<Belief> noisy;
  std::vector<Belief> different;
  for (int i = 0; i < 400; ++i) {
    noisy.push_back({1000 + 30 * random.normal(), 30});
    different.push_back({1000 + 50 * random.normal(), 30});
  }
  EXPECT_LT(spread_of_like_ops(noisy), 12);
  EXPECT_NEAR(spread_of_like_ops(different), 40, 6);
  EXPECT_EQ(spread_of_like_ops(std::vector<Belief>{{1, 1}, {100, 1}}), 0);
}

TEST(LikeOps, EqualTimesAndFewOpsStayAsTheyAre) {
  EXPECT_EQ(times_of_like_ops(std::vector<Belief>{}), std::vector<double>{});
  EXPECT_EQ(times_of_like_ops(std::vector<Belief>{{5, 3}, {9, 3}}), (std::vector<double>{5, 9}));
  EXPECT_EQ(times_of_like_ops(std::vector<Belief>(4, Belief{7, 0})), (std::vector<double>(4, 7)));
}

}  // namespace
}  // namespace neurolens::capture
