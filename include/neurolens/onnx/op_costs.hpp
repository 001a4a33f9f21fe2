/// \file
/// What operators must compute and move at least: FLOPs and minimum bytes from observed shapes.
/// Conventions: a multiply-add counts 2; matrix FLOPs (convolutions, products), vector FLOPs and
/// calls of transcendental functions are separate; integer products count like floating ones.
/// Minimum bytes: each tensor once, at its own size, weights (initialisers) apart. All formulas are
/// listed in docs/reference/op_costs.md. What is not known is null, never 0.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/units.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/onnx/model.hpp"
#include "neurolens/onnx/origins.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::onnx {

/// Costs of one execution. A null: no formula, or a shape that it needs was not observed.
struct OpCost {
  std::optional<Flops> matrix_flops;
  std::optional<Flops> vector_flops;
  std::optional<std::int64_t>
      transcendental_ops;                 ///< Calls of exp, log, sqrt, erf, ... per element.
  std::optional<Bytes> weight_bytes;      ///< Initialisers that are read.
  std::optional<Bytes> activation_bytes;  ///< Other inputs, and outputs.
  std::string formula_id;                 ///< Of OpFormula; empty when there is none.
  std::string assumptions;                ///< Of the formula; often empty.

  /// Matrix and vector FLOPs together.
  [[nodiscard]] std::optional<Flops> flops() const;
  [[nodiscard]] std::optional<Bytes> bytes() const;
};

/// What a node saw. Entries beside the node's inputs and outputs, by position; nullptr: left out or
/// not observed. Not owned.
struct OpContext {
  std::vector<const ObservedTensor*> inputs;
  std::vector<const ObservedTensor*> outputs;
  std::vector<bool> weights;  ///< For each input: is it an initialiser?
};

/// The cost of one node that holds no subgraph. Pure.
[[nodiscard]] OpCost op_cost(const Node& node, const OpContext& context);

/// What a run showed of a node with subgraphs.
struct ControlFlow {
  std::int64_t trips = 1;   ///< How often the body ran (Loop, Scan).
  bool then_branch = true;  ///< Which branch ran (If).
};
using ObservedControl = std::map<NodeId, ControlFlow>;

struct GraphCosts {
  std::vector<OpCost> ops;  ///< By node.
  /// Sums over what is known; formula_id is empty.
  OpCost total;
  /// Qualified types of the nodes without known FLOPs: the total lacks them. Sorted, unique.
  std::vector<std::string> unknown;
};

/// Costs of every node. `observed` names the tensors of the graph and of its subgraphs; shapes of
/// initialisers are known anyway. A Loop or Scan costs its body times `control`'s trips, an If the
/// branch that ran; without an entry, and inside of other subgraphs, they are null.
[[nodiscard]] GraphCosts graph_costs(const Graph& graph, const ObservedTensors& observed,
                                     const ObservedControl& control = {});
[[nodiscard]] GraphCosts model_costs(const Model& model, const ObservedTensors& observed,
                                     const ObservedControl& control = {});

/// Gives nodes of an optimised graph the FLOPs of the nodes that they stand for, where all of those
/// are known (formula "members"): so that optimisation neither loses FLOPs nor adds any, be it by
/// another form of a function or by channels that a blocked layout fills up. Bytes stay those of
/// the boundary. `optimised` and `original` are costs of the graphs that `origins` was made from,
/// `graph` is the optimised one.
void take_from_origins(const Graph& graph, GraphCosts& optimised, const GraphCosts& original,
                       const NodeOrigins& origins);

/// One formula, for documents.
struct OpFormula {
  std::string id;
  std::string flops;                   ///< In words.
  std::string bytes;                   ///< In words.
  std::string assumptions;             ///< Empty when there is none.
  std::vector<std::string> operators;  ///< Qualified types.
};
/// All formulas, in a fixed order.
[[nodiscard]] std::vector<OpFormula> op_formulas();

}  // namespace neurolens::onnx
