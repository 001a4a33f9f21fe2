/// \file
/// The right-hand side of one solve by StreamedMultigrid3: b = -(cell volumes) (f + shift) plus
/// boundary terms, row by row.
#pragma once

#include <atomic>

#include "index.hpp"
#include "kernels/pointwise.hpp"
#include "multigrid/streamed_3d.hpp"

namespace neurolens::pde {

struct StreamedMultigrid3::Right {
  const StreamedMultigrid3* solver = nullptr;
  const Field* source = nullptr;
  double shift = 0;
  std::array<std::array<const double*, 2>, 3> add{};  ///< Per axis and side; null: nothing.
  mutable std::atomic<bool> finite = true;

  [[nodiscard]] const std::array<Axis, 3>& axes() const { return solver->levels_.front().axis; }
  /// By node numbers, as all below.
  [[nodiscard]] const double* source_row(int j, int k) const {
    const auto& n = source->grid.points;
    return source->values.data() + (index(k) * index(n[1]) + index(j)) * index(n[0]);
  }
  void check_row(int j, int k) const {
    if (!kernels::all_finite(index(source->grid.points[0]), source_row(j, k))) finite = false;
  }
  /// Rows that no equation reads.
  void check_boundary() const {
    const auto& n = source->grid.points;
    for (int k = 0; k < n[2]; ++k)
      for (int j = 0; j < n[1]; j += k == 0 || k == n[2] - 1 ? 1 : n[1] - 1) check_row(j, k);
  }
  /// b from the first unknown on.
  void make_row(int j, int k, double* b) const {
    const auto& [x, y, z] = axes();
    const double* f = source_row(j, k);
    const auto half = [](int node, const Axis& a) {
      return node == 0 || node == a.n - 1 ? 0.5 : 1;
    };
    const double w = half(j, y) * half(k, z);
    for (int i = 0; i < x.m; ++i) b[i] = -w * (f[i + x.first] + shift);
    if (x.first == 0) b[0] *= 0.5;
    if (x.first + x.m == x.n) b[x.m - 1] *= 0.5;
    if (add[0][0] != nullptr) b[0] += add[0][0][index(k) * index(y.n) + index(j)];
    if (add[0][1] != nullptr) b[x.m - 1] += add[0][1][index(k) * index(y.n) + index(j)];
    add_face(1, j, y, k, b);
    add_face(2, k, z, j, b);
  }
  static kernels::RightRow row(const void* owner, int j, int k, double* scratch) {
    const auto& self = *static_cast<const Right*>(owner);
    const auto& [x, y, z] = self.axes();
    j += y.first;
    k += z.first;
    const bool plain = x.m == x.n - 2 && j > 0 && j < y.n - 1 && k > 0 && k < z.n - 1;
    if (plain && self.shift == 0) return {self.source_row(j, k) + 1, -1};
    self.make_row(j, k, scratch);
    return {scratch, 1};
  }
  static kernels::RightRow checked_row(const void* owner, int j, int k, double* scratch) {
    const auto& self = *static_cast<const Right*>(owner);
    self.check_row(j + self.axes()[1].first, k + self.axes()[2].first);
    return row(owner, j, k, scratch);
  }

 private:
  // What the faces across an axis other than x add to a row: `node` along it, `other` along the
  // third one.
  void add_face(std::size_t axis, int node, const Axis& a, int other, double* b) const {
    const Axis& x = axes()[0];
    for (std::size_t side = 0; side < 2; ++side) {
      if (add[axis][side] == nullptr || node != (side == 0 ? 0 : a.n - 1)) continue;
      const double* value = add[axis][side] + index(other) * index(x.n) + index(x.first);
      for (int i = 0; i < x.m; ++i) b[i] += value[i];
    }
  }
};

}  // namespace neurolens::pde
