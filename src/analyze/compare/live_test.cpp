#include "neurolens/analyze/live.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "make_run.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

/// One value of a launch under a noise that real machines have: drift, two modes, outliers.
double noisy(Random& random, int kind, double drift) {
  double value = 0.02 * random.normal();
  if (kind == 1) value += drift;
  if (kind == 2 && random.below(2) == 0) value += 0.05;
  if (kind == 3 && random.below(10) == 0) value += 0.3 * random.uniform();
  return value;
}

/// Noise of the machine from launch to launch, whoever is launched: what it was, it mostly remains.
/// The launches of a block come in random order, as measure_block() has them.
class Autocorrelated {
 public:
  explicit Autocorrelated(double phi) : phi_(phi) {}
  void block(Random& random, double effect, LiveSamples& s) {
    std::array<double, 3> value{};
    std::array<std::size_t, 3> order{0, 1, 2};
    for (std::size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
    for (const auto i : order) {
      state_ = phi_ * state_ + 0.02 * random.normal();
      value[i] = 1e6 * std::exp(state_);
    }
    s.baseline.push_back(value[0]);
    s.candidate.push_back((1 + effect) * value[1]);
    s.control.push_back(value[2]);
  }

 private:
  double phi_;
  double state_ = 0;
};

struct Rates {
  int flagged = 0;
  int found = 0;
};

Rates simulate(int kind, double effect, int trials, std::uint64_t seed) {
  Random random(seed, static_cast<std::uint64_t>(kind));
  Rates rates;
  for (int t = 0; t < trials; ++t) {
    LiveSamples s;
    LiveVerdict verdict;
    double drift = 0;
    while (!verdict.finished) {
      drift = 0.8 * drift + 0.03 * random.normal();
      s.baseline.push_back(1e6 * std::exp(noisy(random, kind, drift)));
      s.candidate.push_back(1e6 * (1 + effect) * std::exp(noisy(random, kind, drift)));
      s.control.push_back(1e6 * std::exp(noisy(random, kind, drift)));
      if (sequential_alpha(std::ssize(s.baseline))) verdict = judge_live(s, 0.01, 0.02);
    }
    rates.flagged +=
        verdict.judged.verdict == Verdict::regressed || verdict.judged.verdict == Verdict::improved;
    rates.found += verdict.judged.verdict == Verdict::regressed;
  }
  return rates;
}

// Four kinds of noise, 500 comparisons each of a side against itself: at most 1 % false.
TEST(JudgeLive, CriesWolfAtMostOnceInAHundred) {
  int flagged = 0;
  for (int kind = 0; kind < 4; ++kind) flagged += simulate(kind, 0, 500, 77).flagged;
  EXPECT_LE(flagged, 20);
}

TEST(JudgeLive, FindsFivePercent) {
  EXPECT_GE(simulate(0, 0.05, 400, 78).found, 380);
}

// What a launch has in common with the one before it meets the sides in random order, so it is
// noise of a block, not a bias: 500 comparisons at each strength.
TEST(JudgeLive, AutocorrelatedNoiseRaisesNoAlarms) {
  int flagged = 0;
  int found = 0;
  for (const double phi : {0.3, 0.6, 0.9, 0.98}) {
    Random random(79, static_cast<std::uint64_t>(phi * 100));
    for (int trial = 0; trial < 500; ++trial) {
      for (const double effect : {0.0, 0.05}) {
        Autocorrelated noise(phi);
        LiveSamples s;
        LiveVerdict verdict;
        while (!verdict.finished) {
          noise.block(random, effect, s);
          if (sequential_alpha(std::ssize(s.baseline))) verdict = judge_live(s, 0.01, 0.02);
        }
        if (effect > 0) {
          found += verdict.judged.verdict == Verdict::regressed;
        } else {
          flagged += verdict.judged.verdict == Verdict::regressed ||
                     verdict.judged.verdict == Verdict::improved;
        }
      }
    }
  }
  EXPECT_LE(flagged, 20);
  EXPECT_GE(found, 1900);
}

// The plan keeps its promise: as many blocks as it asks for find the change in 90 of 100.
TEST(PlanLive, AsManyBlocksAsItAsksForFindTheChange) {
  for (const double spread : {0.03, 0.06, 0.10}) {
    const auto plan = plan_live(spread, 0.01, 0.05);
    EXPECT_EQ(plan.blocks % 4, 0);
    EXPECT_GE(plan.blocks, plan.needed);
    Random random(80, static_cast<std::uint64_t>(spread * 1000));
    int found = 0;
    constexpr int kTrials = 300;
    for (int trial = 0; trial < kTrials; ++trial) {
      LiveSamples s;
      LiveVerdict verdict;
      while (!verdict.finished) {
        const double machine = 0.05 * random.normal();
        const double side = spread / std::sqrt(2.0);
        s.baseline.push_back(1e6 * std::exp(machine + side * random.normal()));
        s.candidate.push_back(1.05e6 * std::exp(machine + side * random.normal()));
        s.control.push_back(1e6 * std::exp(machine + side * random.normal()));
        if (sequential_alpha(std::ssize(s.baseline), plan.blocks))
          verdict = judge_live(s, 0.01, 0.02, plan.blocks);
      }
      found += verdict.judged.verdict == Verdict::regressed;
    }
    EXPECT_GE(found, kTrials * 87 / 100) << spread;  // 90 %, less its error of sampling
  }
  const auto hopeless = plan_live(0.5, 0.01, 0.05);
  EXPECT_EQ(hopeless.blocks, kMostLiveBlocks);
  EXPECT_GT(hopeless.needed, hopeless.blocks);
}

TEST(SpreadOf, IsTheStandardDeviationAndBearsAnOutlier) {
  Random random(5);
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 400; ++i) {
    a.push_back(1e6);
    b.push_back(1e6 * std::exp(0.03 * random.normal()));
  }
  EXPECT_NEAR(*spread_of(a, b), 0.03, 0.003);
  b[7] *= 3;
  EXPECT_NEAR(*spread_of(a, b), 0.03, 0.01);
  EXPECT_FALSE(spread_of(std::vector<double>{1, 2}, std::vector<double>{1, 2}));
}

