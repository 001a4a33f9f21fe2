#include "neurolens/onnx/op_costs.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "fixture.hpp"
#include "graph_support.hpp"
#include "neurolens/onnx/zoo.hpp"
#include "source_dir.hpp"

namespace neurolens::onnx {
namespace {

using namespace testing_support;
using List = std::vector<std::string>;

/// The cost of one node written like a line of a fixture, between lines of its tensors.
OpCost cost_of(const std::string& line, const List& tensors) {
  Fixture fixture;
  for (const std::string& tensor : tensors) {
    std::istringstream words(tensor);
    std::string kind;
    std::string name;
    std::string type;
    std::string dims;
    words >> kind >> name >> type >> dims;
    fixture.observed[name] = {fixture_type(type), fixture_dims(dims)};
    if (kind != "W") continue;
    TensorInfo weight;
    weight.name = name;
    weight.type = fixture_type(type);
    weight.dims = fixture_dims(dims);
    fixture.graph.initializers.push_back(weight);
  }
  std::istringstream words(line);
  fixture.graph.nodes.push_back(fixture_node(words, fixture.observed));
  return graph_costs(fixture.graph, fixture.observed).ops[0];
}

/// "matrix vector transcendental", "?" for null.
std::string flops_of(const std::string& line, const List& tensors) {
  const OpCost cost = cost_of(line, tensors);
  if (!cost.flops()) return "?";
  return fmt::format("{} {} {}", cost.matrix_flops->count, cost.vector_flops->count,
                     *cost.transcendental_ops);
}

double gflop(const GraphCosts& costs) {
  return static_cast<double>(costs.total.matrix_flops->count) * 1e-9;
}

GraphCosts costs_of_fixture(const std::string& name) {
  const Fixture fixture = load_fixture(name);
  return graph_costs(fixture.graph, fixture.observed);
}

struct KnownAnswer {
  const char* model;
  double gflop;
};

class KnownModels : public ::testing::TestWithParam<KnownAnswer> {};

// Published counts are of multiply-adds in convolutions and products: matrix FLOPs / 2.
TEST_P(KnownModels, HaveTheirPublishedFlops) {
  const GraphCosts costs = costs_of_fixture(GetParam().model);
  EXPECT_EQ(costs.unknown, List{});
  EXPECT_NEAR(gflop(costs) / GetParam().gflop, 1, 0.01) << gflop(costs);
}

/// 24 S d^2 L (1 + S / (6 d)) and the projection to the vocabulary.
constexpr double gpt2_gflop(double s) {
  return (24 * s * 768 * 768 * 12 * (1 + s / (6 * 768)) + 2 * s * 768 * 50257) * 1e-9;
}

INSTANTIATE_TEST_SUITE_P(Zoo, KnownModels,
                         ::testing::Values(KnownAnswer{"resnet50", 8.2},
                                           KnownAnswer{"mobilenetv2", 0.60},
                                           KnownAnswer{"bert-base", 22.4},
                                           KnownAnswer{"vit-b16", 35.0},
                                           KnownAnswer{"gpt2", gpt2_gflop(128)}));

class OptimisedModels : public ::testing::TestWithParam<const char*> {};

// By the formulas of the fused nodes themselves, which know nothing of the original.
TEST_P(OptimisedModels, LoseNoFlopsToFusion) {
  const GraphCosts before = costs_of_fixture(GetParam());
  const GraphCosts after = costs_of_fixture(std::string(GetParam()) + ".optimised");
  EXPECT_EQ(after.unknown, List{});
  EXPECT_EQ(before.total.matrix_flops->count, after.total.matrix_flops->count);
  // Normalisations go into weights, and an exact Gelu counts more than the nodes it was made of.
  const double ratio = static_cast<double>(after.total.flops()->count) /
                       static_cast<double>(before.total.flops()->count);
  EXPECT_GE(ratio, 0.97);
  EXPECT_LE(ratio, 1.01);
}

INSTANTIATE_TEST_SUITE_P(Zoo, OptimisedModels,
                         ::testing::Values("resnet50", "bert-base", "vit-b16", "gpt2", "lstm"));

// Channels that do not fill a block are padded, and computed.
TEST(OpCosts, OfPaddedModelsAreALittleHigherWithoutOrigins) {
  for (const char* model : {"mobilenetv2", "squeezenet", "unet"}) {
    const GraphCosts before = costs_of_fixture(model);
    const GraphCosts after = costs_of_fixture(std::string(model) + ".optimised");
    EXPECT_EQ(after.unknown, List{});
    EXPECT_GE(gflop(after), gflop(before)) << model;
    EXPECT_LE(gflop(after), gflop(before) * 1.05) << model;
  }
}

class MappedModels : public ::testing::TestWithParam<const char*> {};

TEST_P(MappedModels, HaveTheFlopsOfTheOriginal) {
  const std::string name = GetParam();
  const auto bytes = zoo::build_bytes(name);
  ASSERT_TRUE(bytes.ok());
  const auto model = Model::parse(bytes.value(), name, {}, {.keep_weights = false});
  ASSERT_TRUE(model.ok());
  const GraphCosts before = costs_of_fixture(name);  // the same nodes, numbered
  ASSERT_EQ(before.ops.size(), model.value().graph().nodes.size());
  const Fixture optimised = load_fixture(name + ".optimised.named");
  GraphCosts after = graph_costs(optimised.graph, optimised.observed);
  EXPECT_NE(after.total.matrix_flops, before.total.matrix_flops);
  const NodeOrigins origins = map_to_original(model.value().graph(), optimised.graph);
  take_from_origins(optimised.graph, after, before, origins);
  EXPECT_EQ(after.total.matrix_flops, before.total.matrix_flops);
  EXPECT_EQ(after.total.vector_flops, before.total.vector_flops);
  EXPECT_EQ(after.total.transcendental_ops, before.total.transcendental_ops);
}

INSTANTIATE_TEST_SUITE_P(Zoo, MappedModels, ::testing::Values("lenet", "mobilenetv2"));

TEST(OpCosts, OfABlockedLayoutCountTheChannelsItAdds) {
  // conv1 of LeNet has 6 channels, which a block of 16 fills up.
  const GraphCosts before = costs_of_fixture("lenet");
  const GraphCosts after = costs_of_fixture("lenet.optimised");
  const std::int64_t added = 2 * 10 * 28 * 28 * 25;
  EXPECT_EQ(after.total.matrix_flops->count - before.total.matrix_flops->count, added);
}

TEST(OpCosts, OfConvolutions) {
  const List conv = {"I x f32 1x8x10x10", "W w f32 16x4x3x3", "W b f32 16", "I z f32 1x16x8x8"};
  EXPECT_EQ(flops_of("Conv x w -> y|f32|1x16x8x8 ; group=2", conv), "73728 0 0");
  EXPECT_EQ(flops_of("Conv x w b -> y|f32|1x16x8x8 ; group=2", conv), "73728 1024 0");
  EXPECT_EQ(flops_of("com.microsoft:FusedConv x w b z -> y|f32|1x16x8x8 ; activation='Relu'", conv),
            "73728 3072 0");
  EXPECT_EQ(flops_of("com.microsoft:FusedConv x w b z -> y|f32|1x16x8x8 ; activation='New'", conv),
            "?");
  const List transposed = {"I x f32 1x8x5x5", "W w f32 8x4x2x2", "W b f32 4"};
  EXPECT_EQ(flops_of("ConvTranspose x w b -> y|f32|1x4x10x10", transposed), "6400 400 0");
  const List quantized = {"I x u8 1x8x10x10", "W s f32 scalar", "W z u8 scalar", "W w i8 16x8x3x3",
                          "W b i32 16"};
  EXPECT_EQ(flops_of("QLinearConv x s z w s z s z b -> y|u8|1x16x8x8", quantized), "147456 3072 0");
  EXPECT_EQ(flops_of("ConvInteger x w -> y|i32|1x16x8x8", quantized), "147456 0 0");
}

TEST(OpCosts, OfProducts) {
  const List tensors = {"I a f32 2x3x4", "I b f32 2x4x5", "I v f32 4", "I at f32 4x2x3",
                        "I m f32 3x4",   "W w f32 5x4",   "W c f32 5"};
  EXPECT_EQ(flops_of("MatMul a b -> y|f32|2x3x5", tensors), "240 0 0");
  EXPECT_EQ(flops_of("MatMul v v -> y|f32|scalar", tensors), "8 0 0");
  EXPECT_EQ(flops_of("com.microsoft:FusedMatMul a b -> y|f32|2x3x5 ; alpha=0.125f", tensors),
            "240 30 0");
  EXPECT_EQ(
      flops_of("com.microsoft:FusedMatMul at b -> y|f32|2x3x5 ; transA=1 transBatchA=1", tensors),
      "240 0 0");
  EXPECT_EQ(flops_of("Gemm m w c -> y|f32|3x5 ; transB=1", tensors), "120 15 0");
  EXPECT_EQ(flops_of("Gemm m w c -> y|f32|3x5 ; transB=1 beta=0.5f", tensors), "120 30 0");
  EXPECT_EQ(flops_of("com.microsoft:FusedGemm m w c -> y|f32|3x5 ; activation='Tanh'", tensors),
            "120 90 15");
  EXPECT_EQ(flops_of("com.microsoft:DynamicQuantizeMatMul m w c c c -> y|f32|3x5", tensors),
            "120 93 0");
  EXPECT_EQ(flops_of("com.microsoft:MatMulNBits m w c -> y|f32|3x5 ; K=4 N=5 bits=4", tensors),
            "120 40 0");
  EXPECT_EQ(flops_of("MatMul a missing -> y|f32|2x3x5", tensors), "240 0 0");
  EXPECT_EQ(flops_of("MatMul missing b -> y|f32|2x3x5", tensors), "?");
}

OpCost einsum_cost(const std::string& equation,
                   const std::vector<std::vector<std::int64_t>>& dims) {
  Node node;
  node.op_type = "Einsum";
  node.outputs = {"y"};
  Attribute attribute;
  attribute.name = "equation";
  attribute.kind = AttributeKind::text;
  attribute.text = equation;
  node.attributes.push_back(attribute);
  std::vector<ObservedTensor> tensors;
  for (const auto& each : dims) tensors.push_back({DType::float32, each});
  OpContext context;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    node.inputs.push_back("t" + std::to_string(i));
    context.inputs.push_back(&tensors[i]);
  }
  return op_cost(node, context);
}

TEST(OpCosts, OfEinsum) {
  EXPECT_EQ(einsum_cost("bij, bjk -> bik", {{2, 3, 4}, {2, 4, 5}}).matrix_flops, Flops{240});
  EXPECT_EQ(einsum_cost("bij,bjk", {{2, 3, 4}, {2, 4, 5}}).matrix_flops, Flops{240});
  EXPECT_EQ(einsum_cost("i,j->ij", {{3}, {4}}).vector_flops, Flops{12});
  EXPECT_EQ(einsum_cost("ij->i", {{3, 4}}).vector_flops, Flops{12});
  EXPECT_EQ(einsum_cost("ij->ji", {{3, 4}}).vector_flops, Flops{0});
  // (A B) C: 2*3*4*5 + 2*3*5*6
  EXPECT_EQ(einsum_cost("ij,jk,kl->il", {{3, 4}, {4, 5}, {5, 6}}).matrix_flops, Flops{300});
  EXPECT_FALSE(einsum_cost("...ij,jk->...ik", {{2, 3, 4}, {4, 5}}).matrix_flops);
  EXPECT_FALSE(einsum_cost("ij,jk->ik", {{3, 4}}).matrix_flops);
}

TEST(OpCosts, OfAttention) {
  const List mha = {"I q f32 2x4x64", "I k f32 2x6x64", "I b f32 192"};
  // 2 samples, 8 heads, 24 pairs, 8 wide
  EXPECT_EQ(flops_of("com.microsoft:MultiHeadAttention q k k -> y|f32|2x4x64 ; num_heads=8", mha),
            "12288 1920 384");
  const List own = {"I x f32 1x4x16", "W w f32 16x48", "W b f32 48"};
  // projection 2*4*16*48; 2 heads, 16 or 10 pairs, 8 wide
  EXPECT_EQ(flops_of("com.microsoft:Attention x w b -> y|f32|1x4x16 ; num_heads=2", own),
            "7168 352 32");
  EXPECT_EQ(
      flops_of("com.microsoft:Attention x w b -> y|f32|1x4x16 ; num_heads=2 unidirectional=1", own),
      "6784 292 20");
  const List gqa = {"I q f32 1x1x32", "I k f32 1x1x16", "I p f32 1x2x9x8", "I n i32 1"};
  EXPECT_EQ(
      flops_of("com.microsoft:GroupQueryAttention q k k p p n n -> y|f32|1x1x32 pk|f32|1x2x10x8 "
               "pv|f32|1x2x10x8 ; num_heads=4 kv_num_heads=2",
               gqa),
      "1280 200 40");
  const List standard = {"I q f32 1x4x5x8", "I k f32 1x2x7x8"};
  EXPECT_EQ(flops_of("Attention q k k -> y|f32|1x4x5x8", standard), "4480 700 140");
  // rows see 3, 4, 5, 6, 7 keys
  EXPECT_EQ(flops_of("Attention q k k -> y|f32|1x4x5x8 ; is_causal=1", standard), "3200 500 100");
}

TEST(OpCosts, OfRecurrentNetworks) {
  const List tensors = {"I x f32 7x2x3", "W w f32 1x20x3", "W r f32 1x20x5", "W g f32 2x15x5"};
  EXPECT_EQ(flops_of("LSTM x w r -> y|f32|7x1x2x5 ; hidden_size=5", tensors), "4480 630 350");
  EXPECT_EQ(flops_of("GRU x w g -> y|f32|7x2x2x5 ; hidden_size=5", tensors), "6720 840 420");
}

TEST(OpCosts, OfNormalisationsAndPools) {
  const List tensors = {"I x f32 2x3x8", "I s f32 8", "I i f32 1x4x6x6"};
  EXPECT_EQ(flops_of("LayerNormalization x s s -> y|f32|2x3x8", tensors), "0 240 6");
  EXPECT_EQ(flops_of("LayerNormalization x s -> y|f32|2x3x8 ; axis=1", tensors), "0 192 2");
  EXPECT_EQ(flops_of("RMSNormalization x s -> y|f32|2x3x8", tensors), "0 150 6");
  EXPECT_EQ(flops_of("com.microsoft:SkipLayerNormalization x x s s s -> y|f32|2x3x8", tensors),
            "0 336 6");
  EXPECT_EQ(
      flops_of("com.microsoft:SkipSimplifiedLayerNormalization x x s -> y|f32|2x3x8", tensors),
      "0 198 6");
  EXPECT_EQ(flops_of("BatchNormalization i s s s s -> y|f32|1x4x6x6", tensors), "0 288 0");
  EXPECT_EQ(flops_of("Softmax x -> y|f32|2x3x8", tensors), "0 240 48");
  EXPECT_EQ(flops_of("MaxPool i -> y|f32|1x4x3x3 ; kernel_shape=[2,2]", tensors), "0 144 0");
  EXPECT_EQ(flops_of("AveragePool i -> y|f32|1x4x3x3 ; kernel_shape=[2,2]", tensors), "0 180 0");
  EXPECT_EQ(flops_of("GlobalAveragePool i -> y|f32|1x4x1x1", tensors), "0 148 0");
  EXPECT_EQ(flops_of("ReduceMean x -> y|f32|2x3", tensors), "0 54 0");
  EXPECT_EQ(flops_of("Resize i - s -> y|f32|1x4x12x12 ; mode='linear'", tensors), "0 2304 0");
  EXPECT_EQ(flops_of("Resize i - s -> y|f32|1x4x12x12 ; mode='nearest'", tensors), "0 0 0");
}

TEST(OpCosts, OfElementwiseOperators) {
  const List x = {"I x f32 10", "I y f32 1"};
  EXPECT_EQ(flops_of("Relu x -> z|f32|10", x), "0 10 0");
  EXPECT_EQ(flops_of("Add x y -> z|f32|10", x), "0 10 0");
  EXPECT_EQ(flops_of("Sum x y x -> z|f32|10", x), "0 20 0");
  EXPECT_EQ(flops_of("Sigmoid x -> z|f32|10", x), "0 40 10");
  EXPECT_EQ(flops_of("com.microsoft:FastGelu x x -> z|f32|10", x), "0 90 10");
  EXPECT_EQ(flops_of("com.microsoft:QLinearAdd x y y x y y y y -> z|f32|10", x), "0 70 0");
  EXPECT_EQ(flops_of("QuantizeLinear x y -> z|u8|10", x), "0 20 0");
}

std::string bytes_of(const OpCost& cost) {
  const auto text = [](const std::optional<Bytes>& bytes) {
    return bytes ? std::to_string(bytes->count) : std::string("?");
  };
  return text(cost.weight_bytes) + " " + text(cost.activation_bytes);
}

TEST(OpCosts, CountEachTensorOnceAndWeightsApart) {
  const List tensors = {"I x f32 4x8", "W w f32 8x2", "W table f16 1000x16",
                        "I ids i64 4", "W v f32 8",   "I n ? 3"};
  EXPECT_EQ(bytes_of(cost_of("MatMul x w -> y|f32|4x2", tensors)), "64 160");
  EXPECT_EQ(bytes_of(cost_of("Mul x x -> y|f32|4x8", tensors)), "0 256");
  EXPECT_EQ(bytes_of(cost_of("Add x v -> y|f32|4x8", tensors)), "32 256");
  EXPECT_EQ(bytes_of(cost_of("Gather table ids -> y|f16|4x16", tensors)), "128 160");
  EXPECT_EQ(bytes_of(cost_of("Slice x ids ids -> y|f32|1x8", tensors)), "0 96");
  EXPECT_EQ(bytes_of(cost_of("Reshape x ids -> y|f32|32", tensors)), "0 0");
  EXPECT_EQ(bytes_of(cost_of("Relu n -> y|f32|3", tensors)), "0 ?");
  EXPECT_EQ(bytes_of(cost_of("Add x missing -> y|f32|4x8", tensors)), "0 ?");
}

TEST(OpCosts, AreNullForWhatIsNotKnown) {
  const Fixture fixture = [] {
    Fixture made;
    for (const char* line : {"Relu x -> a|f32|4", "my.domain:Relu a -> b|f32|4",
                             "NonMaxSuppression b -> c|i64|2x3", "Relu unseen -> d|f32|4"}) {
      std::istringstream words(line);
      made.graph.nodes.push_back(fixture_node(words, made.observed));
    }
    return made;
  }();
  const GraphCosts costs = graph_costs(fixture.graph, fixture.observed);
  EXPECT_EQ(costs.unknown, (List{"NonMaxSuppression", "my.domain:Relu"}));
  EXPECT_FALSE(costs.ops[1].flops());
  EXPECT_FALSE(costs.ops[1].bytes());
  EXPECT_EQ(costs.ops[1].formula_id, "");
  EXPECT_EQ(costs.ops[3].flops(), Flops{4});
  EXPECT_FALSE(costs.ops[3].bytes());
  EXPECT_EQ(costs.total.flops(), Flops{8});
}

proto::ModelProto loop_model() {
  auto message = graph_model({"x"}, {"Loop x -> y"}, {"y"});
  auto* body = message.mutable_graph()->mutable_node(0)->add_attribute();
  body->set_name("body");
  body->set_type(proto::AttributeProto_AttributeType_GRAPH);
  add_node(*body->mutable_g(), "Mul x,w -> inner");
  add_weight(*message.mutable_graph(), "w", 2);
  return message;
}

TEST(OpCosts, MultiplyABodyByItsTrips) {
  const Model model = parsed(loop_model());
  const ObservedTensors observed = {{"x", {DType::float32, {2}}}, {"inner", {DType::float32, {2}}}};
  EXPECT_FALSE(model_costs(model, observed).ops[0].flops());
  const GraphCosts costs = model_costs(model, observed, {{NodeId(0U), {.trips = 10}}});
  EXPECT_EQ(costs.ops[0].flops(), Flops{20});
  EXPECT_EQ(bytes_of(costs.ops[0]), "80 160");
  EXPECT_EQ(costs.unknown, List{});
  const GraphCosts blind = model_costs(model, {}, {{NodeId(0U), {.trips = 10}}});
  EXPECT_EQ(blind.unknown, List{"Loop"});
}

TEST(OpCosts, OfANewFusionAreThoseOfItsMembers) {
  const Model original = parsed(graph_model({"x"}, {"Relu x -> a", "Sigmoid a -> y"}, {"y"}));
  const Model optimised = parsed(graph_model({"x"}, {"new.domain:Both x -> y"}, {"y"}));
  const ObservedTensor two{DType::float32, {2}};
  const ObservedTensors observed = {{"x", two}, {"a", two}, {"y", two}};
  const GraphCosts before = model_costs(original, observed);
  GraphCosts after = model_costs(optimised, observed);
  EXPECT_EQ(after.unknown.size(), 1U);
  take_from_origins(optimised.graph(), after, before,
                    map_to_original(original.graph(), optimised.graph()));
  EXPECT_EQ(after.ops[0].flops(), Flops{10});
  EXPECT_EQ(after.ops[0].formula_id, "members");
  EXPECT_EQ(after.total.flops(), before.total.flops());
  EXPECT_EQ(after.unknown, List{});
}

TEST(OpCosts, HaveOneFormulaForEachOperator) {
  std::map<std::string, std::string> owner;
  std::set<std::string> ids;
  for (const OpFormula& formula : op_formulas()) {
    EXPECT_TRUE(ids.insert(formula.id).second) << formula.id;
    for (const std::string& name : formula.operators) {
      EXPECT_TRUE(owner.emplace(name, formula.id).second) << name << " in " << formula.id;
    }
  }
  for (const char* name :
       {"Conv", "com.microsoft:BiasSoftmax", "com.microsoft.nchwc:ReorderInput"}) {
    EXPECT_TRUE(owner.contains(name)) << name;
  }
}

std::string reference_page() {
  std::string text =
      "# Op costs\n\n"
      "What each operator must compute and move at least, from the shapes that a run showed. Made "
      "from the registry; a\n"
      "test compares (run `onnx_test` with `NEUROLENS_BLESS=1` after a change).\n\n"
      "A multiply-add counts 2. N: elements of the result; N_in: of the first input; B, M, N, K: "
      "sizes of a product;\n"
      "g: groups; k: kernel; T, B, I, H: steps, batch, input and hidden width. \"in + out\": every "
      "tensor once, at its own\n"
      "size (4-bit elements take half a byte), initialisers listed apart. Control flow (`Loop`, "
      "`Scan`, `If`) costs its body\n"
      "times the observed trips, or the branch that ran (`control_flow`). In a Run every node has "
      "the FLOPs of the original\n"
      "nodes that it stands for, where these are known, and the bytes of its own boundary "
      "(`members`); the formulas of fused\n"
      "operators are for models whose original is not at hand. Any other operator is unknown: "
      "null, "
      "and listed.\n\n"
      "| formula | operators | FLOPs | minimum bytes | assumptions |\n|---|---|---|---|---|\n";
  for (const OpFormula& formula : op_formulas()) {
    std::string names;
    for (const std::string& name : formula.operators) {
      names += (names.empty() ? "" : ", ") + name;
    }
    std::string flops = formula.flops;
    for (std::size_t at = 0; (at = flops.find('|', at)) != std::string::npos; at += 2) {
      flops.insert(at, "\\");
    }
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", formula.id, names, flops, formula.bytes,
                        formula.assumptions);
  }
  return text;
}

TEST(OpCosts, AreAllInTheReference) {
  const std::string path = std::string(NEUROLENS_SOURCE_DIR) + "/docs/reference/op_costs.md";
  if (std::getenv("NEUROLENS_BLESS") != nullptr) std::ofstream(path) << reference_page();
  std::ostringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_EQ(page.str(), reference_page()) << "Run onnx_test with NEUROLENS_BLESS=1.";
}

}  // namespace
}  // namespace neurolens::onnx
