// `neurolens compare`, `gate` and `fingerprint` at their command line.
#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class Compare : public test_support::ProgramTest {
 protected:
  void make(const std::string& name, double scale, std::uint64_t seed) {
    const auto run =
        test_support::make_run({.ops = 8, .iterations = 80, .seed = seed, .time_scale = scale});
    ASSERT_TRUE(run::write_file(system_files(), at(name), run).ok());
  }
  /// Checks with python3-jsonschema where it is installed.
  void expect_schema(const std::string& schema, const std::string& document) {
    const std::string fault =
        test_support::schema_fault("schema/" + schema + ".schema.json", document);
    EXPECT_TRUE(fault.empty() || fault == "skip") << fault << document.substr(0, 2000);
  }
};

TEST_F(Compare, SaysWhatChangedInTextJsonAndMarkdown) {
  make("a.run.json", 1, 1);
  make("b.run.json", 1.3, 2);
  const auto text = run({"compare", "a.run.json", "b.run.json", "--md", "c.md"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("regressed: 1.2"), std::string::npos) << text.out;
  EXPECT_NE(read("c.md").find("regressed"), std::string::npos);
  const auto outcome = run({"compare", "b.run.json", "a.run.json", "--json"});
  const auto document = json::parse(outcome.out);
  ASSERT_TRUE(document.ok()) << outcome.out;
  EXPECT_EQ(*document->find("total")->find("verdict")->as_string(), "improved");
  EXPECT_EQ(document->find("ops")->as_array()->size(), 8u);
  EXPECT_EQ(*document->find("alignment")->find("matched_count")->as_int(), 8);
  EXPECT_FALSE(*document->find("interleaved")->as_bool());
}

TEST_F(Compare, RefusesStrangersAndMissingFiles) {
  make("a.run.json", 1, 1);
  auto other = test_support::make_run({.ops = 8, .iterations = 80});
  other.host.cpu_model = "Other CPU";
  ASSERT_TRUE(run::write_file(system_files(), at("b.run.json"), other).ok());
  const auto refused = run({"compare", "a.run.json", "b.run.json"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("host.cpu_model"), std::string::npos) << refused.err;
  EXPECT_EQ(run({"compare", "a.run.json", "b.run.json", "--force"}).status, 0);
  EXPECT_EQ(run({"compare", "a.run.json", "none.run.json"}).status, 2);
  EXPECT_EQ(run({"compare", "a.run.json"}).status, 2);
}

TEST_F(Compare, TheGateAnswersWithItsStatusAndWritesForCi) {
  make("a.run.json", 1, 1);
  make("same.run.json", 1, 2);
  make("slow.run.json", 1.3, 3);
  EXPECT_EQ(run({"gate", "--baseline", "a.run.json", "same.run.json"}).status, 0);
  const auto failed = run({"gate", "--baseline", "a.run.json", "slow.run.json", "--junit",
                           "gate.xml", "--md", "gate.md"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_NE(read("gate.xml").find("failures=\"1\""), std::string::npos);
  EXPECT_NE(read("gate.md").find("fail"), std::string::npos);
  write("gate.yaml", "metrics:\n  total_time: 50%\nops:\n  - type: MatMul\n");
  EXPECT_EQ(
      run({"gate", "--baseline", "a.run.json", "slow.run.json", "--config", "gate.yaml"}).status,
      1);
  write("gate.yaml", "metrics:\n  total_tine: 50%\n");
  const auto misspelt =
      run({"gate", "--baseline", "a.run.json", "slow.run.json", "--config", "gate.yaml"});
  EXPECT_EQ(misspelt.status, 2);
  EXPECT_NE(misspelt.err.find("gate.yaml"), std::string::npos) << misspelt.err;
}

TEST_F(Compare, AFingerprintIsWrittenAndComparesRuns) {
  make("a.run.json", 1, 1);
  make("b.run.json", 1, 2);
  const auto outcome =
      run({"fingerprint", "a.run.json", "-o", "fp.json", "--against", "b.run.json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("similarity"), std::string::npos);
  const auto document = json::parse(read("fp.json"));
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->find("ops")->as_array()->size(), 8u);
}

TEST_F(Compare, OneMetricCanBeAskedFor) {
  make("a.run.json", 1, 1);
  make("b.run.json", 1.3, 2);
  const auto text = run({"compare", "a.run.json", "b.run.json", "--metric", "total_time"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("total_time regressed: 1.2"), std::string::npos) << text.out;
  const auto outcome =
      run({"compare", "a.run.json", "b.run.json", "--metric", "peak_memory", "--json"});
  const auto document = json::parse(outcome.out);
  ASSERT_TRUE(document.ok()) << outcome.out;
  EXPECT_EQ(*document->find("metric")->find("verdict")->as_string(), "equivalent");
  expect_schema("comparison", outcome.out);
  EXPECT_EQ(run({"compare", "a.run.json", "b.run.json", "--metric", "speed"}).status, 2);
}

// Both runners, measured through the front door; ten times the work is beyond any noise.
TEST_F(Compare, EitherRunnerFindsMuchMoreWork) {
  for (const std::string runner : {"fresh", "resident"}) {
    const auto outcome = run({"gate", "selftest", "--aa", "1", "--inject", "900%", "--runner",
                              runner, "-o", runner + ".json", "--json"});
    ASSERT_LE(outcome.status, 1) << outcome.err;
    const auto document = json::parse(outcome.out);
    ASSERT_TRUE(document.ok()) << outcome.out;
    EXPECT_EQ(*document->find("injected")->find("regressed")->as_int(), 1) << outcome.out;
    expect_schema("certificate", outcome.out);
  }
}

TEST_F(Compare, CertificatesAddUpAndAreQuoted) {
  ASSERT_LE(
      run({"gate", "selftest", "--aa", "1", "--injected", "0", "--runner", "fresh", "-o", "c.json"})
          .status,
      1);
  ASSERT_LE(run({"gate", "selftest", "--aa", "2", "--injected", "0", "--runner", "fresh",
                 "--append", "-o", "c.json"})
                .status,
            1);
  const auto document = json::parse(read("c.json"));
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(*document->find("null")->find("comparisons")->as_int(), 2);
  EXPECT_EQ(document->find("sittings")->as_array()->size(), 2u);
  // Enough is enough: nothing more is measured.
  ASSERT_LE(run({"gate", "selftest", "--aa", "2", "--injected", "0", "--runner", "fresh",
                 "--append", "-o", "c.json"})
                .status,
            1);
  EXPECT_EQ(json::parse(read("c.json"))->find("sittings")->as_array()->size(), 2u);
  const auto quoted = run({"gate", "--live", "--certificate", "c.json", "--max-regression", "900%",
                           "--json", "--", "true", ":::", "true"});
  EXPECT_NE(quoted.out.find("of 2 comparisons of a program with itself"), std::string::npos)
      << quoted.out << quoted.err;
  expect_schema("gate", quoted.out);
  write("none.json", "{}");
  EXPECT_EQ(
      run({"gate", "--live", "--certificate", "none.json", "--", "true", ":::", "true"}).status, 1);
}

// A resident process that is told nonsense, or nothing, says so or ends.
TEST_F(Compare, AResidentLaunchAnswersEachLine) {
  const auto nothing = run({"launch", "--kernel", "branches", "--resident"});
  EXPECT_EQ(nothing.status, 0) << nothing.err;
  EXPECT_EQ(nothing.out, "{\"samples_ns\":[]}\n");
  EXPECT_EQ(run({"launch", "--kernel", "branches", "--ops"}).status, 2);
}

TEST_F(Compare, ModelsAreComparedOpByOp) {
  ASSERT_EQ(run({"zoo", "build", "lenet", "-o", "l.onnx"}).status, 0);
  const auto outcome =
      run({"compare", "--live", "l.onnx", "--a", "opt=all", "--b", "opt=none", "--ops", "--json"});
  if (outcome.err.find("No ONNX Runtime library") != std::string::npos ||
      outcome.err.find("no ONNX Runtime adapter") != std::string::npos)
    GTEST_SKIP() << "ONNX Runtime is not here";
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_schema("comparison", outcome.out);
  const auto document = json::parse(outcome.out);
  ASSERT_TRUE(document.ok());
  EXPECT_GT(document->find("ops")->as_array()->size(), 5u);
  EXPECT_TRUE(document->find("flops_ratio")->as_double().has_value());
  write("gate.yaml",
        "metrics:\n  peak_memory: 900%\n  flops: 900%\nops:\n  - max_regression: 9000%\n");
  const auto gated = run({"gate", "--live", "--baseline", "l.onnx", "l.onnx", "--config",
                          "gate.yaml", "--json", "--delta", "1", "--b", "opt=all"});
  EXPECT_EQ(gated.status, 0) << gated.out << gated.err;
  const auto rules = json::parse(gated.out);
  ASSERT_TRUE(rules.ok()) << gated.out;
  EXPECT_GT(rules->find("rules")->as_array()->size(), 4u);
}

// An engine is compared with itself under other settings, as a whole and phase by phase.
TEST_F(Compare, EnginesAreComparedUnderTwoSettings) {
  const auto outcome = run({"compare", "--live", "nn:mlp?batch=4", "--b", "hidden=400x400",
                            "--json", "--ops", "--delta", "0.5"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_schema("comparison", outcome.out);
  const auto document = json::parse(outcome.out);
  ASSERT_TRUE(document.ok());
  EXPECT_GT(*document->find("total")->find("ratio")->as_double(), 1.5);
  bool forward = false;
  for (const auto& op : *document->find("ops")->as_array())
    forward = forward || *op.find("name")->as_string() == "forward";
  EXPECT_TRUE(forward) << outcome.out;
  const auto resident = run({"compare", "--live", "nn:mlp?batch=4", "--b", "plan=every_step",
                             "--json", "--runner", "resident", "--delta", "0.9"});
  EXPECT_EQ(resident.status, 0) << resident.err;
  const auto wrong = run({"compare", "--live", "nn:mlp", "--b", "fusoin=off"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("Did you mean"), std::string::npos) << wrong.err;
  EXPECT_EQ(run({"launch", "nn:mlp", "--batch", "3"}).status, 2);
}

TEST_F(Compare, LiveFindsTwiceTheWorkAndPassesFailuresOn) {
  const std::string program = NEUROLENS_PROGRAM;
  const auto outcome =
      run({"compare", "--live", "--json", "--", program, "launch", "--kernel", "arithmetic",
           ":::", program, "launch", "--kernel", "arithmetic", "--work", "100"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto document = json::parse(outcome.out);
  ASSERT_TRUE(document.ok()) << outcome.out;
  EXPECT_TRUE(*document->find("interleaved")->as_bool());
  EXPECT_GT(*document->find("total")->find("ratio")->as_double(), 2);
  // The spread of whole launches was measured, and says how many blocks to plan.
  const auto* setup = document->find("setup");
  EXPECT_TRUE(setup->find("fresh_spread_ratio")->as_double().has_value());
  EXPECT_TRUE(setup->find("resident_spread_ratio")->is_null());
  EXPECT_TRUE(setup->find("process_spread_ratio")->is_null());
  EXPECT_GE(*setup->find("needed_blocks")->as_int(), 4);
  const auto failed = run({"compare", "--live", "--", "false", ":::", "true"});
  EXPECT_EQ(failed.status, 1);
  EXPECT_NE(failed.err.find("status 1"), std::string::npos) << failed.err;
  EXPECT_EQ(run({"compare", "--live", "--", "no-such-program", ":::", "true"}).status, 2);
  EXPECT_EQ(run({"compare", "--live"}).status, 2);
}

}  // namespace
}  // namespace neurolens
