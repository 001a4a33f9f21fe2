// Every layer and cell that ONNX can say, exported and run by ONNX Runtime: the outputs agree with
// the engine's own within 1e-5. Skipped where there is no ONNX Runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "adapters/onnxruntime/library.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/yaml.hpp"
#include "neurolens/engines/nn/model.hpp"
#include "neurolens/engines/nn/onnx_export.hpp"

namespace neurolens::nn {
namespace {

using capture::ort::Handle;
using capture::ort::Library;

constexpr std::int64_t kRows = 5;
constexpr double kMost = 1e-5;

struct Case {
  std::string layers;
  std::vector<std::int64_t> input;
  bool ids = false;  ///< The input holds numbers of rows of a table.
};

const std::vector<Case> kCases{
    {"[{type: linear, units: 7}]", {5}},
    {"[{type: linear, units: 7, bias: false, activation: relu}]", {3, 5}},
    {"[{type: linear, units: 7, activation: tanh}]", {5}},
    {"[{type: linear, units: 7, activation: sigmoid}]", {5}},
    {"[{type: activation, function: identity}]", {5}},
    {"[{type: activation, function: relu}]", {5}},
    {"[{type: activation, function: tanh}]", {5}},
    {"[{type: activation, function: sigmoid}]", {5}},
    {"[{type: activation, function: gelu}]", {5}},
    {"[{type: activation, function: silu}]", {5}},
    {"[{type: dropout, rate: 0.4}]", {5}},
    {"[{type: flatten}]", {2, 3, 4}},
    {"[{type: reshape, shape: [4, 6]}]", {2, 3, 4}},
    {"[{type: embedding, size: 9, width: 4}]", {6}, true},
    {"[{type: position}]", {6, 4}},
    {"[{type: layer_norm}]", {3, 8}},
    {"[{type: batch_norm}]", {6}},
    {"[{type: batch_norm}]", {3, 4, 5}},
    {"[{type: conv2d, filters: 4, kernel: 3}]", {2, 7, 6}},
    {"[{type: conv2d, filters: 4, kernel: 3, stride: 2, padding: 1, bias: false}]", {2, 7, 6}},
    {"[{type: max_pool, kernel: 2}]", {3, 6, 6}},
    {"[{type: max_pool, kernel: 3, stride: 2, padding: 1}]", {3, 7, 7}},
    {"[{type: avg_pool, kernel: 2}]", {3, 6, 6}},
    {"[{type: avg_pool, global: true}]", {3, 5, 5}},
    {"[{type: attention, heads: 2}]", {5, 8}},
    {"[{type: attention, heads: 2, causal: true}]", {5, 8}},
    {"[{type: sequential, layers: [{type: linear, units: 6}, {type: layer_norm}]}]", {5}},
    {"[{type: residual, layers: [{type: linear, units: 5}]}]", {5}},
    {"[{type: gru, units: 6}]", {4, 3}},
    {"[{type: gru, units: 6, return_sequences: true}]", {4, 3}},
    {"[{type: gru, units: 6, ticks: 3}]", {3}},
    {"[{type: cfc, units: 6}]", {4, 3}},
    {"[{type: ssm, units: 6, states: 5}]", {4, 3}},
    {"[{type: lif, units: 6}]", {4, 3}},
    {"[{type: adaptive, nodes: 6, hidden: 4, phases: {mode: off}}]", {4, 3}},
    {"[{type: adaptive, nodes: 6, hidden: 4, phases: {mode: dial, awake: 1}}]", {3}},
    {"[{type: linear, units: 16}, {type: position}, {type: residual, layers: [{type: layer_norm}, "
     "{type: attention, "
     "heads: 4}]}, {type: flatten}, {type: linear, units: 10}]",
     {8, 8}},
};

// What ONNX cannot say: these layers are refused, every other one is in kCases.
const std::set<std::string> kRefused{"adaptive_legacy"};

class OnnxExport : public ::testing::TestWithParam<Case> {};

Network<float> built(const Case& c) {
  auto network =
      Network<float>::build(*yaml::parse("seed: 3\nlayers: " + c.layers), Shape{c.input});
  EXPECT_TRUE(network.ok()) << network.error();
  Random random(8);
  // As after training: no parameter at its first value, no running statistic at 0 or 1.
  for (float& p : network->params()) p += static_cast<float>(0.1 * random.normal());
  for (float& b : network->buffers()) b = static_cast<float>(0.5 + random.uniform());
  return std::move(network).value();
}

std::vector<float> inputs(const Case& c, std::size_t count) {
  Random random(9);
  std::vector<float> x(count);
  for (float& v : x)
    v = c.ids ? static_cast<float>(random.below(9)) : static_cast<float>(random.normal());
  return x;
}

std::vector<float> by_engine(const Network<float>& network, const std::vector<float>& x) {
  Plan<float> plan(network, kRows, kernels::simd_kernels());
  const float* y = plan.forward(kRows, x.data(), false);
  return {y, y + kRows * network.output().elements()};
}

std::vector<float> by_runtime(const Library& library, const std::string& model, const Shape& input,
                              std::vector<float> x) {
  const OrtApi& api = library.api();
  OrtSessionOptions* options = nullptr;
  EXPECT_TRUE(library.check(api.CreateSessionOptions(&options)).ok());
  const Handle<OrtSessionOptions> own_options(options, api.ReleaseSessionOptions);
  (void)library.check(api.SetIntraOpNumThreads(options, 1));
  OrtSession* session = nullptr;
  const Status opened = library.check(
      api.CreateSessionFromArray(library.env(), model.data(), model.size(), options, &session));
  EXPECT_TRUE(opened.ok()) << opened.error().text();
  if (!opened.ok()) return {};
  const Handle<OrtSession> own_session(session, api.ReleaseSession);
  OrtMemoryInfo* memory = nullptr;
  EXPECT_TRUE(
      library.check(api.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory)).ok());
  const Handle<OrtMemoryInfo> own_memory(memory, api.ReleaseMemoryInfo);
  std::vector<std::int64_t> dims{kRows};
  dims.insert(dims.end(), input.dims.begin(), input.dims.end());
  OrtValue* value = nullptr;
  EXPECT_TRUE(library
                  .check(api.CreateTensorWithDataAsOrtValue(
                      memory, x.data(), x.size() * sizeof(float), dims.data(), dims.size(),
                      ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &value))
                  .ok());
  const Handle<OrtValue> own_value(value, api.ReleaseValue);
  const char* names[] = {"x", "y"};
  const OrtValue* in = value;
  OrtValue* out = nullptr;
  const Status ran =
      library.check(api.Run(session, nullptr, &names[0], &in, 1, &names[1], 1, &out));
  EXPECT_TRUE(ran.ok()) << ran.error().text();
  if (!ran.ok()) return {};
  const Handle<OrtValue> own_out(out, api.ReleaseValue);
  OrtTensorTypeAndShapeInfo* info = nullptr;
  EXPECT_TRUE(library.check(api.GetTensorTypeAndShape(out, &info)).ok());
  const Handle<OrtTensorTypeAndShapeInfo> own_info(info, api.ReleaseTensorTypeAndShapeInfo);
  std::size_t count = 0;
  (void)library.check(api.GetTensorShapeElementCount(info, &count));
  void* data = nullptr;
  EXPECT_TRUE(library.check(api.GetTensorMutableData(out, &data)).ok());
  return {static_cast<const float*>(data), static_cast<const float*>(data) + count};
}

TEST_P(OnnxExport, AgreesWithTheEngine) {
  const auto library = Library::open("");
  if (!library.ok()) GTEST_SKIP() << library.error().text();
  const Network<float> network = built(GetParam());
  const auto model = to_onnx(network);
  ASSERT_TRUE(model.ok()) << model.error();
  const std::vector<float> x =
      inputs(GetParam(), static_cast<std::size_t>(kRows * network.input().elements()));
  const std::vector<float> ours = by_engine(network, x);
  const std::vector<float> theirs = by_runtime(**library, *model, network.input(), x);
  ASSERT_EQ(ours.size(), theirs.size());
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    worst = std::max(worst, std::abs(double(ours[i]) - double(theirs[i])));
    largest = std::max(largest, std::abs(double(ours[i])));
  }
  EXPECT_LE(worst, kMost);
  EXPECT_GT(largest, 0) << "outputs of nothing but zeros prove nothing";
  RecordProperty("worst", std::to_string(worst));
}

