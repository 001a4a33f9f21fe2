// The command line as a newcomer meets it: help, mistakes, files that are not what they should be.
#include <algorithm>
#include <cstdlib>

#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/analyze/critical_path.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class CommandLine : public test_support::ProgramTest {
 protected:
  /// One sentence on stderr that holds `part`, nothing on stdout, the given exit status.
  void expect_refusal(const std::vector<std::string>& arguments, int status,
                      const std::string& part) {
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_TRUE(outcome.err.starts_with("neurolens: ")) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  void write_run(const std::string& name, const run::Run& value) {
    ASSERT_TRUE(run::write_file(system_files(), at(name), value).ok());
  }
};

TEST_F(CommandLine, AloneShowsAScreenToActOn) {
  const auto outcome = run({});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("neurolens profile"), std::string::npos);
  EXPECT_EQ(run({"--help"}).out, outcome.out);
  EXPECT_TRUE(run({"--version"}).out.starts_with("neurolens "));
}

TEST_F(CommandLine, EveryCommandHasHelpWithAnExample) {
  const std::string screen = run({}).out;
  std::size_t commands = 0;
  for (std::size_t begin = screen.find("Commands:\n") + 10; screen[begin] == ' ';
       begin = screen.find('\n', begin) + 1) {
    const std::size_t end = screen.find("  ", begin + 2);
    std::vector<std::string> words;
    const std::string name = screen.substr(begin + 2, end - begin - 2);
    const auto space = name.find(' ');
    words.push_back(name.substr(0, space));
    if (space != std::string::npos) words.push_back(name.substr(space + 1));
    words.push_back("--help");
    const auto help = run(words);
    EXPECT_EQ(help.status, 0) << name;
    EXPECT_NE(help.out.find("Example:\n  neurolens " + name), std::string::npos)
        << name << help.out;
    ++commands;
  }
  EXPECT_GE(commands, 8U);
}

TEST_F(CommandLine, MistakesAreExplainedAndMended) {
  expect_refusal({"sumary"}, 2, "Did you mean \"summary\"?");
  expect_refusal({"zoo"}, 2, "zoo list, zoo build");
  expect_refusal({"zoo", "biuld"}, 2, "Did you mean \"zoo build\"?");
  expect_refusal({"summary", "--tpo", "3", "x.json"}, 2, "Did you mean \"--top\"?");
  expect_refusal({"summary"}, 2, "run");
  expect_refusal({"summary", "a", "b"}, 2, "one argument too many");
  expect_refusal({"summary", "x.json", "--by", "name"}, 2, "op, type");
  expect_refusal({"summary", "x.json", "--top", "-1"}, 2, "--top");
  expect_refusal({"zoo", "build", "resnet5", "-o", "x.onnx"}, 2, "resnet50");
  expect_refusal({"zoo", "build", "mlp", "-o", "no/such/folder.onnx"}, 2, "no/such");
  EXPECT_TRUE(names().empty());
}

TEST_F(CommandLine, AValidRunIsSummarisedInTextAndJson) {
  write_run("a.run.json", test_support::make_run());
  write_run("a.run.json.zst", test_support::make_run());
  const auto text = run({"summary", "a.run.json"});
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_TRUE(text.out.starts_with("sample-mlp")) << text.out;
  EXPECT_EQ(text.err, "");
  const auto packed = run({"summary", "a.run.json.zst", "--json"});
  const auto plain = run({"summary", "a.run.json", "--json"});
  EXPECT_EQ(packed.out, plain.out);
  const auto tree = json::parse(plain.out);
  ASSERT_TRUE(tree.ok()) << tree.error();
  double shares = 0;
  for (const auto& op : *tree->find("ops")->as_array())
    shares += *op.find("share_ratio")->as_double();
  EXPECT_NEAR(shares, 1, 1e-9);
  EXPECT_EQ(run({"validate", "a.run.json"}).status, 0);
}

