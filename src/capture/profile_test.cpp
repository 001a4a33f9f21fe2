// The main job against the real backend: a model in, a valid Run out.
#include "neurolens/capture/profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>

#include "fit/order_statistics.hpp"
#include "model/model_writer.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::capture {
namespace {

namespace fs = std::filesystem;

bool have_runtime() {
  AdapterRegistry registry;
  if (!add_builtin(registry).ok()) return false;
  return registry.find("onnxruntime")->probe(Host{}).usable;
}

/// Two convolutions with a residual, pooling, a classifier; some names odd, some empty.
ModelSpec small_network() {
  ModelSpec model;
  const std::vector<std::int64_t> pads{1, 1, 1, 1};
  model.initializers = {random_weights("w0", {16, 3, 3, 3}, 1),
                        random_weights("w1", {16, 16, 3, 3}, 2), random_weights("bias", {16}, 3),
                        random_weights("w2", {16, 10}, 4)};
  model.nodes = {{"Conv", {"x", "w0", "bias"}, {"c0"}, "conv0", "", {{"pads", pads}}},
                 {"Relu", {"c0"}, {"r0"}, "relu0", "", {}},
                 {"Conv", {"r0", "w1", "bias"}, {"c1"}, "conv1", "", {{"pads", pads}}},
                 {"Add", {"c1", "r0"}, {"sum"}, "add\"quoted", "", {}},
                 {"Relu", {"sum"}, {"r1"}, "", "", {}},
                 {"GlobalAveragePool", {"r1"}, {"pooled"}, "pool", "", {}},
                 {"Flatten", {"pooled"}, {"flat"}, "", "", {}},
                 {"MatMul", {"flat", "w2"}, {"y0"}, "classify", "", {}},
                 {"Softmax", {"y0"}, {"y"}, "", "", {}}};
  model.inputs = {{"x", 1, {-1, 3, 64, 64}}};
  model.outputs = {{"y", 1, {-1, 10}}};
  return model;
}

class Profile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have_runtime())
      GTEST_SKIP() << "no ONNX Runtime on this machine; run scripts/setup_onnxruntime";
    folder_ = fs::path(::testing::TempDir()) / ("neurolens_profile_" + std::to_string(getpid()));
    fs::create_directories(folder_ / "work");
    request_.isolated = true;
    request_.iterations = 12;
    request_.warmup = 2;
    request_.work_folder = (folder_ / "work").string();
  }
  void TearDown() override {
    if (folder_.empty()) return;
    EXPECT_TRUE(fs::is_empty(folder_ / "work")) << "temporary files were left behind";
    fs::remove_all(folder_);
  }
  void write(const std::string& bytes) {
    request_.model_path = (folder_ / "model.onnx").string();
    ASSERT_TRUE(system_files().write_atomic(request_.model_path, bytes).ok());
  }
  void write(const ModelSpec& model) { write(encode(model)); }

  fs::path folder_;
  CaptureRequest request_;
};

TEST_F(Profile, GivesAValidRunOfARealModel) {
  write(small_network());
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  const run::Run& run = result.value();
  const auto report = run::validate(run);
  for (const auto& fault : report.faults) ADD_FAILURE() << fault.pointer << ": " << fault.sentence;
  EXPECT_EQ(run.status, "complete");
  EXPECT_EQ(run.software.backend, "onnxruntime");
  EXPECT_EQ(run.workload.inputs.at(0).shape, (std::vector<std::int64_t>{1, 3, 64, 64}));
  EXPECT_EQ(run.workload.outputs.at(0).shape, (std::vector<std::int64_t>{1, 10}));

  const auto& rows = run.samples.iterations;
  const auto observed = std::count(rows.observed.begin(), rows.observed.end(), 1);
  for (const int side : {0, 1}) {  // what only settles the caches is kept as warm-up
    int counted = 0;
    for (std::size_t i = 0; i < rows.duration_ns.size(); ++i)
      counted += rows.observed[i] == side && rows.warmup[i] == 0 ? 1 : 0;
    EXPECT_EQ(counted, 12) << side;
  }
  EXPECT_GE(observed, 14);
  for (const auto& column : run.samples.op_duration_ns)
    EXPECT_EQ(column.size(), static_cast<std::size_t>(observed));
  // Interleaved: both kinds occur in the first and in the last third of the measured iterations.
  const auto third = rows.observed.size() / 3;
  EXPECT_GT(std::count(rows.observed.begin(),
                       rows.observed.begin() + static_cast<std::ptrdiff_t>(third), 1),
            0);
  EXPECT_GT(
      std::count(rows.observed.end() - static_cast<std::ptrdiff_t>(third), rows.observed.end(), 0),
      0);
  ASSERT_TRUE(run.timeline.has_value());
  EXPECT_EQ(run.timeline->op.size(), run.ops.size());
}

