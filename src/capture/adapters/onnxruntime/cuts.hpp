/// \file
/// Cut profiling: times per op from unobserved runs of the optimised model cut after its first k
/// nodes.
#pragma once

#include <memory>
#include <string>

#include "adapters/onnxruntime/library.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/run/types.hpp"
#include "plan/plan.hpp"

namespace neurolens::capture::ort {

/// What cutting starts from.
struct CutInput {
  std::string optimised_path;  ///< The optimised model, weights beside it.
  const Plan* plan = nullptr;  ///< What `run.ops` came from.
  const FeedSet* feeds = nullptr;
  double unobserved_ns = 0;  ///< Median latency of the whole model.
  double call_ns = 0;        ///< Of which this belongs to no op (without the rest below),
                             ///< with its interval.
  double call_low_ns = 0;
  double call_high_ns = 0;
  double output_ns = 0;  ///< What each output beyond the first adds to a call.
  double buffer_ns = 0;  ///< What the first tensor between two ops adds to a call.
};

/// `graph` is the optimised model's that `plan` was made with.
/// Settles the `request.top` most expensive ops of `run` within `request.budget`: their estimates
/// become method "cut"; those of the others, which must be filled in, are scaled to what is left.
/// Notes say what was done and what differed. Errors: those of reading the optimised model;
/// refused; the estimates are then as they were.
Status settle_by_cuts(const std::shared_ptr<const Library>& library, const CaptureRequest& request,
                      const CutInput& input, const std::string& folder, const onnx::Graph& graph,
                      run::Run& run);

}  // namespace neurolens::capture::ort
