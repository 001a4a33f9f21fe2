/// \file
/// How formulas are written down and what they see. Private to this folder.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "neurolens/onnx/op_costs.hpp"

namespace neurolens::onnx::costs {

using Dims = std::vector<std::int64_t>;

/// A formula's result. Doubles: exact to 2^53, and no overflow on the way.
struct Count {
  double matrix = 0;
  double vector = 0;
  double transcendental = 0;
};

/// A node and its tensors.
class View {
 public:
  View(const Node& node, const OpContext& context) : node_(node), context_(context) {}
  [[nodiscard]] const Node& node() const { return node_; }
  /// nullptr when left out or not observed.
  [[nodiscard]] const ObservedTensor* in(std::size_t i) const {
    return i < context_.inputs.size() ? context_.inputs[i] : nullptr;
  }
  [[nodiscard]] const ObservedTensor* out(std::size_t i) const {
    return i < context_.outputs.size() ? context_.outputs[i] : nullptr;
  }
  [[nodiscard]] bool weight(std::size_t i) const {
    return i < context_.weights.size() && context_.weights[i];
  }
  /// True when the node names an input there, observed or not.
  [[nodiscard]] bool has_in(std::size_t i) const {
    return i < node_.inputs.size() && !node_.inputs[i].empty();
  }

 private:
  const Node& node_;
  const OpContext& context_;
};

[[nodiscard]] double product(std::span<const std::int64_t> dims);
[[nodiscard]] inline double elements(const ObservedTensor& tensor) {
  return product(tensor.dims);
}

/// Which bytes must move at least.
enum class Traffic : std::uint8_t {
  all,      ///< Every input and output once.
  none,     ///< A view of the same memory.
  taken,    ///< Of the first input only what is taken: rows, or a slice; the rest once.
  written,  ///< Outputs only: the inputs are read while loading or describe the shape.
};

struct Formula;
using Counter = bool (*)(const View& view, const Formula& formula, Count& count);

/// One line of the registry. `operators` are separated by spaces; "ms:" stands for com.microsoft,
/// "nchwc:" and "nhwc:" for the domains of blocked and channels-last operators.
struct Formula {
  std::string_view id;
  std::string_view operators;
  std::string_view flops;
  Counter count;
  Traffic traffic = Traffic::all;
  double per_element = 0;     ///< Vector FLOPs, for formulas that are linear.
  double transcendental = 0;  ///< Calls per element.
  std::string_view assumptions = {};
};

/// Tables by theme; concatenated they are the registry.
[[nodiscard]] std::span<const Formula> elementwise_formulas();
[[nodiscard]] std::span<const Formula> movement_formulas();
[[nodiscard]] std::span<const Formula> matrix_formulas();
[[nodiscard]] std::span<const Formula> attention_formulas();
[[nodiscard]] std::span<const Formula> reduction_formulas();
[[nodiscard]] std::span<const Formula> quantized_formulas();

/// The formula of a qualified operator, nullptr when there is none.
[[nodiscard]] const Formula* find_formula(std::string_view qualified);

/// Adds what the attribute "activation" of a fused node costs on `n` elements. False: unknown.
[[nodiscard]] bool add_activation(const View& view, double n, Count& count);

}  // namespace neurolens::onnx::costs
