#include "neurolens/analyze/compare.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "make_run.hpp"
#include "neurolens/analyze/live.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

run::Run sample(double scale, std::uint64_t seed) {
  return test_support::make_run(
      {.ops = 8, .iterations = 80, .seed = seed, .time_scale = scale, .jitter_ratio = .02});
}

TEST(Compare, StaysQuietOnEqualWorkAndSeesAPlantedSlowdown) {
  int changed = 0;
  int missed = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto base = sample(1.0, 2 * seed);
    const auto same = compare(base, sample(1.0, 2 * seed + 1));
    ASSERT_TRUE(same.ok()) << same.error();
    changed += same->total.judged.verdict != Verdict::equivalent;
    for (const auto& op : same->ops)
      changed += op.time.judged.verdict == Verdict::regressed ||
                 op.time.judged.verdict == Verdict::improved;
    const auto slower = compare(base, sample(1.2, 2 * seed + 1));
    ASSERT_TRUE(slower.ok()) << slower.error();
    missed += slower->total.judged.verdict != Verdict::regressed;
    EXPECT_LE(*slower->total.judged.ratio_low, 1.21);
    EXPECT_GE(*slower->total.judged.ratio_high, 1.19);
  }
  EXPECT_EQ(changed, 0);
  EXPECT_EQ(missed, 0);
}

TEST(Compare, FindsTheOneOpThatChanged) {
  auto base = sample(1, 1);
  auto slow = sample(1, 2);
  for (auto& value : slow.samples.op_duration_ns[3]) value = value * 3 / 2;
  slow.ops[3].estimate->time_ns = slow.ops[3].estimate->time_ns * 3 / 2;
  slow.ops[3].cost.vector_flops = *slow.ops[3].cost.vector_flops * 2;
  const auto result = compare(base, slow);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result->ops[0].name, base.ops[3].name);
  EXPECT_EQ(result->ops[0].time.judged.verdict, Verdict::regressed);
  EXPECT_DOUBLE_EQ(*result->ops[0].flops_ratio, 2);
  for (std::size_t i = 1; i < result->ops.size(); ++i)
    EXPECT_EQ(result->ops[i].time.judged.verdict, Verdict::equivalent);
  EXPECT_DOUBLE_EQ(result->baseline_covered_ratio, 1);
}

TEST(Compare, ExchangingTheRunsInvertsEveryRatioAndVerdict) {
  const auto a = sample(1.0, 5);
  const auto b = sample(1.3, 6);
  const auto there = compare(a, b);
  const auto back = compare(b, a);
  ASSERT_TRUE(there.ok() && back.ok());
  const auto expect_flipped = [](const PairedVerdict& x, const PairedVerdict& y) {
    const auto flip = [](Verdict v) {
      if (v == Verdict::regressed) return Verdict::improved;
      return v == Verdict::improved ? Verdict::regressed : v;
    };
    EXPECT_EQ(x.verdict, flip(y.verdict));
    EXPECT_EQ(std::min(x.ratio, y.ratio), 1 / std::max(x.ratio, y.ratio));
    EXPECT_EQ(*x.ratio_low > 1 ? 1 / *x.ratio_low : *x.ratio_low,
              *y.ratio_high > 1 ? 1 / *y.ratio_high : *y.ratio_high);
    EXPECT_EQ(x.p_value, y.p_value);
  };
  EXPECT_EQ(there->total.judged.verdict, Verdict::regressed);
  expect_flipped(there->total.judged, back->total.judged);
  ASSERT_EQ(there->ops.size(), back->ops.size());
  for (const auto& x : there->ops) {
    const auto y = std::find_if(back->ops.begin(), back->ops.end(), [&](const auto& o) {
      return o.group.candidate == x.group.baseline;
    });
    ASSERT_NE(y, back->ops.end());
    expect_flipped(x.time.judged, y->time.judged);
  }
}

TEST(Compare, RefusesWhatIsNotComparableUnlessForced) {
  const auto a = sample(1, 1);
  auto b = sample(1, 2);
  b.host.cpu_model = "Other CPU";
  const auto refused = compare(a, b);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::not_comparable);
  EXPECT_NE(refused.error().message.find("Other CPU"), std::string::npos);
  EXPECT_TRUE(compare(a, b, {.force = true}).ok());

  auto stranger = sample(1, 3);
  for (auto& op : stranger.ops) {
    op.type = "Stranger";
    op.original_nodes.clear();
    for (auto* list : {&op.inputs, &op.outputs}) {
      for (auto& tensor : *list) *tensor.name += "/other";
    }
  }
  EXPECT_FALSE(compare(a, stranger).ok());
}

TEST(Compare, TooFewIterationsGiveNoVerdict) {
  const auto few = [](double scale, std::uint64_t seed) {
    return test_support::make_run({.iterations = 8, .seed = seed, .time_scale = scale});
  };
  const auto result = compare(few(1, 1), few(2, 2));
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result->total.judged.verdict, Verdict::inconclusive);
}

/// One value of a launch under a noise that real machines have: drift, two modes, outliers.
double noisy(Random& random, int kind, double drift) {
  double value = 0.02 * random.normal();
  if (kind == 1) value += drift;
  if (kind == 2 && random.below(2) == 0) value += 0.05;
  if (kind == 3 && random.below(10) == 0) value += 0.3 * random.uniform();
  return value;
}

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
