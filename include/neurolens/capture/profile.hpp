/// \file
/// The main job in one call: a model in, a Run out.
#pragma once

#include "neurolens/base/result.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// Measures a model with the adapter that `request` names and returns a Run that passes
/// run::validate(). Writes no file of its own except temporary ones, which it removes.
/// Errors:
///   bad_request   the request contradicts itself or does not fit the model (the message says how);
///   not_found     model, input file, or adapter does not exist;
///   parse_error, invalid_document   the file is no ONNX model;
///   refused       the backend refused model or inputs; its reason is passed on;
///   unavailable   no backend library, or too old: the sentence that mends it;
///   crashed       (isolated) the backend ended by a signal; timed_out: it hung; out_of_memory;
///   cancelled     asked to stop before anything was measured.
/// Threads: one measurement at a time per process, or they disturb each other.
[[nodiscard]] Result<run::Run> profile_model(const CaptureRequest& request);

}  // namespace neurolens::capture
