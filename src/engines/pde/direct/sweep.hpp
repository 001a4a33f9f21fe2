/// \file
/// What the sweeps of the direct solver share: how a recurrence passes from task to task, and the
/// memory a worker needs.
#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "direct/box.hpp"
#include "kernels/lane_transform.hpp"

namespace neurolens::pde {

/// How far each task of a wavefront has come. A task waits for the one before it, chunk by chunk;
/// tasks begin in order, so the first that is not finished never waits.
class Turns {
 public:
  explicit Turns(std::size_t tasks) : done_(tasks) {}
  /// Says that `task` has finished `count` chunks.
  void reached(std::size_t task, std::size_t count) {
    done_[task].store(count, std::memory_order_release);
  }
  void wait_for(std::size_t task, std::size_t count) const {
    int turns = 0;
    while (done_[task].load(std::memory_order_acquire) < count)
      if (++turns > 200) std::this_thread::yield();
  }

 private:
  std::vector<std::atomic<std::size_t>> done_;
};

/// One worker's buffers.
template <class T>
class Desk {
 public:
  AlignedVector<T> buffer;  ///< For kernels::transform.

  void prepare(const Box& box, std::size_t buffer_numbers) {
    buffer.resize(buffer_numbers);
    count_ = static_cast<std::size_t>(box.axis[0].count);
    stride_ = box.row_stride();
    first_kept_ = 4 * (stride_ + 16);
    scratch_.resize(first_kept_ + kernels::lines_of<T>() * stride_);
  }
  /// Row (j, k) of the right-hand side as line `line` of a batch: straight from the data, or a copy
  /// that stays until the same line is asked for again.
  const T* right_side(const BasicBoxData<T>& data, int j, int k, std::size_t line) {
    const T* row = data.row(j, k, scratch_.data());
    if (row != scratch_.data()) return row;
    T* kept = scratch_.data() + first_kept_ + line * stride_;
    std::copy_n(row, count_, kept);
    return kept;
  }

 private:
  std::size_t count_ = 0, stride_ = 0, first_kept_ = 0;
  std::vector<T> scratch_;
};

/// Desks of solves that ended, for the next ones: at 40 points per side, making them anew is a
/// tenth of a solve. Thread-safe.
template <class T>
class DeskPool {
 public:
  DeskPool() { spare_.reserve(kMost); }  // giving back must not fail
  /// `count` desks, given back at the end of the loan's life.
  class Loan {
   public:
    Loan(DeskPool& pool, std::size_t count, const Box& box, std::size_t buffer_numbers)
        : pool_(pool) {
      {
        const std::lock_guard lock(pool.mutex_);
        while (!pool.spare_.empty() && desks_.size() < count) {
          desks_.push_back(std::move(pool.spare_.back()));
          pool.spare_.pop_back();
        }
      }
      while (desks_.size() < count) desks_.emplace_back().prepare(box, buffer_numbers);
    }
    ~Loan() {
      const std::lock_guard lock(pool_.mutex_);
      for (Desk<T>& desk : desks_)
        if (pool_.spare_.size() < kMost) pool_.spare_.push_back(std::move(desk));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    [[nodiscard]] Desk<T>& operator[](std::size_t worker) { return desks_[worker]; }

   private:
    DeskPool& pool_;
    std::vector<Desk<T>> desks_;
  };

 private:
  static constexpr std::size_t kMost = 16;
  std::mutex mutex_;
  std::vector<Desk<T>> spare_;
};

}  // namespace neurolens::pde
