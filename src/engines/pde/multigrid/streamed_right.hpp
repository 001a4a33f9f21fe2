/// \file
/// The right-hand side of one solve of StreamedMultigrid, row by row.
#pragma once

#include <array>
#include <atomic>

#include "index.hpp"
#include "kernels/pointwise.hpp"
#include "multigrid/streamed.hpp"

namespace neurolens::pde {

// b = -(cell volumes) (f + shift) + boundary terms.
struct StreamedMultigrid::Right {
  const StreamedMultigrid* solver = nullptr;
  const Field* source = nullptr;
  double shift = 0;
  std::array<std::array<const double*, 2>, 2> add{};  ///< Per axis and side; null: nothing.
  mutable std::atomic<bool> finite{true};             ///< All workers look.

  [[nodiscard]] bool dirichlet_ends() const {
    const Axis& x = solver->levels_.front().axis[0];
    return x.first == 1 && x.last == x.n - 1;
  }
  [[nodiscard]] const double* source_row(int j) const {
    return source->values.data() + index(j) * index(source->grid.points[0]);
  }
  void check_row(int j) const {
    if (!kernels::all_finite(index(source->grid.points[0]), source_row(j)))
      finite.store(false, std::memory_order_relaxed);
  }
  void make_row(int j, double* b) const {
    const auto& axis = solver->levels_.front().axis;
    const double* f = source_row(j);
    const double w = j == 0 || j == axis[1].n - 1 ? 0.5 : 1;
    for (int i = axis[0].first; i < axis[0].last; ++i) b[i] = -w * (f[i] + shift);
    if (axis[0].first == 0) b[0] *= 0.5;
    if (axis[0].last == axis[0].n) b[axis[0].n - 1] *= 0.5;
    if (add[0][0] != nullptr) b[0] += add[0][0][j];
    if (add[0][1] != nullptr) b[axis[0].n - 1] += add[0][1][j];
    for (std::size_t side = 0; side < 2; ++side)
      if (add[1][side] != nullptr && j == (side == 0 ? 0 : axis[1].n - 1))
        for (int i = axis[0].first; i < axis[0].last; ++i) b[i] += add[1][side][i];
  }
  static kernels::RightRow row(const void* owner, int j, double* scratch) {
    const auto& self = *static_cast<const Right*>(owner);
    const int n = self.source->grid.points[1];
    // Rows that need nothing are read where they are; the last one, because whole vectors are read.
    if (self.dirichlet_ends() && j > 0 && j < n - 1 && self.shift == 0)
      return {self.source_row(j), -1};
    self.make_row(j, scratch);
    return {scratch, 1};
  }
  static kernels::RightRow checked_row(const void* owner, int j, double* scratch) {
    static_cast<const Right*>(owner)->check_row(j);
    return row(owner, j, scratch);
  }
};

/// Rows of an array of a level.
struct PaddedRows {
  const double* at;
  std::size_t stride;
  static kernels::RightRow row(const void* owner, int j, double*) {
    const auto& self = *static_cast<const PaddedRows*>(owner);
    return {self.at + index(j) * self.stride, 1};
  }
};

}  // namespace neurolens::pde