// Two readings of the same processes: what they share belongs to the process.
TEST(ProcessSpreadOf, TellsTheLuckOfAProcessFromNoise) {
  Random random(6);
  const auto measure = [&](double process, double noise) {
    std::vector<double> a1, b1, a2, b2;
    for (int i = 0; i < 400; ++i) {
      const double a = process * random.normal();
      const double b = process * random.normal();
      a1.push_back(std::exp(a + noise * random.normal()));
      b1.push_back(std::exp(b + noise * random.normal()));
      a2.push_back(std::exp(a + noise * random.normal()));
      b2.push_back(std::exp(b + noise * random.normal()));
    }
    return *process_spread_of(a1, b1, a2, b2);
  };
  EXPECT_NEAR(measure(0.02, 0.005), 0.02, 0.003);
  EXPECT_LT(measure(0, 0.02), 0.006);
}

OpBlocks blocks_of(const run::Run& run, Random& random, double scale, std::size_t slow) {
  OpBlocks out;
  for (int k = 0; k < 20; ++k) {
    out.emplace_back();
    for (std::size_t op = 0; op < run.ops.size(); ++op)
      out.back().push_back(1000.0 * static_cast<double>(op + 1) * (op == slow ? scale : 1.0) *
                           std::exp(0.01 * random.normal()));
  }
  return out;
}

TEST(JudgeLiveOps, NamesTheOpThatBecameSlower) {
  const auto run = test_support::make_run({.ops = 12});
  Random random(8);
  const auto a = blocks_of(run, random, 1, 0);
  const auto b = blocks_of(run, random, 1.2, 5);
  const auto c = blocks_of(run, random, 1, 0);
  const auto ops = judge_live_ops(run, run, a, b, c, 0.02, 0.04);
  ASSERT_TRUE(ops.ok()) << ops.error();
  ASSERT_EQ(ops->size(), 12u);
  EXPECT_EQ(ops->front().name, run.ops[5].name);
  EXPECT_EQ(ops->front().judged.verdict, Verdict::regressed);
  for (std::size_t i = 1; i < ops->size(); ++i)
    EXPECT_EQ((*ops)[i].judged.verdict, Verdict::equivalent) << (*ops)[i].name;
  const auto back = judge_live_ops(run, run, b, a, b, 0.02, 0.04);
  EXPECT_EQ(back->front().judged.verdict, Verdict::improved);
  EXPECT_DOUBLE_EQ(back->front().judged.ratio, 1 / ops->front().judged.ratio);
}

TEST(JudgeLiveOps, AControlThatMovedAndAPlanThatDoesNotFitGiveNoVerdict) {
  const auto run = test_support::make_run({.ops = 12});
  Random random(9);
  const auto a = blocks_of(run, random, 1, 0);
  const auto b = blocks_of(run, random, 1.2, 5);
  const auto ops = judge_live_ops(run, run, a, b, b, 0.02, 0.04);
  ASSERT_TRUE(ops.ok());
  EXPECT_TRUE(ops->front().control_flagged);
  EXPECT_EQ(ops->front().judged.verdict, Verdict::inconclusive);
  EXPECT_FALSE(judge_live_ops(run, test_support::make_run({.ops = 3}), a, b, a, 0.02, 0.04).ok());
}

TEST(JudgeLive, AControlThatLooksChangedSilencesEveryVerdict) {
  LiveSamples s;
  Random random(3);
  for (int k = 0; k < 10; ++k) {
    s.baseline.push_back(1e6 * (1 + 0.001 * random.uniform()));
    s.candidate.push_back(2e6 * (1 + 0.001 * random.uniform()));
    s.control.push_back(1e6 * (1 + 0.001 * random.uniform()));
  }
  EXPECT_EQ(judge_live(s, .01, .02).judged.verdict, Verdict::regressed);
  for (auto& value : s.control) value *= 1.2;
  const auto silenced = judge_live(s, .01, .02);
  EXPECT_TRUE(silenced.control_flagged);
  EXPECT_EQ(silenced.judged.verdict, Verdict::inconclusive);
  EXPECT_FALSE(silenced.finished);
}

TEST(JudgeLive, ThereIsNoVerdictBetweenLooks) {
  LiveSamples s;
  for (int k = 0; k < 15; ++k) {
    s.baseline.push_back(1e6);
    s.candidate.push_back(2e6 + k);
    s.control.push_back(1e6);
  }
  EXPECT_EQ(judge_live(s, .01, .02).judged.verdict, Verdict::inconclusive);
}

}  // namespace
}  // namespace neurolens::analyze
