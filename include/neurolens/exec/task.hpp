/// \file
/// What a task is to its function and to whoever asks afterwards: id, context, end state, error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "neurolens/base/random.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/strong_id.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::exec {

class TaskContext;
enum class Outcome : std::uint8_t;

namespace detail {
class RunCore;
struct Access;
struct Engine;
/// Records an error that the function returned.
Outcome report_error(TaskContext& context, Error error) noexcept;
}  // namespace detail

/// Index of a task within its graph: 0, 1, 2, ... in the order of adding.
using TaskId = StrongId<struct TaskTag>;

/// Most tasks in one graph (the top bit of an index marks a successor with one predecessor).
inline constexpr std::uint32_t kMostTasks = 0x7FFF'FFFF;

/// How a task ended. Every task of a finished run has exactly one of these.
enum class EndState : std::uint8_t {
  done,       ///< Ran and returned a value.
  failed,     ///< Ran and threw, returned an error, or crashed its worker process.
  skipped,    ///< Never ran: a dependency did not end well, or its condition was false.
  cancelled,  ///< Asked to stop before or while it ran.
  timed_out,  ///< Ran past its deadline.
};
inline constexpr std::size_t kEndStates = 5;

/// "done", "failed", "skipped", "cancelled" or "timed_out".
[[nodiscard]] std::string_view to_string(EndState state) noexcept;

/// What one call of a task function came to; for authors of task wrappers, not of tasks.
enum class Outcome : std::uint8_t { done, failed, skipped, cancelled, timed_out, suspended };

/// Why a task did not end `done`.
struct TaskError {
  /// Code and sentence; `where` is the task's path.
  Error error;
  /// Type of what was thrown, such as "std::runtime_error"; empty when an Error was returned.
  std::string type;
  /// Calls of the function, the last one included. 0 when it never ran.
  std::uint32_t attempts = 0;
  /// The signal that ended the worker process; 0 when none did.
  int signal = 0;
};

/// What a running task may ask about itself. Passed to functions whose first parameter is a
/// TaskContext&. Valid during the call only; one thread.
class TaskContext {
 public:
  [[nodiscard]] TaskId task() const noexcept { return TaskId{task_}; }
  /// Index of the worker that runs this, in [0, workers).
  [[nodiscard]] std::uint32_t worker() const noexcept { return worker_; }
  /// 1 for the first call, 2 for the first retry, ...
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }
  /// True when the task should return soon: its run or the task was cancelled, or its deadline has
  /// passed. Costs a load, and a clock reading when there is a deadline.
  [[nodiscard]] bool cancelled() const noexcept;
  /// Time to the deadline (negative when past); nullopt without one.
  [[nodiscard]] std::optional<Nanoseconds> time_left() const noexcept;
  /// Random numbers that depend on the run's seed, the task and nothing else: the same for every
  /// number of workers and every mode. A retry sees the same numbers again.
  [[nodiscard]] Random random() const noexcept;
  /// `return context.skip("nothing to do");` from a function that returns Status or Result: the
  /// task ends `skipped`, and so do those that need its result.
  [[nodiscard]] Error skip(std::string why) noexcept;

 private:
  friend class detail::RunCore;
  friend struct detail::Engine;
  friend Outcome detail::report_error(TaskContext& context, Error error) noexcept;
  friend struct detail::Access;
  std::byte* slots_ = nullptr;  // results of the run, by offset
  std::uint32_t task_ = 0;
  std::uint32_t worker_ = 0;
  std::uint32_t attempt_ = 1;
  detail::RunCore* run_ = nullptr;
  std::int64_t deadline_ns_ = 0;  // monotonic; 0: none
  bool skip_ = false;
};

namespace detail {

/// Turns the exception being handled into the task's error. Call inside a catch block.
Outcome report_exception(TaskContext& context) noexcept;
/// End state of another task of the same run; requires that it has ended.
[[nodiscard]] EndState state_of(const TaskContext& context, std::uint32_t task) noexcept;
/// Error of another task of the same run; nullptr when it has none of its own.
[[nodiscard]] const TaskError* error_of(const TaskContext& context, std::uint32_t task) noexcept;

/// The keyhole through which task wrappers in public headers see a context.
struct Access {
  static std::byte* slots(TaskContext& context) noexcept { return context.slots_; }
  static RunCore* run(const TaskContext& context) noexcept { return context.run_; }
};

}  // namespace detail
}  // namespace neurolens::exec
