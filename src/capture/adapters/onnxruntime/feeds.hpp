/// \file
/// From a request and a session's inputs to values that the session accepts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/onnxruntime/runtime_session.hpp"
#include "inputs/shapes.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/onnx/graph.hpp"

namespace neurolens::capture::ort {

struct PreparedFeeds {
  FeedSet set;
  ResolvedShapes shapes;
  std::vector<std::string> notes;  ///< Fallbacks that were taken.
};

/// Chooses shapes, reads or generates content, and makes sure that the session runs with it: when
/// the runtime refuses generated values, zeros and then ones take the place of integers that no
/// rule binds. Errors: those of resolve_shapes() and read_input_file(); refused with the runtime's
/// first reason.
Result<PreparedFeeds> prepare_feeds(const std::shared_ptr<const Library>& library,
                                    RuntimeSession& session, const onnx::Graph* graph,
                                    const CaptureRequest& request);

}  // namespace neurolens::capture::ort
