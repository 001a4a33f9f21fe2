#include "neurolens/onnx/cut.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "graph_support.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/onnx/zoo.hpp"

namespace neurolens::onnx {
namespace {

using namespace testing_support;
using Names = std::vector<std::string>;

std::vector<NodeId> ids(std::initializer_list<std::uint32_t> values) {
  std::vector<NodeId> out;
  for (const std::uint32_t value : values) out.emplace_back(value);
  return out;
}

Cutter cutter_of(const Model& model, ObservedTensors observed = {}) {
  Result<Cutter> cutter = Cutter::create(model, std::move(observed));
  EXPECT_TRUE(cutter.ok()) << cutter.error();
  return std::move(cutter).value();
}

/// The message of prefix(k).
proto::ModelProto prefix_of(const Cutter& cutter, std::size_t k, const CutOptions& options = {}) {
  const Result<Cut> cut = cutter.prefix(k, options);
  EXPECT_TRUE(cut.ok()) << cut.error();
  proto::ModelProto message;
  EXPECT_TRUE(message.ParseFromString(cut.value().bytes));
  return message;
}

TEST(TopologicalOrder, KeepsAFileThatIsInOrderAndMendsOneThatIsNot) {
  const Model sorted = parsed(graph_model({"x"}, {"A x -> b", "B x -> a", "C a,b -> y"}, {"y"}));
  EXPECT_EQ(topological_order(sorted.graph()).value(), ids({0, 1, 2}));
  const Model shuffled = parsed(graph_model({"x"}, {"C a,b -> y", "A x -> b", "B b -> a"}, {"y"}));
  EXPECT_EQ(topological_order(shuffled.graph()).value(), ids({1, 2, 0}));
}

TEST(TopologicalOrder, FollowsWhatASubgraphTakesFromOutside) {
  auto message = graph_model({"x"}, {"If x -> y", "A x -> h"}, {"y"});
  auto* branch = message.mutable_graph()->mutable_node(0)->add_attribute();
  branch->set_name("then_branch");
  branch->set_type(proto::AttributeProto_AttributeType_GRAPH);
  add_node(*branch->mutable_g(), "Relu h -> inner");
  branch->mutable_g()->add_output()->set_name("inner");
  EXPECT_EQ(topological_order(parsed(message).graph()).value(), ids({1, 0}));
}

TEST(TopologicalOrder, RefusesCyclesAndTensorsWithTwoSources) {
  const Model cycle = parsed(graph_model({"x"}, {"A x,b -> a", "B a -> b"}, {"b"}));
  EXPECT_EQ(topological_order(cycle.graph()).error().code, Errc::invalid_document);
  const Model twice = parsed(graph_model({"x"}, {"A x -> a", "B x -> a"}, {"a"}));
  EXPECT_EQ(topological_order(twice.graph()).error().code, Errc::invalid_document);
  EXPECT_EQ(Cutter::create(twice).error().code, Errc::invalid_document);
}

TEST(Cutter, CutsALineAndKeepsOnlyTheWeightsItNeeds) {
  auto message = graph_model({"x"}, {"Mul x,w1 -> a", "Mul a,w2 -> y"}, {"y"});
  add_weight(*message.mutable_graph(), "w1", 2);
  add_weight(*message.mutable_graph(), "w2", 2);
  const Model model = parsed(message);
  const Cutter cutter = cutter_of(model);
  const auto first = prefix_of(cutter, 1);
  EXPECT_EQ(first.graph().node_size(), 1);
  ASSERT_EQ(first.graph().initializer_size(), 1);
  EXPECT_EQ(first.graph().initializer(0).SerializeAsString(),
            message.graph().initializer(0).SerializeAsString());
  EXPECT_EQ(cutter.frontier(1), Names{"a"});
  // The whole prefix is the model.
  EXPECT_EQ(prefix_of(cutter, 2).SerializeAsString(), message.SerializeAsString());
}

TEST(Cutter, KeepsEachLiveTensorOfABranchingGraphOnce) {
  // c is read by two nodes, a again by the last one; m is an output that is read later, too.
  const Model model = parsed(graph_model(
      {"x", "z"}, {"Split x -> a,b", "Add a,z -> c", "Relu c -> m", "Neg c -> n", "Sum m,n,a -> y"},
      {"y", "m"}));
  const Cutter cutter = cutter_of(model);
  EXPECT_EQ(cutter.frontier(0), Names{});
  EXPECT_EQ(cutter.frontier(1), Names{"a"});  // b is never read
  EXPECT_EQ(cutter.frontier(2), (Names{"a", "c"}));
  EXPECT_EQ(cutter.frontier(3), (Names{"m", "a", "c"}));
  EXPECT_EQ(cutter.frontier(4), (Names{"m", "a", "n"}));
  EXPECT_EQ(cutter.frontier(5), (Names{"y", "m"}));
  // Every input stays, read or not: the same feeds serve every prefix.
  EXPECT_EQ(prefix_of(cutter, 1).graph().input_size(), 2);
}

TEST(Cutter, SeesThroughSubgraphs) {
  auto message = graph_model({"x"}, {"A x -> h", "B x -> g", "If x -> y"}, {"y"});
  auto* branch = message.mutable_graph()->mutable_node(2)->add_attribute();
  branch->set_name("then_branch");
  branch->set_type(proto::AttributeProto_AttributeType_GRAPH);
  add_node(*branch->mutable_g(), "Mul h,w -> inner");
  branch->mutable_g()->add_output()->set_name("inner");
  add_weight(*message.mutable_graph(), "w", 2);
  const Model model = parsed(message);
  const Cutter cutter = cutter_of(model);
  EXPECT_EQ(cutter.frontier(2), Names{"h"});  // g is read by nobody
  EXPECT_EQ(prefix_of(cutter, 2).graph().initializer_size(), 0);
  EXPECT_EQ(prefix_of(cutter, 3).graph().initializer_size(), 1);
}

TEST(Cutter, LeavesOptionalNamesOut) {
  const Model model = parsed(
      graph_model({"x"}, {"Resize x,_,x -> r", "Dropout r,_ -> _,mask", "Cast mask -> y"}, {"y"}));
  const Cutter cutter = cutter_of(model);
  EXPECT_EQ(cutter.frontier(1), Names{"r"});
  EXPECT_EQ(cutter.frontier(2), Names{"mask"});
  EXPECT_EQ(prefix_of(cutter, 2).graph().node(1).output(0), "");
}

TEST(Cutter, TypesOutputsByWhatWasObservedThenDeclaredThenNot) {
  auto message =
      graph_model({"x"}, {"A x -> a", "SplitToSequence x -> s", "B x -> b", "C a,s,b -> y"}, {"y"});
  auto* sequence = message.mutable_graph()->add_value_info();
  sequence->set_name("s");
  sequence->mutable_type()
      ->mutable_sequence_type()
      ->mutable_elem_type()
      ->mutable_tensor_type()
      ->set_elem_type(proto::TensorProto_DataType_FLOAT);
  const Model model = parsed(message);
  const Cutter cutter = cutter_of(model, {{"a", {DType::int64, {3, 0}}}});
  const Result<Cut> cut = cutter.prefix(3);
  ASSERT_TRUE(cut.ok()) << cut.error();
  Names types;
  for (const Value& output : cut.value().outputs) types.push_back(describe(output.type));
  EXPECT_EQ(types[0], "int64[3,0]");
  EXPECT_EQ(types[1], "sequence(float32)");
  EXPECT_EQ(cut.value().outputs[2].type.kind, TypeKind::unknown);
  // An output is not declared a second time.
  EXPECT_EQ(prefix_of(cutter, 3).graph().value_info_size(), 0);
  EXPECT_EQ(prefix_of(cutter, 4).graph().value_info_size(), 1);
}

TEST(Cutter, DeclaresSharedWeightsAndEmbedsSmallAndOverridableOnes) {
  auto message = graph_model({"x", "default"}, {"F x,big,small,default -> y"}, {"y"});
  add_weight(*message.mutable_graph(), "big", 256);
  add_weight(*message.mutable_graph(), "small", 255);
  add_weight(*message.mutable_graph(), "default", 300);
  const Model model = parsed(message);
  const Cutter cutter = cutter_of(model);
  const Result<Cut> cut = cutter.prefix(1, {.weights = CutWeights::shared});
  ASSERT_TRUE(cut.ok()) << cut.error();
  EXPECT_EQ(cut.value().shared_weights, Names{"big"});
  const auto shared = prefix_of(cutter, 1, {.weights = CutWeights::shared});
  ASSERT_EQ(shared.graph().initializer_size(), 3);
  const proto::TensorProto& big = shared.graph().initializer(0);
  EXPECT_EQ(big.data_location(), proto::TensorProto_DataLocation_EXTERNAL);
  EXPECT_EQ(big.external_data(0).value(), kSharedWeightsFile);
  EXPECT_EQ(big.external_data(2).value(), "1024");
  EXPECT_EQ(big.dims(0), 256);
  EXPECT_TRUE(big.raw_data().empty());
  EXPECT_EQ(shared.graph().initializer(1).raw_data().size(), 255U * 4);
  EXPECT_EQ(shared.graph().initializer(2).raw_data().size(), 300U * 4);
}

TEST(Cutter, PadsWithInputsThatNeedNoFeeding) {
  auto message = graph_model({"x"}, {"Mul x,w1 -> y"}, {"y"});
  message.set_ir_version(7);
  add_weight(*message.mutable_graph(), "w1", 2);
  const Model model = parsed(message);
  CutOptions options;
  options.padding = 3;
  const auto padded = prefix_of(cutter_of(model), 1, options);
  EXPECT_EQ(padded.graph().input_size(), 4);
  ASSERT_EQ(padded.graph().initializer_size(), 4);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(padded.graph().input(i).name(), padded.graph().initializer(i).name());
  }
}

TEST(Cutter, NeedsNoWeightsInMemoryToDeclareThem) {
  auto message = graph_model({"x"}, {"F x,big,small -> y"}, {"y"});
  add_weight(*message.mutable_graph(), "big", 5000);
  add_weight(*message.mutable_graph(), "small", 4);
  const auto model = Model::parse(message.SerializeAsString(), "m", {}, {.keep_weights = false});
  ASSERT_TRUE(model.ok());
  const Cutter cutter = cutter_of(model.value());
  EXPECT_EQ(cutter.prefix(1).error().code, Errc::bad_request);
  const auto shared = prefix_of(cutter, 1, {.weights = CutWeights::shared});
  EXPECT_EQ(shared.graph().initializer(1).raw_data().size(), 16U);
}

TEST(Cutter, InlinesExternalWeights) {
  const TemporaryFolder folder;
  auto message = graph_model({"x"}, {"F x,w -> y"}, {"y"});
  add_weight(*message.mutable_graph(), "w", 4);
  auto* w = message.mutable_graph()->mutable_initializer(0);
  write_file(folder / "w.bin", w->raw_data());
  w->clear_raw_data();
  w->set_data_location(proto::TensorProto_DataLocation_EXTERNAL);
  auto* entry = w->add_external_data();
  entry->set_key("location");
  entry->set_value("w.bin");
  write_file(folder / "m.onnx", message.SerializeAsString());
  const auto model = Model::load(folder / "m.onnx");
  ASSERT_TRUE(model.ok()) << model.error();
  const auto cut = prefix_of(cutter_of(model.value()), 1);
  EXPECT_EQ(cut.graph().initializer(0).raw_data(), std::string(16, '\x01'));
  EXPECT_EQ(cut.graph().initializer(0).external_data_size(), 0);
}

TEST(Cutter, DropsTheInputOfAWeightThatIsGone) {
  auto message = graph_model({"x", "w1", "w2"}, {"Mul x,w1 -> a", "Mul a,w2 -> y"}, {"y"});
  message.set_ir_version(3);
  add_weight(*message.mutable_graph(), "w1", 2);
  add_weight(*message.mutable_graph(), "w2", 2);
  const Model model = parsed(message);
  const auto first = prefix_of(cutter_of(model), 1);
  EXPECT_EQ(first.graph().input_size(), 2);
  EXPECT_EQ(parsed(first).graph().fed_inputs().size(), 1U);
}

TEST(Cutter, GrowsInTheOrderThatItIsGiven) {
  const Model model = parsed(graph_model({"x"}, {"A x -> a", "B x -> b", "C a,b -> y"}, {"y"}));
  const auto cutter = Cutter::create(model, {}, ids({1, 0, 2}));
  ASSERT_TRUE(cutter.ok());
  EXPECT_EQ(cutter.value().frontier(1), Names{"b"});
  EXPECT_EQ(cutter.value().prefix(1).value().nodes, ids({1}));
  for (const auto& order : {ids({0, 2, 1}), ids({0, 1}), ids({0, 0, 1}), ids({0, 1, 7})}) {
    EXPECT_EQ(Cutter::create(model, {}, order).error().code, Errc::bad_request);
  }
}

TEST(Cutter, RefusesPrefixesThatDoNotExist) {
  const Model model = parsed(graph_model({"x"}, {"A x -> unread", "B x -> y"}, {"y"}));
  const Cutter cutter = cutter_of(model);
  EXPECT_EQ(cutter.prefix(0).error().code, Errc::out_of_range);
  EXPECT_EQ(cutter.prefix(3).error().code, Errc::out_of_range);
  EXPECT_EQ(cutter.prefix(1).error().code, Errc::bad_request);
}

/// What every prefix must hold: whole by itself, enough for the rest, and no output in vain.
void expect_sound(const Graph& whole, const Cut& cut, const Graph& part) {
  std::set<std::string> known;
  for (const Value& input : part.inputs) known.insert(input.name);
  for (const TensorInfo& tensor : part.initializers) known.insert(tensor.name);
  std::set<std::string> made;
  std::set<std::string> read;
  for (const Node& node : part.nodes) {
    for (const std::string& name : names_read(node)) {
      EXPECT_TRUE(known.contains(name)) << name;
      read.insert(name);
    }
    known.insert(node.outputs.begin(), node.outputs.end());
    made.insert(node.outputs.begin(), node.outputs.end());
  }
  std::set<std::string> wanted;  // by the rest, or as an output of the whole
  const std::set<NodeId> inside(cut.nodes.begin(), cut.nodes.end());
  for (std::size_t i = 0; i < whole.nodes.size(); ++i) {
    if (inside.contains(NodeId(i))) continue;
    for (const std::string& name : names_read(whole.nodes[i])) {
      if (made.contains(name)) wanted.insert(name);
    }
  }
  for (const Value& output : whole.outputs) {
    if (made.contains(output.name)) wanted.insert(output.name);
  }
  std::set<std::string> given;
  for (const Value& output : part.outputs) EXPECT_TRUE(given.insert(output.name).second);
  EXPECT_EQ(given, wanted);
  for (const TensorInfo& tensor : part.initializers) {
    EXPECT_TRUE(read.contains(tensor.name)) << tensor.name;
  }
}

void expect_every_prefix_sound(const Model& model) {
  const Cutter cutter = cutter_of(model);
  for (std::size_t k = 1; k <= cutter.order().size(); ++k) {
    SCOPED_TRACE(k);
    const Result<Cut> cut = cutter.prefix(k);
    if (!cut.ok()) {
      EXPECT_TRUE(cutter.frontier(k).empty()) << cut.error();
      continue;
    }
    EXPECT_EQ(cut.value().nodes.size(), k);
    const auto part = Model::parse(cut.value().bytes);
    ASSERT_TRUE(part.ok()) << part.error();
    ASSERT_EQ(part.value().graph().nodes.size(), k);
    expect_sound(model.graph(), cut.value(), part.value().graph());
  }
}

class CutterOnZoo : public ::testing::TestWithParam<const char*> {};

TEST_P(CutterOnZoo, MakesSoundPrefixes) {
  const auto bytes = zoo::build_bytes(GetParam());
  ASSERT_TRUE(bytes.ok());
  const auto model = Model::parse(bytes.value());
  ASSERT_TRUE(model.ok());
  expect_every_prefix_sound(model.value());
}

INSTANTIATE_TEST_SUITE_P(Small, CutterOnZoo,
                         ::testing::Values("mlp", "lenet", "lstm", "squeezenet"));

TEST(Cutter, MakesSoundPrefixesOfRandomGraphs) {
  Random random(7);
  for (int trial = 0; trial < 60; ++trial) {
    SCOPED_TRACE(trial);
    Names tensors = {"x", "z"};
    Names lines;
    const std::uint64_t nodes = 1 + random.below(12);
    for (std::uint64_t i = 0; i < nodes; ++i) {
      std::string inputs = tensors[random.below(tensors.size())];
      for (std::uint64_t more = random.below(3); more > 0; --more) {
        inputs += "," + tensors[random.below(tensors.size())];
      }
      std::string outputs;
      const std::uint64_t count = 1 + random.below(2);
      for (std::uint64_t o = 0; o < count; ++o) {
        const std::string name = "t" + std::to_string(i) + "_" + std::to_string(o);
        outputs += (o > 0 ? "," : "") + name;
      }
      lines.push_back("Op " + inputs + " -> " + outputs);
      for (std::uint64_t o = 0; o < count; ++o) {
        tensors.push_back("t" + std::to_string(i) + "_" + std::to_string(o));
      }
    }
    Names outputs = {tensors.back()};
    const std::string& other = tensors[random.below(tensors.size())];
    if (other != outputs[0] && other[0] == 't') outputs.push_back(other);
    expect_every_prefix_sound(parsed(graph_model({"x", "z"}, lines, outputs)));
  }
}

}  // namespace
}  // namespace neurolens::onnx
