/// \file
/// Which nodes of the graph as the user wrote it an executed node stands for.
/// Optimisers keep the names of tensors that survive, so an executed node stands for what produces
/// its outputs, back to the tensors that other executed nodes produce. Nodes that no name leads to
/// (they were folded into a neighbour) go to the op that produces their last input. What depends on
/// no input was computed when the model was loaded and belongs to no op.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "neurolens/onnx/graph.hpp"

namespace neurolens::capture {

/// The nodes of a graph and of the bodies inside, in execution order, and what they belong to.
struct FlatNode {
  const onnx::Node* node = nullptr;
  const onnx::Node* owner =
      nullptr;  ///< The control-flow node whose body it is in; nullptr at the top.
};
[[nodiscard]] std::vector<FlatNode> flatten(const onnx::Graph& graph);

/// For each of `executed` (in execution order; nullptr where nothing is known) the indices of nodes
/// in `original` that it stands for, ascending. No original node appears twice.
[[nodiscard]] std::vector<std::vector<std::size_t>> find_origins(
    const std::vector<const onnx::Node*>& executed, const std::vector<FlatNode>& original);

}  // namespace neurolens::capture
