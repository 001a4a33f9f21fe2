#include "neurolens/onnx/origins.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "fixture.hpp"
#include "graph_support.hpp"
#include "neurolens/onnx/zoo.hpp"

namespace neurolens::onnx {
namespace {

using namespace testing_support;

/// "Relu /relu1/Relu" for each.
std::vector<std::string> labels(const Graph& graph, const std::vector<NodeId>& ids) {
  std::vector<std::string> out;
  for (const NodeId id : ids) out.push_back(graph.nodes[id.index()].name);
  return out;
}

Model zoo_model(const std::string& name) {
  const auto bytes = zoo::build_bytes(name);
  EXPECT_TRUE(bytes.ok());
  auto model = Model::parse(bytes.value(), name, {}, {.keep_weights = false});
  EXPECT_TRUE(model.ok());
  return std::move(model).value();
}

/// By name of the optimised node.
std::map<std::string, std::vector<std::string>> mapped(const Graph& original,
                                                       const Graph& optimised) {
  const NodeOrigins found = map_to_original(original, optimised);
  EXPECT_EQ(found.origins.size(), optimised.nodes.size());
  std::map<std::string, std::vector<std::string>> out;
  std::set<NodeId> seen(found.unclaimed.begin(), found.unclaimed.end());
  for (std::size_t i = 0; i < optimised.nodes.size(); ++i) {
    out[optimised.nodes[i].name] = labels(original, found.origins[i]);
    for (const NodeId id : found.origins[i]) EXPECT_TRUE(seen.insert(id).second) << id.value;
  }
  EXPECT_EQ(seen.size(), original.nodes.size());
  return out;
}

std::size_t unclaimed_that_run(const Graph& original, const Graph& optimised) {
  std::size_t count = 0;
  for (const NodeId id : map_to_original(original, optimised).unclaimed) {
    count += original.nodes[id.index()].op_type != "Constant" ? 1U : 0U;
  }
  return count;
}

using List = std::vector<std::string>;

TEST(Origins, MapAGraphToItself) {
  for (const char* name : {"lenet", "lstm", "squeezenet", "bert-tiny"}) {
    SCOPED_TRACE(name);
    const Model model = zoo_model(name);
    const NodeOrigins found = map_to_original(model.graph(), model.graph());
    EXPECT_TRUE(found.unclaimed.empty());
    for (std::size_t i = 0; i < found.origins.size(); ++i) {
      EXPECT_EQ(found.origins[i], std::vector<NodeId>{NodeId(i)});
    }
  }
}

TEST(Origins, OfBlockedConvolutionsWithPoolingAndFusedGemm) {
  const Model model = zoo_model("lenet");
  const Fixture optimised = load_fixture("lenet.optimised.named");
  const auto origins = mapped(model.graph(), optimised.graph);
  EXPECT_EQ(origins.at("/conv1/Relu_output_0_nchwc"), (List{"/conv1/Conv", "/conv1/Relu"}));
  EXPECT_EQ(origins.at("/conv2/Relu_output_0_nchwc"), (List{"/conv2/Conv", "/conv2/Relu"}));
  EXPECT_EQ(origins.at("/conv2/MaxPool_output_0_nchwc"), List{"/conv2/MaxPool"});
  EXPECT_EQ(origins.at("ReorderOutput"), List{});
  EXPECT_EQ(origins.at("fused /fc1/Gemm"), (List{"/fc1/Gemm", "/relu3/Relu"}));
  EXPECT_EQ(unclaimed_that_run(model.graph(), optimised.graph), 0U);
}

TEST(Origins, OfConvolutionsThatTakeTheSumAndItsActivationAlong) {
  const Model model = zoo_model("resnet18");
  const Fixture optimised = load_fixture("resnet18.optimised.named");
  const auto origins = mapped(model.graph(), optimised.graph);
  EXPECT_EQ(origins.at("/layer1.0.bn2/BatchNormalization_output_0_nchwc"),
            (List{"/layer1.0.conv2/Conv", "/layer1.0.bn2/BatchNormalization", "/layer1.0.add/Add",
                  "/layer1.0.relu/Relu_1"}));
  EXPECT_EQ(origins.at("/layer2.0.downsample.1/BatchNormalization_output_0_nchwc"),
            (List{"/layer2.0.downsample.0/Conv", "/layer2.0.downsample.1/BatchNormalization"}));
  EXPECT_EQ(unclaimed_that_run(model.graph(), optimised.graph), 0U);
}

TEST(Origins, OfTransformerFusions) {
  const Model model = zoo_model("bert-tiny");
  const Fixture optimised = load_fixture("bert-tiny.optimised.named");
  const auto origins = mapped(model.graph(), optimised.graph);
  const std::string layer = "/encoder.layer.0.";
  EXPECT_EQ(origins.at(layer + "attention.self.key/MatMul/MatMulAddFusion"),
            (List{layer + "attention.self.key/MatMul", layer + "attention.self.key/Add"}));
  EXPECT_EQ(origins.at(layer + "attention.self/MatMul/MatMulScaleFusion/"),
            (List{layer + "attention.self/MatMul", layer + "attention.self/Div"}));
  EXPECT_EQ(origins.at("Gelu").size(), 5U);
  EXPECT_EQ(origins.at("SkipLayerNormalization").size(), 2U);
  EXPECT_EQ(origins.at("gemm_input_reshape"), List{});
  // The position embeddings are looked up at loading.
  EXPECT_EQ(unclaimed_that_run(model.graph(), optimised.graph), 1U);
}

TEST(Origins, LeaveWhatIsComputedAtLoading) {
  auto original = graph_model({"x"}, {"Neg w -> n", "Exp n -> e", "Mul x,e -> y"}, {"y"});
  add_weight(*original.mutable_graph(), "w", 2);
  auto folded = graph_model({"x"}, {"Mul x,e -> y"}, {"y"});
  add_weight(*folded.mutable_graph(), "e", 2);
  const NodeOrigins found = map_to_original(parsed(original).graph(), parsed(folded).graph());
  EXPECT_EQ(found.origins[0], std::vector<NodeId>{NodeId(2U)});
  EXPECT_EQ(found.unclaimed, (std::vector<NodeId>{NodeId(0U), NodeId(1U)}));
}

TEST(Origins, GiveARemovedNodeToItsReader) {
  const Model original =
      parsed(graph_model({"x"}, {"Relu x -> a", "Identity a -> b", "Neg b -> y"}, {"y"}));
  const Model optimised = parsed(graph_model({"x"}, {"Relu x -> a", "Neg a -> y"}, {"y"}));
  const NodeOrigins found = map_to_original(original.graph(), optimised.graph());
  EXPECT_EQ(found.origins[0], std::vector<NodeId>{NodeId(0U)});
  EXPECT_EQ(found.origins[1], (std::vector<NodeId>{NodeId(1U), NodeId(2U)}));
}

TEST(Origins, FollowTheStructureWhereEveryNameIsNew) {
  const Model original = parsed(
      graph_model({"x"}, {"Conv x -> a", "Relu a -> b", "MaxPool b -> c", "Conv c -> d"}, {"d"}));
  auto message = graph_model({"x"},
                             {"Transpose x -> t0", "NhwcFusedConv t0 -> t1", "MaxPool t1 -> t2",
                              "NhwcConv t2 -> t3", "Transpose t3 -> d"},
                             {"d"});
  auto* activation = message.mutable_graph()->mutable_node(1)->add_attribute();
  activation->set_name("activation");
  activation->set_type(proto::AttributeProto_AttributeType_STRING);
  activation->set_s("Relu");
  const NodeOrigins found = map_to_original(original.graph(), parsed(message).graph());
  EXPECT_TRUE(found.origins[0].empty());
  EXPECT_EQ(found.origins[1], (std::vector<NodeId>{NodeId(0U), NodeId(1U)}));
  EXPECT_EQ(found.origins[2], std::vector<NodeId>{NodeId(2U)});
  EXPECT_EQ(found.origins[3], std::vector<NodeId>{NodeId(3U)});
  EXPECT_TRUE(found.origins[4].empty());
}

TEST(Origins, KeepBranchesOfAFusionWithSeveralOutputsTogether) {
  const Model original = parsed(graph_model(
      {"x", "s"}, {"Add x,s -> sum", "LayerNormalization sum -> y", "Relu sum -> z"}, {"y", "z"}));
  const Model optimised = parsed(graph_model(
      {"x", "s"}, {"SkipLayerNormalization x,s -> y,_,_,sum", "Relu sum -> z"}, {"y", "z"}));
  const NodeOrigins found = map_to_original(original.graph(), optimised.graph());
  EXPECT_EQ(found.origins[0], (std::vector<NodeId>{NodeId(0U), NodeId(1U)}));
  EXPECT_EQ(found.origins[1], std::vector<NodeId>{NodeId(2U)});
}

/// A model with a name for each of its nodes.
Model named_model(const std::vector<std::string>& inputs, const std::vector<std::string>& lines,
                  const std::vector<std::string>& names) {
  auto message = graph_model(inputs, lines, {"y"});
  for (int i = 0; i < message.graph().node_size(); ++i) {
    message.mutable_graph()->mutable_node(i)->set_name(names.at(static_cast<std::size_t>(i)));
  }
  return parsed(message);
}

TEST(Origins, OfAChangeOfShapeThatWasMergedWithAnAddedOne) {
  const Model original =
      named_model({"x", "s", "w", "b"},
                  {"Transpose x -> t", "Reshape t,s -> r", "MatMul r,w -> m", "Add m,b -> y"},
                  {"/turn", "/shape_3", "/proj/MatMul", "/proj/Add"});
  const Model optimised =
      named_model({"x", "s", "w", "b"},
                  {"Transpose x -> t", "Reshape t,s -> g", "Gemm g,w,b -> h", "Reshape h,s -> y"},
                  {"/turn", "/shape_3_new_reshape", "/proj/MatMul/MatMulAddFusion",
                   "gemm_output_reshape_token_5"});
  const auto origins = mapped(original.graph(), optimised.graph());
  EXPECT_EQ(origins.at("/shape_3_new_reshape"), List{"/shape_3"});
  EXPECT_EQ(origins.at("/proj/MatMul/MatMulAddFusion"), (List{"/proj/MatMul", "/proj/Add"}));
  EXPECT_EQ(origins.at("gemm_output_reshape_token_5"), List{});
}

TEST(Origins, OfABiasWhoseSumWasMergedAway) {
  const Model original =
      named_model({"x", "s", "w", "b"}, {"MatMul x,w -> m", "Add m,b -> a", "Reshape a,s -> y"},
                  {"/proj/MatMul", "/proj/Add", "/shape"});
  const Model optimised =
      named_model({"x", "s", "w", "b"}, {"Gemm x,w,b -> h", "Reshape h,s -> y"},
                  {"/proj/MatMul/MatMulAddFusion", "gemm_output_reshape_new_reshape"});
  const auto origins = mapped(original.graph(), optimised.graph());
  EXPECT_EQ(origins.at("/proj/MatMul/MatMulAddFusion"), (List{"/proj/MatMul", "/proj/Add"}));
  EXPECT_EQ(origins.at("gemm_output_reshape_new_reshape"), List{"/shape"});
}

TEST(Origins, OfASplitInThePlaceOfGathers) {
  const Model original = named_model({"x", "i", "j"},
                                     {"Transpose x -> t", "Gather t,i -> a", "Gather t,j -> b",
                                      "Transpose b -> c", "MatMul a,c -> y"},
                                     {"/turn", "/pick", "/pick_1", "/turn_1", "/product"});
  const Model optimised =
      named_model({"x"},
                  {"Split x -> p,q", "Squeeze p -> /pick", "Transpose /pick -> a",
                   "Squeeze q -> /pick_1", "Transpose /pick_1 -> c", "MatMul a,c -> y"},
                  {"/pick_1/GatherSliceToSplitFusion", "Squeeze", "Transpose_token_2",
                   "Squeeze_token_3", "/turn_1", "/product"});
  const auto origins = mapped(original.graph(), optimised.graph());
  EXPECT_EQ(origins.at("/pick_1/GatherSliceToSplitFusion"), (List{"/turn", "/pick", "/pick_1"}));
  EXPECT_EQ(origins.at("/turn_1"), List{"/turn_1"});
  EXPECT_EQ(origins.at("/product"), List{"/product"});
}

}  // namespace
}  // namespace neurolens::onnx
