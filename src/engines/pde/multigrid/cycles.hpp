/// \file
/// Multigrid cycles in one precision. Header-only template with two instantiations
/// (multigrid_plan.cpp).
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <type_traits>
#include <vector>

#include "index.hpp"
#include "multigrid/level.hpp"

namespace neurolens::pde {

inline constexpr int kCoarsestSweeps = 24;
inline constexpr std::size_t kRowsPerTask = 32;
inline constexpr std::size_t kParallelNodes = 1
                                              << 15;  // smaller levels are not worth waking threads

inline void for_pieces(Workers* workers, std::size_t pieces,
                       const std::function<void(std::size_t)>& piece) {
  if (workers == nullptr || workers->count() == 1) {
    for (std::size_t p = 0; p < pieces; ++p) piece(p);
    return;
  }
  std::atomic<std::size_t> next{0};
  workers->run([&](std::size_t) {
    for (;;) {
      const std::size_t p = next.fetch_add(1, std::memory_order_relaxed);
      if (p >= pieces) return;
      piece(p);
    }
  });
}

// Runs rows [0, count) in fixed pieces on the workers; piece numbers order any sums.
inline void for_rows(Workers* workers, std::size_t count,
                     const std::function<void(std::size_t, std::size_t, std::size_t)>& body) {
  const std::size_t pieces = (count + kRowsPerTask - 1) / kRowsPerTask;
  for_pieces(workers, pieces, [&](std::size_t p) {
    body(p, p * kRowsPerTask, std::min(count, (p + 1) * kRowsPerTask));
  });
}

// Runs `body` once for each row of [0, count), whose order does not matter but that touches rows up
// to `reach` away: no row runs while another within its reach does. The ends of the pieces wait
// until all the rest is done.
inline void for_rows_apart(Workers* workers, std::size_t count, std::size_t reach,
                           const std::function<void(std::size_t)>& body) {
  const std::size_t size = std::max(kRowsPerTask, 4 * reach);
  const std::size_t pieces = std::max<std::size_t>(count / size, 1);
  const auto end_of = [&](std::size_t p) { return p + 1 == pieces ? count : (p + 1) * size; };
  for (const bool ends : {false, true}) {
    for_pieces(workers, pieces, [&](std::size_t p) {
      const std::size_t middle = end_of(p) - std::min(reach, end_of(p));
      for (std::size_t r = ends ? middle : p * size; r < (ends ? end_of(p) : middle); ++r) body(r);
    });
  }
}

inline constexpr std::size_t kMostDenseUnknowns = 128;

struct DenseOptions {
  bool singular = false;  ///< The nullspace are the constants, and right-hand sides sum to 0.
  /// Singular: solutions have a zero, which rounds less where coefficients lie far apart, instead
  /// of the sum 0.
  bool pinned = false;
  double least_pivot = 1e-5;  ///< Of the largest entry; smaller pivots count as 0.
  std::size_t most = kMostDenseUnknowns;
};
/// The row-major inverse of a level's operator, and the offsets of its unknowns. Empty when there
/// are too many or the operator is singular beyond its constants.
[[nodiscard]] std::vector<double> dense_inverse(const Level<double>& level,
                                                std::vector<std::size_t>& node,
                                                const DenseOptions& options);

/// The last level by its explicit inverse, where that is small and exists.
template <class T>
class CoarsestSolver {
 public:
  /// Leaves the solver empty when there are too many unknowns or the level is singular beyond its
  /// constants, which `singular` announces.
  void prepare(const Level<double>& level, bool singular);
  /// False when empty: smooth instead. Overwrites u.
  bool solve(const T* f, T* u) const {
    if (node_.empty()) return false;
    const std::size_t n = node_.size();
    for (std::size_t i = 0; i < n; ++i) {
      T sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += inverse_[i * n + j] * f[node_[j]];
      u[node_[i]] = sum;
    }
    return true;
  }

 private:
  std::vector<std::size_t> node_;  ///< Offsets of the unknowns.
  std::vector<T> inverse_;
};

/// The levels and what runs on them. Immutable in use; vectors are the caller's.
template <class T>
struct Hierarchy {
  std::vector<Level<T>> levels;
  std::vector<std::array<AxisMap, 3>> maps;
  std::array<std::array<bool, 2>, 3> fixed{};  ///< Faces where u is given.
  int smoothing = 1;
  CoarsestSolver<T> coarsest;

