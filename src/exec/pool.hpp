/// \file
/// The threads of an Executor and what each of them keeps between runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "deque.hpp"
#include "idle.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/exec/executor.hpp"
#include "root_range.hpp"

namespace neurolens::exec::detail {

class RunCore;

/// What one worker owns. Worker 0 belongs to the thread that calls run().
struct alignas(64) Worker {
  Deque<> deque;
  RootRange<> range;  ///< Roots not yet begun.
  /// Tasks ended by this worker in this run; only the owner writes.
  alignas(64) std::atomic<std::uint64_t> ended{0};
  std::uint64_t flushed = 0;           ///< Of those, already taken off RunCore's count.
  std::atomic<std::uint32_t> busy{0};  ///< 1 while inside a task (general mode only).
  std::vector<std::uint32_t> stack;    ///< Ready tasks when there is one worker only.
  std::uint32_t next_root = 0;         ///< Roots when there is one worker only.
  std::uint32_t end_root = 0;
  std::uint32_t index = 0;
  std::uint32_t random = 0x9E3779B9u;
  TaskContext context;

  void count_ended() {
    ended.store(ended.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

}  // namespace neurolens::exec::detail

namespace neurolens::exec {

struct Executor::Pool {
  explicit Pool(std::uint32_t workers);
  ~Pool();

  /// Makes the threads, once. Errors: unavailable.
  Status start_threads();
  /// Hands `run` to the threads until close_run().
  void open_run(detail::RunCore& run);
  /// Returns when no thread touches the run any more.
  void close_run();

  std::mutex run_mutex;  ///< One run at a time.
  std::vector<std::unique_ptr<detail::Worker>> workers;
  detail::Idle<> idle;
  /// When sleeping threads should look at the timers of the present run; kNever without.
  std::atomic<std::int64_t> timer_at{detail::kNever};

 private:
  void thread_main(detail::Worker& me);
  detail::RunCore* enter();
  void leave();

  std::atomic<detail::RunCore*> current_{nullptr};
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace neurolens::exec