TEST_F(Profile, MapsExecutedOpsToEveryOriginalNodeOnce) {
  write(small_network());
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  std::multiset<std::string> types;
  bool fused = false;
  for (const auto& op : result.value().ops) {
    for (const auto& node : op.original_nodes) types.insert(*node.type);
    if (op.original_nodes.size() > 1) {
      fused = true;
      EXPECT_EQ(op.original_nodes.front().type, "Conv") << op.name;
    }
  }
  EXPECT_TRUE(fused);
  EXPECT_EQ(types,
            (std::multiset<std::string>{"Conv", "Relu", "Conv", "Add", "Relu", "GlobalAveragePool",
                                        "Flatten", "MatMul", "Softmax"}));
}

TEST_F(Profile, WithoutOptimisationEveryNodeIsAnOp) {
  write(small_network());
  request_.optimisation = OptLevel::none;
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  const auto& ops = result.value().ops;
  ASSERT_EQ(ops.size(), 9U);
  EXPECT_EQ(ops[3].type, "Add");
  EXPECT_EQ(ops[3].name, "add\"quoted");
  for (const auto& op : ops) EXPECT_EQ(op.original_nodes.size(), 1U) << op.name;
  EXPECT_EQ(ops[0].inputs.at(1).name, "w0");
  EXPECT_EQ(ops[0].inputs.at(1).shape, (std::vector<std::int64_t>{16, 3, 3, 3}));
}

TEST_F(Profile, ObeysTheOptionsForShapes) {
  write(small_network());
  request_.batch = 3;
  request_.batch_given = true;
  auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result.value().workload.inputs.at(0).shape->at(0), 3);
  EXPECT_EQ(result.value().workload.batch_size, 3);

  request_.shapes["x"] = {2, 3, 64};
  result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::bad_request);
  EXPECT_NE(result.error().message.find("4 dimensions"), std::string::npos) << result.error();

  request_.shapes = {{"y", {2, 3, 64, 64}}};
  result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("\"y\""), std::string::npos) << result.error();
}

TEST_F(Profile, PassesOnWhyTheRuntimeRefuses) {
  ModelSpec model = small_network();
  model.nodes[1].op_type = "NoSuchOperator";
  write(model);
  const auto result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::refused);
  EXPECT_NE(result.error().message.find("NoSuchOperator"), std::string::npos) << result.error();
  EXPECT_EQ(result.error().where, request_.model_path);
}

TEST_F(Profile, RefusesFilesThatAreNoModels) {
  const std::string good = encode(small_network());
  for (const std::string& bytes :
       {std::string(), std::string("hello"), good.substr(0, good.size() / 2)}) {
    write(bytes);
    const auto result = profile_model(request_);
    ASSERT_FALSE(result.ok());
    EXPECT_NE(result.error().code, Errc::crashed) << result.error();
    EXPECT_NE(result.error().text().find("model.onnx"), std::string::npos) << result.error();
  }
  request_.model_path = (folder_ / "absent.onnx").string();
  const auto result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::not_found);
}

