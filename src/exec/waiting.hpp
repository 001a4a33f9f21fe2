/// \file
/// Tasks that are ready in principle and wait for something else: an instant, a token, or their
/// turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <queue>
#include <string>
#include <vector>

#include "deque.hpp"
#include "idle.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/exec/policy.hpp"

namespace neurolens::exec::detail {

/// Tasks to continue at an instant. Thread-safe.
class Timers {
 public:
  /// True when `task` is now the first to be due.
  bool add(std::int64_t at_ns, std::uint32_t task);
  /// Instant of the first; kNever when there is none.
  [[nodiscard]] std::int64_t next() const { return next_.load(std::memory_order_seq_cst); }
  /// Takes the tasks due at `now_ns`, earliest first.
  void take_due(std::int64_t now_ns, std::vector<std::uint32_t>& out);
  /// Takes those that `chosen` names.
  void take_if(const std::function<bool(std::uint32_t)>& chosen, std::vector<std::uint32_t>& out);
  void clear();

 private:
  using Entry = std::pair<std::int64_t, std::uint32_t>;
  std::mutex mutex_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
  std::atomic<std::int64_t> next_{kNever};
};

/// Counting tokens with a waiting line. Thread-safe.
class TokenBank {
 public:
  void set_capacities(const std::map<std::string, std::uint64_t>& capacities);
  /// Errors: not_found for an unknown token, out_of_range for more than there is.
  [[nodiscard]] Status check(const std::vector<TokenDemand>& demand) const;
  /// Takes all or queues `task`. True when taken.
  bool acquire(std::uint32_t task, const std::vector<TokenDemand>& demand, std::int32_t priority);
  /// Gives back, and appends the tasks whose demands are met thereby (taken on their behalf).
  void release(const std::vector<TokenDemand>& demand, std::vector<std::uint32_t>& granted);
  /// Takes the waiting tasks that `chosen` names off the line.
  void take_if(const std::function<bool(std::uint32_t)>& chosen, std::vector<std::uint32_t>& out);

 private:
  struct Waiter {
    std::uint32_t task;
    std::int32_t priority;
    const std::vector<TokenDemand>* demand;
  };
  [[nodiscard]] bool fits(const std::vector<TokenDemand>& demand) const;
  void take(const std::vector<TokenDemand>& demand);

  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> capacity_;
  std::map<std::string, std::uint64_t, std::less<>> free_;
  std::vector<Waiter> line_;  // by priority, then arrival
};

/// Ready tasks with a priority of their own. Thread-safe.
class PriorityQueue {
 public:
  void push(std::uint32_t task, std::int32_t priority);
  /// The first task with a priority above 0 (`urgent`), or any; kNone when there is none.
  std::uint32_t pop(bool urgent);
  [[nodiscard]] bool empty() const { return size_.load(std::memory_order_seq_cst) == 0; }
  void clear();

 private:
  struct Entry {
    std::int32_t priority;
    std::uint64_t order;
    std::uint32_t task;
    bool operator<(const Entry& o) const {
      return priority != o.priority ? priority < o.priority : order > o.order;
    }
  };
  std::mutex mutex_;
  std::priority_queue<Entry> heap_;
  std::atomic<std::uint64_t> size_{0};
  std::uint64_t order_ = 0;
};

}  // namespace neurolens::exec::detail
