#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "inputs/generate.hpp"
#include "inputs/shapes.hpp"
#include "inputs/value_rules.hpp"
#include "model/model_writer.hpp"
#include "neurolens/onnx/model.hpp"

namespace neurolens::capture {
namespace {

onnx::TypeInfo tensor(onnx::DType type, std::vector<onnx::Dim> dims) {
  onnx::TypeInfo out;
  out.kind = onnx::TypeKind::tensor;
  out.element = type;
  out.shape = std::move(dims);
  return out;
}
onnx::Dim free(const char* symbol) {
  return {std::nullopt, symbol};
}
onnx::Dim fixed(std::int64_t size) {
  return {size, {}};
}

TEST(Shapes, FreeDimensionsGetTheirMeaningFromTheirNames) {
  CaptureRequest request;
  request.batch = 4;
  request.sequence = 32;
  const std::vector<InputSpec> inputs{
      {"ids", tensor(onnx::DType::int64, {free("batch_size"), free("seq_len")})},
      {"past", tensor(onnx::DType::float32, {free("N"), fixed(8), free("past_sequence")})},
      {"image", tensor(onnx::DType::float32, {free(""), fixed(3), free("height"), free("")})},
      {"other", tensor(onnx::DType::float32, {free("N"), free("features")})}};
  const auto shapes = resolve_shapes(inputs, request, {});
  ASSERT_TRUE(shapes.ok()) << shapes.error();
  EXPECT_EQ(shapes->dims[0], (std::vector<std::int64_t>{4, 32}));
  EXPECT_EQ(shapes->dims[1], (std::vector<std::int64_t>{4, 8, 0}));
  EXPECT_EQ(shapes->dims[2], (std::vector<std::int64_t>{4, 3, 224, 224}));
  EXPECT_EQ(shapes->dims[3], (std::vector<std::int64_t>{4, 1}));
}

TEST(Shapes, AShapeThatIsGivenBindsItsDimensionEverywhere) {
  CaptureRequest request;
  request.shapes["a"] = {7, 5};
  const std::vector<InputSpec> inputs{{"b", tensor(onnx::DType::float32, {free("N"), fixed(2)})},
                                      {"a", tensor(onnx::DType::float32, {free("N"), free("D")})}};
  auto shapes = resolve_shapes(inputs, request, {});
  ASSERT_TRUE(shapes.ok()) << shapes.error();
  EXPECT_EQ(shapes->dims[0], (std::vector<std::int64_t>{7, 2}));
  request.shapes["b"] = {6, 2};
  shapes = resolve_shapes(inputs, request, {});
  ASSERT_FALSE(shapes.ok());
  EXPECT_EQ(shapes.error().code, Errc::bad_request);
  request.shapes = {{"b", {7, 3}}};
  shapes = resolve_shapes(inputs, request, {});
  ASSERT_FALSE(shapes.ok());
  EXPECT_NE(shapes.error().message.find("fixed at 2"), std::string::npos) << shapes.error();
}

TEST(Shapes, RefusesWhatHasNoDefaultOrNoEffect) {
  CaptureRequest request;
  onnx::TypeInfo open;
  open.kind = onnx::TypeKind::tensor;
  open.element = onnx::DType::float32;
  auto shapes = resolve_shapes({{"x", open}}, request, {});
  ASSERT_FALSE(shapes.ok());
  EXPECT_NE(shapes.error().message.find("--shape x="), std::string::npos) << shapes.error();
  request.batch = 2;
  request.batch_given = true;
  shapes = resolve_shapes({{"x", tensor(onnx::DType::float32, {fixed(1), fixed(3)})}}, request, {});
  ASSERT_FALSE(shapes.ok());
  EXPECT_NE(shapes.error().message.find("--batch has no effect"), std::string::npos);
}

/// The rule for input "ids" of a model with these nodes.
std::optional<ValueRule> rule_for(std::vector<NodeSpec> nodes, std::vector<InitializerSpec> weights,
                                  std::vector<std::int64_t> dims,
                                  std::vector<ValueSpec> outputs = {}) {
  ModelSpec spec;
  spec.nodes = std::move(nodes);
  spec.initializers = std::move(weights);
  spec.inputs = {{"ids", 7, dims}};
  spec.outputs = std::move(outputs);
  const auto model = onnx::Model::parse(encode(spec));
  EXPECT_TRUE(model.ok()) << model.error();
  const std::vector<InputSpec> inputs{{"ids", model->graph().inputs.at(0).type}};
  ResolvedShapes shapes;
  shapes.dims = {dims};
  return value_rule(model->graph(), ShapeTable(model->graph(), inputs, shapes), "ids");
}

TEST(ValueRules, IndicesStayInsideTheTable) {
  const auto table = random_weights("table", {30, 4}, 1);
  const auto direct = rule_for({{"Gather", {"table", "ids"}, {"y"}, "", "", {}}}, {table}, {8});
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->high, 30);
  // Through a cast and a reshape, and into two tables: the smaller one counts.
  const auto two =
      rule_for({{"Cast", {"ids"}, {"c"}, "", "", {{"to", std::int64_t{6}}}},
                {"Unsqueeze", {"c", "axes"}, {"u"}, "", "", {}},
                {"Gather", {"table", "u"}, {"y"}, "", "", {}},
                {"Gather", {"table", "ids"}, {"z"}, "", "", {{"axis", std::int64_t{1}}}}},
               {table}, {8});
  ASSERT_TRUE(two);
  EXPECT_EQ(two->high, 4);
  EXPECT_EQ(two->low, 0);
}

TEST(ValueRules, ShapesAreOnesThatFit) {
  const auto data = random_weights("data", {2, 6}, 1);
  const auto reshape =
      rule_for({{"Reshape", {"data", "ids"}, {"y"}, "", "", {}}}, {data}, {2}, {{"y", 1, {3, 4}}});
  ASSERT_TRUE(reshape);
  EXPECT_EQ(reshape->exact, (std::vector<double>{3, 4}));
  const auto unknown = rule_for({{"Reshape", {"data", "ids"}, {"y"}, "", "", {}}}, {data}, {3});
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->exact, (std::vector<double>{-1, 1, 1}));
  EXPECT_FALSE(rule_for({{"Add", {"ids", "ids"}, {"y"}, "", "", {}}}, {}, {3}));
}

