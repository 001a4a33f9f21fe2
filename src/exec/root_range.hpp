/// \file
/// A worker's share of the roots: the owner takes from the front, thieves take the later half.
///
/// Method: the THE protocol of M. Frigo, C. Leiserson, K. Randall, "The implementation of the
/// Cilk-5 multithreaded language" (PLDI 1998). The owner moves `next_` first and looks at `end_`
/// afterwards; a thief moves `end_` first and looks at `next_` afterwards; so one of them sees the
/// other, and a lock decides. What orders each one's write and read is, as in Idle, a barrier that
/// the thief issues on all CPUs: the owner pays nothing for what happens only now and then. Where
/// the kernel lacks it, both use sequentially consistent operations.
#pragma once

#include <atomic>
#include <cstdint>

#include "deque.hpp"
#include "idle.hpp"

namespace neurolens::exec::detail {

template <template <class> class Atomic = std::atomic, class Kernel = KernelParking>
class RootRange {
 public:
  RootRange() : barrier_(Kernel::has_barrier()) {}
  RootRange(const RootRange&) = delete;
  RootRange& operator=(const RootRange&) = delete;

  /// [begin, end) from now on. Owner only, when the range is empty or nobody else looks.
  void assign(std::uint32_t begin, std::uint32_t end) {
    lock();
    next_.store(begin, std::memory_order_seq_cst);
    end_.store(end, std::memory_order_seq_cst);
    unlock();
  }

  /// Owner only. The next index; kNone when there is none.
  std::uint32_t take() {
    const std::uint32_t index = next_.load(std::memory_order_relaxed);
    // Seen empty it may be about to be given back by a thief, who then looks again.
    if (index >= end_.load(std::memory_order_relaxed)) return kNone;
    if (claim(index)) return index;
    lock();
    const bool mine = index < end_.load(std::memory_order_seq_cst);
    if (!mine) next_.store(index, std::memory_order_seq_cst);
    unlock();
    return mine ? index : kNone;
  }

  /// Any thread. Takes the later half, at least one: [begin, end). False when there is nothing or
  /// somebody else is about it.
  bool steal(std::uint32_t& begin, std::uint32_t& end) {
    if (empty() || !try_lock()) return false;
    const std::uint32_t next = next_.load(std::memory_order_seq_cst);
    end = end_.load(std::memory_order_seq_cst);
    bool taken = false;
    if (next < end) {
      begin = next + (end - next) / 2;
      end_.store(begin, std::memory_order_seq_cst);
      if (barrier_) Kernel::all_cpus_barrier();
      taken = next_.load(std::memory_order_seq_cst) <= begin;
      if (!taken) end_.store(end, std::memory_order_seq_cst);  // the owner was quicker
    }
    unlock();
    return taken;
  }

  /// Any thread; a snapshot.
  [[nodiscard]] bool empty() const {
    return next_.load(std::memory_order_seq_cst) >= end_.load(std::memory_order_seq_cst);
  }

 private:
  /// True when `index` is the owner's beyond doubt.
  bool claim(std::uint32_t index) {
    if (barrier_) {
      next_.store(index + 1, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
      return index < end_.load(std::memory_order_relaxed);
    }
    next_.store(index + 1, std::memory_order_seq_cst);
    return index < end_.load(std::memory_order_seq_cst);
  }
  bool try_lock() {
    std::uint32_t free = 0;
    return locked_.compare_exchange_strong(free, 1, std::memory_order_seq_cst);
  }
  void lock() {
    while (!try_lock()) Kernel::yield();
  }
  void unlock() { locked_.store(0, std::memory_order_seq_cst); }

  alignas(64) Atomic<std::uint32_t> next_{0};  ///< Only the owner writes.
  alignas(64) Atomic<std::uint32_t> end_{0};   ///< Written under the lock.
  Atomic<std::uint32_t> locked_{0};
  bool barrier_;
};

}  // namespace neurolens::exec::detail
