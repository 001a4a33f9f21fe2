/// \file
/// Which nodes of a model the nodes of its optimised form stand for.
/// Optimisers keep the names of the tensors that survive, and give names to nodes that tell what
/// they replaced. Method: a tensor of the optimised graph stands for the one of the same name; for
/// one without a counterpart, the name of its node, its place behind a mere change of layout, or a
/// node of the same kind that reads the same tensor tells. Then every node of the original between
/// the tensors that an optimised node reads and those that it writes belongs to it.
/// Limits: nodes that an optimiser split up belong to the part that gives their result; the others
/// own nothing. Nodes inside subgraphs belong to the node that holds them.
#pragma once

#include <vector>

#include "neurolens/onnx/graph.hpp"

namespace neurolens::onnx {

struct NodeOrigins {
  /// For each node of the optimised graph, the nodes of the original that it computes, ascending.
  /// Empty for what the optimiser added: changes of layout, casts, shapes around a fusion.
  std::vector<std::vector<NodeId>> origins;
  /// Nodes of the original that belong to none: computed at loading, or removed. Ascending.
  std::vector<NodeId> unclaimed;
};

/// Every node of `original` belongs to at most one node of `optimised`. With the same graph twice,
/// each belongs to itself. Pure; linear in the size of both graphs.
[[nodiscard]] NodeOrigins map_to_original(const Graph& original, const Graph& optimised);

}  // namespace neurolens::onnx
