/// \file
/// Padded arrays and the stencil operator of one multigrid level.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/stencil.hpp"
#include "neurolens/engines/pde/grid.hpp"
#include "neurolens/engines/pde/workers.hpp"

namespace neurolens::pde {

/// Nodes per axis and how they lie in memory: rows padded to whole vectors, one ghost layer around.
struct Shape {
  std::array<int, 3> n{1, 1, 1};
  std::array<bool, 3> periodic{false, false, false};
  int dimensions = 1;

  static constexpr std::size_t kPad = 16;  ///< One AVX-512 vector of floats.
  [[nodiscard]] std::size_t row_stride() const {
    return (static_cast<std::size_t>(n[0]) + kPad - 1) / kPad * kPad + 2 * kPad;
  }
  [[nodiscard]] std::size_t plane_stride() const {
    return row_stride() * static_cast<std::size_t>(dimensions > 1 ? n[1] + 2 : 1);
  }
  [[nodiscard]] std::size_t size() const {
    return plane_stride() * static_cast<std::size_t>(dimensions > 2 ? n[2] + 2 : 1);
  }
  /// Offset of node (i, j, k); indices -1 and n are ghosts.
  [[nodiscard]] std::size_t at(int i, int j, int k) const {
    return static_cast<std::size_t>(i + static_cast<int>(kPad)) +
           row_stride() * static_cast<std::size_t>(dimensions > 1 ? j + 1 : 0) +
           plane_stride() * static_cast<std::size_t>(dimensions > 2 ? k + 1 : 0);
  }
  [[nodiscard]] std::size_t rows() const {
    return static_cast<std::size_t>(n[1]) * static_cast<std::size_t>(n[2]);
  }
  [[nodiscard]] bool any_periodic() const { return periodic[0] || periodic[1] || periodic[2]; }
  [[nodiscard]] std::size_t nodes() const { return rows() * static_cast<std::size_t>(n[0]); }
};

/// Face coefficients, extra diagonal, and vectors. `fixed` nodes have diagonal and inverse 0.
template <class T>
struct Level {
  Shape shape;
  std::array<AlignedVector<T>, 3> face;
  AlignedVector<T> diagonal, inverse;

  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = diagonal.size() + inverse.size();
    for (const auto& f : face) total += f.size();
    return total * sizeof(T);
  }
  /// Row (j, k) of vectors u and f (f may be null when it is not read).
  [[nodiscard]] kernels::StencilRow<T> row(T* u, const T* f, int j, int k) const;
  /// All rows; for levels without periodic axes.
  [[nodiscard]] kernels::StencilGrid<T> grid(T* u, const T* f) const;
};

/// Copies the ghosts of periodic axes of `u`.
template <class T>
void refresh_ghosts(const Shape& shape, T* u);

/// The level's geometry before it is turned into arrays: doubles, for building coarser ones.
struct Network {
  Shape shape;
  std::array<AlignedVector<double>, 3>
      face;                     ///< face[a] at node p joins p and its upper neighbour along a.
  AlignedVector<double> extra;  ///< Reaction and Robin terms.
  AlignedVector<std::uint8_t> fixed;
};

template <class T>
[[nodiscard]] Level<T> make_level(const Network& network);

/// How an axis coarsens: every second node is kept, and always the last one of a bounded axis.
struct AxisMap {
  bool coarsened = false;
  int fine = 1, coarse = 1;
  bool periodic = false;
  [[nodiscard]] int kept(int coarse_index) const;
  /// Coarse nodes that fine node i interpolates from, with weights.
  struct Source {
    int node[2] = {0, 0};
    float weight[2] = {1, 0};
  };
  [[nodiscard]] Source sources(int i) const;
};

/// The next coarser network; `maps` says how. Returns false when nothing can be coarsened.
[[nodiscard]] bool coarsen(const Network& fine, const std::array<double, 3>& spacing,
                           Network& coarse, std::array<AxisMap, 3>& maps);

/// to = P^T from, and to += P from.
template <class T>
void restrict_to(const Shape& fine, const Shape& coarse, const std::array<AxisMap, 3>& maps,
                 const T* from, T* to);
template <class T>
void prolong_add(const Shape& fine, const Shape& coarse, const std::array<AxisMap, 3>& maps,
                 const T* from, T* to);

/// The same with weights from the operator, for coefficients that jump: a node between kept ones
/// takes the value that balances its faces, first on lines, then planes, then cells (after
/// Alcouffe, Brandt, Dendy and Painter 1981). `scratch` has fine.shape.size() entries.
void restrict_weighted(const Level<double>& fine, const Shape& coarse,
                       const std::array<AxisMap, 3>& maps, const double* from, double* to,
                       AlignedVector<double>& scratch);
void prolong_weighted(const Level<double>& fine, const Shape& coarse,
                      const std::array<AxisMap, 3>& maps, const double* from, double* to,
                      AlignedVector<double>& scratch);

}  // namespace neurolens::pde
