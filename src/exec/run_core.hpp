/// \file
/// The engine: state of one run, and the loops in which workers carry it out.
///
/// One cell per task counts the dependencies that have not ended. The worker that takes the count
/// from one to zero runs the task, so no other synchronisation is needed. The top bit of a cell
/// ("poison") says that a dependency did not end well: such a task is settled on the cold path. A
/// cell that was never poisoned belongs, once the run is over, to a task that is done; a cell of
/// any other task holds poison | EndState. The path of a task that succeeds therefore writes
/// nothing but counters.
#pragma once

#include <atomic>
#include <cfenv>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiled.hpp"
#include "neurolens/exec/control.hpp"
#include "neurolens/exec/executor.hpp"
#include "pool.hpp"
#include "waiting.hpp"

namespace neurolens::exec {

struct Control::State {
  static constexpr std::uint32_t kCancelRun = 1;
  static constexpr std::uint32_t kCancelTasks = 2;
  static constexpr std::uint32_t kPaused = 4;
  std::atomic<std::uint32_t> attention{0};
  std::mutex mutex;
  std::unordered_set<std::uint32_t> cancelled;  ///< Under mutex.
  std::atomic<std::uint32_t> version{0};        ///< Grows with every cancelled task.
  detail::RunCore* run = nullptr;               ///< Under mutex.
};

namespace detail {

[[nodiscard]] std::int64_t monotonic_ns() noexcept;

/// Marks a number in a queue or timer as something else than a task to run.
inline constexpr std::uint32_t kTicket = 0x8000'0000;

/// Calls task functions somewhere else: a worker process.
class Remote {
 public:
  virtual ~Remote() = default;
  /// Carries out the call of `context.task()`; called by several workers at once.
  virtual Outcome call(RunCore& run, TaskContext& context, std::int64_t deadline_ns) = 0;
};

struct Wait;

/// Waits for file descriptors and instants on behalf of coroutines (async mode).
class Reactor {
 public:
  virtual ~Reactor() = default;
  /// Appends tasks to continue; waits for the first of them until `until_ns` at most.
  virtual void wait(std::int64_t until_ns, std::vector<std::uint32_t>& ready) = 0;
  /// Takes the waiting tasks that `chosen` names.
  virtual void take_if(const std::function<bool(std::uint32_t)>& chosen,
                       std::vector<std::uint32_t>& out) = 0;
  virtual void add(std::uint32_t task, const Wait& wait) = 0;
  /// Makes wait() return; any thread.
  virtual void wake() = 0;
};

/// A task that became many at run time; see expansion.cpp.
struct Expansion {
  std::uint32_t task = 0;
  std::uint32_t count = 0;
  using Element = void (*)(void* object, std::uint32_t index, TaskContext& context);
  Element element = nullptr;
  void* object = nullptr;
  std::atomic<std::uint32_t> next{0};
  std::atomic<std::uint32_t> left{0};
};

class RunCore {
 public:
  explicit RunCore(std::shared_ptr<const Compiled> compiled);
  ~RunCore();
  RunCore(const RunCore&) = delete;
  RunCore& operator=(const RunCore&) = delete;

  Status run(Executor& executor, const RunOptions& options);

  // Answers after a run.
  [[nodiscard]] EndState state(std::uint32_t task) const noexcept;
  [[nodiscard]] const TaskError* error(std::uint32_t task) const noexcept;
  [[nodiscard]] const std::vector<Edge>& causes_of(std::uint32_t task) const;
  [[nodiscard]] std::vector<TaskId> causes(std::uint32_t task) const;
  [[nodiscard]] std::string explain(std::uint32_t task) const;
  [[nodiscard]] const Compiled& compiled() const noexcept { return *compiled_; }
  [[nodiscard]] std::byte* slots() const noexcept { return slots_.get(); }
  [[nodiscard]] std::vector<char>& inputs_set() noexcept { return inputs_set_; }
  [[nodiscard]] std::size_t bytes() const noexcept;
  [[nodiscard]] bool finished_once() const noexcept { return finished_once_; }
  /// Ends the life of all results.
  void drop_results();
  RunReport report;
  std::vector<TaskTimes> times;

  // For the pool.
  void help(Worker& me, bool searching);
  [[nodiscard]] bool has_work() const;

  // For the loops and the cold path.
  bool admit(Worker& me, std::uint32_t task);
  void settle(Worker& me, std::uint32_t task, Outcome outcome);
  void make_ready(Worker& me, std::uint32_t task);
  Outcome perform(Worker& me, std::uint32_t task);
  std::uint32_t find_work(Worker& me, bool searching);
  std::uint32_t find_alone(Worker& me);
  std::uint32_t take_root(Worker& me);

