/// \file
/// Shapes of the tensors that optimisation removes: one inference of the model as it was written.
#pragma once

#include <memory>
#include <string>

#include "adapters/onnxruntime/library.hpp"
#include "adapters/onnxruntime/runtime_session.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/onnx/graph.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::capture::ort {

/// Types and dimensions of the tensors that go in.
[[nodiscard]] onnx::ObservedTensors observed_feeds(const FeedSet& feeds);

/// Runs the model once, without optimisation and with the runtime's profiler, and adds what
/// `original`, its graph, wrote to `observed`. The profile goes to `folder` and is removed.
/// Errors: refused, also when the nodes are not those of `original`; those of reading the profile.
Status run_original(const std::shared_ptr<const Library>& library, const CaptureRequest& request,
                    const FeedSet& feeds, const std::string& folder, const onnx::Graph& original,
                    onnx::ObservedTensors& observed);

}  // namespace neurolens::capture::ort
