/// \file
/// A work-stealing deque of task numbers: the owner pushes and pops at the bottom, thieves take
/// from the top. Method: D. Chase, Y. Lev, "Dynamic circular work-stealing deque" (SPAA 2005), with
/// the orderings of N. Le et al., "Correct and efficient work-stealing for weak memory models"
/// (PPoPP 2013), where fences became sequentially consistent accesses so that thread sanitizers can
/// follow. `Atomic` is std::atomic, or in tests a type that hands control to a schedule explorer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace neurolens::exec::detail {

inline constexpr std::uint32_t kNone = 0xFFFF'FFFF;

template <template <class> class Atomic = std::atomic>
class Deque {
 public:
  explicit Deque(std::uint32_t capacity = 1024) { grow_to(capacity); }
  Deque(const Deque&) = delete;
  Deque& operator=(const Deque&) = delete;

  /// Owner only.
  void push(std::uint32_t task) {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    const std::int64_t top = top_.load(std::memory_order_acquire);
    Ring* ring = ring_.load(std::memory_order_relaxed);
    if (bottom - top > ring->mask) ring = grow(bottom, top);
    ring->slots[bottom & ring->mask].store(task, std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  /// Owner only. The newest task; kNone when empty or when the last one was stolen meanwhile.
  std::uint32_t pop() {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    // Only the owner adds: seen empty here, it is empty, and the costly store can be left out.
    if (top_.load(std::memory_order_relaxed) > bottom) return kNone;
    Ring* ring = ring_.load(std::memory_order_relaxed);
    bottom_.store(bottom, std::memory_order_seq_cst);
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    if (top > bottom) {
      bottom_.store(bottom + 1, std::memory_order_relaxed);
      return kNone;
    }
    std::uint32_t task = ring->slots[bottom & ring->mask].load(std::memory_order_relaxed);
    if (top == bottom) {  // the last one: race with thieves for it
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
        task = kNone;
      }
      bottom_.store(bottom + 1, std::memory_order_relaxed);
    }
    return task;
  }

  /// Any thread. The oldest task; kNone when empty or when another thread was quicker.
  std::uint32_t steal() {
    std::int64_t top = top_.load(std::memory_order_seq_cst);
    const std::int64_t bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return kNone;
    Ring* ring = ring_.load(std::memory_order_acquire);
    const std::uint32_t task = ring->slots[top & ring->mask].load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
      return kNone;
    }
    return task;
  }

  /// Any thread; a snapshot.
  [[nodiscard]] bool empty() const {
    return top_.load(std::memory_order_seq_cst) >= bottom_.load(std::memory_order_seq_cst);
  }

 private:
  struct Ring {
    explicit Ring(std::uint32_t capacity)
        : mask(capacity - 1), slots(std::make_unique<Atomic<std::uint32_t>[]>(capacity)) {}
    std::int64_t mask;
    std::unique_ptr<Atomic<std::uint32_t>[]> slots;
  };

  void grow_to(std::uint32_t capacity) {
    rings_.push_back(std::make_unique<Ring>(capacity));
    ring_.store(rings_.back().get(), std::memory_order_release);
  }
  // Old rings are kept: a slow thief may still read one.
  Ring* grow(std::int64_t bottom, std::int64_t top) {
    Ring* old = ring_.load(std::memory_order_relaxed);
    auto bigger = std::make_unique<Ring>(static_cast<std::uint32_t>(old->mask + 1) * 2);
    for (std::int64_t i = top; i < bottom; ++i) {
      bigger->slots[i & bigger->mask].store(
          old->slots[i & old->mask].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    rings_.push_back(std::move(bigger));
    ring_.store(rings_.back().get(), std::memory_order_release);
    return rings_.back().get();
  }

  alignas(64) Atomic<std::int64_t> top_{0};
  alignas(64) Atomic<std::int64_t> bottom_{0};
  Atomic<Ring*> ring_{nullptr};
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace neurolens::exec::detail
