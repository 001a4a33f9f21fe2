#include "neurolens/analyze/verdict.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

struct Sides {
  std::vector<double> a;
  std::vector<double> b;
};

// Interleaved blocks on a machine that drifts, jumps between two speeds, remembers, and has
// outliers. The two sides of a block share the machine's state; each has noise of its own.
Sides simulate(double ratio, double noise, std::size_t blocks, Random& random) {
  Sides sides;
  double drift = 0;
  for (std::size_t k = 0; k < blocks; ++k) {
    drift = 0.6 * drift + 0.05 * random.normal() + 0.01 * static_cast<double>(k);
    const double mode = random.uniform() < 0.3 ? 0.15 : 0;
    const auto draw = [&](double factor) {
      const double outlier = random.uniform() < 0.02 ? 0.3 * random.uniform() : 0;
      return 1e6 * factor * std::exp(drift + mode + noise * random.normal() + outlier);
    };
    sides.a.push_back(draw(1));
    sides.b.push_back(draw(ratio));
  }
  return sides;
}

TEST(Verdict, TwoThousandNullComparisonsRaiseAtMostOnePercentFalseAlarms) {
  Random random(1);
  int alarms = 0;
  for (int run = 0; run < 2000; ++run) {
    const Sides s = simulate(1, 0.02, 10, random);
    const auto v = judge_pairs(s.a, s.b)->verdict;
    alarms += v == Verdict::regressed || v == Verdict::improved ? 1 : 0;
  }
  EXPECT_LE(alarms, 20);
}

// Shown red by judging with the sides' means instead: 5 % at sd 2 % and n = 10 must be found.
TEST(Verdict, FindsAFivePercentSlowdownNineteenTimesInTwenty) {
  Random random(2);
  int found = 0;
  for (int run = 0; run < 1000; ++run) {
    Sides s;
    for (int k = 0; k < 10; ++k) {
      s.a.push_back(1e6 * std::exp(0.02 / std::sqrt(2) * random.normal()));
      s.b.push_back(1.05e6 * std::exp(0.02 / std::sqrt(2) * random.normal()));
    }
    found += judge_pairs(s.a, s.b)->verdict == Verdict::regressed ? 1 : 0;
  }
  EXPECT_GE(found, 950);
}

TEST(Verdict, ExchangingTheSidesExchangesEverythingExactly) {
  Random random(3);
  for (const double ratio : {0.9, 1.0, 1.03, 1.2}) {
    const Sides s = simulate(ratio, 0.01, 12, random);
    const auto forward = judge_pairs(s.a, s.b);
    const auto backward = judge_pairs(s.b, s.a);
    const auto flip = [](Verdict v) {
      return v == Verdict::regressed  ? Verdict::improved
             : v == Verdict::improved ? Verdict::regressed
                                      : v;
    };
    EXPECT_EQ(forward->verdict, flip(backward->verdict));
    const auto reciprocal = [](double x, double y) { return std::min(x, y) == 1 / std::max(x, y); };
    EXPECT_TRUE(reciprocal(forward->ratio, backward->ratio));
    EXPECT_TRUE(reciprocal(*forward->ratio_low, *backward->ratio_high));
    EXPECT_TRUE(reciprocal(*forward->ratio_high, *backward->ratio_low));
    EXPECT_EQ(forward->p_value, backward->p_value);
  }
}

TEST(Verdict, SaysEquivalentOnlyWhenTheIntervalIsInside) {
  std::vector<double> a(20, 100);
  std::vector<double> b;
  for (int i = 0; i < 20; ++i) b.push_back(100 + (i % 2 == 0 ? 0.3 : -0.3));
  EXPECT_EQ(judge_pairs(a, b)->verdict, Verdict::equivalent);
  a.resize(6);
  b.resize(6);
  EXPECT_EQ(judge_pairs(a, b)->verdict, Verdict::inconclusive);  // fewer than seven blocks, always
}

TEST(Verdict, SaysWhatItCouldHaveSeenAndHowManyBlocksWouldDo) {
  Random random(5);
  const Sides s = simulate(1.03, 0.05, 10, random);
  const auto v = judge_pairs(s.a, s.b);
  ASSERT_EQ(v->verdict, Verdict::inconclusive);
  EXPECT_GT(*v->detectable_ratio, 1.02);
  ASSERT_TRUE(v->blocks_to_settle.has_value());
  EXPECT_GT(*v->blocks_to_settle, 10);
}

TEST(Verdict, RefusesWhatIsNoPairOrNoTime) {
  EXPECT_EQ(judge_pairs(std::vector<double>{1}, std::vector<double>{1, 2}).error().code,
            Errc::bad_request);
  EXPECT_EQ(judge_pairs(std::vector<double>{1, 0}, std::vector<double>{1, 2}).error().where,
            "block 1");
  EXPECT_EQ(judge_pairs(std::vector<double>{1}, std::vector<double>{2}, {.alpha = 0}).error().code,
            Errc::out_of_range);
}

TEST(Verdict, SequentialLooksSpendTheWholeAlphaOnce) {
  double spent = 0;
  for (std::int64_t n = 1; n <= 100; ++n) spent += sequential_alpha(n).value_or(0);
  EXPECT_DOUBLE_EQ(spent, 0.01);
}

}  // namespace
}  // namespace neurolens::analyze
