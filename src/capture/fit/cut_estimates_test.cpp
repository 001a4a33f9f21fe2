#include "fit/cut_estimates.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "fit/isotonic.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

TEST(Isotonic, PoolsWhatFalls) {
  const std::vector<double> ones(5, 1);
  EXPECT_EQ(isotonic(std::vector<double>{1, 2, 3, 4, 5}, ones),
            (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(isotonic(std::vector<double>{1, 3, 2, 4, 4}, ones),
            (std::vector<double>{1, 2.5, 2.5, 4, 4}));
  EXPECT_EQ(isotonic(std::vector<double>{5, 4, 3, 2, 1}, ones),
            (std::vector<double>{3, 3, 3, 3, 3}));
  EXPECT_EQ(isotonic(std::vector<double>{4, 0}, std::vector<double>{3, 1}),
            (std::vector<double>{3, 3}));
}

/// Batches of prefixes over gaps of known time: drift common to a batch, and the luck of each
/// session.
std::vector<Batch> batches_of(const std::vector<double>& truth, int batches, double luck,
                              std::uint64_t seed) {
  Random random(seed);
  std::vector<Batch> out;
  for (int b = 0; b < batches; ++b) {
    const double drift = 1 + 0.01 * random.normal();
    double sum = 3000;
    std::vector<double> row;
    for (std::size_t i = 0; i <= truth.size(); ++i) {
      row.push_back((sum + luck * random.normal()) * drift);
      if (i < truth.size()) sum += truth[i];
    }
    out.push_back({std::move(row), 0});
  }
  return out;
}

const std::vector<double> kTruth{1000, 5, 400, 4000, 500, 500, 8000, 10, 700, 600};
constexpr double kLuck = 150;

struct Coverage {
  int covered = 0;
  int all = 0;
  void add(const GapTime& gap, double truth) {
    EXPECT_LE(gap.low_ns, gap.time_ns);
    EXPECT_GE(gap.high_ns, gap.time_ns);
    EXPECT_GE(gap.low_ns, 0);
    if (truth < 2 * kLuck) return;  // at the edge of what is allowed: pulled to one side by design
    covered += gap.low_ns <= truth && truth <= gap.high_ns ? 1 : 0;
    ++all;
  }
  [[nodiscard]] double rate() const { return static_cast<double>(covered) / all; }
};

TEST(LevelsOf, DriftCancelsAndLuckIsTheError) {
  const auto levels = levels_of(batches_of(kTruth, 12, kLuck, 3));
  const double rise = levels.time_ns.back() - levels.time_ns.front();
  const double sum = std::accumulate(kTruth.begin(), kTruth.end(), 0.0);
  EXPECT_NEAR(rise / sum, 1, 0.02);  // the mean drift of twelve batches stays
  for (const double error : levels.error_ns) EXPECT_NEAR(error, kLuck / std::sqrt(12), 20);
}

TEST(LevelsOf, TheConstantIsThatWithoutPadding) {
  auto batches = batches_of(kTruth, 12, 0, 3);
  for (std::size_t b = 1; b < batches.size(); ++b) {
    batches[b].padding = static_cast<double>(b);
    for (auto& value : batches[b].time_ns) value += 100.0 * static_cast<double>(b);
  }
  const auto levels = levels_of(batches);
  EXPECT_NEAR(levels.time_ns.front() / levels.time_ns.back(), 3000 / 18715.0, 0.002);
  EXPECT_LT(levels.common_error_ns, 20);  // drifts are multiples, so the constants scatter a little
}

// Level 0 is measured elsewhere: what all others share decides about the first gap.
TEST(LevelsOf, TheErrorOfTheConstantIsWhatItScattersBy) {
  double squares = 0;
  double claimed = 0;
  constexpr int kTrials = 100;
  for (std::uint64_t seed = 1; seed <= kTrials; ++seed) {
    auto batches = batches_of(kTruth, 8, 0, 3);  // the same drifts every time
    Random random(seed, 6);
    for (auto& batch : batches) {
      batch.padding = static_cast<double>(random.below(10));
      const double own = 200 * random.normal() + 30 * batch.padding;
      for (auto& value : batch.time_ns) value += own;
    }
    const auto levels = levels_of(batches);
    squares += std::pow(levels.time_ns.front() - 3000, 2) / kTrials;
    claimed += std::pow(levels.common_error_ns, 2) / kTrials;
  }
  EXPECT_NEAR(std::sqrt(claimed) / std::sqrt(squares), 1, 0.3);
}

TEST(GapsByCuts, CoverTheTruthAtTheirRate) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto gaps = gaps_by_cuts(levels_of(batches_of(kTruth, 8, kLuck, seed)), seed);
    for (std::size_t i = 0; i < kTruth.size(); ++i) coverage.add(gaps[i], kTruth[i]);
  }
  EXPECT_GT(coverage.rate(), 0.88);
  EXPECT_LT(coverage.rate(), 0.99);
}

