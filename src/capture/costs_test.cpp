// FLOPs of executed ops: with the real runtime, and for bodies from events made here.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/onnxruntime/op_collector.hpp"
#include "adapters/onnxruntime/trace_reader.hpp"
#include "neurolens/capture/adapter.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/profile.hpp"
#include "neurolens/onnx/zoo.hpp"
#include "neurolens/run/run.hpp"
#include "plan/costs.hpp"

namespace neurolens::capture {
namespace {

namespace fs = std::filesystem;

struct Totals {
  std::int64_t matrix = 0;
  std::int64_t vector = 0;
  std::int64_t transcendental = 0;
  std::int64_t weights = 0;
  std::size_t unknown = 0;
};

Totals totals_of(const run::Run& run) {
  Totals sum;
  for (const auto& op : run.ops) {
    const run::Cost& cost = op.cost;
    sum.matrix += cost.matrix_flops.value_or(0);
    sum.vector += cost.vector_flops.value_or(0);
    sum.transcendental += cost.transcendental_flops.value_or(0);
    sum.weights += cost.weight_bytes.value_or(0);
    if (!cost.matrix_flops || !cost.activation_bytes || !cost.formula_id) ++sum.unknown;
  }
  return sum;
}

class Costs : public ::testing::Test {
 protected:
  void SetUp() override {
    AdapterRegistry registry;
    if (!add_builtin(registry).ok() || !registry.find("onnxruntime")->probe(Host{}).usable)
      GTEST_SKIP() << "no ONNX Runtime on this machine; run scripts/setup_onnxruntime";
    folder_ = fs::path(::testing::TempDir()) / ("neurolens_costs_" + std::to_string(getpid()));
    fs::create_directories(folder_ / "work");
  }
  void TearDown() override {
    if (folder_.empty()) return;
    EXPECT_TRUE(fs::is_empty(folder_ / "work")) << "temporary files were left behind";
    fs::remove_all(folder_);
  }
  void build(const std::string& name) { ASSERT_TRUE(onnx::zoo::build(name, path()).ok()); }
  [[nodiscard]] std::string path() const { return (folder_ / "model.onnx").string(); }

  /// Profiles with as little effort as gives every op once.
  run::Run profile(OptLevel level) {
    CaptureRequest request;
    request.model_path = path();
    request.isolated = true;
    request.iterations = 1;
    request.warmup = 0;
    request.method = Method::observed;
    request.optimisation = level;
    request.work_folder = (folder_ / "work").string();
    auto result = profile_model(request);
    if (!result.ok()) {
      ADD_FAILURE() << result.error();
      return {};
    }
    EXPECT_TRUE(run::validate(result.value()).valid());
    return std::move(result).value();
  }

