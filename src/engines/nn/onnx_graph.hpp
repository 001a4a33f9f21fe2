// The part of ONNX that layers need to describe themselves. The wire format is written by
// onnx_export.cpp; layers only name operators, inputs and constants.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace neurolens::nn {

struct OnnxAttribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>> value;
};

class OnnxGraph {
 public:
  struct Node {
    std::string op;
    std::vector<std::string> inputs;
    std::string output;
    std::vector<OnnxAttribute> attributes;
  };
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> dims;
    std::vector<float> floats;  // exactly one of the two is filled
    std::vector<std::int64_t> integers;
  };

  // Appends an operator; returns the name of its output.
  std::string add(std::string op, std::vector<std::string> inputs,
                  std::vector<OnnxAttribute> attributes = {}) {
    std::string output = "v" + std::to_string(nodes_.size()) + "_" + op;
    nodes_.push_back({std::move(op), std::move(inputs), output, std::move(attributes)});
    return output;
  }
  // A constant from parameters; returns its name.
  template <class T>
  std::string tensor(const std::string& hint, std::vector<std::int64_t> dims, const T* data) {
    std::int64_t n = 1;
    for (const auto d : dims) n *= d;
    Tensor t;
    t.name = hint + "_" + std::to_string(tensors_.size());
    t.dims = std::move(dims);
    t.floats.assign(data, data + n);
    tensors_.push_back(std::move(t));
    return tensors_.back().name;
  }
  std::string scalar(double value) {
    const float v = static_cast<float>(value);
    return tensor("scalar", {}, &v);
  }
  std::string integers(std::vector<std::int64_t> values) {
    Tensor t;
    t.name = "shape_" + std::to_string(tensors_.size());
    t.dims = {static_cast<std::int64_t>(values.size())};
    t.integers = std::move(values);
    tensors_.push_back(std::move(t));
    return tensors_.back().name;
  }
  // x W + b with W stored [in][out].
  template <class T>
  std::string dense(const std::string& x, std::int64_t in, std::int64_t out, const T* w,
                    const T* b) {
    std::string y = add("MatMul", {x, tensor("weight", {in, out}, w)});
    return b == nullptr ? y : add("Add", {y, tensor("bias", {out}, b)});
  }

  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  std::vector<Node> nodes_;
  std::vector<Tensor> tensors_;
};

// The operator sequence of a pointwise function.
std::string onnx_activation(OnnxGraph& graph, int kind, const std::string& x);

}  // namespace neurolens::nn
