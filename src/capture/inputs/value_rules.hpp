/// \file
/// Which values an input may hold: found by looking at the ops that consume it. An index must stay
/// inside the table that it indexes, a divisor must not be 0, a shape must be one that its op can
/// take.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inputs/shapes.hpp"
#include "neurolens/onnx/graph.hpp"

namespace neurolens::capture {

/// Values in [low, high), or `exact` in this order (repeated when the tensor is longer).
struct ValueRule {
  double low = 0;
  double high = 1;
  std::vector<double> exact;
};

/// What is known about sizes before the model runs.
class ShapeTable {
 public:
  /// Initialisers, inputs as resolved, and declared types of inner tensors and outputs.
  ShapeTable(const onnx::Graph& graph, const std::vector<InputSpec>& inputs,
             const ResolvedShapes& shapes);
  /// Dimensions of a tensor, -1 for one that is not known; nullopt when nothing is.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> dims(const std::string& tensor) const;

 private:
  std::map<std::string, std::vector<std::int64_t>> dims_;
};

/// The rule for one input; nullopt when no consumer demands anything.
[[nodiscard]] std::optional<ValueRule> value_rule(const onnx::Graph& graph,
                                                  const ShapeTable& shapes,
                                                  const std::string& input);

}  // namespace neurolens::capture
