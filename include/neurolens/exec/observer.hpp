/// \file
/// The hook by which a tracer sees tasks. Without one, nothing is timed and nothing is called.
#pragma once

#include "neurolens/base/units.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec {

/// Sees the begin and the end of every call of a task function.
/// Calls come from the thread that runs the task, so calls for different tasks overlap; begin and
/// end of one call come from the same thread and nest properly. In process mode they come from the
/// thread of the parent that waits for the worker process. An implementation must be safe for that,
/// quick, and must not throw.
class TaskObserver {
 public:
  virtual ~TaskObserver() = default;
  /// REQUIRED. `now`: monotonic clock. `worker` in [0, workers). `attempt` counts from 1.
  virtual void begin(TaskId task, std::uint32_t worker, std::uint32_t attempt, Nanoseconds now) = 0;
  /// REQUIRED. `outcome` is suspended when a coroutine waits or a retry will follow.
  virtual void end(TaskId task, std::uint32_t worker, Outcome outcome, Nanoseconds now) = 0;
};

}  // namespace neurolens::exec
