/// \file
/// A remote control for a run that is under way: cancel, pause, progress. Safe from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "neurolens/base/units.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens::exec {

/// Where a run is.
struct RunProgress {
  std::uint64_t tasks = 0;    ///< All tasks of the graph.
  std::uint64_t ended = 0;    ///< Those with an end state, good or bad.
  std::uint64_t running = 0;  ///< Those inside their function (0 or more, a snapshot).
  std::uint64_t left = 0;     ///< tasks - ended.
  Nanoseconds elapsed;        ///< Since the run began.
  /// elapsed / ended * left; nullopt before the first end.
  std::optional<Nanoseconds> estimate_left;
};

/// Controls the run whose RunOptions::control points to it. One run at a time; a later run may use
/// the same object again after reset(). Must outlive the run.
class Control {
 public:
  Control();
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Ends the run early: tasks that have not begun end `cancelled`, running ones are asked to stop.
  void cancel();
  /// Cancels one task: before it began it ends `cancelled` and its dependents are skipped; a
  /// running one sees TaskContext::cancelled() and ends `cancelled` if it then fails, `done` if it
  /// does not.
  void cancel(TaskId task);
  /// No task begins until resume(). Running ones go on.
  void pause();
  void resume();
  /// Zeroes when no run uses this control.
  [[nodiscard]] RunProgress progress() const;
  /// Forgets earlier cancellations and pauses. Requires that no run uses this control.
  void reset();

  struct State;  ///< Shared with the engine.
  [[nodiscard]] State& state() noexcept { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::exec
