#include "onnx_graph.hpp"

namespace neurolens::nn {

std::string onnx_activation(OnnxGraph& g, int kind, const std::string& x) {
  switch (kind) {
    case 1:
      return g.add("Relu", {x});
    case 2:
      return g.add("Tanh", {x});
    case 3:
      return g.add("Sigmoid", {x});
    case 4: {  // gelu in its tanh form
      const auto cube = g.add("Mul", {g.add("Mul", {x, x}), x});
      const auto sum = g.add("Add", {x, g.add("Mul", {cube, g.scalar(0.044715)})});
      const auto t = g.add("Tanh", {g.add("Mul", {sum, g.scalar(0.7978845608028654)})});
      return g.add("Mul", {g.add("Mul", {x, g.scalar(0.5)}), g.add("Add", {t, g.scalar(1)})});
    }
    case 5:
      return g.add("Mul", {x, g.add("Sigmoid", {x})});
    default:
      return x;
  }
}

}  // namespace neurolens::nn
