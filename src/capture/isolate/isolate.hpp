/// \file
/// Runs a measurement in a process of its own: whatever a backend does to itself (a segmentation
/// fault, an abort, a hang, eating all memory) becomes an error here. The child is forked, not
/// started anew, so it needs no program file; it leaves by _exit. Its memory is bounded, it is the
/// kernel's first choice when memory runs out, it dies with its parent, and it writes no core file.
/// What it prints is kept for the error message.
#pragma once

#include <functional>

#include "neurolens/base/result.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// Calls `work` in the child with `request` (attention forwarded both ways) and returns what it
/// returns. Errors besides those of `work`: crashed with signal and model; timed_out after
/// request.stall_limit without a sign of life; out_of_memory; cancelled when the child does not
/// stop in time. The calling process must not have used the backend itself before.
[[nodiscard]] Result<run::Run> run_isolated(
    const CaptureRequest& request,
    const std::function<Result<run::Run>(const CaptureRequest&)>& work);

}  // namespace neurolens::capture