// The model takes samples as they are in the data, whatever was done to them before training.
TEST(OnnxExportCoverage, StandardisedInputsAreTheFirstStep) {
  const auto library = Library::open("");
  if (!library.ok()) GTEST_SKIP() << library.error().text();
  const Case c{"[{type: linear, units: 7}]", {2, 3}};
  const Network<float> network = built(c);
  const Standard standard{{1, -2, 3, 0, 5, 6}, {0.5f, 2, 1, 0, 3, 0.1f}};
  const std::vector<float> raw = inputs(c, kRows * 6);
  std::vector<float> x = raw;
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = (x[i] - standard.mean[i % 6]) * standard.scale[i % 6];
  const std::vector<float> ours = by_engine(network, x);
  const std::vector<float> theirs =
      by_runtime(**library, *to_onnx(network, &standard), network.input(), raw);
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], kMost);
}

INSTANTIATE_TEST_SUITE_P(Layers, OnnxExport, ::testing::ValuesIn(kCases));

TEST(OnnxExportCoverage, EveryLayerIsTriedOrRefused) {
  for (const std::string& name : builtin_layers<float>().names()) {
    const bool tried = std::any_of(kCases.begin(), kCases.end(), [&](const Case& c) {
      return c.layers.find("type: " + name + ",") != std::string::npos ||
             c.layers.find("type: " + name + "}") != std::string::npos;
    });
    EXPECT_NE(tried, kRefused.count(name) == 1) << name;
  }
  const auto legacy = to_onnx(built({"[{type: adaptive_legacy, nodes: 4, hidden: 3}]", {3}}));
  ASSERT_FALSE(legacy.ok());
  EXPECT_EQ(legacy.error().code, Errc::refused);
  EXPECT_FALSE(
      to_onnx(
          built({"[{type: adaptive, nodes: 6, hidden: 4, phases: {mode: dial, awake: 0.5}}]", {3}}))
          .ok());
}

// The comparison can fail: another model's weights are seen.
TEST(OnnxExportCoverage, AWrongWeightIsSeen) {
  const auto library = Library::open("");
  if (!library.ok()) GTEST_SKIP() << library.error().text();
  const Case c{"[{type: linear, units: 7}]", {5}};
  Network<float> network = built(c);
  const std::vector<float> x = inputs(c, kRows * 5);
  const std::vector<float> ours = by_engine(network, x);
  network.params()[3] += 1e-3f;
  const std::vector<float> theirs = by_runtime(**library, *to_onnx(network), network.input(), x);
  ASSERT_EQ(ours.size(), theirs.size());
  double worst = 0;
  for (std::size_t i = 0; i < ours.size(); ++i)
    worst = std::max(worst, std::abs(double(ours[i]) - double(theirs[i])));
  EXPECT_GT(worst, kMost);
}

}  // namespace
}  // namespace neurolens::nn
