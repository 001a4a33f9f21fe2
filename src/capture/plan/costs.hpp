/// \file
/// What the executed ops must compute and move, from the shapes that the runtime's events showed.
/// Formulas: docs/reference/op_costs.md; conventions: docs/decisions/0023.
#pragma once

#include <vector>

#include "adapters/onnxruntime/op_collector.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/onnx/types.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture {

/// Adds what the ops of `plan` wrote to `observed`, under the names of the optimised graph.
void observe_outputs(const Plan& plan, const OpCollector& collector,
                     onnx::ObservedTensors& observed);

/// Adds what the nodes of `original` wrote, where the events are those of a session without
/// optimisation. Such a session numbers nodes as the file does, constants left out; where any
/// number contradicts the file, nothing is added.
/// Returns the number of tensors that were added.
std::size_t observe_original(const OpCollector& collector, const onnx::Graph& original,
                             onnx::ObservedTensors& observed);

/// What was seen of the graphs that a plan comes from. Not owned.
struct ObservedGraphs {
  const onnx::Graph* optimised = nullptr;  ///< The one that `plan.nodes` points into.
  const onnx::ObservedTensors* tensors = nullptr;
  const onnx::Graph* original = nullptr;  ///< nullptr: fused nodes have their own formulas.
  const onnx::ObservedTensors* original_tensors = nullptr;
};

/// Sets the cost of every op, per iteration like its time. FLOPs are those of the original nodes
/// that an op stands for, so that they do not depend on the optimisation. An op in a body counts as
/// often as it ran; the op around the body counts nothing of its own, because its time is
/// exclusive too. Unknown stays null, also where the shapes changed from one execution to the next.
void fill_costs(Plan& plan, const OpCollector& collector, const ObservedGraphs& seen);

}  // namespace neurolens::capture
