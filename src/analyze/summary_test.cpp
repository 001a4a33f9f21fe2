#include "neurolens/analyze/summary.hpp"

#include <gtest/gtest.h>

#include "make_run.hpp"

namespace neurolens::analyze {
namespace {

using test_support::make_run;

run::Run without_estimates(test_support::SampleRun sample = {}) {
  run::Run run = make_run(sample);
  for (auto& op : run.ops) op.estimate.reset();
  return run;
}

TEST(Summarise, RanksOpsByTimeAndSharesAddUpToOne) {
  const auto summary = summarise(make_run());
  ASSERT_TRUE(summary.ok()) << summary.error();
  double shares = 0;
  for (const auto& op : summary->ops) shares += op.share_ratio;
  EXPECT_NEAR(shares, 1, 1e-12);
  EXPECT_EQ(summary->ops.front().op, run::OpId(5U));  // the sample's last op is its slowest
  EXPECT_EQ(summary->ops.back().op, run::OpId(0U));
  EXPECT_EQ(summary->types.front().type, "Add");  // ops 1 and 5: 2 + 6 us
}

TEST(Summarise, TakesEstimatesFirstAndSamplesElse) {
  EXPECT_DOUBLE_EQ(summarise(make_run({.jitter_ratio = 0}))->total_ns, 21000);
  // Without estimates the observer (1.3x) is in the times.
  const auto observed = summarise(without_estimates({.jitter_ratio = 0}));
  EXPECT_NEAR(observed->total_ns, 21000 * 1.3, 6);
  EXPECT_EQ(observed->ops.front().method, "observed");
}

TEST(Summarise, KeepsWarmUpAndDisturbedIterationsOut) {
  run::Run run = without_estimates({.jitter_ratio = 0});
  auto& it = run.samples.iterations;
  const auto before = summarise(run);
  for (std::size_t i = 0; i < it.duration_ns.size(); ++i) {
    if (it.warmup[i] == 0) continue;
    it.duration_ns[i] *= 1000;
  }
  it.disturbed[10] = it.disturbed[11] = 1;
  it.duration_ns[10] *= 1000;
  it.duration_ns[11] *= 1000;
  run.samples.op_duration_ns[0][5] *= 1000;  // the observed iteration 10
  const auto after = summarise(run);
  EXPECT_EQ(after->disturbed_count, 2U);
  EXPECT_EQ(after->warmup_count, 2U);
  EXPECT_EQ(after->unobserved.count, before->unobserved.count - 1);
  EXPECT_EQ(after->unobserved.p95_ns, before->unobserved.p95_ns);
  EXPECT_EQ(after->total_ns, before->total_ns);
}

TEST(Summarise, MissingSamplesAndCostsStayMissing) {
  run::Run run = without_estimates({.jitter_ratio = 0});
  for (auto& value : run.samples.op_duration_ns[2]) value = run::kMissing;
  run.ops[1].cost = {};
  const auto summary = summarise(run);
  for (const auto& op : summary->ops) {
    if (op.op == run::OpId(2U)) {
      EXPECT_FALSE(op.raw_time_ns.has_value());
      EXPECT_EQ(op.time_ns, 0);
    }
    if (op.op == run::OpId(1U)) {
      EXPECT_FALSE(op.flops.has_value());
    }
  }
  EXPECT_FALSE(summary->flops.has_value());
}

TEST(Summarise, SaysWhenThereIsNothingToSay) {
  run::Run run = make_run({.ops = 0, .iterations = 0, .timeline = false});
  const auto summary = summarise(run);
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ(summary.error().code, Errc::too_few_samples);
}

TEST(Summarise, ComputesTheObserversRatioAndThroughputFromTheTruth) {
  const auto summary = summarise(make_run({.jitter_ratio = 0}));
  EXPECT_DOUBLE_EQ(*summary->unobserved.p50_ns, 21500);  // 21 us of ops, 500 ns of the rest
  EXPECT_NEAR(*summary->observed_ratio, (21000 * 1.3 + 500) / 21500, 1e-9);
  EXPECT_NEAR(*summary->throughput_per_second, 8 * 1e9 / 21500, 1e-6);
}

}  // namespace
}  // namespace neurolens::analyze
