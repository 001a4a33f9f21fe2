/// \file
/// A constant-coefficient problem on a box with its axes put in the solver's order, and the parts
/// of the discrete system that boundaries touch.
///
/// Order 2: the 3-, 5-, 7-point stencil. Order 4: the compact (Mehrstellen) stencil
///   sum d_i^2/h_i^2 u + sum_{i<j} (h_i^2 + h_j^2)/12 d_i^2 d_j^2/(h_i^2 h_j^2) u + c (1 + sum
///   d_i^2/12) u
///     = (1 + sum d_i^2/12) f.
/// Neumann and Robin ends, u_n + r u = g with the outward derivative u_n (Neumann: r = 0), use
///   d^2 u = (u_1 - (1 + h r) u_0) / w + G,
///   order 2: w = 1/2,           G = h g / w, by a ghost point and the central difference for u_n;
///   order 4: w = (1 + h r/3)/2, G = (h g + h^3/6 S) / w, S = f_n + r f - c g - laplace_tangential
///   g.
/// The latter is u_n to the next order, with u_nnn = S - r u_nn: (d/dn + r) applied to the
/// differential equation, where (d/dn + r) laplace_tangential u = laplace_tangential g. No
/// tangential derivative of u remains, so that the operator is a sum of products of operators of
/// one axis each, symmetric under the weights w, whatever the other axes end in. Known values
/// (Dirichlet values and G) enter the equations next to the face as `correction`.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "direct/stage.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/engines/pde/data.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

struct BoxEnd {
  ConditionKind kind = ConditionKind::dirichlet;
  double ratio = 0;   ///< Robin: alpha / beta, the r above.
  double weight = 1;  ///< The w above; 1 at Dirichlet and periodic ends.
};

struct BoxAxis {
  AxisKind kind = AxisKind::dirichlet_dirichlet;  ///< Robin counts as Neumann here.
  int intervals = 1;
  int first = 0;  ///< First unknown point.
  int count = 1;  ///< Unknown points.
  double h = 1;
  std::array<BoxEnd, 2> end;
  [[nodiscard]] bool robin() const {
    return end[0].kind == ConditionKind::robin || end[1].kind == ConditionKind::robin;
  }
  /// d^2 v at a Neumann or Robin end without its G, from the values there and one point inside.
  [[nodiscard]] double end_difference(std::size_t side, double at_end, double inside) const {
    return (inside - (1 + h * end[side].ratio) * at_end) / end[side].weight;
  }
};

/// Geometry in the solver's axis order; axis[0] is contiguous in memory.
struct Box {
  int dimensions = 1;
  int order = 2;
  double c = 0;  ///< laplace(u) + c u = f.
  std::array<BoxAxis, 3> axis;
  std::array<int, 3> user_axis{0, 1, 2};  ///< Which axis of the grid each is.

  [[nodiscard]] int points(int a) const { return axis[static_cast<std::size_t>(a)].intervals + 1; }
  [[nodiscard]] std::size_t row_stride() const { return static_cast<std::size_t>(points(0)); }
  [[nodiscard]] std::size_t plane_stride() const {
    return row_stride() * static_cast<std::size_t>(points(1));
  }
  [[nodiscard]] std::size_t offset(int i, int j, int k) const {
    return static_cast<std::size_t>(i) + row_stride() * static_cast<std::size_t>(j) +
           plane_stride() * static_cast<std::size_t>(k);
  }
  [[nodiscard]] std::size_t size() const {
    return plane_stride() * static_cast<std::size_t>(points(2));
  }
  [[nodiscard]] std::size_t unknowns() const;
  /// True when constants solve the homogeneous problem.
  [[nodiscard]] bool has_nullspace() const;
};

/// `boundary` must have passed check(). `user_axis` lists the grid axes, contiguous one first.
[[nodiscard]] Box make_box(const Grid& grid, const Boundary& boundary, double c, int order,
                           const std::array<int, 3>& user_axis);