TEST_F(Profile, SaysWhatIsWrongWithTheLibrary) {
  write(small_network());
  request_.ort_library = "/nonexistent/libonnxruntime.so";
  auto result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::unavailable);
  EXPECT_NE(result.error().message.find("setup_onnxruntime"), std::string::npos) << result.error();
  request_.ort_library = "libm.so.6";
  result = profile_model(request_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::unavailable);
}

/// Forty light ops with one that takes many times as long as all of them together.
ModelSpec one_heavy_op() {
  ModelSpec model;
  model.inputs = {{"t0", 1, {8, 128}}};
  model.initializers = {random_weights("big", {128, 128}, 5)};
  for (int i = 0; i < 41; ++i) {
    const std::string in = "t" + std::to_string(i);
    const std::string out = "t" + std::to_string(i + 1);
    if (i == 17) {
      model.nodes.push_back({"MatMul", {in, "big"}, {out}, "heavy", "", {}});
    } else {
      model.nodes.push_back(
          {i % 2 == 0 ? "Neg" : "Abs", {in}, {out}, "light" + std::to_string(i), "", {}});
    }
  }
  model.outputs = {{"t41", 1, {8, 128}}};
  return model;
}

std::int64_t total_ns(const run::Run& run) {
  std::int64_t sum = 0;
  for (const auto& op : run.ops) sum += op.estimate ? op.estimate->time_ns : 0;
  return sum;
}
double median_unobserved(const run::Run& run) {
  std::vector<double> values;
  const auto& rows = run.samples.iterations;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    if (rows.observed[i] == 0 && rows.warmup[i] == 0 && rows.disturbed[i] == 0)
      values.push_back(static_cast<double>(rows.duration_ns[i]));
  }
  return median(values);
}

// The runtime's own profiler makes this model several times slower; what is reported must add up to
// the time without it, less what the ledger says belongs to no op.
TEST_F(Profile, CorrectedTimesAddUpToTheUnobservedLatency) {
  write(one_heavy_op());
  request_.method = Method::corrected;
  request_.iterations = 60;
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  const run::Run& run = result.value();
  EXPECT_TRUE(run::validate(run).valid());
  ASSERT_GE(run.overhead.ledger.size(), 1U);
  EXPECT_EQ(run.overhead.ledger[0].event, "op");
  EXPECT_GT(run.overhead.ledger[0].cost_ns, 0);
  double call = 0;
  for (const auto& entry : run.overhead.ledger) {
    if (entry.event == "unobserved_call") call = entry.cost_ns;
  }
  const double latency = median_unobserved(run);
  EXPECT_NEAR(static_cast<double>(total_ns(run)), latency - std::min(call, latency / 2),
              0.03 * latency);
  for (const auto& op : run.ops) {
    ASSERT_TRUE(op.estimate) << op.name;
    EXPECT_EQ(op.estimate->method, "corrected");
    EXPECT_LE(*op.estimate->low_ns, op.estimate->time_ns);
    EXPECT_GE(*op.estimate->high_ns, op.estimate->time_ns);
    EXPECT_GE(op.estimate->time_ns, 0);
  }
}

