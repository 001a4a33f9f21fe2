#include "neurolens/onnx/zoo.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "neurolens/onnx/model.hpp"
#include "test_support.hpp"
#include "zoo/weights.hpp"

namespace neurolens::onnx::zoo {
namespace {

using testing_support::TemporaryFolder;

struct Published {
  const char* name;
  std::int64_t parameters;
};

class ZooModel : public testing::TestWithParam<Published> {};

// Counts as the publications and the common implementations of each architecture give them; they
// come from reading the file that was written, not from the recipe.
TEST_P(ZooModel, HasThePublishedParameterCount) {
  const TemporaryFolder folder;
  const auto built = build(GetParam().name, folder / "m.onnx");
  ASSERT_TRUE(built.ok()) << built.error();
  const auto model = Model::load(folder / "m.onnx", {.keep_weights = false});
  ASSERT_TRUE(model.ok()) << model.error();
  EXPECT_EQ(model->parameter_count(), GetParam().parameters);
  EXPECT_EQ(built->parameters, GetParam().parameters);
  EXPECT_EQ(built->size, model->file_size());
  EXPECT_EQ(model->opset(), 17);
}

INSTANTIATE_TEST_SUITE_P(
    All, ZooModel,
    testing::Values(Published{"lenet", 61'706}, Published{"mlp", 669'706},
                    Published{"lstm", 929'824}, Published{"squeezenet", 1'235'496},
                    Published{"mobilenetv2", 3'504'872}, Published{"bert-tiny", 4'385'920},
                    Published{"unet", 7'763'074}, Published{"resnet18", 11'689'512},
                    Published{"resnet50", 25'557'032}, Published{"vit-b16", 86'567'656},
                    Published{"bert-base", 109'482'240}, Published{"gpt2", 124'439'808}),
    [](const auto& row) {
      std::string name = row.param.name;
      std::erase(name, '-');
      return name;
    });

TEST(Zoo, ListsEveryModelWithItsInputs) {
  const auto entries = list();
  EXPECT_EQ(entries.size(), 12U);
  for (const Entry& entry : entries) {
    EXPECT_FALSE(entry.inputs.empty()) << entry.name;
    EXPECT_FALSE(entry.outputs.empty()) << entry.name;
    EXPECT_GT(entry.parameters, 0) << entry.name;
  }
}

/// Names that a node reads before any node, input or initialiser has made them.
std::vector<std::string> dangling(const Graph& graph) {
  std::set<std::string> made;
  for (const Value& input : graph.inputs) made.insert(input.name);
  for (const TensorInfo& tensor : graph.initializers) made.insert(tensor.name);
  std::vector<std::string> missing;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : names_read(node)) {
      if (!made.contains(name)) missing.push_back(name);
    }
    for (const std::string& name : node.outputs) {
      if (!made.insert(name).second) missing.push_back(name + " (made twice)");
    }
  }
  for (const Value& output : graph.outputs) {
    if (!made.contains(output.name)) missing.push_back(output.name);
  }
  return missing;
}

TEST(Zoo, GraphsAreInOrderAndWhole) {
  for (const char* name : {"lenet", "mlp", "lstm", "squeezenet", "mobilenetv2", "bert-tiny"}) {
    for (const std::int64_t batch : {0, 3}) {
      const auto bytes = build_bytes(name, {.batch = batch});
      ASSERT_TRUE(bytes.ok()) << bytes.error();
      const auto model = Model::parse(bytes.value());
      ASSERT_TRUE(model.ok()) << model.error();
      EXPECT_EQ(dangling(model->graph()), std::vector<std::string>{}) << name;
    }
  }
}

TEST(Zoo, OptionsSetTheShapes) {
  const auto fixed_model =
      Model::parse(build_bytes("bert-tiny", {.batch = 4, .sequence = 32}).value());
  EXPECT_EQ(describe(fixed_model->graph().inputs.at(0).type), "int64[4,32]");
  EXPECT_EQ(describe(fixed_model->graph().outputs.at(0).type), "float32[4,32,128]");
  const auto free_model =
      Model::parse(build_bytes("bert-tiny", {.batch = 0, .sequence = 0}).value());
  EXPECT_EQ(describe(free_model->graph().inputs.at(0).type), "int64[batch,sequence]");
}

TEST(Zoo, IsTheSameForTheSameSeedAndOtherwiseNot) {
  const auto once = build_bytes("lenet", {.seed = 7});
  EXPECT_EQ(once.value(), build_bytes("lenet", {.seed = 7}).value());
  EXPECT_NE(once.value(), build_bytes("lenet", {.seed = 8}).value());
}

TEST(Zoo, RefusesWhatAnArchitectureDoesNotHave) {
  EXPECT_EQ(build_bytes("resnet5").error().code, Errc::not_found);
  EXPECT_NE(build_bytes("resnet5").error().message.find("resnet50"), std::string::npos);
  EXPECT_EQ(build_bytes("mlp", {.sequence = 3}).error().code, Errc::bad_request);
  EXPECT_EQ(build_bytes("mlp", {.batch = -1}).error().code, Errc::out_of_range);
  EXPECT_EQ(build_bytes("bert-tiny", {.sequence = 513}).error().code, Errc::out_of_range);
}

TEST(Zoo, LeavesNothingBehindWhenCancelled) {
  const TemporaryFolder folder;
  CancelToken cancel;
  cancel.cancel();
  const auto built = build("mlp", folder / "m.onnx", {}, system_files(), {nullptr, &cancel});
  ASSERT_FALSE(built.ok());
  EXPECT_EQ(built.error().code, Errc::cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ZooWeights, DoNotDependOnHowTheyAreCut) {
  std::vector<float> whole(1003);
  fill_weights(5, 9, {0.5F, 2.0F}, 0, whole);
  std::vector<float> part(100);
  fill_weights(5, 9, {0.5F, 2.0F}, 200, part);
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + 200, part.size() * sizeof(float)), 0);
}

TEST(ZooWeights, HaveTheStatedSpread) {
  std::vector<float> values(200'000);
  fill_weights(1, 0, he(50), 0, values);
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 4 * 0.2 / std::sqrt(count));  // four standard errors
  EXPECT_NEAR(squares / count, 2.0 / 50, 0.01 * 2.0 / 50);
}

}  // namespace
}  // namespace neurolens::onnx::zoo