  fs::path folder_;
};

TEST_F(Costs, OfLenetAreThoseMadeByHand) {
  build("lenet");
  const run::Run plain = profile(OptLevel::none);
  const run::Run optimised = profile(OptLevel::all);
  EXPECT_LT(optimised.ops.size(), plain.ops.size() + 2);
  // Convolutions of 6 and 16 channels with 25 and 150 weights each, three layers.
  const std::int64_t matrix =
      2 * (6 * 28 * 28 * 25 + 16 * 10 * 10 * 150) + 2 * (400 * 120 + 120 * 84 + 84 * 10);
  // Bias, ReLU and 2x2 maximum of both convolutions; bias and ReLU of the layers, the last without.
  const std::int64_t vector = 3 * (6 * 28 * 28 + 16 * 10 * 10) + 2 * (120 + 84) + 10;
  for (const run::Run* run : {&plain, &optimised}) {
    const Totals sum = totals_of(*run);
    EXPECT_EQ(sum.matrix, matrix);
    EXPECT_EQ(sum.vector, vector);
    EXPECT_EQ(sum.transcendental, 0);
    EXPECT_EQ(sum.unknown, 0U);
  }
  EXPECT_EQ(totals_of(plain).weights, 4 * 61706);
}

TEST_F(Costs, FusedOpsOwnWhatTheirNamesSay) {
  build("squeezenet");
  std::size_t convolutions = 0;
  for (const auto& op : profile(OptLevel::all).ops) {
    const auto end = op.name.find("/Relu_output_0_nchwc");
    if (op.type != "Conv" || end == std::string::npos) continue;
    ++convolutions;
    ASSERT_EQ(op.original_nodes.size(), 2U) << op.name;
    EXPECT_EQ(op.original_nodes[0].type, "Conv") << op.name;
    EXPECT_EQ(op.original_nodes[1].name, op.name.substr(0, end) + "/Relu");
  }
  EXPECT_GE(convolutions, 25U);
  build("bert-tiny");
  std::size_t products = 0;
  for (const auto& op : profile(OptLevel::all).ops) {
    if (op.name.find("MatMulAddFusion") == std::string::npos) continue;
    ++products;
    ASSERT_EQ(op.original_nodes.size(), 2U) << op.name;
    EXPECT_EQ(op.original_nodes[0].type, "MatMul") << op.name;
    EXPECT_EQ(op.original_nodes[1].type, "Add") << op.name;
  }
  EXPECT_GE(products, 8U);
}

struct KnownModel {
  const char* name;
  double matrix_gflop;
};
class CostsOf : public Costs, public ::testing::WithParamInterface<KnownModel> {};

TEST_P(CostsOf, KnownModelsArePublishedOnesAtEveryLevel) {
  build(GetParam().name);
  const run::Run plain = profile(OptLevel::none);
  const run::Run optimised = profile(OptLevel::all);
  EXPECT_NE(optimised.ops.size(), plain.ops.size());
  const Totals before = totals_of(plain);
  const Totals after = totals_of(optimised);
  EXPECT_NEAR(static_cast<double>(before.matrix) * 1e-9 / GetParam().matrix_gflop, 1, 0.01);
  EXPECT_EQ(after.matrix, before.matrix);
  EXPECT_EQ(after.vector, before.vector);
  EXPECT_EQ(after.transcendental, before.transcendental);
  EXPECT_EQ(before.unknown, 0U);
  EXPECT_EQ(after.unknown, 0U);
}

INSTANTIATE_TEST_SUITE_P(Zoo, CostsOf,
                         ::testing::Values(KnownModel{"resnet50", 8.2},
                                           KnownModel{"mobilenetv2", 0.60}),
                         [](const auto& each) { return std::string(each.param.name); });

std::string event(const std::string& name, const std::string& type, int index, int begin,
                  int duration, const std::string& shape) {
  return fmt::format(
      R"({{"cat" : "Node","pid" :1,"tid" :7,"dur" :{},"ts" :{},"ph" : "X","name" :"{}_kernel_time",)"
      R"("args" : {{"op_name" : "{}","node_index" : "{}","output_type_shape" : [{{"float":{}}}]}}}},)"
      "\n",
      duration, begin, name, type, index, shape);
}

OpCollector collect(const std::string& events) {
  OpCollector collector;
  TraceReader reader([&](const TraceEvent& each) { collector.take(each); });
  reader.feed(events + R"({"cat" : "Session","pid" :1,"tid" :7,"dur" :99,"ts" :0,"ph" : "X",)"
                       R"("name" :"model_run","args" : {}},)"
                       "\n");
  reader.finish();
  collector.end_segment(1);
  return collector;
}

onnx::Node node_of(const std::string& type, std::vector<std::string> inputs,
                   const std::string& output) {
  onnx::Node node;
  node.name = output + "_node";
  node.op_type = type;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  return node;
}

/// x -> Loop { inner = x * w } -> y -> Relu -> z; w lies outside of the body.
onnx::Graph loop_graph() {
  onnx::Graph body;
  body.nodes = {node_of("MatMul", {"x", "w"}, "inner")};
  onnx::Graph graph;
  graph.initializers.push_back({"w", onnx::DType::float32, {4, 5}, Bytes{80}, false, false});
  graph.nodes = {node_of("Loop", {"", "", "x"}, "y"), node_of("Relu", {"y"}, "z")};
  onnx::Attribute attribute;
  attribute.name = "body";
  attribute.kind = onnx::AttributeKind::graph;
  attribute.graphs.push_back(std::move(body));
  graph.nodes[0].attributes.push_back(std::move(attribute));
  return graph;
}

std::vector<run::Cost> costs_of(const OpCollector& collector, const onnx::Graph& graph) {
  Plan plan = build_plan(collector, &graph, &graph);
  onnx::ObservedTensors observed{{"x", {onnx::DType::float32, {3, 4}}}};
  observe_outputs(plan, collector, observed);
  fill_costs(plan, collector, {&graph, &observed, &graph, &observed});
  std::vector<run::Cost> out;
  for (const auto& op : plan.ops) out.push_back(op.cost);
  return out;
}

TEST(CostsOfBodies, CountAsOftenAsTheyRan) {
  const auto graph = loop_graph();
  const auto costs = costs_of(collect(event("inner_node", "MatMul", 0, 10, 5, "[3,5]") +
                                      event("inner_node", "MatMul", 0, 20, 5, "[3,5]") +
                                      event("y_node", "Loop", 0, 5, 30, "[3,5]") +
                                      event("z_node", "Relu", 1, 40, 5, "[3,5]")),
                              graph);
  ASSERT_EQ(costs.size(), 3U);
  EXPECT_EQ(costs[0].formula_id, "control_flow");
  EXPECT_EQ(costs[0].matrix_flops, 0);
  EXPECT_EQ(costs[1].matrix_flops, 2 * 2 * 3 * 4 * 5);
  EXPECT_EQ(costs[1].weight_bytes, 2 * 80);
  EXPECT_EQ(costs[1].activation_bytes, 2 * 4 * (12 + 15));
  EXPECT_EQ(costs[2].vector_flops, 15);
}

TEST(CostsOfBodies, AreNotKnownWhereShapesChange) {
  const auto graph = loop_graph();
  const auto costs = costs_of(collect(event("inner_node", "MatMul", 0, 10, 5, "[3,5]") +
                                      event("inner_node", "MatMul", 0, 20, 5, "[4,5]") +
                                      event("y_node", "Loop", 0, 5, 30, "[3,5]") +
                                      event("z_node", "Relu", 1, 40, 5, "[3,5]")),
                              graph);
  ASSERT_EQ(costs.size(), 3U);
  EXPECT_FALSE(costs[1].matrix_flops);
  EXPECT_FALSE(costs[1].formula_id);
  EXPECT_EQ(costs[2].vector_flops, 15);
}

TEST(ObserveOriginal, TakesNodesByTheirNumberWithoutConstants) {
  onnx::Graph graph;
  graph.nodes = {node_of("Constant", {}, "c"), node_of("Relu", {"x"}, "a"),
                 node_of("Relu", {"x"}, "b")};
  for (auto& node : graph.nodes) node.name.clear();
  onnx::ObservedTensors observed;
  // The order of execution need not be that of the file.
  EXPECT_EQ(observe_original(collect(event("Relu_1", "Relu", 1, 10, 5, "[2]") +
                                     event("Relu_0", "Relu", 0, 20, 5, "[1]")),
                             graph, observed),
            2U);
  EXPECT_EQ(observed.at("a").dims, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(observed.at("b").dims, (std::vector<std::int64_t>{2}));
  observed.clear();
  EXPECT_EQ(observe_original(collect(event("Abs_0", "Abs", 0, 10, 5, "[2]")), graph, observed), 0U);
  EXPECT_TRUE(observed.empty());
}

}  // namespace
}  // namespace neurolens::capture
