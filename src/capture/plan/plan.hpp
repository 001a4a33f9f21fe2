/// \file
/// The executed plan as ops of a Run: events of the profiler joined with the optimised model that
/// the runtime wrote and with the model as the user wrote it.
#pragma once

#include <string>
#include <vector>

#include "adapters/onnxruntime/op_collector.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

struct Plan {
  std::vector<run::Op> ops;              ///< In execution order.
  std::vector<std::size_t> collected;    ///< Per op: its index in OpCollector::ops().
  std::vector<const onnx::Node*> nodes;  ///< Per op: its node in the optimised graph, or nullptr.
  std::vector<std::string> notes;        ///< What could not be joined.
};

/// Either graph may be nullptr: then names, shapes and origins are as far as the events tell.
[[nodiscard]] Plan build_plan(const OpCollector& collector, const onnx::Graph* optimised,
                              const onnx::Graph* original);

/// SHA-256 over the attributes in canonical order; equal work, equal hash, whatever the names.
[[nodiscard]] std::string attributes_hash(const onnx::Node& node);

}  // namespace neurolens::capture
