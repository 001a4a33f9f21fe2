#include <gtest/gtest.h>

#include <algorithm>

#include "make_run.hpp"
#include "neurolens/analyze/insights.hpp"

namespace neurolens::analyze {
namespace {

/// "where: message" of the fault, "" when the rules are fine.
std::string fault_of(const std::string& yaml) {
  const auto rules = RuleSet::builtin().with(yaml);
  return rules.ok() ? "" : rules.error().text();
}

const std::string kHead = "rules:\n  - id: mine\n    title: t\n    message: m\n";

std::vector<Insight> insights_of(const run::Run& run, const std::string& yaml) {
  const auto summary = summarise(run).value();
  const auto rules = RuleSet().with(yaml);
  EXPECT_TRUE(rules.ok()) << rules.error();
  return rules.ok() ? find_insights({run, summary}, *rules) : std::vector<Insight>{};
}

TEST(RuleFile, IsRefusedWithLineColumnAndTheNameThatWasMeant) {
  EXPECT_EQ(fault_of(kHead + "    when: run.tim_ns > 3\n"),
            "line 5, column 11: \"run.tim_ns\" is not known here. Did you mean \"run.time_ns\", "
            "\"run.tiny_ns\" or \"run.ops_ns\"?");
  EXPECT_EQ(fault_of(kHead + "    when: \"run.time_ns > 'x'\"\n"),
            "line 5, column 26: \">\" needs a number, this is a text.");
  EXPECT_EQ(fault_of(kHead + "    when: >-\n      run.time_ns > 3 and\n      run.opps > 2\n")
                .substr(0, 17),
            "line 7, column 7:");
  EXPECT_EQ(fault_of(kHead + "    whem: true\n"),
            "line 5, column 11: A rule has no key \"whem\". Did you mean \"when\"?");
  EXPECT_EQ(fault_of(kHead), "line 2, column 5: The rule lacks \"when\".");
  EXPECT_EQ(fault_of(kHead + "    when: run.time_ns\n"),
            "line 5, column 11: The expression must give true or false, it gives a number.");
  EXPECT_EQ(fault_of(kHead + "    when: op.time_ns > 1\n").substr(0, 53),
            "line 5, column 11: \"op.time_ns\" is not known here. Di");
  EXPECT_EQ(fault_of(kHead + "    when: true\n    severity: fatal\n"),
            "line 6, column 15: \"severity\" is one of info, notice, warning, critical.");
  EXPECT_EQ(fault_of(kHead + "    when: true\n    evidence: [run.opz]\n").substr(0, 53),
            "line 6, column 16: \"run.opz\" is not known here. Did y");
  EXPECT_EQ(fault_of(kHead + "    when: true\n    limit: 0\n"),
            "line 6, column 12: \"limit\" is a whole number from 1 to 1000.");
  EXPECT_EQ(fault_of("rules:\n  - id: a b\n"),
            "line 2, column 9: An id has 1 to 64 lower-case letters, digits and \"-\".");
  EXPECT_EQ(fault_of("rule: []\n").substr(0, 17), "line 1, column 7:");
  EXPECT_EQ(fault_of("rules:\n  - id: far-from-compute-rof\n    enabled: false\n"),
            "There is no rule \"far-from-compute-rof\" to disable. Did you mean "
            "\"far-from-compute-roof\"?");
  EXPECT_NE(fault_of("rules: [\n"), "");
}

TEST(RuleFile, RefusesFaultsInTexts) {
  const std::string head = "rules:\n  - id: mine\n    when: true\n    message: m\n    title: ";
  EXPECT_EQ(fault_of(head + "\"{run.tim_ns}\"\n").substr(0, 19), "line 5, column 14: ");
  EXPECT_EQ(fault_of(head + "\"{run.time_ns | parsec}\"\n").substr(0, 18), "line 5, column 27:");
  EXPECT_EQ(fault_of(head + "\"{run.time_ns\"\n"),
            "line 5, column 13: A \"{\" is not closed; write \"{{\" for a brace.");
  EXPECT_EQ(fault_of(head + "\"}\"\n"),
            "line 5, column 13: A \"}\" stands alone; write \"}}\" for a brace.");
}

TEST(RuleFile, AddsReplacesAndDisables) {
  const auto before = RuleSet::builtin().ids();
  const auto rules = RuleSet::builtin().with(
      "rules:\n"
      "  - {id: cold-start, when: run.ops > 1, title: mine, message: m}\n"
      "  - {id: brand-new, when: run.ops > 1, title: new, message: m}\n"
      "  - {id: drift, enabled: false}\n");
  ASSERT_TRUE(rules.ok()) << rules.error();
  EXPECT_EQ(rules->ids().size(), before.size());
  const auto run = test_support::make_run();
  const auto summary = summarise(run).value();
  std::vector<std::string> titles;
  for (const auto& insight : find_insights({run, summary}, *rules)) titles.push_back(insight.title);
  EXPECT_NE(std::find(titles.begin(), titles.end(), "mine"), titles.end());
  EXPECT_NE(std::find(titles.begin(), titles.end(), "new"), titles.end());
}

TEST(RuleFile, FillsValuesIntoTexts) {
  const auto found = insights_of(test_support::make_run({.jitter_ratio = 0}), R"(
rules:
  - id: mine
    scope: op
    limit: 1
    when: op.type == "Softmax"
    title: "{op.name}: {op.time_ns}, {op.share_ratio}, {op.flops}, {features.occupancy_ratio}"
    message: "{{{op.type}}} {op.time_ns * 2 | ns} {op.constant}"
    gain_ns: op.time_ns * 100
    evidence: [op.time_ns, op.type, features.occupancy_ratio]
)");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].title, "Softmax_3: 4.00 us, 19 %, 512, -");
  EXPECT_EQ(found[0].message, "{Softmax} 8.00 us no");
  EXPECT_EQ(found[0].gain_ns, 4000.0);  // an op cannot save more than it takes
  ASSERT_EQ(found[0].evidence.size(), 3U);
  EXPECT_EQ(found[0].evidence[0].text, "4.00 us");
  EXPECT_EQ(std::get<double>(found[0].evidence[0].value), 4000.0);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(found[0].evidence[2].value));
}

TEST(RuleFile, NamesAFewOpsAndSumsUpTheOthers) {
  const auto run = test_support::make_run({.ops = 12, .jitter_ratio = 0});
  const auto found = insights_of(run, R"(
rules:
  - {id: all-of-them, scope: op, limit: 2, when: op.time_ns > 0, title: "{op.name}", message: m, gain_ns: op.time_ns}
)");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].title, "10 more ops: all of them");  // together they win most
  EXPECT_EQ(found[0].gain_ns, 55'000.0);
  EXPECT_EQ(found[0].ops.size(), 10U);
  EXPECT_EQ(found[1].title, "Softmax_11");
  EXPECT_EQ(found[2].title, "Relu_10");
}

TEST(RuleFile, RanksByGainThenSeverity) {
  const auto found = insights_of(test_support::make_run(), R"(
rules:
  - {id: a, when: true, severity: info, title: a, message: m}
  - {id: b, when: true, severity: critical, title: b, message: m}
  - {id: c, when: true, severity: info, title: c, message: m, gain_ns: 5}
  - {id: d, when: true, severity: info, title: d, message: m, gain_ns: 50}
  - {id: e, when: true, severity: info, title: e, message: m, gain_ns: run.time_ns / 0}
)");
  std::string order;
  for (const auto& insight : found) order += insight.rule;
  EXPECT_EQ(order, "dcbae");
}

TEST(RuleFile, LowersConfidenceWhereNumbersAreShaky) {
  const std::string yaml =
      "rules:\n  - {id: a, when: true, confidence: high, basis: b, title: t, message: m}\n"
      "  - {id: j, when: true, confidence: high, judges_measurement: true, title: t, message: m}\n"
      "  - {id: o, scope: op, limit: 99, when: true, confidence: high, title: t, message: m}\n";
  auto run = test_support::make_run();  // observed 1.3x, ops by "observed"
  auto found = insights_of(run, yaml);
  EXPECT_EQ(found[0].confidence, Confidence::high);
  EXPECT_EQ(found[2].confidence, Confidence::medium);
  EXPECT_NE(found[2].confidence_reason.find("observing took 1."), std::string::npos);
  run.overhead.integrity = "suspect";
  found = insights_of(run, yaml);
  EXPECT_EQ(found[0].confidence, Confidence::medium);
  EXPECT_EQ(found[0].confidence_reason, "b; lowered: the integrity of the measurement is suspect");
  EXPECT_EQ(found[1].confidence, Confidence::high);
  EXPECT_EQ(found[2].confidence, Confidence::low);
}

}  // namespace
}  // namespace neurolens::analyze
