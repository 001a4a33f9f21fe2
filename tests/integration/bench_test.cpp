// `neurolens bench` and `neurolens export` as their users meet them.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <set>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "program.hpp"

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
  EXPECT_EQ(json::parse(good.out)->find("files")->as_array()->size(), 4U);
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

}  // namespace
}  // namespace neurolens
