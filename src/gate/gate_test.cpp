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

TEST(Gate, ALimitWithinTheIntervalIsInconclusive) {
  analyze::PairedVerdict live;
  live.blocks = 10;
  live.ratio = 1.05;
  live.ratio_low = 1.02;
  live.ratio_high = 1.08;
  const auto result = judge(0.05, live, false);
  EXPECT_EQ(result.outcome, Outcome::inconclusive);
  Policy policy;
  EXPECT_EQ(exit_status(policy, result.outcome), 0);
  policy.inconclusive_status = 1;
  EXPECT_EQ(exit_status(policy, result.outcome), 1);
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
  analyze::PairedVerdict live;
  live.blocks = 10;
  live.ratio = 1.5;
  live.ratio_low = 1.4;
  live.ratio_high = 1.6;
  EXPECT_EQ(judge(0.05, live, false).outcome, Outcome::fail);
  EXPECT_EQ(judge(0.05, live, true).outcome, Outcome::inconclusive);
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
