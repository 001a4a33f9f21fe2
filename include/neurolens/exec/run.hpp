/// \file
/// One run of a graph, and the answers afterwards. Common to flat and typed graphs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/exec/executor.hpp"
#include "neurolens/exec/task.hpp"
#include "neurolens/exec/topology.hpp"

namespace neurolens::exec {

namespace detail {
/// Deletes where RunCore is complete.
struct CoreDeleter {
  void operator()(RunCore* core) const noexcept;
};
using CorePtr = std::unique_ptr<RunCore, CoreDeleter>;  ///< RunCore stays incomplete for users.
}  // namespace detail

/// State of a run: end states, errors, report. Keeps its memory, so that running again is cheap.
/// Threads: one run at a time; the questions may be asked by any thread between runs.
class Run {
 public:
  ~Run();
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;

  /// Runs every task and returns when all have ended. Earlier results are dropped.
  /// That tasks failed is no error of run(): ask report() or states. Errors: bad_request, not_found
  /// when the run cannot begin (an unknown token, an input without a value, a result that cannot
  /// cross processes); unavailable when threads or processes cannot be made.
  [[nodiscard]] Status run(Executor& executor, const RunOptions& options = {});

  [[nodiscard]] const RunReport& report() const noexcept;
  /// Requires a finished run.
  [[nodiscard]] EndState state(TaskId task) const noexcept;
  /// The task's own error; nullptr for tasks that ended `done` and for those skipped because of
  /// others.
  [[nodiscard]] const TaskError* error(TaskId task) const noexcept;
  /// Tasks that ended in `state`, in order.
  [[nodiscard]] std::vector<TaskId> ended(EndState state) const;
  /// Direct dependencies that are the reason why `task` was skipped, in order.
  [[nodiscard]] std::vector<TaskId> causes(TaskId task) const;
  /// One sentence that follows the causes down to the first failure:
  /// "c was skipped because b was skipped because a failed: std::runtime_error: no such table".
  [[nodiscard]] std::string explain(TaskId task) const;
  /// OK, or task_failed with the explanation of the first task (by id) that did not end well and
  /// how many more there are.
  [[nodiscard]] Status status() const;
  /// Zeroes unless RunOptions::record_times was set.
  [[nodiscard]] TaskTimes times(TaskId task) const noexcept;
  /// Path of the task in its graph.
  [[nodiscard]] std::string name(TaskId task) const;
  /// Memory held for run state, results not included.
  [[nodiscard]] std::size_t bytes() const noexcept;

 protected:
  explicit Run(detail::CorePtr core);
  [[nodiscard]] detail::RunCore& core() noexcept { return *core_; }
  [[nodiscard]] const detail::RunCore& core() const noexcept { return *core_; }

 private:
  detail::CorePtr core_;
};

/// A run on its own thread: start, look, wait.
class Running {
 public:
  /// Begins `run` in the background. `run`, `executor` and what `options` points to must outlive
  /// this.
  Running(Run& run, Executor& executor, RunOptions options);
  /// Waits for the end.
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Waits at most `patience`; nullopt when the run is not over yet, else what Run::run returned.
  [[nodiscard]] std::optional<Status> wait(Nanoseconds patience);
  /// Waits for the end.
  [[nodiscard]] Status wait();
  [[nodiscard]] Control& control() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::exec
