// `neurolens bench` and `neurolens export` as their users meet them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>

#include "json_schema.hpp"
#include "make_run.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"
#include "tiny_onnx.hpp"

namespace neurolens {
namespace {

class Bench : public test_support::ProgramTest {
 protected:
  void need_runtime() {
    const auto doctor = json::parse(run({"doctor", "--json"}).out);
    ASSERT_TRUE(doctor.ok());
    for (const auto& check : *doctor->find("checks")->as_array()) {
      if (*check.find("name")->as_string() == "onnxruntime" && !*check.find("works")->as_bool())
        GTEST_SKIP() << "ONNX Runtime is not here (scripts/setup fetches it)";
    }
  }
  /// Starts a matrix and kills it with SIGKILL as soon as `rows` of its Runs are kept.
  void kill_after(std::vector<std::string> arguments, std::size_t rows) {
    const pid_t child = fork();
    if (child == 0) {
      if (chdir(folder_.c_str()) != 0) _exit(126);
      std::string program = NEUROLENS_PROGRAM;
      std::vector<char*> argv{program.data()};
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      const int nothing = open("/dev/null", O_RDWR);
      dup2(nothing, 1);
      dup2(nothing, 2);
      execv(program.c_str(), argv.data());
      _exit(127);
    }
    while (waitpid(child, nullptr, WNOHANG) == 0) {
      if (kept() >= rows) {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        return;
      }
      usleep(20'000);
    }
    FAIL() << "the matrix ended before it could be killed";
  }
  std::size_t kept() {
    const auto list = json::parse(run({"ls", "--json", "--store", "store"}).out);
    return list.ok() && list->is_array() ? list->as_array()->size() : 0;
  }
};

constexpr const char* kMatrix = R"(
name: small
repeats: 2
warmup: 1
stop: {iterations: 15}
models: [{zoo: mlp}, {zoo: lenet}, {file: missing.onnx}]
axes:
  batch: [1, 4]
  precision: [f32, f16, int8]
exclude:
  - {model: missing, precision: [f16, int8]}
  - {model: missing, batch: 4}
)";

TEST_F(Bench, GoesOnAfterAKillAndMeasuresNothingTwice) {
  need_runtime();
  if (IsSkipped()) return;
  write("m.yaml", kMatrix);
  kill_after({"bench", "m.yaml", "--out", "out", "--store", "store"}, 3);
  const std::size_t before = kept();
  EXPECT_GE(before, 3U);
  EXPECT_EQ(run({"bench", "m.yaml", "--out", "out", "--store", "store"}).status, 2);
  const auto outcome =
      run({"bench", "m.yaml", "--out", "out", "--store", "store", "--resume", "--json"});
  EXPECT_EQ(outcome.status, 1) << outcome.err;  // the missing model failed
  const auto result = json::parse(outcome.out);
  ASSERT_TRUE(result.ok()) << result.error() << outcome.out;
  std::map<std::string, int> statuses;
  for (const auto& cell : *result->find("cells")->as_array()) {
    const std::string status = *cell.find("status")->as_string();
    ++statuses[status];
    const std::size_t runs = cell.find("run_ids")->as_array()->size();
    EXPECT_EQ(runs, status == "measured" ? 2U : 0U) << *cell.find("key")->as_string();
    if (status != "measured") {
      EXPECT_FALSE(cell.find("reason")->as_string()->empty());
    }
  }
  EXPECT_EQ(statuses["failed"], 1);
  EXPECT_EQ(statuses["not available"], 4);  // int8 of two models in two sizes
  EXPECT_EQ(statuses["measured"], 8);
  EXPECT_EQ(kept(), 16U);
  const std::string csv = read("out/summary.csv");
  EXPECT_EQ(split(csv, '\n').size(), 15U);  // head, 13 cells, end
  EXPECT_NE(read("out/summary.md").find("## Scaling over size"), std::string::npos);
  EXPECT_EQ(run({"store", "verify", "--store", "store"}).status, 0);
}

TEST_F(Bench, RefusesBadConfigurationsBeforeAnythingRuns) {
  write("typo.yaml", "models: [m.onnx]\naxes:\n  bacth: [1]\n");
  const auto typo = run({"bench", "typo.yaml", "--store", "store"});
  EXPECT_EQ(typo.status, 2);
  EXPECT_NE(typo.err.find("typo.yaml: line 3, column 3"), std::string::npos) << typo.err;
  EXPECT_NE(typo.err.find("batch"), std::string::npos) << typo.err;
  std::string axis;
  for (int i = 1; i <= 1000; ++i) axis += (i == 1 ? "" : ",") + std::to_string(i);
  write("huge.yaml", "models: [m.onnx]\naxes:\n  batch: [" + axis + "]\n  sequence: [" + axis +
                         "]\n  threads: [" + axis + "]\n");
  const auto huge = run({"bench", "huge.yaml", "--store", "store"});
  EXPECT_EQ(huge.status, 2);
  EXPECT_NE(huge.err.find("line 4"), std::string::npos) << huge.err;
  EXPECT_EQ(names(), (std::vector<std::string>{"huge.yaml", "typo.yaml"}));
}

TEST_F(Bench, ADryRunShowsEveryCellAndLeavesNothing) {
  write("m.yaml", kMatrix);
  const auto plan = run({"bench", "m.yaml", "--dry-run"});
  EXPECT_EQ(plan.status, 0) << plan.err;
  EXPECT_EQ(split(plan.out, '\n').size(), 15U) << plan.out;
  EXPECT_EQ(names(), (std::vector<std::string>{"m.yaml"}));
}

// Engines need no runtime: options as axes, threads, a scaling over a size, and Runs with phases.
TEST_F(Bench, MeasuresEnginesOverTheirOptions) {
  write("e.yaml",
        "name: e\nrepeats: 2\nwarmup: 1\nstop: {iterations: 12}\nmodels: [{workload: "
        "'nn:adaptive', options: {inputs: 8, hidden: 8}}]\naxes:\n  batch: [4]\n  threads: [1, "
        "2]\n  options: {nodes: [4, 64]}\n");
  const auto outcome = run({"bench", "e.yaml", "--out", "out", "--store", "store", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err << outcome.out;
  const std::string fault = test_support::schema_fault("schema/bench.schema.json", outcome.out);
  EXPECT_TRUE(fault.empty() || fault == "skip") << fault;
  const auto result = json::parse(outcome.out);
  ASSERT_TRUE(result.ok());
  ASSERT_EQ(result->find("cells")->as_array()->size(), 4U);
  const auto& cell = result->find("cells")->as_array()->front();
  EXPECT_EQ(*cell.find("axes")->find("options.nodes")->as_string(), "4");
  EXPECT_GT(cell.find("throughput_per_second")->as_double().value_or(0), 0);
  EXPECT_GT(cell.find("host_peak_bytes")->as_double().value_or(0), 0);
  EXPECT_EQ(*result->find("scaling")->find("size")->as_array()->front().find("axis")->as_string(),
            "options.nodes");
  const auto kept_runs = run({"ls", "--json", "--store", "store", "--tag", "bench=e"});
  EXPECT_NE(kept_runs.out.find("nn:adaptive"), std::string::npos) << kept_runs.out;
  // A training configuration beside the matrix, whatever folder this runs in.
  ASSERT_TRUE(system_files().make_directories(at("sub")).ok());
  write("sub/t.yaml",
        "model: {layers: [{type: linear, units: 10}]}\ndata: {kind: digits, count: 100}\n");
  for (const char* model : {"{workload: 'nn:train', name: t, options: {config: t.yaml}}",
                            "{workload: 'nn:train?config=t.yaml', name: t}"}) {
    write("sub/m.yaml", std::string("warmup: 1\nstop: {iterations: 10}\nmodels: [") + model +
                            "]\naxes: {options: {plan: [once, every_step]}}\n");
    (void)std::filesystem::remove_all(at("o2"));
    const auto trained = run({"bench", "sub/m.yaml", "--out", "o2", "--store", "store"});
    EXPECT_EQ(trained.status, 0) << trained.out << trained.err;
  }
  write("typo.yaml", "models: [{workload: 'nn:adaptive'}]\naxes: {options: {nodse: [1]}}\n");
  const auto typo = run({"bench", "typo.yaml", "--store", "store", "--dry-run"});
  EXPECT_EQ(typo.status, 2);
  EXPECT_NE(typo.err.find("Did you mean \"nodes\"?"), std::string::npos) << typo.err;
}

// A model quantised for real: cells of int8 run it by the runtime's own quantised operators.
TEST_F(Bench, MeasuresInt8ByQuantisedOperatorsOfTheRuntime) {
  need_runtime();
  if (IsSkipped()) return;
  write("mlp.onnx", test_support::perceptron_onnx(16, 256, false));
  write("mlp.int8.onnx", test_support::perceptron_onnx(16, 256, true));
  write("m.yaml", R"(
repeats: 1
warmup: 1
stop: {iterations: 15}
models: [{file: mlp.onnx, name: mlp, int8: mlp.int8.onnx}]
axes:
  precision: [f32, int8]
)");
  const auto outcome = run({"bench", "m.yaml", "--out", "out", "--store", "store", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto result = json::parse(outcome.out).value();
  std::map<std::string, std::set<std::string>> types;  // of the executed ops, by precision
  for (const auto& cell : *result.find("cells")->as_array()) {
    const std::string precision = *cell.find("axes")->find("precision")->as_string();
    ASSERT_EQ(*cell.find("status")->as_string(), "measured") << precision;
    const std::string id = *(*cell.find("run_ids")->as_array())[0].as_string();
    ASSERT_EQ(run({"export", id, "--store", "store", "--bundle", precision + ".zip"}).status, 0);
    ASSERT_EQ(run({"export", "--verify", precision + ".zip", "--unpack", precision}).status, 0);
    const auto kept = run::read(read(precision + "/run.json"));
    ASSERT_TRUE(kept.ok()) << kept.error();
    EXPECT_EQ(kept->software.precision, precision);
    for (const auto& op : kept->ops) types[precision].insert(op.type);
  }
  EXPECT_TRUE(types["f32"].contains("MatMul"));
  EXPECT_FALSE(types["f32"].contains("QLinearMatMul"));
  EXPECT_TRUE(types["int8"].contains("QLinearMatMul"));
  EXPECT_FALSE(types["int8"].contains("MatMul"));
}

class Export : public Bench {};

TEST_F(Export, BundlesVerifyAndUnpackAndDamageIsRefused) {
  const std::string sample = std::string(NEUROLENS_SOURCE_DIR) + "/schema/examples/run-1.0.0.json";
  ASSERT_EQ(run({"store", "add", sample, "--store", "store"}).status, 0);
  ASSERT_EQ(run({"baseline", "set", "main", "@latest", "--store", "store"}).status, 0);
  const auto made = run({"export", "@latest", "--bundle", "b.zip", "--with",
                         "report,fingerprint,baseline", "--store", "store"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto good = run({"export", "--verify", "b.zip", "--unpack", "out", "--json"});
  EXPECT_EQ(good.status, 0) << good.err;
  const std::set<std::string> parts = [&] {
    std::set<std::string> out;
    const auto tree = json::parse(good.out).value();
    for (const auto& file : *tree.find("files")->as_array())
      out.insert(*file.find("path")->as_string());
    return out;
  }();
  std::set<std::string> expected{"run.json", "report.md", "fingerprint.json", "baseline.json"};
  const bool page = run({"report", sample, "--html", "p.html"}).status == 0;  // not without npm
  if (page) expected.insert("report.html");
  EXPECT_EQ(parts, expected);
  EXPECT_NE(read("out/report.md").find("## Against the baseline"), std::string::npos);
  if (page) {
    EXPECT_TRUE(read("out/report.html").starts_with("<!doctype html>"));
    EXPECT_NE(read("out/report.html").find("neurolens-document"), std::string::npos);
  }
  const auto wrong = run({"export", sample, "--bundle", "c.zip", "--with", "report,report.html"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("report.html"), std::string::npos) << wrong.err;
  EXPECT_FALSE(std::filesystem::exists(at("c.zip")));
  EXPECT_EQ(run({"validate", "out/run.json"}).status, 0);
  EXPECT_NE(run({"export", "--verify", "b.zip", "--unpack", "out"}).status, 0);  // not empty
  std::string bytes = read("b.zip");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write("bad.zip", bytes);
  const auto bad = run({"export", "--verify", "bad.zip", "--unpack", "bad"});
  EXPECT_NE(bad.status, 0);
  EXPECT_NE(bad.err.find("bad.zip"), std::string::npos) << bad.err;
  EXPECT_FALSE(std::filesystem::exists(at("bad")));
}

class Stored : public Bench {
 protected:
  /// Puts `count` Runs into the store, a day apart; from `step` on all is slower by 30 %.
  void fill(std::size_t count, std::size_t step, bool gpu = false) {
    std::vector<std::string> add{"store", "add", "--store", "store"};
    for (std::size_t i = 0; i < count; ++i) {
      run::Run sample = test_support::make_run({.ops = 4,
                                                .seed = i + 1,
                                                .time_scale = i < step ? 1.0 : 1.3,
                                                .timeline = false,
                                                .gpu = gpu});
      sample.created_at = to_rfc3339(
          Nanoseconds{(1'700'000'000 + static_cast<std::int64_t>(i) * 86'400) * 1'000'000'000});
      add.push_back("r" + std::to_string(i) + ".run.json");
      ASSERT_TRUE(run::write_file(system_files(), at(add.back()), sample).ok());
    }
    const auto added = run(add);
    ASSERT_EQ(added.status, 0) << added.err;
  }
};

TEST_F(Stored, OpsThatMoveTogetherAreOneEventOfTheHistory) {
  fill(40, 25);
  const auto outcome = run({"history", "--json", "--store", "store"});
  const auto history = json::parse(outcome.out);
  ASSERT_TRUE(history.ok()) << outcome.err;
  const auto& changes = *history->find("changes")->as_array();
  ASSERT_EQ(changes.size(), 1U) << outcome.out;
  EXPECT_NEAR(*changes[0].find("ratio")->as_double(), 1.3, 0.03);
  EXPECT_EQ(changes[0].find("ops")->as_array()->size(), 4U);
  // Ranks place a change within a Run of the truth, depending on its neighbours' luck.
  const auto& points = *history->find("points")->as_array();
  std::set<std::string> near;
  for (const std::size_t i : {24U, 25U, 26U}) near.insert(*points[i].find("run_id")->as_string());
  EXPECT_TRUE(near.contains(*changes[0].find("first_after")->as_string())) << outcome.out;
  const auto ops = run({"history", "--metric", "ops", "--store", "store"});
  EXPECT_NE(ops.out.find("4 ops moved between"), std::string::npos) << ops.out;
  const auto drawn = run({"history", "--plot", "--store", "store"});
  EXPECT_NE(drawn.out.find('*'), std::string::npos);
  EXPECT_NE(drawn.out.find('^'), std::string::npos);
  EXPECT_NE(run({"history", "--model", "other", "--store", "store"}).out.find("no Run"),
            std::string::npos);
}

TEST_F(Stored, BaselinesKeepTheirFiguresAndServeCompareAndGate) {
  fill(2, 1, true);
  ASSERT_EQ(run({"baseline", "set", "main", "r0.run.json", "--store", "store"}).status, 0);
  const auto shown = json::parse(run({"baseline", "show", "--json", "--store", "store"}).out);
  ASSERT_TRUE(shown.ok());
  const json::Value& figures = *shown->as_array()->at(0).find("run");
  const run::Run truth = run::read_file(system_files(), at("r0.run.json")).value();
  for (const char* key : {"latency_ns", "throughput_per_second", "accelerator_utilisation_ratio"}) {
    EXPECT_TRUE(figures.find(key)->as_double().value_or(0) > 0) << key;
  }
  EXPECT_LE(*figures.find("accelerator_utilisation_ratio")->as_double(), 1.0);
  EXPECT_EQ(figures.find("host_peak_bytes")->as_int(), truth.memory.host_peak_bytes);
  EXPECT_EQ(figures.find("accelerator_peak_bytes")->as_int(), truth.memory.accelerator_peak_bytes);
  const auto compared = run({"compare", "@baseline:main", "r1.run.json", "--store", "store"});
  EXPECT_EQ(compared.status, 0) << compared.err;
  const auto gated =
      run({"gate", "--baseline", "@baseline:main", "r0.run.json", "--store", "store"});
  EXPECT_EQ(gated.status, 0) << gated.err << gated.out;
}

TEST_F(Stored, EveryJsonDocumentMeetsItsSchema) {
  fill(30, 15);
  write("m.yaml", kMatrix);
  write("few.yaml",
        "models: [{zoo: lenet}, nowhere.onnx]\naxes: {batch: [1, 2, 4]}\n"
        "stop: {iterations: 2}\nwarmup: 0\n");
  ASSERT_EQ(run({"export", "r0.run.json", "--bundle", "b.zip"}).status, 0);
  const std::vector<std::pair<std::string, std::vector<std::string>>> documents{
      {"history", {"history", "--json", "--store", "store"}},
      {"history", {"history", "--metric", "ops", "--json", "--store", "store"}},
      {"bench_plan", {"bench", "m.yaml", "--dry-run", "--json"}},
      {"bench", {"bench", "few.yaml", "--json", "--store", "other"}},
      {"export_verify", {"export", "--verify", "b.zip", "--json"}}};
  for (const auto& [schema, arguments] : documents) {
    const auto outcome = run(arguments);
    const std::string fault =
        test_support::schema_fault("schema/" + schema + ".schema.json", outcome.out);
    if (fault == "skip") GTEST_SKIP() << "python3-jsonschema is not installed";
    EXPECT_EQ(fault, "") << schema << ": " << outcome.out.substr(0, 500) << outcome.err;
  }
}

}  // namespace
}  // namespace neurolens