TEST(ValueRules, DivisorsAreNotZero) {
  const auto rule =
      rule_for({{"Div", {"x", "ids"}, {"y"}, "", "", {}}}, {random_weights("x", {3}, 1)}, {3});
  ASSERT_TRUE(rule);
  EXPECT_GE(rule->low, 1);
}

TEST(Generate, FollowsTheRuleForEveryType) {
  for (const auto type : {onnx::DType::int64, onnx::DType::int32, onnx::DType::uint8}) {
    const auto made =
        generate_tensor("ids", type, {1000}, ValueRule{0, 5, {}}, Filling::generated, 3);
    ASSERT_TRUE(made.ok());
    const auto width = made->bytes.size() / 1000;
    std::int64_t largest = 0;
    for (std::size_t i = 0; i < 1000; ++i) {
      std::int64_t value = 0;
      std::memcpy(&value, made->bytes.data() + i * width, width);
      EXPECT_LT(value, 5);
      largest = std::max(largest, value);
    }
    EXPECT_EQ(largest, 4);
  }
  const auto mask = generate_tensor("attention_mask", onnx::DType::int64, {2}, std::nullopt,
                                    Filling::generated, 3);
  std::int64_t one = 0;
  std::memcpy(&one, mask->bytes.data(), 8);
  EXPECT_EQ(one, 1);
}

TEST(Generate, MakesEveryTypeThatOnnxNames) {
  for (int number = 1; number <= 26; ++number) {
    const auto type = static_cast<onnx::DType>(number);
    const auto made = generate_tensor("x", type, {3, 5}, std::nullopt, Filling::generated, 1);
    ASSERT_TRUE(made.ok()) << onnx::to_string(type);
    if (type == onnx::DType::string) {
      EXPECT_EQ(made->strings.size(), 15U);
    } else {
      EXPECT_EQ(static_cast<std::int64_t>(made->bytes.size()), onnx::packed_size(type, 15)->count)
          << onnx::to_string(type);
    }
  }
  const auto unknown =
      generate_tensor("x", static_cast<onnx::DType>(99), {3}, std::nullopt, Filling::generated, 1);
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("99"), std::string::npos);
}

TEST(Generate, TheSameSeedGivesTheSameValues) {
  const auto make = [](std::uint64_t seed) {
    return generate_tensor("x", onnx::DType::float32, {64}, std::nullopt, Filling::generated, seed)
        ->bytes;
  };
  EXPECT_EQ(make(1), make(1));
  EXPECT_NE(make(1), make(2));
}

std::string npy(const std::string& header, const std::string& content) {
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\0';
  out += static_cast<char>(header.size());
  out += '\0';
  return out + header + content;
}

TEST(Npy, ReadsBothOrders) {
  std::string content(6, '\0');
  for (int i = 0; i < 6; ++i) content[static_cast<std::size_t>(i)] = static_cast<char>(i);
  const auto rows =
      parse_npy(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n", content));
  ASSERT_TRUE(rows.ok()) << rows.error();
  EXPECT_EQ(rows->dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(rows->bytes, content);
  const auto columns =
      parse_npy(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", content));
  ASSERT_TRUE(columns.ok());
  EXPECT_EQ(columns->bytes, std::string("\0\2\4\1\3\5", 6));
}

TEST(Npy, RefusesBrokenFiles) {
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", std::string(8, '\0'));
  ASSERT_TRUE(parse_npy(good).ok());
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse_npy(std::string_view(good).substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(parse_npy(npy("{'descr': '<M8', 'fortran_order': False, 'shape': (1,), }\n",
                             std::string(8, '\0')))
                   .ok());
  EXPECT_FALSE(parse_npy(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }\n",
                             std::string(8, '\0')))
                   .ok());
}

}  // namespace
}  // namespace neurolens::capture
