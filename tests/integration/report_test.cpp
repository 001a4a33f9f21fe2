// Reports and exports as their users call them.
#include <algorithm>

#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class Reporting : public test_support::ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    ASSERT_TRUE(run::write_file(system_files(), at("a.run.json"), test_support::make_run()).ok());
    ASSERT_TRUE(run::write_file(system_files(), at("b.run.json"),
                                test_support::make_run({.seed = 2, .time_scale = 1.4}))
                    .ok());
  }
};

TEST_F(Reporting, WritesOneDocumentThatHoldsTheRun) {
  const auto outcome =
      run({"report", "b.run.json", "--baseline", "a.run.json", "--json", "f.json", "--md", "f.md"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  const std::string document = read("f.json");
  test_support::expect_schema("schema/findings.schema.json", document);
  EXPECT_NE(read("f.md").find("## Against the baseline"), std::string::npos);
  EXPECT_NE(read("f.md").find("1. **"), std::string::npos);
  const auto tree = json::parse(document).value();
  EXPECT_TRUE(tree.find("embedded_run")->is_object());
  ASSERT_EQ(run({"report", "b.run.json", "--no-embed", "--json", "n.json"}).status, 0);
  EXPECT_TRUE(json::parse(read("n.json"))->find("embedded_run")->is_null());
}

TEST_F(Reporting, PrintsTextWithinABudget) {
  const std::string all = run({"report", "b.run.json", "--text", "--budget", "100000"}).out;
  const std::string brief = run({"report", "b.run.json", "--budget", "120"}).out;
  EXPECT_TRUE(all.starts_with(brief));
  EXPECT_LT(brief.size(), all.size());
  EXPECT_NE(run({"report", "b.run.json", "--budget", "3"}).err.find("--budget"), std::string::npos);
}

TEST_F(Reporting, TakesRulesOfItsUser) {
  write("mine.yaml",
        "rules:\n  - {id: mine, when: run.ops > 1, title: \"{run.ops} ops\", message: m}\n");
  EXPECT_NE(run({"report", "a.run.json", "--rules", "mine.yaml"}).out.find("6 ops [mine"),
            std::string::npos);
  write("bad.yaml", "rules:\n  - {id: mine, when: run.opz > 1, title: t, message: m}\n");
  const auto outcome = run({"report", "a.run.json", "--rules", "bad.yaml"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(outcome.err.starts_with(
      "neurolens: bad.yaml: line 2, column 22: \"run.opz\" is not known here."))
      << outcome.err;
}

TEST_F(Reporting, ShowsWhatToDoInTheSummary) {
  const auto outcome = run({"summary", "a.run.json"});
  EXPECT_NE(outcome.out.find("what to do\n 1 "), std::string::npos) << outcome.out;
}

TEST_F(Reporting, ExportsToEveryTool) {
  const auto outcome =
      run({"export", "a.run.json", "--perfetto", "a.pftrace", "--chrome", "a.trace.json",
           "--speedscope", "a.speedscope.json", "--collapsed", "a.txt", "--csv", "a.csv"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 5);
  for (const char* name : {"a.pftrace", "a.trace.json", "a.speedscope.json", "a.txt", "a.csv"})
    EXPECT_FALSE(read(name).empty()) << name;
}

}  // namespace
}  // namespace neurolens
