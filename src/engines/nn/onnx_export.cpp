// The wire format of ONNX is protocol buffers: fields of (number, type, value). The few message
// types that a model needs are written here directly; numbers are those of onnx.proto.
#include "neurolens/engines/nn/onnx_export.hpp"

#include <cstring>

#include "onnx_graph.hpp"

namespace neurolens::nn {
namespace {

class Message {
 public:
  void integer(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(int field, float value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 5);
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void bytes(int field, std::string_view value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    text_ += value;
  }
  void message(int field, const Message& value) { bytes(field, value.text_); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void varint(std::uint64_t v) {
    for (; v >= 128; v >>= 7) text_ += static_cast<char>(v | 128);
    text_ += static_cast<char>(v);
  }
  std::string text_;
};

constexpr int kFloat = 1, kInt64 = 7;  // TensorProto.DataType

Message tensor(const OnnxGraph::Tensor& t) {
  Message m;
  for (const auto d : t.dims) m.integer(1, d);
  const bool ints = !t.integers.empty();
  m.integer(2, ints ? kInt64 : kFloat);
  m.bytes(8, t.name);
  const auto* data = ints ? reinterpret_cast<const char*>(t.integers.data())
                          : reinterpret_cast<const char*>(t.floats.data());
  m.bytes(9, {data, ints ? t.integers.size() * 8 : t.floats.size() * 4});
  return m;
}

Message attribute(const OnnxAttribute& a) {
  enum Type { kTypeFloat = 1, kTypeInt = 2, kTypeString = 3, kTypeInts = 7 };
  Message m;
  m.bytes(1, a.name);
  if (const auto* i = std::get_if<std::int64_t>(&a.value))
    m.integer(3, *i), m.integer(20, kTypeInt);
  if (const auto* f = std::get_if<float>(&a.value)) m.real(2, *f), m.integer(20, kTypeFloat);
  if (const auto* s = std::get_if<std::string>(&a.value))
    m.bytes(4, *s), m.integer(20, kTypeString);
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&a.value)) {
    for (const auto i : *list) m.integer(8, i);
    m.integer(20, kTypeInts);
  }
  return m;
}

Message node(const OnnxGraph::Node& n) {
  Message m;
  for (const auto& input : n.inputs) m.bytes(1, input);
  m.bytes(2, n.output);
  m.bytes(3, n.output);
  m.bytes(4, n.op);
  for (const auto& a : n.attributes) m.message(5, attribute(a));
  return m;
}

// A float tensor [N, dims...] as the type of a graph input or output.
Message value_info(const std::string& name, const Shape& shape) {
  Message dims, batch;
  batch.bytes(2, "N");
  dims.message(1, batch);
  for (const auto d : shape.dims) {
    Message dim;
    dim.integer(1, d);
    dims.message(1, dim);
  }
  Message tensor_type, type, info;
  tensor_type.integer(1, kFloat);
  tensor_type.message(2, dims);
  type.message(1, tensor_type);
  info.bytes(1, name);
  info.message(2, type);
  return info;
}

}  // namespace

Result<std::string> to_onnx(const Network<float>& network, const Standard* standard) {
  OnnxGraph graph;
  std::string input = "x";
  if (standard != nullptr) {
    const auto& dims = network.input().dims;
    input = graph.add("Sub", {input, graph.tensor("mean", dims, standard->mean.data())});
    input = graph.add("Mul", {input, graph.tensor("scale", dims, standard->scale.data())});
  }
  NEUROLENS_ASSIGN(
      const std::string last,
      network.root().to_onnx(graph, input, network.params().data(), network.buffers().data()));
  Message g;
  for (const auto& n : graph.nodes()) g.message(1, node(n));
  OnnxGraph::Node out{"Identity", {last}, "y", {}};
  g.message(1, node(out));
  g.bytes(2, network.name());
  for (const auto& t : graph.tensors()) g.message(5, tensor(t));
  g.message(11, value_info("x", network.input()));
  g.message(12, value_info("y", network.output()));
  Message opset, model;
  opset.bytes(1, "");
  opset.integer(2, 17);
  model.integer(1, 8);  // IR version that goes with opset 17
  model.bytes(2, "neurolens");
  model.message(7, g);
  model.message(8, opset);
  return model.text();
}

}  // namespace neurolens::nn
