/// \file
/// A perceptron as .onnx bytes, once in f32 and once quantised: for tests of the program that need
/// a model which the zoo does not have. The few fields of ONNX's protobuf that it takes are written
/// here by number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace neurolens::test_support {

namespace tiny_onnx {

inline void raw(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>((value & 0x7fU) | 0x80U);
  out += static_cast<char>(value);
}
inline void number(std::string& out, unsigned field, std::int64_t value) {
  raw(out, field << 3U);
  raw(out, static_cast<std::uint64_t>(value));
}
inline void bytes(std::string& out, unsigned field, std::string_view value) {
  raw(out, field << 3U | 2U);
  raw(out, value.size());
  out += value;
}

constexpr int kFloat = 1, kUint8 = 2, kInt8 = 3;

/// A GraphProto that grows.
struct Graph {
  std::string text;

  template <class T>
  void initializer(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                   const std::vector<T>& values) {
    std::string t;
    for (const auto dim : dims) number(t, 1, dim);
    number(t, 2, type);
    bytes(t, 8, name);
    bytes(t, 9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
    bytes(text, 5, t);
  }
  void node(const std::string& type, const std::vector<std::string>& inputs,
            const std::string& output) {
    std::string n;
    for (const auto& input : inputs) bytes(n, 1, input);
    bytes(n, 2, output);
    bytes(n, 3, output + "/" + type);
    bytes(n, 4, type);
    bytes(text, 1, n);
  }
  /// field 11: an input of the graph, 12: an output.
  void value(unsigned field, const std::string& name, const std::vector<std::int64_t>& dims) {
    std::string shape;
    for (const auto dim : dims) {
      std::string d;
      number(d, 1, dim);
      bytes(shape, 1, d);
    }
    std::string tensor;
    number(tensor, 1, kFloat);
    bytes(tensor, 2, shape);
    std::string type;
    bytes(type, 1, tensor);
    std::string v;
    bytes(v, 1, name);
    bytes(v, 2, type);
    bytes(text, field, v);
  }
  [[nodiscard]] std::string model() const {
    std::string graph = text;
    bytes(graph, 2, "tiny");
    std::string opset;
    bytes(opset, 1, "");
    number(opset, 2, 13);
    std::string out;
    number(out, 1, 8);  // IR version
    bytes(out, 7, graph);
    bytes(out, 8, opset);
    return out;
  }
};

}  // namespace tiny_onnx

/// Two layers of `width` x `width` on `rows` samples: y = Relu(x W1) W2. Weights lie in [-1, 1] /
/// sqrt(width). `quantised`: activations as uint8 and weights as int8, per tensor, through
/// QLinearMatMul; the scales come from the ranges of the same weights.
inline std::string perceptron_onnx(std::int64_t rows, std::int64_t width, bool quantised) {
  using namespace tiny_onnx;
  Graph g;
  g.value(11, "x", {rows, width});
  g.value(12, "y", {rows, width});
  const float range = 1.0F / std::sqrt(static_cast<float>(width));
  const auto weights = [&](std::uint32_t seed) {
    std::vector<float> w(static_cast<std::size_t>(width * width));
    for (auto& value : w) {
      seed = seed * 1664525U + 1013904223U;
      value = range * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return w;
  };
  const std::vector<float> first = weights(1);
  const std::vector<float> second = weights(2);
  if (!quantised) {
    g.initializer("w1", kFloat, {width, width}, first);
    g.initializer("w2", kFloat, {width, width}, second);
    g.node("MatMul", {"x", "w1"}, "a");
    g.node("Relu", {"a"}, "b");
    g.node("MatMul", {"b", "w2"}, "y");
    return g.model();
  }
  const auto scale = [&](const std::string& name, float step, int zero, int type) {
    g.initializer(name + "_scale", kFloat, {}, std::vector<float>{step});
    g.initializer(name + "_zero", type, {},
                  std::vector<std::int8_t>{static_cast<std::int8_t>(zero)});
  };
  const auto quantise = [&](const std::string& name, const std::vector<float>& values) {
    std::vector<std::int8_t> q;
    for (const float v : values)
      q.push_back(static_cast<std::int8_t>(std::lround(v / range * 127)));
    g.initializer(name, kInt8, {width, width}, q);
    scale(name, range / 127, 0, kInt8);
  };
  quantise("w1", first);
  quantise("w2", second);
  scale("x", 1.0F / 32, -128, kUint8);  // the byte of 128
  scale("a", 1.0F / 32, 0, kUint8);     // Relu is the lower end of its range
  scale("y", 1.0F / 32, -128, kUint8);
  g.node("QuantizeLinear", {"x", "x_scale", "x_zero"}, "xq");
  g.node("QLinearMatMul",
         {"xq", "x_scale", "x_zero", "w1", "w1_scale", "w1_zero", "a_scale", "a_zero"}, "aq");
  g.node("QLinearMatMul",
         {"aq", "a_scale", "a_zero", "w2", "w2_scale", "w2_zero", "y_scale", "y_zero"}, "yq");
  g.node("DequantizeLinear", {"yq", "y_scale", "y_zero"}, "y");
  return g.model();
}

}  // namespace neurolens::test_support