std::vector<Belief> beliefs_of(double error_ns, std::uint64_t seed) {
  Random random(seed, 5);
  std::vector<Belief> out;
  for (const double time : kTruth) out.push_back({time + error_ns * random.normal(), error_ns});
  return out;
}

double squared_error(const std::vector<GapTime>& gaps) {
  double sum = 0;
  for (std::size_t i = 0; i < gaps.size(); ++i) sum += std::pow(gaps[i].time_ns - kTruth[i], 2);
  return sum;
}

TEST(GapsByBoth, CoverTheTruthAndAreCloserThanEither) {
  Coverage coverage;
  double both = 0, cuts = 0, beliefs_alone = 0;
  constexpr double kError = 60;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const auto levels = levels_of(batches_of(kTruth, 8, kLuck, seed));
    const auto beliefs = beliefs_of(kError, seed);
    const auto gaps = gaps_by_both(levels, beliefs);
    for (std::size_t i = 0; i < kTruth.size(); ++i) coverage.add(gaps[i], kTruth[i]);
    both += squared_error(gaps);
    cuts += squared_error(gaps_by_cuts(levels, seed));
    for (std::size_t i = 0; i < kTruth.size(); ++i) {
      beliefs_alone += std::pow(beliefs[i].time_ns - kTruth[i], 2);
    }
  }
  EXPECT_LT(both, cuts);
  EXPECT_LT(both, beliefs_alone);
  EXPECT_GT(coverage.rate(), 0.88);
}

TEST(GapsByBoth, TheCutIsRightWhereTheyDisagree) {
  auto beliefs = beliefs_of(10, 1);
  for (auto& belief : beliefs) belief.time_ns += 2000;  // 200 times what they claim to know
  const auto gaps = gaps_by_both(levels_of(batches_of(kTruth, 12, kLuck, 4)), beliefs);
  for (std::size_t i = 0; i < kTruth.size(); ++i) {
    EXPECT_NEAR(gaps[i].time_ns, kTruth[i], 300 + 0.05 * kTruth[i]) << i;
    EXPECT_GT(gaps[i].cut_share, 0.9);
  }
}

// One op that the observer slows down in a way that the ledger cannot know.
TEST(GapsByBoth, OneWrongBeliefDoesNotStand) {
  auto beliefs = beliefs_of(60, 1);
  beliefs[6].time_ns = kTruth[6] * 1.2;
  const auto gaps = gaps_by_both(levels_of(batches_of(kTruth, 12, kLuck, 4)), beliefs);
  EXPECT_NEAR(gaps[6].time_ns, kTruth[6], 0.05 * kTruth[6]);
  EXPECT_GT(gaps[6].cut_share, 0.9);
}

TEST(GapsByBoth, ExactBeliefsStand) {
  const auto beliefs = beliefs_of(0.1, 1);
  const auto gaps = gaps_by_both(levels_of(batches_of(kTruth, 6, kLuck, 9)), beliefs);
  for (std::size_t i = 0; i < kTruth.size(); ++i) {
    EXPECT_NEAR(gaps[i].time_ns, kTruth[i], 20) << i;
    EXPECT_LT(gaps[i].cut_share, 0.5);
  }
}

}  // namespace
}  // namespace neurolens::capture