TEST_F(CommandLine, AnInvalidRunIsNamedFaultByFault) {
  run::Run bad = test_support::make_run();
  write_run("good.json", bad);
  std::string text = read("good.json");
  const auto place = text.find("\"duration_ns\":[");
  ASSERT_NE(place, std::string::npos);
  text.insert(place + 15, "-");
  write("bad.json", text);
  const auto validated = run({"validate", "bad.json"});
  EXPECT_EQ(validated.status, 1);
  EXPECT_NE(validated.out.find("/samples/iterations/duration_ns/0"), std::string::npos)
      << validated.out;
  const auto as_json = json::parse(run({"validate", "bad.json", "--json"}).out);
  ASSERT_TRUE(as_json.ok());
  EXPECT_EQ(as_json->find("valid")->as_bool(), false);
  const auto summary = run({"summary", "bad.json"});
  EXPECT_EQ(summary.status, 1);
  EXPECT_NE(summary.err.find("bad.json"), std::string::npos) << summary.err;
}

TEST_F(CommandLine, FilesThatAreNoRunsAreRefused) {
  write("empty.json", "");
  write("text.json", "this is no JSON");
  write("cut.json", "{\"schema_version\": \"1.0.0\", \"run_id\"");
  write("packed.json.zst", "\x28\xb5\x2f\xfd nonsense");
  write("newer.json", "{\"schema_version\": \"2.0.0\"}");
  expect_refusal({"summary", "none.json"}, 2, "none.json: There is no such file");
  expect_refusal({"summary", "."}, 2, "directory");
  for (const char* name :
       {"empty.json", "text.json", "cut.json", "packed.json.zst", "newer.json"}) {
    const auto outcome = run({"summary", name});
    EXPECT_NE(outcome.status, 0) << name;
    EXPECT_LT(outcome.status, 4) << name;
    EXPECT_NE(outcome.err.find(name), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  EXPECT_NE(run({"summary", "newer.json"}).err.find("newer"), std::string::npos);
}

TEST_F(CommandLine, AFullDiskIsSaidAndGivesItsStatus) {
  write_run("a.run.json", test_support::make_run());
  const auto outcome = run({"summary", "a.run.json"}, {}, "/dev/full");
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.err.find("full"), std::string::npos) << outcome.err;
}

TEST_F(CommandLine, AModelThatOutgrowsItsDiskLeavesNothingBehind) {
  file_size_limit_ = 100'000;  // the weights are streamed: writing fails in their middle
  expect_refusal({"zoo", "build", "lenet", "-o", "lenet.onnx"}, 3, "lenet.onnx");
  EXPECT_TRUE(names().empty());
}

TEST_F(CommandLine, LaunchedProgramsDieOfAClosedPipeAsEverywhere) {
  const auto outcome = run({"profile", "--", "sh", "-c", "kill -PIPE $$; echo survived >&2"});
  EXPECT_EQ(outcome.err.find("survived"), std::string::npos) << outcome.err;
}

TEST_F(CommandLine, ReportsAreWrittenWhole) {
  write_run("a.run.json", test_support::make_run());
  const auto outcome = run({"report", "a.run.json", "--md", "a.md"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(read("a.md").find("## Where the time goes"), std::string::npos);
  EXPECT_TRUE(run({"report", "a.run.json"}).out.starts_with("sample-mlp"));  // text by default
}

TEST_F(CommandLine, TheZooListIsAListOfObjects) {
  const auto tree = json::parse(run({"zoo", "list", "--json"}).out);
  ASSERT_TRUE(tree.ok()) << tree.error();
  ASSERT_TRUE(tree->is_array());
  EXPECT_GE(tree->as_array()->size(), 10U);
  for (const auto& entry : *tree->as_array()) {
    EXPECT_TRUE(entry.find("name")->is_string());
    EXPECT_TRUE(entry.find("parameters")->is_integer());
    EXPECT_TRUE(entry.find("inputs")->is_array());
  }
}

TEST_F(CommandLine, EveryJsonDocumentMeetsItsSchema) {
  write_run("a.run.json", test_support::make_run());
  write("bad.json", "{\"schema_version\": \"1.0.0\"}");
  write("flow.yaml",
        "steps: {a: {run: echo hello}, b: {run: 'false', after: a}, c: {run: 'true', after: b}}");
  ASSERT_EQ(run({"baseline", "set", "main", "a.run.json", "--store", "runs"}).status, 0);
  write("t.yaml",
        "model: {layers: [{type: linear, units: 10}]}\ndata: {kind: digits, count: 100}\ntrain: "
        "{epochs: 1, checkpoint: t.ckpt}\n");
  const std::vector<std::pair<std::string, std::vector<std::string>>> documents{
      {"train", {"train", "t.yaml", "--json"}},
      {"train", {"train", "t.yaml", "--resume", "t.ckpt", "--json"}},
      {"eval", {"eval", "t.yaml", "--json"}},
      {"export_onnx", {"export-onnx", "t.yaml", "-o", "t.onnx", "--json"}},
      {"summary", {"summary", "a.run.json", "--json"}},
      {"summary", {"summary", "a.run.json", "--json", "--by", "type"}},
      {"validate", {"validate", "a.run.json", "--json"}},
      {"validate", {"validate", "bad.json", "--json"}},
      {"zoo_list", {"zoo", "list", "--json"}},
      {"zoo_build", {"zoo", "build", "lenet", "-o", "l.onnx", "--json"}},
      {"doctor", {"doctor", "--json"}},
      {"workflow_run", {"workflow", "run", "flow.yaml", "--json"}},
      {"peaks",
       {"peaks", "--json", "-o", "peaks.json", "--rounds", "3", "--round-ms", "1", "--memory-mib",
        "8"}}};
  for (const auto& [schema, arguments] : documents) {
    const auto outcome = run(arguments);
    const std::string fault =
        test_support::schema_fault("schema/" + schema + ".schema.json", outcome.out);
    if (fault == "skip") GTEST_SKIP() << "python3-jsonschema is not installed";
    EXPECT_EQ(fault, "") << schema << ": " << outcome.out.substr(0, 500) << outcome.err;
  }
}

TEST_F(CommandLine, TrainingLeavesARunACheckpointAndLogs) {
  write("t.yaml",
        "model: {layers: [{type: linear, units: 10}]}\ndata: {kind: digits, count: 400}\ntrain: "
        "{epochs: 2, checkpoint: t.ckpt}\n");
  const auto trained = run({"train", "t.yaml", "--run", "t.run.json", "--csv", "t.csv", "--log",
                            "t.jsonl", "--threads", "2"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(trained.err, "") << "nobody watches, so there is no line per epoch";
  for (const char* part : {"F1", "data: waited", "memory: plan", "step: median"})
    EXPECT_NE(trained.out.find(part), std::string::npos) << part << trained.out;
  const std::string csv = read("t.csv");
  const auto lines = split(csv, '\n');
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(std::count(lines[0].begin(), lines[0].end(), ','), 8) << csv;
  EXPECT_EQ(std::count(lines[2].begin(), lines[2].end(), ','), 8) << csv;
  const std::string json = read("t.jsonl");
  EXPECT_EQ(split(json, '\n').size(), 3U);
  EXPECT_NE(json.find("\"f1_ratio\""), std::string::npos) << json;
  const auto kept = run::read_file(system_files(), at("t.run.json"));
  ASSERT_TRUE(kept.ok()) << kept.error();
  EXPECT_EQ(kept->workload.name, "nn:train");
  EXPECT_EQ(kept->software.threads, 2);
  EXPECT_TRUE(kept->tags.contains("test_accuracy_ratio"));
  EXPECT_NE(run({"train", "t.yaml", "--resume", "t.ckpt"}).out.find("nothing left to train"),
            std::string::npos);
  const auto evaluated = run({"eval", "t.yaml"});
  EXPECT_EQ(evaluated.err, "") << "the checkpoint of the configuration is taken";
  EXPECT_NE(trained.out.find(evaluated.out.substr(0, 12)), std::string::npos) << evaluated.out;
  write("bare.yaml", "model: {layers: [{type: linear, units: 10}]}\ndata: {kind: digits}\n");
  EXPECT_NE(run({"eval", "bare.yaml"}).err.find("untrained"), std::string::npos);
  EXPECT_EQ(run({"train", "t.yaml", "--run", "/no/such/t.run.json"}).status, 2);
  EXPECT_EQ(run({"train", "t.yaml", "--awake", "0.5"}).status, 2);
}

TEST_F(CommandLine, AWorkflowLeavesARunOfItsSteps) {
  write("flow.yaml",
        "name: pair\nsteps: {a: {run: sleep 0.4}, b: {run: sleep 0.02}, "
        "c: {run: 'true', after: [a, b]}}");
  const auto outcome = run({"workflow", "run", "flow.yaml", "--workers", "2", "--run", "w.json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto kept = run::read_file(system_files(), at("w.json"));
  ASSERT_TRUE(kept.ok()) << kept.error();
  EXPECT_EQ(kept->workload.name, "pair");
  ASSERT_EQ(kept->ops.size(), 3U);
  EXPECT_EQ(kept->ops[2].name, "c") << "in the order in which they began";
  std::string notes;
  for (const std::string& note : kept->notes) notes += note + "\n";
  EXPECT_NE(notes.find("Critical path: a -> c."), std::string::npos) << notes;
  EXPECT_NE(notes.find("on 2 workers"), std::string::npos) << notes;
  // The same path comes out of the Run's own dataflow.
  const auto edges = analyze::dataflow(*kept);
  EXPECT_EQ(edges.size(), 2U);
  const auto path = analyze::critical_path(*kept, analyze::summarise(*kept).value(), edges);
  ASSERT_TRUE(path.has_value());
  ASSERT_EQ(path->ops.size(), 2U);
  EXPECT_EQ(kept->ops[path->ops[0].index()].name, "a");
  EXPECT_GE(path->time_ns, 400e6);
  EXPECT_GE(kept->timeline->tracks.size(), 2U) << "a and b ran at the same time";
  const auto summary = run({"summary", "w.json"});
  EXPECT_EQ(summary.status, 0) << summary.err;
  EXPECT_NE(summary.out.find("pair"), std::string::npos);
  expect_refusal({"workflow", "run", "flow.yaml", "--run", "no/such/run.json"}, 2, "no/such");
}

TEST_F(CommandLine, MeasuredTimeLiesOverTheTree) {
  // 30 of 100 in hot/, 50 in the C library called from cold/, 20 in nothing of the tree.
  ASSERT_EQ(std::system(("mkdir -p " + at("tree/src/hot") + " " + at("tree/src/cold")).c_str()), 0);
  write("tree/src/hot/a.cpp", "int a() { return 1; }\n");
  write("tree/src/cold/b.cpp", "#include \"../hot/a.cpp\"\nint b() { return a(); }\n");
  run::Run recorded = test_support::make_run();
  run::Profile stacks;
  stacks.frames = {{"a", at("tree/build/../src/hot/a.cpp"), 1, std::nullopt},
                   {"b", at("tree/src/cold/b.cpp"), 2, std::nullopt},
                   {"memcpy", "/usr/src/libc/memcpy.c", 3, std::nullopt},
                   {"_start", std::nullopt, std::nullopt, std::nullopt}};
  stacks.stack_frame = {3, 1, 0, 2};
  stacks.stack_parent = {run::kMissing, 0, 1, 1};
  stacks.sample_stack = {2, 3, 0};
  stacks.sample_weight = {30, 50, 20};
  recorded.profile = stacks;
  write_run("r.json", recorded);
  const auto text = run({"deps", "tree", "--run", "r.json"});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_NE(text.out.find("50.0 %  src/cold"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("30.0 %  src/hot"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("20.0 %  outside"), std::string::npos) << text.out;
  const auto tree =
      json::parse(run({"deps", "tree", "--level", "file", "--run", "r.json", "--json", "-"}).out);
  ASSERT_TRUE(tree.ok()) << tree.error();
  for (const auto& node : *tree->find("nodes")->as_array()) {
    if (*node.find("name")->as_string() == "src/hot/a.cpp") {
      EXPECT_EQ(*node.find("heat")->as_double(), 30);
    }
  }
  EXPECT_NE(run({"map", "tree", "--run", "r.json"}).out.find("Time, %"), std::string::npos);
  // As build systems give the files to compilers; one that is not in the tree stays outside.
  recorded.profile->frames[0].file = "../src/hot/a.cpp";
  recorded.profile->frames[1].file = "../../src/cold/b.cpp";
  recorded.profile->frames[2].file = "../../libc/memcpy.c";
  write_run("relative.json", recorded);
  EXPECT_EQ(run({"deps", "tree", "--run", "relative.json"}).out, text.out);
  write_run("none.json", test_support::make_run());
  expect_refusal({"deps", "tree", "--run", "none.json"}, 1, "neurolens record");
}

TEST_F(CommandLine, AnEngineIsProfiledLikeAModel) {
  const auto outcome = run({"profile", "--workload", "pde:poisson?n=40", "--iterations", "12", "-o",
                            "p.json", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto tree = json::parse(outcome.out);
  ASSERT_TRUE(tree.ok()) << tree.error();
  double shares = 0;
  for (const auto& op : *tree->find("ops")->as_array())
    shares += *op.find("share_ratio")->as_double();
  EXPECT_NEAR(shares, 1, 1e-9);
  EXPECT_EQ(run({"validate", "p.json"}).status, 0);
  EXPECT_EQ(run({"report", "p.json", "--md", "p.md"}).status, 0);
  expect_refusal({"profile", "--workload", "pde:posson"}, 2, "pde:poisson");
  expect_refusal({"profile", "--workload", "pde:poisson", "model.onnx"}, 2, "one thing to run");
}

TEST_F(CommandLine, TheStoreKeepsListsNamesAndTrends) {
  std::vector<std::string> add{"store", "add", "--store", "runs"};
  for (std::uint64_t i = 1; i <= 40; ++i) {
    run::Run sample =
        test_support::make_run({.ops = 3, .seed = i, .time_scale = i > 25 ? 1.2 : 1.0});
    sample.created_at = "2026-01-01T00:" + std::to_string(10 + i) + ":00.000Z";
    const std::string name = "r" + std::to_string(i) + ".run.json";
    write_run(name, sample);
    add.push_back(name);
  }
  EXPECT_EQ(run({"ls", "--store", "runs"}).status, 2);  // no store yet: said, not made
  ASSERT_EQ(run(add).status, 0);
  const auto listed = run({"ls", "--store", "runs", "--limit", "3"});
  EXPECT_EQ(listed.status, 0) << listed.err;
  EXPECT_EQ(std::count(listed.out.begin(), listed.out.end(), '\n'), 4) << listed.out;
  EXPECT_EQ(run({"ls", "--store", "runs", "--model", "other"}).out, "no Run matches\n");
  const auto history = run({"history", "--store", "runs", "--plot"});
  EXPECT_NE(history.out.find("changed by +"), std::string::npos) << history.out;
  EXPECT_NE(history.out.find('^'), std::string::npos) << history.out;
  EXPECT_NE(run({"history", "--store", "runs", "--metric", "op:MatMul_9"}).err.find("MatMul_0"),
            std::string::npos);
  EXPECT_EQ(run({"store", "verify", "--store", "runs", "--rebuild"}).status, 0);
  EXPECT_EQ(run({"store", "gc", "--store", "runs", "--keep", "5"}).status, 0);
  const auto left = json::parse(run({"ls", "--store", "runs", "--json"}).out);
  EXPECT_EQ(left->as_array()->size(), 5U);
}

TEST_F(CommandLine, TheDoctorAlwaysAnswers) {
  const auto tree = json::parse(run({"doctor", "--json"}).out);
  ASSERT_TRUE(tree.ok()) << tree.error();
  for (const auto& check : *tree->find("checks")->as_array()) {
    EXPECT_FALSE(check.find("detail")->as_string()->empty()) << *check.find("name")->as_string();
  }
}

}  // namespace
}  // namespace neurolens