  struct Vectors {
    std::vector<AlignedVector<T>> u, f, r;
    std::vector<AlignedVector<T>> kept;  ///< Right-hand sides of nested iteration.
    AlignedVector<T> scratch;
    AlignedVector<T> line;  ///< A padded row of the finest level.
    Workers* workers = nullptr;
  };
  [[nodiscard]] Vectors make_vectors() const {
    Vectors v;
    v.kept.resize(levels.size());
    v.line.assign(levels.front().shape.row_stride(), T(0));
    for (const auto& level : levels) {
      v.u.emplace_back(level.shape.size(), T(0));
      v.f.emplace_back(level.shape.size(), T(0));
      v.r.emplace_back(level.shape.size(), T(0));
    }
    return v;
  }
  // Moves a residual down to the next level's f, and a correction up from the next level's u.
  // Double precision is used for coefficients that jump, and there the weights follow the operator.
  void down(std::size_t l, const AlignedVector<T>& from, Vectors& work) const {
    if constexpr (std::is_same_v<T, double>)
      restrict_weighted(levels[l], levels[l + 1].shape, maps[l], from.data(), work.f[l + 1].data(),
                        work.scratch);
    else
      restrict_to(levels[l].shape, levels[l + 1].shape, maps[l], from.data(), work.f[l + 1].data());
  }
  void up(std::size_t l, Vectors& work) const {
    if constexpr (std::is_same_v<T, double>)
      prolong_weighted(levels[l], levels[l + 1].shape, maps[l], work.u[l + 1].data(),
                       work.u[l].data(), work.scratch);
    else
      prolong_add(levels[l].shape, levels[l + 1].shape, maps[l], work.u[l + 1].data(),
                  work.u[l].data());
  }

  [[nodiscard]] static Workers* workers_for(const Shape& shape, const Vectors& work) {
    return shape.nodes() >= kParallelNodes ? work.workers : nullptr;
  }

  // One half-sweep per colour, first colour first. Serially both are fused in one pass over memory:
  // the second colour follows one row (one plane in 3-D) behind.
  void relax(std::size_t l, Vectors& work, int first) const {
    const Level<T>& level = levels[l];
    const Shape& s = level.shape;
    T* u = work.u[l].data();
    const T* f = work.f[l].data();
    const auto n = index(s.n[0]);
    const auto row = [&](std::size_t r, int colour) {
      const int j = static_cast<int>(r % index(s.n[1]));
      const int k = static_cast<int>(r / index(s.n[1]));
      kernels::relax_row(n, level.row(u, f, j, k), (j + k + colour) % 2);
    };
    const bool periodic = s.any_periodic();
    Workers* pool = workers_for(s, work);
    if (!periodic && (pool == nullptr || pool->count() == 1)) {
      kernels::relax_sweep(level.grid(u, f), first);
      return;
    }
    for (const int colour : {first, 1 - first}) {
      if (periodic) refresh_ghosts(s, u);
      // Rows store whole vectors, nodes of the other colour unchanged among them.
      const std::size_t reach = s.n[2] > 1 ? index(s.n[1]) : 1;
      for_rows_apart(pool, s.rows(), reach, [&](std::size_t r) { row(r, colour); });
    }
  }

  void residual(std::size_t l, Vectors& work) const {
    const Level<T>& level = levels[l];
    const Shape& s = level.shape;
    if (s.any_periodic()) refresh_ghosts(s, work.u[l].data());
    for_rows(workers_for(s, work), s.rows(), [&](std::size_t, std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        const int j = static_cast<int>(r % index(s.n[1]));
        const int k = static_cast<int>(r / index(s.n[1]));
        kernels::residual_row(index(s.n[0]), level.row(work.u[l].data(), work.f[l].data(), j, k),
                              work.r[l].data() + s.at(0, j, k));
      }
    });
  }

