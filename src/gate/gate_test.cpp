#include "neurolens/gate/gate.hpp"

#include <gtest/gtest.h>

#include "make_run.hpp"

namespace neurolens::gate {
namespace {

analyze::Comparison compared(double scale) {
  const auto make = [](double s, std::uint64_t seed) {
    return test_support::make_run({.ops = 8, .iterations = 80, .seed = seed, .time_scale = s});
  };
  return analyze::compare(make(1, 1), make(scale, 2)).value();
}

TEST(Policy, ReadsWhatTheGuideShows) {
  const auto policy = parse_policy(
      "metrics:\n  total_time: 5%\n  peak_memory: 0.1\nops:\n  - type: MatMul\n    max_regression: "
      "20 %\ninconclusive: report\n");
  ASSERT_TRUE(policy.ok()) << policy.error();
  ASSERT_EQ(policy->metrics.size(), 2u);
  EXPECT_DOUBLE_EQ(policy->metrics[0].max_regression, 0.05);
  EXPECT_DOUBLE_EQ(policy->metrics[1].max_regression, 0.1);
  ASSERT_EQ(policy->ops.size(), 1u);
  EXPECT_DOUBLE_EQ(policy->ops[0].max_regression, 0.2);
  EXPECT_EQ(policy->inconclusive_status, 2);
}

TEST(Policy, NamesThePlaceOfEveryMistake) {
  for (const char* text :
       {"metrics:\n  total_tim: 5%\n", "metrics:\n  total_time: -1\n", "ops:\n  - kind: x\n",
        "inconclusive: maybe\n", "metric: {}\n", "- 1\n", "metrics:\n  total_time: five\n"}) {
    const auto policy = parse_policy(text);
    ASSERT_FALSE(policy.ok()) << text;
    EXPECT_NE(policy.error().text().find("line"), std::string::npos) << policy.error();
  }
}

TEST(Gate, PassesEqualWorkAndFailsAPlantedSlowdown) {
  const Policy policy;
  EXPECT_EQ(judge(policy, compared(1.0)).outcome, Outcome::pass);
  const auto failed = judge(policy, compared(1.3));
  EXPECT_EQ(failed.outcome, Outcome::fail);
  EXPECT_EQ(exit_status(policy, failed.outcome), 1);
  EXPECT_EQ(judge(policy, compared(1 / 1.3)).outcome, Outcome::pass);
}

analyze::PairedVerdict verdict(double low, double high) {
  analyze::PairedVerdict v;
  v.blocks = 10;
  v.ratio = (low + high) / 2;
  v.ratio_low = low;
  v.ratio_high = high;
  return v;
}

LiveFindings live_total(double low, double high) {
  LiveFindings live;
  live.total.judged = verdict(low, high);
  return live;
}

TEST(Gate, ALimitWithinTheIntervalIsInconclusive) {
  Policy policy;
  const auto result = judge(policy, live_total(1.02, 1.08));
  EXPECT_EQ(result.outcome, Outcome::inconclusive);
  EXPECT_EQ(exit_status(policy, result.outcome), 0);
  policy.inconclusive_status = 1;
  EXPECT_EQ(exit_status(policy, result.outcome), 1);
}

TEST(Gate, EveryMetricOfALiveComparisonHasItsRule) {
  Policy policy;
  policy.metrics = {
      {"total_time", .05}, {"p95_time", .05}, {"peak_memory", .05}, {"flops", .05}, {"bytes", .05}};
  auto live = live_total(0.99, 1.01);
  live.p95 = verdict(1.2, 1.3);
  live.peak_memory = verdict(1.0, 1.01);
  live.flops_ratio = 1.5;
  const auto result = judge(policy, live);
  ASSERT_EQ(result.rows.size(), 5u);
  const auto outcome_of = [&](const char* subject) {
    for (const auto& row : result.rows) {
      if (row.subject == subject) return row.outcome;
    }
    return Outcome::pass;
  };
  EXPECT_EQ(outcome_of("p95_time"), Outcome::fail);
  EXPECT_EQ(outcome_of("flops"), Outcome::fail);
  EXPECT_EQ(outcome_of("bytes"), Outcome::inconclusive);  // not collected
  EXPECT_EQ(outcome_of("peak_memory"), Outcome::pass);
  EXPECT_EQ(outcome_of("total_time"), Outcome::pass);
}

TEST(Gate, LiveOpsFollowTheirRulesAndTheirControl) {
  Policy policy;
  policy.metrics.clear();
  policy.ops = {{.name = "*", .type = "Conv"}};
  LiveFindings live;
  analyze::LiveOp op;
  op.group.baseline.emplace_back(0u);
  op.group.candidate.emplace_back(0u);
  op.type = "Conv";
  op.baseline_ns = 1000;
  op.judged = verdict(1.3, 1.4);
  for (const char* name : {"slow", "undiscovered", "unsteady", "light"}) {
    op.name = name;
    op.discovered = op.name != "undiscovered";
    op.control_flagged = op.name == "unsteady";
    op.baseline_ns = op.name == "light" ? 1 : 1000;
    live.ops.push_back(op);
  }
  const auto result = judge(policy, live);
  ASSERT_EQ(result.rows.size(), 3u);
  EXPECT_EQ(result.rows[0].subject, "slow");
  EXPECT_EQ(result.rows[0].outcome, Outcome::fail);
  EXPECT_EQ(result.rows[1].outcome, Outcome::inconclusive);
  EXPECT_EQ(result.rows[2].outcome, Outcome::inconclusive);
}

TEST(Gate, AFailureCountsWhenItHappensTwice) {
  const Policy policy;
  const auto failed = judge(policy, live_total(1.2, 1.3));
  EXPECT_EQ(confirm(failed, failed).outcome, Outcome::fail);
  const auto passed = judge(policy, live_total(0.99, 1.01));
  EXPECT_EQ(confirm(failed, passed).outcome, Outcome::inconclusive);
}

TEST(Gate, OpRulesTakeOpsByPattern) {
  Policy policy;
  policy.metrics.clear();
  policy.ops = {{.name = "MatMul_*"}};
  const auto result = judge(policy, compared(1.5));
  EXPECT_EQ(result.rows.size(), 2u);  // MatMul_0 and MatMul_4
  EXPECT_EQ(result.outcome, Outcome::fail);
}

TEST(Gate, AFlaggedControlDecidesNothing) {
  const Policy policy;
  auto live = live_total(1.4, 1.6);
  EXPECT_EQ(judge(policy, live).outcome, Outcome::fail);
  live.total.control_flagged = true;
  EXPECT_EQ(judge(policy, live).outcome, Outcome::inconclusive);
}

TEST(Gate, FilesForCiAreEscaped) {
  GateResult result;
  result.outcome = Outcome::fail;
  result.rows = {{"<op>|\"a\"", 1.5, 1.4, 1.6, 1.05, Outcome::fail, "a & b"}};
  EXPECT_NE(to_junit(result).find("&lt;op&gt;|&quot;a&quot;"), std::string::npos);
  EXPECT_NE(to_junit(result).find("failures=\"1\""), std::string::npos);
  EXPECT_NE(to_markdown(result).find("\\<op>\\|"), std::string::npos);
}

}  // namespace
}  // namespace neurolens::gate