TEST_F(Profile, CutsFindTheHeavyOp) {
  write(one_heavy_op());
  request_.method = Method::cut;
  request_.optimisation = OptLevel::none;
  request_.top = 1;
  request_.budget = Nanoseconds{3'000'000'000};
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  const run::Run& run = result.value();
  EXPECT_TRUE(run::validate(run).valid());
  const auto heaviest = std::max_element(
      run.ops.begin(), run.ops.end(),
      [](const run::Op& a, const run::Op& b) { return a.estimate->time_ns < b.estimate->time_ns; });
  EXPECT_EQ(heaviest->name, "heavy");
  EXPECT_EQ(heaviest->estimate->method, "cut");
  for (const auto& note : run.notes)
    EXPECT_EQ(note.find("could not be shared"), std::string::npos) << note;
}

TEST_F(Profile, CutsBranchesWithManyInputsAndOutputs) {
  ModelSpec model;
  model.inputs = {{"a", 1, {16, 64}}, {"b", 1, {16, 64}}};
  model.initializers = {random_weights("w", {64, 64}, 5)};
  model.nodes = {{"MatMul", {"a", "w"}, {"p"}, "left", "", {}},
                 {"MatMul", {"b", "w"}, {"q"}, "right", "", {}},
                 {"Tanh", {"p"}, {"r"}, "bend", "", {}},
                 {"Add", {"r", "q"}, {"sum"}, "join", "", {}},
                 {"Split", {"sum"}, {"s0", "s1"}, "part", "", {{"axis", std::int64_t{0}}}},
                 {"Mul", {"s0", "s1"}, {"y"}, "mul", "", {}}};
  model.outputs = {{"y", 1, {8, 64}}, {"q", 1, {16, 64}}};
  write(model);
  request_.method = Method::cut;
  request_.top = 3;
  request_.budget = Nanoseconds{2'000'000'000};
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_TRUE(run::validate(result.value()).valid());
  const auto settled =
      std::count_if(result.value().ops.begin(), result.value().ops.end(),
                    [](const run::Op& op) { return op.estimate->method == "cut"; });
  EXPECT_GE(settled, 3);
}

// Cancels once measuring has begun.
class CancelWhenMeasuring final : public Progress {
 public:
  explicit CancelWhenMeasuring(CancelToken& token) : token_(token) {}
  void update(std::string_view phase, std::optional<double> fraction) override {
    if (phase == "measuring" && fraction.value_or(0) > 0) token_.cancel();
  }

 private:
  CancelToken& token_;
};

TEST_F(Profile, KeepsWhatWasMeasuredWhenStopped) {
  write(small_network());
  CancelToken token;
  CancelWhenMeasuring progress(token);
  request_.attention = {&progress, &token};
  request_.iterations = 1'000'000;
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result.value().status, "partial");
  EXPECT_TRUE(run::validate(result.value()).valid());
  EXPECT_GT(result.value().samples.iterations.duration_ns.size(), 4U);
}

TEST_F(Profile, StopsByItselfWhenTheMedianIsKnown) {
  write(small_network());
  request_.iterations.reset();
  request_.time_limit = Nanoseconds{600'000'000};
  const auto result = profile_model(request_);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_GT(result.value().samples.iterations.duration_ns.size(), 30U);
}

TEST(AdapterRegistry, FindsByNameAndRefusesDoubles) {
  AdapterRegistry registry;
  ASSERT_TRUE(add_builtin(registry).ok());
  ASSERT_NE(registry.find("onnxruntime"), nullptr);
  EXPECT_EQ(registry.find("nothing"), nullptr);
  const auto again = add_builtin(registry);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Errc::duplicate_name);
}

TEST(Host, KnowsThisMachine) {
  const Host host = read_host();
  EXPECT_GE(host.facts.cores_logical, 1);
  EXPECT_FALSE(host.facts.cpu_model.empty());
  EXPECT_FALSE(host.facts.architecture.empty());
  EXPECT_FALSE(host.facts.kernel.empty());
  ASSERT_TRUE(host.facts.memory_bytes.has_value());
  EXPECT_GT(*host.facts.memory_bytes, 1 << 26);
  ASSERT_TRUE(host.facts.cores_used.has_value());
  EXPECT_FALSE(host.facts.cores_used->empty());
  const auto memory = process_memory();
  ASSERT_TRUE(memory.resident && memory.peak_resident);
  EXPECT_GT(memory.resident->count, 0);
  EXPECT_GE(memory.peak_resident->count, memory.resident->count);
}

TEST(Host, LeavesUnreadableFactsEmpty) {
  HostSources sources;
  sources.root = "/nonexistent";
  const Host host = read_host(sources);
  EXPECT_FALSE(host.facts.memory_bytes.has_value());
  EXPECT_FALSE(host.facts.governor.has_value());
  EXPECT_TRUE(host.facts.caches.empty());
  EXPECT_GE(host.facts.cores_logical, 1);
}

}  // namespace
}  // namespace neurolens::capture