  // Whether smoothing and the transfer to the next level share one pass over memory. The numbers
  // are the same either way.
  [[nodiscard]] bool one_pass(std::size_t l, const Vectors& work) const {
    if constexpr (std::is_same_v<T, double>) return false;
    const Shape& s = levels[l].shape;
    const Workers* pool = workers_for(s, work);
    return s.dimensions == 2 && !s.any_periodic() && maps[l][0].coarsened && maps[l][1].coarsened &&
           (pool == nullptr || pool->count() == 1);
  }
  [[nodiscard]] kernels::CoarseRows<T> coarse_rows(std::size_t l, AlignedVector<T>& v) const {
    const Shape& c = levels[l + 1].shape;
    return {v.data() + c.at(0, 0, 0), {c.n[0], c.n[1]}, c.row_stride()};
  }
  void relax_and_restrict(std::size_t l, Vectors& work) const {
    if constexpr (std::is_same_v<T, float>) {
      std::fill(work.f[l + 1].begin(), work.f[l + 1].end(), T(0));
      // A row of r, which has zeros around its nodes.
      kernels::relax_and_restrict(levels[l].grid(work.u[l].data(), work.f[l].data()), smoothing,
                                  work.r[l].data() + levels[l].shape.at(0, 0, 0),
                                  coarse_rows(l, work.f[l + 1]));
    }
  }
  void prolong_and_relax(std::size_t l, Vectors& work) const {
    if constexpr (std::is_same_v<T, float>)
      kernels::prolong_and_relax(levels[l].grid(work.u[l].data(), work.f[l].data()), smoothing,
                                 work.line.data(), coarse_rows(l, work.u[l + 1]));
  }

  // Sweeps before and after the coarse correction mirror each other where coefficients jump, which
  // keeps the preconditioner symmetric. Elsewhere both begin with the same colour: a cycle then
  // gains a factor of 10 instead of 5.
  static constexpr bool kSymmetric = std::is_same_v<T, double>;

  // One cycle for A u = f on level l from the present u.
  void cycle(std::size_t l, Vectors& work, int turns) const {
    if (l + 1 == levels.size()) {
      if (coarsest.solve(work.f[l].data(), work.u[l].data())) return;
      for (int i = 0; i < kCoarsestSweeps; ++i) {
        relax(l, work, 0);
        relax(l, work, 1);
      }
      return;
    }
    const bool together = one_pass(l, work);
    if (together) {
      relax_and_restrict(l, work);
    } else {
      for (int i = 0; i < smoothing; ++i) relax(l, work, 0);
      residual(l, work);
      down(l, work.r[l], work);
    }
    clear_fixed(l + 1, work.f[l + 1]);
    std::fill(work.u[l + 1].begin(), work.u[l + 1].end(), T(0));
    for (int i = 0; i < turns; ++i) cycle(l + 1, work, turns);
    if (together) {
      prolong_and_relax(l, work);
      return;
    }
    up(l, work);
    for (int i = 0; i < smoothing; ++i) relax(l, work, kSymmetric ? 1 : 0);
  }

  // Interpolation writes fixed nodes too; their u must stay 0, and so must the right-hand side.
  void clear_fixed(std::size_t l, AlignedVector<T>& v) const {
    const Shape& s = levels[l].shape;
    for (int a = 0; a < s.dimensions; ++a)
      for (int side = 0; side < 2; ++side) {
        if (!fixed[index(a)][index(side)]) continue;
        std::array<int, 3> low{0, 0, 0};
        std::array<int, 3> high{s.n[0] - 1, s.n[1] - 1, s.n[2] - 1};
        low[index(a)] = high[index(a)] = side == 0 ? 0 : high[index(a)];
        for (int k = low[2]; k <= high[2]; ++k)
          for (int j = low[1]; j <= high[1]; ++j)
            for (int i = low[0]; i <= high[0]; ++i) v[s.at(i, j, k)] = 0;
      }
  }

  // Nested iteration: f of level 0 is given; leaves a solution to about discretisation error in
  // u[0].
  void full(Vectors& work) const {
    for (std::size_t l = 0; l + 1 < levels.size(); ++l) {
      down(l, work.f[l], work);
      clear_fixed(l + 1, work.f[l + 1]);
    }
    for (std::size_t l = 1; l < levels.size(); ++l) work.kept[l] = work.f[l];
    std::fill(work.u.back().begin(), work.u.back().end(), T(0));
    cycle(levels.size() - 1, work, 1);
    for (std::size_t l = levels.size() - 1; l-- > 0;) {
      std::fill(work.u[l].begin(), work.u[l].end(), T(0));
      up(l, work);
      clear_fixed(l, work.u[l]);
      if (l > 0) work.f[l] = work.kept[l];
      cycle(l, work, 1);
    }
  }
};

}  // namespace neurolens::pde
