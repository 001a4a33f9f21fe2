// `neurolens profile` on real models under the real runtime; skipped where there is none.
#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "program.hpp"

namespace neurolens {
namespace {

class Profile : public test_support::ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    const auto doctor = json::parse(run({"doctor", "--json"}).out);
    ASSERT_TRUE(doctor.ok());
    for (const auto& check : *doctor->find("checks")->as_array()) {
      if (*check.find("name")->as_string() == "onnxruntime" && !*check.find("works")->as_bool()) {
        GTEST_SKIP() << "ONNX Runtime is not here (scripts/setup fetches it): "
                     << *check.find("detail")->as_string();
      }
    }
  }
  void build(const std::string& name, const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"zoo", "build", name, "-o", file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = run(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
};

TEST_F(Profile, WritesAValidRunWhoseSharesAddUpToOne) {
  build("mlp", "mlp.onnx");
  const auto outcome = run({"profile", "mlp.onnx", "-o", "mlp.run.json", "--iterations", "20",
                            "--method", "observed", "--tag", "suite=test", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto summary = json::parse(outcome.out);
  ASSERT_TRUE(summary.ok()) << outcome.out;
  double shares = 0;
  for (const auto& op : *summary->find("ops")->as_array()) {
    shares += *op.find("share_ratio")->as_double();
    EXPECT_FALSE(op.find("original_nodes")->as_array()->empty()) << *op.find("name")->as_string();
  }
  EXPECT_NEAR(shares, 1, 1e-9);
  const auto loaded = run::read_file(system_files(), at("mlp.run.json"));
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded->tags.at("suite"), "test");
  EXPECT_EQ(loaded->status, "complete");
  EXPECT_EQ(loaded->config.command.at(1), "profile");
  EXPECT_EQ(run({"summary", "mlp.run.json", "--json"}).out, outcome.out);
}

// Every architecture of the zoo: a valid Run, shares that add up to 1, and times.
TEST_F(Profile, TheWholeZooProfiles) {
  const auto zoo = json::parse(run({"zoo", "list", "--json"}).out);
  ASSERT_TRUE(zoo.ok());
  for (const auto& entry : *zoo->as_array()) {
    const std::string name = *entry.find("name")->as_string();
    build(name, "m.onnx");
    const auto outcome = run({"profile", "m.onnx", "-o", "m.run.json", "--iterations", "2",
                              "--warmup", "1", "--method", "observed", "--json"});
    ASSERT_EQ(outcome.status, 0) << name << outcome.err;
    const auto summary = json::parse(outcome.out);
    double shares = 0;
    for (const auto& op : *summary->find("ops")->as_array())
      shares += *op.find("share_ratio")->as_double();
    EXPECT_NEAR(shares, 1, 1e-9) << name;
    EXPECT_EQ(run({"validate", "m.run.json"}).status, 0) << name;
    EXPECT_GT(*summary->find("unobserved_p50_ns")->as_double(), 0) << name;
  }
}

TEST_F(Profile, BadModelsAreRefusedWithTheirNameAndNothingIsWritten) {
  build("lenet", "good.onnx");
  const std::string model = read("good.onnx");
  write("empty.onnx", "");
  write("cut.onnx", model.substr(0, model.size() / 3));
  write("text.onnx", "not a model at all");
  std::string flipped = model;
  for (std::size_t i = 0; i < 200; ++i) flipped[i * (flipped.size() / 200)] ^= 0x10;
  write("flipped.onnx", flipped);
  const auto before = names();
  for (const char* name :
       {"none.onnx", "empty.onnx", "cut.onnx", "text.onnx", "flipped.onnx", "."}) {
    const auto outcome = run({"profile", name, "-o", "x.run.json", "--iterations", "2"});
    EXPECT_GE(outcome.status, 1) << name;
    EXPECT_LE(outcome.status, 3) << name << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(name), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(names(), before);
}

TEST_F(Profile, WrongRequestsAreRefusedByName) {
  build("lenet", "m.onnx");
  const auto refused = [&](std::vector<std::string> more, const std::string& part) {
    std::vector<std::string> arguments{"profile",    "m.onnx",       "-o",
                                       "x.run.json", "--iterations", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto outcome = run(arguments);
    EXPECT_GE(outcome.status, 2) << part << outcome.out;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
  };
  refused({"--shape", "nonsense=1x2"}, "nonsense");
  refused({"--shape", "input=1x2"}, "input");
  refused({"--shape", "input"}, "--shape");
  refused({"--shape", "input=1xtwo"}, "--shape");
  refused({"--input", "input=none.npy"}, "none.npy");
  refused({"--opt", "much"}, "basic");
  refused({"--ort-library", "none.so"}, "none.so");
  refused({"--seed", "-1"}, "--seed");
  EXPECT_EQ(names(), std::vector<std::string>{"m.onnx"});
  const auto unwritable = run({"profile", "m.onnx", "-o", "no/such/x.run.json"});
  EXPECT_EQ(unwritable.status, 2);
  EXPECT_NE(unwritable.err.find("no/such/x.run.json"), std::string::npos) << unwritable.err;
}

TEST_F(Profile, AnInterruptKeepsWhatWasMeasured) {
  build("mobilenetv2", "m.onnx");
  const auto outcome = run(
      {"profile", "m.onnx", "-o", "m.run.json", "--iterations", "100000", "--method", "observed"},
      std::chrono::milliseconds(4000));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto loaded = run::read_file(system_files(), at("m.run.json"));
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded->status, "partial");
  EXPECT_NE(outcome.out.find("partial"), std::string::npos) << outcome.out;
}

TEST_F(Profile, FreeDimensionsFollowTheOptions) {
  build("lenet", "m.onnx", {"--batch", "0"});
  ASSERT_EQ(run({"profile", "m.onnx", "-o", "a.run.json", "--batch", "3", "--iterations", "5",
                 "--method", "observed"})
                .status,
            0);
  const auto loaded = run::read_file(system_files(), at("a.run.json"));
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded->workload.inputs.at(0).shape->at(0), 3);
  EXPECT_EQ(loaded->workload.batch_size, 3);
}

}  // namespace
}  // namespace neurolens
