#include "neurolens/onnx/convert_precision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "convert.hpp"
#include "model_impl.hpp"
#include "tensor_data.hpp"

namespace neurolens::onnx {
namespace {

constexpr std::int32_t kFloat = static_cast<std::int32_t>(DType::float32);
constexpr const char* kCopySuffix = "__f32";

bool is_quantised(std::string_view op) {
  return op == "QuantizeLinear" || op == "DequantizeLinear" || op == "DynamicQuantizeLinear" ||
         op == "ConvInteger" || op == "MatMulInteger" || op.starts_with("QLinear");
}

/// Positions of inputs that are float32 whatever the others are.
std::vector<int> float_only_inputs(const proto::NodeProto& node, std::int64_t opset) {
  const std::string& op = node.op_type();
  if (!normal_domain(node.domain()).empty()) return {};
  if (op == "Resize") return opset >= 11 ? std::vector<int>{1, 2} : std::vector<int>{1};
  if (op == "Upsample") return {1};
  if (op == "NonMaxSuppression") return {0, 1, 3, 4};
  return {};
}

class Converter {
 public:
  Converter(proto::ModelProto& message, ExternalFolder& folder, DType target, std::int64_t opset)
      : message_(message), folder_(folder), target_(target), opset_(opset) {}

  Status run() {
    NEUROLENS_TRY(graph(*message_.mutable_graph()));
    for (auto& function : *message_.mutable_functions()) {
      auto nodes = std::move(*function.mutable_node());
      function.clear_node();
      for (auto& node : nodes) {
        keep_inputs(node, nullptr, {}, *function.mutable_node());
        NEUROLENS_TRY(this->node(node));
        *function.add_node() = std::move(node);
      }
    }
    return {};
  }
  std::int64_t tensors = 0;
  std::int64_t clamped = 0;

 private:
  [[nodiscard]] std::int32_t code() const { return static_cast<std::int32_t>(target_); }

  Status graph(proto::GraphProto& g) {
    const auto constants = float_constants(g);
    auto nodes = std::move(*g.mutable_node());
    g.clear_node();
    std::vector<proto::TensorProto> copies;
    for (auto& node : nodes) {
      keep_inputs(node, &copies, constants, *g.mutable_node());
      NEUROLENS_TRY(this->node(node));
      *g.add_node() = std::move(node);
    }
    for (auto& value : *g.mutable_initializer()) NEUROLENS_TRY(tensor(value));
    for (auto& sparse : *g.mutable_sparse_initializer())
      NEUROLENS_TRY(tensor(*sparse.mutable_values()));
    for (auto& copy : copies) {
      NEUROLENS_TRY(inline_external(copy, folder_));
      *g.add_initializer() = std::move(copy);
    }
    for (auto* list : {g.mutable_input(), g.mutable_output(), g.mutable_value_info()}) {
      for (auto& value : *list) {
        if (value.has_type()) type(*value.mutable_type());
      }
    }
    return {};
  }

  /// Float32 tensors by the name they have in this graph.
  static std::map<std::string, proto::TensorProto> float_constants(const proto::GraphProto& g) {
    std::set<std::string> wanted;
    for (const auto& node : g.node()) {
      for (const int i : float_only_inputs(node, kNewest))
        if (i < node.input_size()) wanted.insert(node.input(i));
    }
    std::map<std::string, proto::TensorProto> found;
    for (const auto& t : g.initializer()) {
      if (t.data_type() == kFloat && wanted.contains(t.name())) found[t.name()] = t;
    }
    for (const auto& node : g.node()) {
      if (node.op_type() != "Constant" || node.output_size() != 1) continue;
      for (const auto& a : node.attribute()) {
        if (a.name() == "value" && a.t().data_type() == kFloat && wanted.contains(node.output(0)))
          found[node.output(0)] = a.t();
      }
    }
    return found;
  }

