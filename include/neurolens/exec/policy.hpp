/// \file
/// What may be asked for per task: retries, a deadline, resource tokens, priority, memory of
/// results.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/units.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec {

/// Calls a failed task again. The worker does other work while a task waits for its next call.
struct Retry {
  /// Further calls after the first, >= 0.
  std::uint32_t times = 0;
  /// Wait before the first further call, >= 0.
  Nanoseconds delay{0};
  /// Each wait is this many times the one before, >= 1.
  double factor = 2.0;
  /// No wait is longer.
  Nanoseconds most_delay{60'000'000'000};
  /// Each wait is multiplied by 1 + jitter * u, u uniform in [-1, 1), from the run's seed, the task
  /// and the attempt. In [0, 1]. Raising it spreads tasks that failed together.
  double jitter = 0.1;
  /// Which errors are worth another call; empty means all. Called on a worker; must not throw.
  std::function<bool(const TaskError&)> only_if;
};

/// The wait before call number `attempt` + 1. `draw` uniform in [0, 1).
[[nodiscard]] Nanoseconds backoff(const Retry& retry, std::uint32_t attempt, double draw);

/// A task holds `amount` of the token `name` while it runs.
struct TokenDemand {
  std::string name;
  std::uint64_t amount = 1;
};

/// What a task asks for besides its dependencies.
struct Policy {
  Retry retry;
  /// Longest time for one call, > 0. The task ends `timed_out` when it is exceeded: cooperative in
  /// threads (the function should ask TaskContext::cancelled()), hard in process mode (the worker
  /// process is killed), at the next suspension point in a coroutine.
  std::optional<Nanoseconds> deadline;
  /// All are acquired together before the task runs; waiting tasks are served in order of priority,
  /// then of arrival, and none is overtaken by another that wants the same token.
  std::vector<TokenDemand> tokens;
  /// Above 0: before all ready tasks of lower priority. Below 0: only when there is no other work.
  /// Tasks of priority 0 follow the critical path.
  std::int32_t priority = 0;
  /// Version of the task's code. When set and the run has a checkpoint store, the result is kept
  /// under a hash of this, the task's path and its arguments, and the task is not run again.
  std::optional<std::string> code_version;

  [[nodiscard]] bool trivial() const {
    return retry.times == 0 && !deadline && tokens.empty() && priority == 0 && !code_version;
  }
};

}  // namespace neurolens::exec