  // For task contexts, controls, coroutines, processes.
  [[nodiscard]] bool cancel_requested(std::uint32_t task) const noexcept;
  Outcome record_error(std::uint32_t task, TaskError error, Outcome outcome) noexcept;
  void forget_error(std::uint32_t task) noexcept;
  void prefix_error(std::uint32_t task, const std::string& text) noexcept;
  [[nodiscard]] RunProgress progress() const;
  void wake() noexcept;
  /// Has `element` called for 0 ... count - 1, then the task's function again. The function must
  /// return `suspended` at once.
  void start_expansion(TaskContext& context, std::uint32_t count, void* object,
                       Expansion::Element element);
  [[nodiscard]] std::uint64_t seed() const noexcept { return options_.seed; }
  [[nodiscard]] const RunOptions& options() const noexcept { return options_; }
  [[nodiscard]] Reactor* reactor() const noexcept { return reactor_.get(); }
  [[nodiscard]] Outcome call_here(TaskContext& context) noexcept;
  /// In a fresh worker process: drops what other threads may have been holding at the fork.
  void become_child();
  /// In a worker process: sets the end state of a dependency; calls a task to its end.
  void pretend_ended(std::uint32_t task, EndState state) noexcept;
  Outcome call_in_child(std::uint32_t task, std::uint32_t attempt, std::int64_t deadline_ns);
  /// Coroutines in flight (async mode: one thread).
  std::unordered_map<std::uint32_t, std::shared_ptr<void>> coroutines;

 private:
  friend struct Engine;
  struct PolicyState {
    std::uint32_t attempt = 0;
    bool holds = false;      ///< Its tokens.
    bool in_flight = false;  ///< Its coroutine is suspended.
    std::int64_t deadline_ns = 0;
    std::string key;  ///< In the checkpoint store.
  };
  using LoopFunction = void (*)(RunCore&, Worker&, std::uint32_t first);

  Status check(const RunOptions& options, std::uint32_t workers);
  void reset();
  void choose_loop();
  void run_shared(Executor::Pool& pool);
  void run_alone(Worker& me);
  void begin_worker(Worker& me);
  void finish_report(Nanoseconds wall, std::uint32_t workers);
  void build_critical_path();
  [[nodiscard]] const Policy* policy(std::uint32_t task) const noexcept;
  Outcome perform_policy(Worker& me, const Policy& policy, PolicyState& state);
  Outcome call(Worker& me, std::int64_t deadline_ns);
  Outcome call_element(Worker& me, std::uint32_t ticket);
  void release_tokens(Worker& me, const Policy& policy, PolicyState& state);
  bool restore_result(const Policy& policy, PolicyState& state, std::uint32_t task);
  void save_result(PolicyState& state, std::uint32_t task);
  void note(Worker& me);
  void poll(Worker& me);
  void retry_at(std::int64_t at_ns, std::uint32_t timer);
  void cancel_waiting(Worker& me);
  [[nodiscard]] std::int64_t next_instant() const;
  [[nodiscard]] bool cancels_pending() const;
  void abandon(Worker& me, std::uint32_t task);
  void abandon_coroutine(Worker& me, std::uint32_t task);
  [[nodiscard]] Worker* worker_of(const TaskContext& context) const noexcept;
  std::uint32_t next_ready(Worker& me);
  std::uint32_t steal(Worker& me);
  void flush(Worker& me);
  [[nodiscard]] bool finished() const { return remaining_.load(std::memory_order_acquire) == 0; }
  template <class Cell>
  void settle_cells(Worker& me, std::uint32_t task, EndState state, Cell* cells);

  std::shared_ptr<const Compiled> compiled_;
  std::unique_ptr<std::byte[]> slots_;
  std::vector<char> inputs_set_;
  std::unique_ptr<std::uint8_t[]> narrow_;
  std::unique_ptr<std::uint32_t[]> wide_;
  bool finished_once_ = false;

  // Fixed for one run.
  RunOptions options_;
  Control own_control_;
  Control::State* control_ = nullptr;
  Executor::Pool* pool_ = nullptr;
  bool shared_ = false;
  bool general_ = false;
  bool in_child_ = false;
  LoopFunction loop_ = nullptr;
  std::int64_t start_ns_ = 0;
  std::int64_t run_deadline_ns_ = 0;
  std::fenv_t caller_fenv_{};
  std::unique_ptr<Remote> remote_;
  std::unique_ptr<Reactor> reactor_;

  // Changes during a run.
  alignas(64) std::atomic<std::int64_t> remaining_{0};
  std::atomic<bool> caller_parked_{false};
  std::atomic<std::uint32_t> cancels_seen_{0};
  std::int64_t reported_ns_ = 0;
  std::array<std::atomic<std::uint64_t>, kEndStates> not_done_{};
  Timers timers_;
  TokenBank tokens_;
  PriorityQueue prioritised_;
  std::vector<PolicyState> policy_states_;
  /// Behind a pointer: a forked process may inherit it in the middle of a change, and takes a new
  /// one.
  struct Errors {
    std::mutex mutex;
    std::unordered_map<std::uint32_t, TaskError> map;
  };
  std::unique_ptr<Errors> errors_ = std::make_unique<Errors>();
  std::mutex expansions_mutex_;
  std::vector<std::unique_ptr<Expansion>> expansions_;
  Worker* alone_ = nullptr;  ///< The worker of a run that has only one.
  mutable std::mutex causes_mutex_;
  mutable std::unordered_map<std::uint32_t, std::vector<Edge>> causes_;
  mutable bool causes_built_ = false;
};

}  // namespace detail
}  // namespace neurolens::exec