  /// Gives `node` its float-only inputs as float32: copies of constants go to `copies`, Casts of
  /// the rest into `nodes`, in front of it.
  void keep_inputs(proto::NodeProto& node, std::vector<proto::TensorProto>* copies,
                   const std::map<std::string, proto::TensorProto>& constants,
                   google::protobuf::RepeatedPtrField<proto::NodeProto>& nodes) {
    for (const int i : float_only_inputs(node, opset_)) {
      if (i >= node.input_size() || node.input(i).empty()) continue;
      const std::string from = node.input(i);
      const auto constant = constants.find(from);
      if (constant != constants.end() && copies != nullptr) {
        const std::string name = from + kCopySuffix;
        if (copied_.insert(name).second) {
          copies->push_back(constant->second);
          copies->back().set_name(name);
        }
        node.set_input(i, name);
        continue;
      }
      const std::string name = fmt::format("{}{}_{}", from, kCopySuffix, casts_++);
      auto& cast = *nodes.Add();
      cast.set_op_type("Cast");
      cast.set_name(name);
      cast.add_input(from);
      cast.add_output(name);
      auto& to = *cast.add_attribute();
      to.set_name("to");
      to.set_type(proto::AttributeProto_AttributeType_INT);
      to.set_i(kFloat);
      node.set_input(i, name);
    }
  }

  Status node(proto::NodeProto& n) {
    const std::string domain = normal_domain(n.domain());
    if (domain == "ai.onnx.ml" || (domain.empty() && is_quantised(n.op_type()))) {
      return Error{
          Errc::unavailable,
          fmt::format("The model holds {}, which has no 16-bit form here; {}.", n.op_type(),
                      domain.empty() ? "quantised models run as they are" : "leave it in float32"),
          n.name()};
    }
    for (auto& a : *n.mutable_attribute()) NEUROLENS_TRY(attribute(n, a));
    return {};
  }

  Status attribute(const proto::NodeProto& n, proto::AttributeProto& a) {
    // The attributes by which operators name an element type.
    const bool names_type = (a.name() == "to" && n.op_type() == "Cast") || a.name() == "dtype";
    if (names_type && a.i() == kFloat) a.set_i(code());
    if (n.op_type() == "Constant" && (a.name() == "value_float" || a.name() == "value_floats"))
      constant_of_numbers(a);
    if (a.has_t()) NEUROLENS_TRY(tensor(*a.mutable_t()));
    for (auto& t : *a.mutable_tensors()) NEUROLENS_TRY(tensor(t));
    if (a.has_sparse_tensor()) NEUROLENS_TRY(tensor(*a.mutable_sparse_tensor()->mutable_values()));
    if (a.has_g()) NEUROLENS_TRY(graph(*a.mutable_g()));
    for (auto& g : *a.mutable_graphs()) NEUROLENS_TRY(graph(g));
    return {};
  }

  /// Rewrites a Constant of numbers as one of a tensor, which can be of any type.
  static void constant_of_numbers(proto::AttributeProto& a) {
    proto::TensorProto t;
    t.set_data_type(kFloat);
    if (a.name() == "value_floats") {
      t.add_dims(a.floats_size());
      for (const float f : a.floats()) t.add_float_data(f);
    } else {
      t.add_float_data(a.f());
    }
    a.Clear();
    a.set_name("value");
    a.set_type(proto::AttributeProto_AttributeType_TENSOR);
    *a.mutable_t() = std::move(t);
  }

  Status tensor(proto::TensorProto& t) {
    if (t.data_type() != kFloat) return inline_external(t, folder_);
    NEUROLENS_ASSIGN(const Tensor content, unpack_tensor(t, folder_));
    std::string bytes(content.bytes.size() / 2, '\0');
    for (std::size_t i = 0; i < bytes.size() / 2; ++i) {
      float value = 0;
      std::memcpy(&value, content.bytes.data() + 4 * i, sizeof(value));
      const std::uint16_t bits =
          target_ == DType::float16 ? to_float16_bits(value) : to_bfloat16_bits(value);
      // Largest finite magnitudes; a greater one was clamped.
      const float most = target_ == DType::float16 ? 65504.0F : 0x1.fep127F;
      clamped += std::isfinite(value) && std::fabs(value) > most ? 1 : 0;
      std::memcpy(bytes.data() + 2 * i, &bits, sizeof(bits));
    }
    t.clear_float_data();
    t.clear_external_data();
    t.clear_data_location();
    t.set_data_type(code());
    t.set_raw_data(std::move(bytes));
    ++tensors;
    return {};
  }

