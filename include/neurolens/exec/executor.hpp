/// \file
/// Workers that run graphs, and what a run can be asked for and tells afterwards.
/// Method: every worker keeps its ready tasks in a work-stealing deque; a task starts the moment
/// its last dependency ends, there are no barriers. Idle workers look for work for some
/// microseconds and then sleep in the kernel: an idle executor uses no CPU. Known limit: one run at
/// a time per executor; a second one waits. A run started by a task of the same executor is carried
/// out serially by that task's worker.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/exec/task.hpp"

namespace neurolens {
class Clock;
}
namespace neurolens::exec {

class CheckpointStore;
class Control;
class TaskObserver;

/// Where tasks run.
enum class Mode : std::uint8_t {
  threads,    ///< Threads of this process; a crash ends everything.
  processes,  ///< Forked worker processes: a crash is a failed task, deadlines are hard.
  async,      ///< One thread; coroutine tasks overlap their waiting.
  serial,     ///< One thread, one task after the other, in an order that never varies.
};
/// "threads", "processes", "async" or "serial".
[[nodiscard]] std::string_view to_string(Mode mode) noexcept;

/// How to carry out one run. The defaults cost nothing per task.
struct RunOptions {
  Mode mode = Mode::threads;
  /// Results do not depend on the number of workers or on timing: workers take over the
  /// floating-point environment of the caller, and options that let timing decide what runs
  /// (fail_fast) are refused.
  bool deterministic = false;
  /// Cancel the run at the first task that fails or times out.
  bool fail_fast = false;
  /// Record begin, end and worker of each task (two clock readings, 32 bytes a task): needed for
  /// work, span and critical path in the report.
  bool record_times = false;
  /// Seed of TaskContext::random and of retry jitter.
  std::uint64_t seed = 1;
  /// Capacity of each resource token, such as {"gpu", 1}. Tasks that ask for an unlisted token or
  /// for more than its capacity are refused before anything runs.
  std::map<std::string, std::uint64_t> tokens;
  /// The run is cancelled this long after its start. Unset: no limit.
  std::optional<Nanoseconds> deadline;
  /// Progress is reported at most ten times a second; cancellation is looked at before each task.
  Attention attention;
  /// Not owned; may be null.
  Control* control = nullptr;
  TaskObserver* observer = nullptr;
  /// Finished tasks with an idempotence key are kept here and not run again. May be null.
  CheckpointStore* checkpoint = nullptr;
  /// Process mode: address space for the results of each worker process. Memory is used as written.
  Bytes shared_bytes{std::int64_t{1} << 30};
};

/// Begin, busy time and worker of one task, when times were recorded.
struct TaskTimes {
  Nanoseconds begin;         ///< First call, since the run began.
  Nanoseconds end;           ///< Return of the last call, since the run began.
  Nanoseconds busy;          ///< Inside the function, all attempts together.
  std::uint32_t worker = 0;  ///< Of the last attempt.
  std::uint32_t calls = 0;   ///< 0 when it never ran.
};

/// What a run came to.
struct RunReport {
  std::uint64_t tasks = 0;
  std::array<std::uint64_t, kEndStates> ended{};  ///< Indexed by EndState.
  std::uint32_t workers = 0;
  Nanoseconds wall;
  bool times_recorded = false;
  // The rest is meaningful only with times_recorded.
  Nanoseconds work;  ///< Sum of busy times: what one worker would need, without overhead.
  Nanoseconds span;  ///< Busy time along the longest path: what no number of workers can beat.
  std::vector<TaskId> critical_path;  ///< That path, first task first.

  [[nodiscard]] std::uint64_t count(EndState state) const {
    return ended[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] bool all_done() const { return count(EndState::done) == tasks; }
  /// work / wall: tasks in progress on average; also the speed-up over one worker.
  [[nodiscard]] double parallelism() const;
  /// work / span: the most that any number of workers could reach.
  [[nodiscard]] double most_parallelism() const;
  /// (workers * wall - work) / (workers * wall): share of the workers' time not spent in tasks.
  [[nodiscard]] double overhead() const;
};

/// Workers, kept between runs. Threads are made by the first run that needs them.
/// Threads: run() may be called from any thread; calls are carried out one after the other.
class Executor {
 public:
  /// `workers` in [1, 1024]; 0 means as many as this process may use CPUs. The thread that calls
  /// run() is one of them, so that workers - 1 threads are made.
  explicit Executor(std::uint32_t workers = 0);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  [[nodiscard]] std::uint32_t workers() const noexcept;

  struct Pool;  ///< The engine's view.
  [[nodiscard]] Pool& pool() noexcept { return *pool_; }

 private:
  std::unique_ptr<Pool> pool_;
};

/// CPUs this process may run on.
[[nodiscard]] std::uint32_t usable_cpus();

}  // namespace neurolens::exec
