/// \file
/// Fields in the axis order of the direct solver, where that is not the grid's.
#pragma once

#include <mutex>
#include <vector>

#include "direct/box.hpp"
#include "neurolens/engines/pde/workers.hpp"

namespace neurolens::pde {

/// Copies between the grid's axis order and the box's.
void reorder(const Box& box, bool to_box, const double* from, double* to, Workers& workers);
void reorder(const Box& box, bool to_box, const float* from, float* to, Workers& workers);

/// Source and solution in the box's order, kept for solves to come: fresh memory costs as much as
/// the copies. Thread-safe.
class OrderedPool {
 public:
  template <class T>
  struct Pair {
    AlignedVector<T> f, u;
  };
  /// `size` numbers each, content left over; given back at the end of the loan's life.
  template <class T>
  class Loan {
   public:
    Loan(OrderedPool& pool, std::size_t size) : pool_(pool) {
      const std::lock_guard lock(pool.mutex_);
      auto& spare = pool.spare<T>();
      if (!spare.empty()) {
        pair_ = std::move(spare.back());
        spare.pop_back();
      }
      pair_.f.resize(size);
      pair_.u.resize(size);
    }
    ~Loan() {
      const std::lock_guard lock(pool_.mutex_);
      auto& spare = pool_.spare<T>();
      if (spare.size() < kMost) spare.push_back(std::move(pair_));
    }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    Pair<T>* operator->() { return &pair_; }

   private:
    OrderedPool& pool_;
    Pair<T> pair_;
  };

  OrderedPool() {  // giving back must not fail
    f64_.reserve(kMost);
    f32_.reserve(kMost);
  }

 private:
  static constexpr std::size_t kMost = 2;
  template <class T>
  std::vector<Pair<T>>& spare() {
    if constexpr (sizeof(T) == sizeof(float))
      return f32_;
    else
      return f64_;
  }
  std::mutex mutex_;
  std::vector<Pair<double>> f64_;
  std::vector<Pair<float>> f32_;
};

}  // namespace neurolens::pde
