/// \file
/// A `solve` request as a workload, so that the solve a user asked for can be kept as a Run.
#pragma once

#include <memory>
#include <optional>

#include "neurolens/capture/engine.hpp"
#include "neurolens/engines/pde/solve.hpp"

namespace neurolens::workloads {

/// Every iteration solves `request` anew, plans included, with `context`'s workers and attention,
/// and leaves its answer in `answer`, which must outlive the workload. `options` appears in the
/// Run.
[[nodiscard]] std::unique_ptr<capture::EngineWorkload> make_solve(
    pde::SolveRequest request, const pde::Context& context,
    std::map<std::string, std::string> options, std::optional<pde::SolveAnswer>& answer);

}  // namespace neurolens::workloads
