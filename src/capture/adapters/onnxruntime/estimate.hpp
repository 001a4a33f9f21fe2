/// \file
/// Fills in the times per op of an assembled Run.
#pragma once

#include "adapters/onnxruntime/calibrate.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "neurolens/run/types.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture::ort {

/// Method "observed": what the profiler says, at face value (medians with intervals).
void estimate_observed(run::Run& run);

/// Method "corrected": without the ledger's cost, adding up to the unobserved latency. Also writes
/// the ledger into run.overhead. `plan` must be the one that the ops of `run` came from.
void estimate_by_ledger(run::Run& run, const Plan& plan, const OpCollector& ops,
                        const Calibration& calibration, std::uint64_t seed);

}  // namespace neurolens::capture::ort
