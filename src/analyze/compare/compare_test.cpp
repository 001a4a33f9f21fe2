#include "neurolens/analyze/compare.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "make_run.hpp"
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

TEST(CompareMetric, EachHasItsOwnVerdict) {
  const auto a = sample(1, 1);
  auto b = sample(1, 2);
  for (const auto& metric : metric_names()) {
    const auto same = compare_metric(a, b, metric);
    ASSERT_TRUE(same.ok()) << same.error();
    if (metric == "p95_time") continue;  // too few iterations for its blocks
    EXPECT_EQ(same->change.judged.verdict, Verdict::equivalent) << metric;
  }
  *b.memory.host_peak_bytes *= 2;
  *b.ops[0].cost.vector_flops += 1;
  EXPECT_EQ(compare_metric(a, b, "peak_memory")->change.judged.verdict, Verdict::regressed);
  EXPECT_EQ(compare_metric(a, b, "flops")->change.judged.verdict, Verdict::regressed);
  EXPECT_EQ(compare_metric(b, a, "flops")->change.judged.verdict, Verdict::improved);
  EXPECT_DOUBLE_EQ(compare_metric(b, a, "peak_memory")->change.judged.ratio, 0.5);
  b.memory.host_peak_bytes.reset();
  EXPECT_EQ(compare_metric(a, b, "peak_memory")->change.judged.verdict, Verdict::inconclusive);
  EXPECT_EQ(compare_metric(a, b, "peak_memori").error().code, Errc::not_found);
}

TEST(CompareMetric, TheTailIsJudgedByBlocks) {
  const auto make = [](double scale, std::uint64_t seed) {
    return test_support::make_run({.iterations = 800, .seed = seed, .time_scale = scale});
  };
  const auto slower = compare_metric(make(1, 1), make(1.5, 2), "p95_time");
  ASSERT_TRUE(slower.ok());
  EXPECT_EQ(slower->change.judged.verdict, Verdict::regressed);
  EXPECT_GE(slower->change.judged.blocks, kFewestBlocks);
  EXPECT_EQ(compare_metric(make(1, 1), make(1, 2), "p95_time")->change.judged.verdict,
            Verdict::equivalent);
}

}  // namespace
}  // namespace neurolens::analyze
