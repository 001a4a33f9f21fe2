#include "neurolens/onnx/convert_precision.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "test_support.hpp"

namespace neurolens::onnx {
namespace {

using testing_support::small_model;
namespace proto = testing_support::proto;

/// The value of a float16, straight from the definition.
double half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double mantissa = bits & 0x3FF;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(HalfBits, EveryFiniteHalfIsItself) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7C00) == 0x7C00) continue;  // infinity and NaN
    const auto value = static_cast<float>(half_value(static_cast<std::uint16_t>(bits)));
    ASSERT_EQ(to_float16_bits(value), bits) << value;
  }
}

TEST(HalfBits, MiddlesGoToEvenAndTheirNeighboursToTheNearer) {
  for (std::uint16_t low = 0; low < 0x7BFF; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const auto middle = static_cast<float>((half_value(low) + half_value(high)) / 2);
    ASSERT_EQ(to_float16_bits(middle), (low & 1) == 0 ? low : high) << low;
    ASSERT_EQ(to_float16_bits(std::nextafter(middle, 0.0F)), low) << low;
    ASSERT_EQ(to_float16_bits(std::nextafter(middle, 1e6F)), high) << low;
  }
}

TEST(HalfBits, EndsOfTheRange) {
  EXPECT_EQ(to_float16_bits(1e9F), 0x7BFF);
  EXPECT_EQ(to_float16_bits(-1e9F), 0xFBFF);
  EXPECT_EQ(to_float16_bits(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_EQ(to_float16_bits(std::nanf("")) & 0x7E00, 0x7E00);
  EXPECT_EQ(to_bfloat16_bits(1.0F), 0x3F80);
  EXPECT_EQ(to_bfloat16_bits(std::bit_cast<float>(0x3F808000U)), 0x3F80);  // a tie, down to even
  EXPECT_EQ(to_bfloat16_bits(std::bit_cast<float>(0x3F818000U)), 0x3F82);  // a tie, up to even
  EXPECT_EQ(to_bfloat16_bits(std::numeric_limits<float>::max()), 0x7F7F);
  EXPECT_EQ(to_bfloat16_bits(-std::numeric_limits<float>::infinity()), 0xFF80);
}

proto::AttributeProto& add_integer(proto::NodeProto& node, const char* name, std::int64_t value) {
  auto& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(proto::AttributeProto_AttributeType_INT);
  a.set_i(value);
  return a;
}

/// small_model() followed by a Cast to float32, a Resize with scales of 4/3, and a Constant.
proto::ModelProto resizing_model() {
  auto model = small_model();
  auto& g = *model.mutable_graph();
  auto& scales = *g.add_initializer();
  scales.set_name("scales");
  scales.set_data_type(1);
  scales.add_dims(2);
  for (const float f : {1.0F, 4.0F / 3.0F}) scales.add_float_data(f);
  auto& cast = *g.add_node();
  cast.set_op_type("Cast");
  cast.add_input("y");
  cast.add_output("z");
  add_integer(cast, "to", 1);
  auto& resize = *g.add_node();
  resize.set_op_type("Resize");
  for (const char* name : {"z", "", "scales"}) resize.add_input(name);
  resize.add_output("r");
  auto& constant = *g.add_node();
  constant.set_op_type("Constant");
  constant.add_output("c");
  auto& number = *constant.add_attribute();
  number.set_name("value_float");
  number.set_type(proto::AttributeProto_AttributeType_FLOAT);
  number.set_f(1e6F);
  return model;
}

Model parse(const proto::ModelProto& message) {
  return Model::parse(message.SerializeAsString()).value();
}

TEST(ConvertPrecision, RewritesWeightsTypesAndAttributes) {
  const Model model = parse(resizing_model());
  const auto made = convert_precision(model, DType::float16);
  ASSERT_TRUE(made.ok()) << made.error();
  const Graph& g = made->model.graph();
  EXPECT_EQ(g.inputs[0].type.element, DType::float16);
  EXPECT_EQ(g.outputs[0].type.element, DType::float16);
  const Tensor b = made->model.tensor("b").value();
  EXPECT_EQ(b.type, DType::float16);
  ASSERT_EQ(b.bytes.size(), 6U);
  std::uint16_t third = 0;
  std::memcpy(&third, b.bytes.data() + 4, 2);
  EXPECT_EQ(half_value(third), 3.0);
  EXPECT_EQ(made->clamped, 1);  // the Constant of 1e6
  for (const auto& node : g.nodes) {
    if (node.op_type == "Cast") {
      EXPECT_EQ(node.integer_or("to", 0), 10);
    }
    if (node.op_type == "Constant") {
      EXPECT_EQ(node.find("value")->tensors[0].type, DType::float16);
    }
    if (node.op_type != "Resize") continue;
    // Scales stay what they were: 4/3 in float16 would be another size.
    const Tensor scales = made->model.tensor(node.inputs[2]).value();
    EXPECT_EQ(scales.type, DType::float32);
    float value = 0;
    std::memcpy(&value, scales.bytes.data() + 4, 4);
    EXPECT_EQ(value, 4.0F / 3.0F);
  }
  EXPECT_TRUE(made->model.serialize().ok());
  EXPECT_EQ(parse(resizing_model()).graph().inputs[0].type.element, DType::float32);
}

TEST(ConvertPrecision, CastsComputedInputsThatMustStaySingle) {
  auto message = resizing_model();
  auto& nodes = *message.mutable_graph()->mutable_node();
  for (auto& node : nodes) {
    if (node.op_type() == "Resize") node.set_input(2, "y");
  }
  const auto made = convert_precision(parse(message), DType::bfloat16);
  ASSERT_TRUE(made.ok()) << made.error();
  const auto& list = made->model.graph().nodes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].op_type != "Resize") continue;
    EXPECT_EQ(list[i - 1].op_type, "Cast");
    EXPECT_EQ(list[i - 1].integer_or("to", 0), 1);
    EXPECT_EQ(list[i - 1].outputs[0], list[i].inputs[2]);
  }
}

TEST(ConvertPrecision, SaysWhatItCannotConvert) {
  auto quantised = small_model();
  quantised.mutable_graph()->mutable_node(1)->set_op_type("QuantizeLinear");
  quantised.mutable_graph()->mutable_node(1)->clear_domain();
  const auto refused = convert_precision(parse(quantised), DType::float16);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_NE(refused.error().message.find("QuantizeLinear"), std::string::npos);
  EXPECT_EQ(convert_precision(parse(small_model()), DType::float64).error().code,
            Errc::bad_request);
  LoadOptions light;
  light.keep_weights = false;
  const Model empty = Model::parse(small_model().SerializeAsString(), "m", {}, light).value();
  EXPECT_EQ(convert_precision(empty, DType::float16).error().code, Errc::bad_request);
  const auto once = convert_precision(parse(small_model()), DType::float16);
  EXPECT_EQ(convert_precision(once->model, DType::float16).error().code, Errc::unavailable);
}

}  // namespace
}  // namespace neurolens::onnx