/// Values on the faces of a box in the solver's order, and what they do to the right-hand side.
/// T: the numbers of f and u, double or float.
template <class T>
class BasicBoxData {
 public:
  /// Evaluates the face data at time t and computes corrections. `f` (solver's order, all points)
  /// is read here for order 4 and kept for rows(). Errors: those of ScalarData::fill.
  Status prepare(const Box& box, const Grid& grid, const Boundary& boundary, const T* f, double t);

  /// The right-hand side of unknown row (j, k) (point indices), `axis[0].count` numbers, in
  /// `scratch` or straight from f. scratch: 4 * (points(0) + 16) numbers.
  const T* row(int j, int k, T* scratch) const { return row_as(j, k, scratch, left_out_); }

  /// row() leaves out what the faces of the first `axes` axes add from here on.
  void leave_out_ends(int axes) { left_out_ = axes; }
  /// Whether a face adds anything, and what it adds to the right-hand side of the unknown next to
  /// it at tangential point indices (those of other axes count).
  [[nodiscard]] bool acts(int a, int side) const { return face(a, side).acts; }
  [[nodiscard]] double end_term(int a, int side, int i, int j, int k) const {
    return -face(a, side).correction[face_offset(a, i, j, k)];
  }

  /// Subtracted from every right-hand side (singular problems).
  void set_shift(double shift) { shift_ = shift; }
  [[nodiscard]] double shift() const { return shift_; }

  /// What a face holds on all its points, the earlier tangential axis fastest: the Dirichlet value,
  /// or G of Neumann and Robin faces.
  [[nodiscard]] const std::vector<double>& values(int a, int side) const {
    return face(a, side).value;
  }
  void set_values(int a, int side, std::vector<double> values) {
    Face& face = faces_[static_cast<std::size_t>(a)][static_cast<std::size_t>(side)];
    face.value = std::move(values);
    face.acts = false;
    make_correction(a, side);
  }

  /// Sets the points of `u` that are not unknown: Dirichlet values and periodic copies.
  void finish(T* u) const;

  /// max |rhs - A u| (0 when u is null) and max |rhs| over unknown rows [begin, end) of the
  /// flattened (j, k) order, in double precision.
  struct Norms {
    double residual = 0, rhs = 0;
    double sum = 0, weight = 0, magnitude = 0;  ///< Weighted sums of rhs, 1 and |rhs|.
  };
  [[nodiscard]] Norms norms(const T* u, std::size_t begin, std::size_t end) const;
  [[nodiscard]] const Box& box() const { return box_; }

 private:
  struct Face {
    bool known = false;              ///< Holds values.
    std::vector<double> value;       ///< Dirichlet value or G on all points of the face.
    std::vector<double> correction;  ///< On all points; used at unknown ones.
    bool acts = false;               ///< Some correction is not zero.
  };
  [[nodiscard]] const Face& face(int a, int side) const {
    return faces_[static_cast<std::size_t>(a)][static_cast<std::size_t>(side)];
  }
  [[nodiscard]] int tangent(int a, int which) const;
  [[nodiscard]] std::size_t face_offset(int a, int i, int j, int k) const;
  void make_ghosts(int a, int side);
  void make_correction(int a, int side);
  [[nodiscard]] double second_difference(int a, int side, int t, int at, std::size_t base,
                                         std::size_t step) const;
  /// In numbers of kind R; scratch: 6 * (points(0) + 16) where that is not T.
  template <class R>
  const R* row_as(int j, int k, R* scratch, int left_out) const;
  template <class R>
  void apply_source_operator(int j, int k, R* scratch) const;
  template <class R>
  const R* source_row(int j, int k, R* scratch) const;

  Box box_;
  const T* f_ = nullptr;
  double shift_ = 0;
  int left_out_ = 0;
  std::array<std::array<Face, 2>, 3> faces_;
};
using BoxData = BasicBoxData<double>;

}  // namespace neurolens::pde
