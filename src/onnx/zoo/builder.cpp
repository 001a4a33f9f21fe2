#include "builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "neurolens/base/text.hpp"

namespace neurolens::onnx::zoo {
namespace {

namespace proto = ::onnx;

void set_type(proto::ValueInfoProto& info, DType type, const std::vector<Dim>& dims) {
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(static_cast<std::int32_t>(type));
  auto* shape = tensor->mutable_shape();
  for (const Dim& dim : dims) {
    auto* out = shape->add_dim();
    if (dim.value) {
      out->set_dim_value(*dim.value);
    } else {
      out->set_dim_param(dim.symbol);
    }
  }
}

void set_attribute(proto::AttributeProto& out, const Attr& attr) {
  out.set_name(std::string(attr.name));
  if (const auto* i = std::get_if<std::int64_t>(&attr.value)) {
    out.set_type(proto::AttributeProto_AttributeType_INT);
    out.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&attr.value)) {
    out.set_type(proto::AttributeProto_AttributeType_FLOAT);
    out.set_f(*f);
  } else if (const auto* s = std::get_if<std::string_view>(&attr.value)) {
    out.set_type(proto::AttributeProto_AttributeType_STRING);
    out.set_s(std::string(*s));
  } else {
    out.set_type(proto::AttributeProto_AttributeType_INTS);
    for (const std::int64_t each : std::get<std::vector<std::int64_t>>(attr.value))
      out.add_ints(each);
  }
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The protobuf wire format, as far as streaming needs it: a field of bytes is its key (number * 8 +
// 2), a length, and the bytes.
void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

std::string field_head(std::uint32_t number, std::int64_t length) {
  std::string head;
  append_varint(head, number * 8u + 2u);
  append_varint(head, static_cast<std::uint64_t>(length));
  return head;
}

constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kGraphInitializer = 5;
constexpr std::uint32_t kTensorRawData = 9;
constexpr std::int64_t kChunkElements = 1 << 18;

proto::ModelProto model_head() {
  proto::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("neurolens zoo");
  model.add_opset_import()->set_version(17);
  return model;
}

}  // namespace

GraphBuilder::GraphBuilder(std::string name) {
  graph_.set_name(std::move(name));
}

Name GraphBuilder::input(const std::string& name, DType type, const std::vector<Dim>& dims) {
  proto::ValueInfoProto* info = graph_.add_input();
  info->set_name(name);
  set_type(*info, type, dims);
  inputs_.push_back({name, {TypeKind::tensor, type, DType::undefined, dims, {}}});
  return name;
}

void GraphBuilder::output(const std::string& name, const Name& tensor, DType type,
                          const std::vector<Dim>& dims) {
  for (proto::NodeProto& node : *graph_.mutable_node()) {
    for (std::string& input : *node.mutable_input()) {
      if (input == tensor) input = name;
    }
    for (std::string& result : *node.mutable_output()) {
      if (result == tensor) result = name;
    }
  }
  proto::ValueInfoProto* info = graph_.add_output();
  info->set_name(name);
  set_type(*info, type, dims);
  outputs_.push_back({name, {TypeKind::tensor, type, DType::undefined, dims, {}}});
}

Name GraphBuilder::weight(const std::string& name, std::vector<std::int64_t> dims, Fill fill) {
  Initializer init;
  init.head.set_name(name);
  init.head.set_data_type(static_cast<std::int32_t>(DType::float32));
  for (const std::int64_t dim : dims) init.head.add_dims(dim);
  init.bytes = 4 * element_count(dims).value_or(0);
  init.fill = fill;
  initializers_.push_back(std::move(init));
  return name;
}

Name GraphBuilder::literal(const std::string& name, DType type, std::vector<std::int64_t> dims,
                           std::string content) {
  Initializer init;
  init.head.set_name(name);
  init.head.set_data_type(static_cast<std::int32_t>(type));
  for (const std::int64_t dim : dims) init.head.add_dims(dim);
  init.bytes = static_cast<std::int64_t>(content.size());
  init.content = std::move(content);
  init.fill.trained = false;
  initializers_.push_back(std::move(init));
  return name;
}

Name GraphBuilder::int64s(const std::string& name, const std::vector<std::int64_t>& values,
                          std::vector<std::int64_t> dims) {
  return literal(name, DType::int64, std::move(dims), bytes_of(values));
}

Name GraphBuilder::booleans(const std::string& name, std::string values,
                            std::vector<std::int64_t> dims) {
  return literal(name, DType::boolean, std::move(dims), std::move(values));
}

proto::NodeProto& GraphBuilder::add_node(std::string_view op, const std::string& scope) {
  std::string name = scope.empty() ? fmt::format("/{}", op) : fmt::format("/{}/{}", scope, op);
  const int times = used_[name]++;
  if (times > 0) name += fmt::format("_{}", times);
  proto::NodeProto& node = *graph_.add_node();
  node.set_name(name);
  node.set_op_type(std::string(op));
  return node;
}

Name GraphBuilder::scalar(float value) {
  proto::NodeProto& node = add_node("Constant", "");
  node.add_output(node.name() + "_output_0");
  proto::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("value");
  attribute.set_type(proto::AttributeProto_AttributeType_TENSOR);
  attribute.mutable_t()->set_data_type(static_cast<std::int32_t>(DType::float32));
  attribute.mutable_t()->set_raw_data(bytes_of(std::vector<float>{value}));
  return node.output(0);
}

Name GraphBuilder::scalar_int64(std::int64_t value) {
  proto::NodeProto& node = add_node("Constant", "");
  node.add_output(node.name() + "_output_0");
  proto::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("value");
  attribute.set_type(proto::AttributeProto_AttributeType_TENSOR);
  attribute.mutable_t()->set_data_type(static_cast<std::int32_t>(DType::int64));
  attribute.mutable_t()->set_raw_data(bytes_of(std::vector<std::int64_t>{value}));
  return node.output(0);
}

Name GraphBuilder::vector_int64(const std::vector<std::int64_t>& values) {
  const Name name = scalar_int64(0);
  proto::TensorProto& tensor =
      *graph_.mutable_node(graph_.node_size() - 1)->mutable_attribute(0)->mutable_t();
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  tensor.set_raw_data(bytes_of(values));
  return name;
}

Name GraphBuilder::node(std::string_view op, const std::string& scope,
                        std::initializer_list<Name> inputs, std::initializer_list<Attr> attributes,
                        int outputs) {
  proto::NodeProto& node = add_node(op, scope);
  for (const Name& input : inputs) node.add_input(input);
  for (const Attr& attr : attributes) set_attribute(*node.add_attribute(), attr);
  for (int i = 0; i < outputs; ++i) node.add_output(fmt::format("{}_output_{}", node.name(), i));
  return node.output(0);
}

std::int64_t GraphBuilder::parameters() const {
  std::int64_t count = 0;
  for (const Initializer& init : initializers_) {
    if (init.fill.trained) count += init.bytes / 4;
  }
  return count;
}

Result<std::int64_t> GraphBuilder::write(std::uint64_t seed, const Sink& sink,
                                         const Attention& attention) const {
  std::int64_t written = 0;
  const auto put = [&](std::string_view bytes) {
    written += static_cast<std::int64_t>(bytes.size());
    return sink(bytes);
  };
  const std::string graph = graph_.SerializeAsString();
  std::vector<std::string> heads;
  auto graph_bytes = static_cast<std::int64_t>(graph.size());
  std::int64_t weight_bytes = 0;
  for (const Initializer& init : initializers_) {
    const std::string head = init.head.SerializeAsString() + field_head(kTensorRawData, init.bytes);
    const std::int64_t tensor_bytes = static_cast<std::int64_t>(head.size()) + init.bytes;
    heads.push_back(field_head(kGraphInitializer, tensor_bytes) + head);
    graph_bytes += static_cast<std::int64_t>(heads.back().size()) + init.bytes;
    weight_bytes += init.bytes;
  }
  NEUROLENS_TRY(put(model_head().SerializeAsString()));
  NEUROLENS_TRY(put(field_head(kModelGraph, graph_bytes)));
  NEUROLENS_TRY(put(graph));

  std::vector<float> chunk;
  std::int64_t done = 0;
  for (std::size_t t = 0; t < initializers_.size(); ++t) {
    const Initializer& init = initializers_[t];
    NEUROLENS_TRY(put(heads[t]));
    NEUROLENS_TRY(put(init.content));
    const std::int64_t elements = init.content.empty() ? init.bytes / 4 : 0;
    for (std::int64_t first = 0; first < elements; first += kChunkElements) {
      if (attention.cancelled())
        return Error{Errc::cancelled, "Stopped on request; nothing was written.", {}};
      chunk.resize(static_cast<std::size_t>(std::min(kChunkElements, elements - first)));
      fill_weights(seed, t, init.fill, first, chunk);
      NEUROLENS_TRY(
          put({reinterpret_cast<const char*>(chunk.data()), chunk.size() * sizeof(float)}));
      done += static_cast<std::int64_t>(chunk.size() * sizeof(float));
      attention.report("weights", static_cast<double>(done) / static_cast<double>(weight_bytes));
    }
  }
  return written;
}

}  // namespace neurolens::onnx::zoo
