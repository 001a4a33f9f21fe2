#include "neurolens/analyze/signed_rank.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

// The null by brute force over all sign patterns.
double enumerated_cdf(std::int64_t v, int n) {
  std::int64_t hits = 0;
  for (std::uint32_t signs = 0; signs < (1U << n); ++signs) {
    std::int64_t sum = 0;
    for (int i = 0; i < n; ++i) sum += (signs >> i & 1U) != 0 ? i + 1 : 0;
    hits += sum <= v ? 1 : 0;
  }
  return static_cast<double>(hits) / static_cast<double>(1U << n);
}

TEST(SignedRank, ExactNullEqualsEnumerationUpToTwelvePairs) {
  for (int n = 1; n <= 12; ++n) {
    for (std::int64_t v = -1; v <= n * (n + 1) / 2 + 1; ++v) {
      ASSERT_DOUBLE_EQ(signed_rank_cdf(v, n), enumerated_cdf(v, n)) << v << " of " << n;
    }
  }
}

TEST(SignedRank, QuantilesMeetThePublishedTable) {
  EXPECT_EQ(signed_rank_quantile(0.025, 10), 8);
  EXPECT_EQ(signed_rank_quantile(0.01, 10), 5);
  EXPECT_EQ(signed_rank_quantile(0.025, 20), 52);
  EXPECT_EQ(signed_rank_quantile(0.01, 6), -1);
  EXPECT_EQ(signed_rank_quantile(0.01, 7), 0);
}

TEST(SignedRank, PValueOfAClearShiftAndOfNothing) {
  EXPECT_DOUBLE_EQ(*signed_rank_p_value(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
                   2.0 / 1024);
  EXPECT_DOUBLE_EQ(*signed_rank_p_value(std::vector<double>{1, -1, 2, -2}), 1);
  EXPECT_FALSE(signed_rank_p_value(std::vector<double>{0, 0}).has_value());
}

TEST(HodgesLehmann, EstimatesTheShiftAndFlipsWithItsSign) {
  const std::vector<double> d{0.9, 1.1, 1.0, 1.2, 0.8, 1.05, 0.95, 100};
  std::vector<double> flipped;
  for (const double x : d) flipped.push_back(-x);
  const auto a = hodges_lehmann(d, 0.01);
  const auto b = hodges_lehmann(flipped, 0.01);
  EXPECT_NEAR(a->estimate, 1.05, 0.05);  // the outlier moves a mean to 13
  EXPECT_EQ(a->estimate, -b->estimate);
  EXPECT_EQ(a->interval->low, -b->interval->high);
  EXPECT_FALSE(hodges_lehmann(std::vector<double>{1, 2, 3}, 0.01)->interval.has_value());
}

// Noise models of a busy machine; all symmetric as differences of two draws of the same kind.
enum class Noise { normal, heavy, bimodal, autocorrelated };

std::vector<double> differences(Noise noise, std::size_t n, Random& random) {
  double state = 0;
  const auto draw = [&]() -> double {
    switch (noise) {
      case Noise::normal:
        return random.normal();
      case Noise::heavy:
        return random.normal() / std::max(0.05, random.uniform());
      case Noise::bimodal:
        return random.normal() * 0.2 + (random.uniform() < 0.3 ? 3 : 0);
      case Noise::autocorrelated:
        return state = 0.3 * state + random.normal();
    }
    return 0;
  };
  std::vector<double> d(n);
  for (auto& x : d) {
    const double a = draw();
    x = draw() - a;
    if (random.uniform() < 0.5) x = -x;  // A and B run in random order within their block
  }
  return d;
}

// 98 +- 0.5 % for independent pairs; serial correlation within a pair's difference must not break
// it either.
TEST(HodgesLehmann, IntervalCoversTheTruthAtItsRateUnderFourNoiseModels) {
  constexpr int kDraws = 20'000;
  constexpr std::size_t kPairs = 10;
  for (const Noise noise : {Noise::normal, Noise::heavy, Noise::bimodal, Noise::autocorrelated}) {
    Random random(7, static_cast<std::uint64_t>(noise));
    int covered = 0;
    for (int i = 0; i < kDraws; ++i) {
      const auto shift = hodges_lehmann(differences(noise, kPairs, random), 0.01);
      covered += shift->interval->low <= 0 && 0 <= shift->interval->high ? 1 : 0;
    }
    // The discrete null promises 2 P(W <= 5) = 1.95 % outside for n = 10.
    const double rate = static_cast<double>(covered) / kDraws;
    EXPECT_NEAR(rate, 1 - 2 * signed_rank_cdf(5, kPairs), 0.005) << static_cast<int>(noise);
  }
}

TEST(BenjaminiHochberg, MeetsTheWorkedExampleOfItsPaper) {
  // Benjamini and Hochberg 1995, section 3: 15 p-values, four rejected at q = 0.05.
  const std::vector<double> p{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                              0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000};
  const auto rejected = benjamini_hochberg(p, 0.05);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_EQ(rejected[i], i < 4) << i;
  EXPECT_TRUE(benjamini_hochberg({}, 0.05).empty());
}

}  // namespace
}  // namespace neurolens::analyze
