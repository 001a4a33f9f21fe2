#include "model/model_writer.hpp"

#include <bit>
#include <cstring>

#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

// Field numbers below are those of onnx.proto.
class Message {
 public:
  Message& varint(int field, std::uint64_t value) {
    tag(field, 0);
    raw_varint(value);
    return *this;
  }
  Message& bytes(int field, const std::string& value) {
    tag(field, 2);
    raw_varint(value.size());
    out_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.out_); }
  Message& real(int field, float value) {
    tag(field, 5);
    char four[4];
    std::memcpy(four, &value, 4);
    out_.append(four, 4);
    return *this;
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void tag(int field, int wire) {
    raw_varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
  }
  void raw_varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

Message attribute(const std::string& name, const AttributeValue& value) {
  Message out;
  out.bytes(1, name);
  if (const auto* i = std::get_if<std::int64_t>(&value)) {
    out.varint(3, static_cast<std::uint64_t>(*i)).varint(20, 2);
  } else if (const auto* f = std::get_if<float>(&value)) {
    out.real(2, *f).varint(20, 1);
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    out.bytes(4, *s).varint(20, 3);
  } else {
    for (const auto n : std::get<std::vector<std::int64_t>>(value)) {
      out.varint(8, static_cast<std::uint64_t>(n));
    }
    out.varint(20, 7);
  }
  return out;
}

Message node(const NodeSpec& spec) {
  Message out;
  for (const auto& name : spec.inputs) out.bytes(1, name);
  for (const auto& name : spec.outputs) out.bytes(2, name);
  out.bytes(3, spec.name).bytes(4, spec.op_type);
  for (const auto& [name, value] : spec.attributes) out.message(5, attribute(name, value));
  if (!spec.domain.empty()) out.bytes(7, spec.domain);
  return out;
}

Message value_info(const ValueSpec& spec) {
  Message shape;
  for (const auto dim : spec.dims) {
    Message one;
    if (dim >= 0) one.varint(1, static_cast<std::uint64_t>(dim));
    shape.message(1, one);
  }
  Message tensor;
  tensor.varint(1, static_cast<std::uint64_t>(spec.dtype)).message(2, shape);
  Message type;
  type.message(1, tensor);
  Message out;
  out.bytes(1, spec.name).message(2, type);
  return out;
}

Message initializer(const InitializerSpec& spec) {
  Message out;
  for (const auto dim : spec.dims) out.varint(1, static_cast<std::uint64_t>(dim));
  out.varint(2, static_cast<std::uint64_t>(spec.dtype)).bytes(8, spec.name).bytes(9, spec.bytes);
  return out;
}

}  // namespace

InitializerSpec random_weights(std::string name, std::vector<std::int64_t> dims, std::uint64_t seed,
                               float scale) {
  std::int64_t count = 1;
  for (const auto dim : dims) count *= dim;
  InitializerSpec out{std::move(name), 1, std::move(dims), {}};
  out.bytes.resize(static_cast<std::size_t>(count) * sizeof(float));
  Random random(seed);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const float value = scale * static_cast<float>(2 * random.uniform() - 1);
    std::memcpy(out.bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

std::string encode(const ModelSpec& model) {
  Message graph;
  for (const auto& spec : model.nodes) graph.message(1, node(spec));
  graph.bytes(2, model.name);
  for (const auto& spec : model.initializers) graph.message(5, initializer(spec));
  for (const auto& spec : model.inputs) graph.message(11, value_info(spec));
  for (const auto& spec : model.outputs) graph.message(12, value_info(spec));
  Message out;
  out.varint(1, 8).bytes(2, "neurolens").message(7, graph);
  Message opset;
  opset.bytes(1, "").varint(2, static_cast<std::uint64_t>(model.opset));
  out.message(8, opset);
  Message contrib;
  contrib.bytes(1, "com.microsoft").varint(2, 1);
  out.message(8, contrib);
  return out.take();
}

}  // namespace neurolens::capture