  void type(proto::TypeProto& t) const {
    if (t.has_tensor_type() && t.tensor_type().elem_type() == kFloat)
      t.mutable_tensor_type()->set_elem_type(code());
    if (t.has_sparse_tensor_type() && t.sparse_tensor_type().elem_type() == kFloat)
      t.mutable_sparse_tensor_type()->set_elem_type(code());
    if (t.has_sequence_type()) type(*t.mutable_sequence_type()->mutable_elem_type());
    if (t.has_optional_type()) type(*t.mutable_optional_type()->mutable_elem_type());
    if (t.has_map_type()) type(*t.mutable_map_type()->mutable_value_type());
  }

  static constexpr std::int64_t kNewest = 1000;
  proto::ModelProto& message_;
  ExternalFolder& folder_;
  DType target_;
  std::int64_t opset_;
  std::set<std::string> copied_;
  int casts_ = 0;
};

}  // namespace

std::uint16_t to_float16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
  if (magnitude == 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // infinity
  const auto rounded = [](std::uint32_t number, std::uint32_t shift) {
    const std::uint32_t rest = number & ((1U << shift) - 1);
    const std::uint32_t half = 1U << (shift - 1);
    const std::uint32_t whole = number >> shift;
    return whole + (rest > half || (rest == half && (whole & 1U) != 0) ? 1U : 0U);
  };
  const std::int32_t exponent = static_cast<std::int32_t>(magnitude >> 23) - 112;
  if (exponent >= 1) {
    // Exponent and mantissa as one number: a carry out of the mantissa raises the exponent.
    const std::uint32_t half = rounded(magnitude - (112U << 23), 13);
    return static_cast<std::uint16_t>(sign | std::min<std::uint32_t>(half, 0x7BFFU));
  }
  if (exponent < -10) return sign;  // below half of the smallest subnormal number
  const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
  return static_cast<std::uint16_t>(sign |
                                    rounded(mantissa, static_cast<std::uint32_t>(14 - exponent)));
}

std::uint16_t to_bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // NaN
  if (magnitude == 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16);
  const std::uint32_t rounded = (magnitude + 0x7FFFU + ((magnitude >> 16) & 1U)) >> 16;
  return static_cast<std::uint16_t>(((bits >> 16) & 0x8000U) |
                                    std::min<std::uint32_t>(rounded, 0x7F7FU));
}

Result<ConvertedModel> convert_precision(const Model& model, DType target) {
  if (target != DType::float16 && target != DType::bfloat16) {
    return Error{Errc::bad_request, "Models are converted to float16 or bfloat16 only.",
                 model.path()};
  }
  if (model.impl().weights_dropped) {
    return Error{Errc::bad_request, "The model was loaded without its weights; load it with them.",
                 model.path()};
  }
  auto impl = std::make_unique<Model::Impl>(model.impl());
  Converter converter(impl->message, impl->folder, target, model.opset().value_or(0));
  if (Status done = converter.run(); !done.ok()) return std::move(done).error().at(model.path());
  if (converter.tensors == 0) {
    return Error{Errc::unavailable,
                 "The model holds no float32 constant, so there is nothing to "
                 "convert.",
                 model.path()};
  }
  if (Status done = impl->materialise(); !done.ok())
    return std::move(done).error().at(model.path());
  impl->file_size_bytes = static_cast<std::int64_t>(impl->message.ByteSizeLong());
  impl->sha256.clear();
  return ConvertedModel{Model(std::move(impl)), converter.tensors, converter.clamped};
}

}  // namespace neurolens::onnx
