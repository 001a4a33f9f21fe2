/// \file
/// Dataflow between the ops of a plan, and its longest path by time: what would still be there if
/// everything that does not depend on each other ran side by side.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "neurolens/analyze/summary.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// One op reads what another one wrote.
struct DataflowEdge {
  run::OpId from;
  run::OpId to;
  friend auto operator<=>(const DataflowEdge&, const DataflowEdge&) = default;
};

/// Every edge once, ascending. Empty when tensors have no names. Pure; O(n log n).
[[nodiscard]] std::vector<DataflowEdge> dataflow(const run::Run& run);

/// The longest path.
struct CriticalPath {
  std::vector<run::OpId> ops;  ///< In execution order.
  double time_ns = 0;          ///< Sum of the path's times.
  double total_ns = 0;         ///< Sum over all ops.
};

/// nullopt when the plan has no dataflow, no time, or edges against the plan's order. Pure; O(n +
/// e).
[[nodiscard]] std::optional<CriticalPath> critical_path(const run::Run& run, const Summary& summary,
                                                        const std::vector<DataflowEdge>& edges);

}  // namespace neurolens::analyze
