/// \file
/// Fills in the times per op of an assembled Run.
#pragma once

#include <string>

#include "adapters/onnxruntime/calibrate.hpp"
#include "adapters/onnxruntime/op_collector.hpp"
#include "fit/belief.hpp"
#include "neurolens/run/types.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture::ort {

/// Method "observed": what the profiler says, at face value (medians with intervals).
void estimate_observed(run::Run& run);

/// Method "corrected": without the ledger's cost, adding up to the unobserved latency. Also writes
/// the ledger into run.overhead. `plan` must be the one that the ops of `run` came from.
void estimate_by_ledger(run::Run& run, const Plan& plan, const OpCollector& ops,
                        const Calibration& calibration, std::uint64_t seed);

/// The time of an estimate with the error that its interval tells; 0 without an interval.
[[nodiscard]] Belief belief_of(const run::Estimate& estimate);

/// Equal for ops that do the same work: type, attributes, shapes, provider, number of executions.
/// Empty where one of these is not known.
[[nodiscard]] std::string work_of(const run::Op& op);

/// Lets ops of equal work tell each other's time, as far as their errors leave it open
/// (fit/like_ops.hpp). Their sum stays, and intervals keep their widths: what such ops have in
/// common may be wrong for all of them.
void share_among_like_ops(run::Run& run);

}  // namespace neurolens::capture::ort
