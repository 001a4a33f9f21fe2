/// \file
/// The fast direct solver: transforms along all axes but the last, tridiagonal solves along the
/// last (or transforms along all axes and a division), fused so that data cross memory twice.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "direct/border.hpp"
#include "direct/box.hpp"
#include "direct/factors.hpp"
#include "direct/stage.hpp"
#include "neurolens/engines/pde/workers.hpp"

namespace neurolens::pde {

template <class T>
class DeskPool;

class DirectSolver {
 public:
  /// Plans for a box. Errors: unavailable when no transform fits (Robin ends on two axes that are
  /// too long for an explicit basis), refused when the operator is singular or nearly so (c at an
  /// eigenvalue).
  [[nodiscard]] static Result<std::unique_ptr<DirectSolver>> make(const Box& box);

  /// Solves for the unknown points of `u` (solver's order, all points). `data` must have been
  /// prepared for the same box; its f must not overlap u. T = float: transforms in single
  /// precision, recurrences in double; tables are rounded at the first call and kept. Requires
  /// takes_f32().
  template <class T>
  Status solve(BasicBoxData<T>& data, T* u, Workers& workers) const;
  /// Whether solve<float>() serves these data. If not: 1-D, where it would save nothing, and
  /// boundary values on transformed axes of a problem that is divided by eigenvalues, which would
  /// drown the source in their rounding errors.
  [[nodiscard]] bool takes_f32(const BasicBoxData<float>& data) const;

  /// Expands unknown values into eigenvectors and back, in place; all axes transformed. For
  /// evolution in time. Requires can_expand().
  void expand(double* u, Workers& workers) const;
  void collapse(double* u, Workers& workers) const;
  [[nodiscard]] bool can_expand() const { return !tridiagonal_; }
  /// The operator's eigenvalue (laplacian + c, or for order 4 its quotient) of mode (i, j, k).
  [[nodiscard]] double eigenvalue(int i, int j, int k) const;

  /// A plan with transforms along all axes. Robin axes get an explicit basis.
  [[nodiscard]] static Result<std::unique_ptr<DirectSolver>> make_spectral(const Box& box);

  /// The best order of a grid's axes for this solver, contiguous one first.
  [[nodiscard]] static std::array<int, 3> best_order(const Grid& grid, const Boundary& boundary);

  [[nodiscard]] std::size_t plan_bytes() const;
  [[nodiscard]] std::string description() const;
  /// Closed form of one solve.
  [[nodiscard]] PhaseCost cost() const;
  /// Of one expand() or collapse().
  [[nodiscard]] PhaseCost transform_cost() const;
  [[nodiscard]] const Box& box() const { return box_; }

 private:
  struct AxisPlan {
    Stage forward, inverse;
    std::vector<double>
        symbol;        ///< Minus the eigenvalue of the second difference, per mode (times 1/1).
    double scale = 1;  ///< inverse(forward(x)) / x.
  };
  DirectSolver();
  Status plan_axis(int a);
  Status plan_tridiagonal();
  Status plan_cyclic(const std::vector<double>& diagonal, std::ptrdiff_t pinned);
  Status plan_division();
  void numerator_denominator(const double* symbols, double& a, double& b) const;
  /// Of mode (i, j, k), an axis each; 0 for axes that the box does not have.
  [[nodiscard]] std::array<double, 3> symbols(int i, int j, int k) const {
    return {axis_[0].symbol[static_cast<std::size_t>(i)],
            box_.dimensions > 1 ? axis_[1].symbol[static_cast<std::size_t>(j)] : 0,
            box_.dimensions > 2 ? axis_[2].symbol[static_cast<std::size_t>(k)] : 0};
  }

  /// What a solve in single precision needs besides: see narrow().
  struct Narrow;
  const Narrow& narrow() const;
  template <class T>
  [[nodiscard]] const BasicStage<T>& stage(int a, bool forward) const;
  template <class T>
  [[nodiscard]] const AlignedVector<T>& ones() const;
  template <class T>
  [[nodiscard]] DeskPool<T>& desks() const;

  template <class T>
  static constexpr std::size_t kLines = 128 / sizeof(T);  ///< Most lines of a batch.
  template <class T>
  using Sources = std::array<const T*, kLines<T>>;
  template <class T>
  using Targets = std::array<T*, kLines<T>>;
  template <class T>
  void through(const BasicStage<T>& stage, const Sources<T>& in, std::size_t count,
               const Targets<T>& out, T* buffer) const;
  void transform_line(const Stage& stage, double* u) const;
  template <class T>
  void solve_planes(const BasicBoxData<T>& data, T* u, Workers& workers) const;
  void solve_single_row_modes(const BoxData& data, double* u) const;
  template <class T>
  void solve_spectral(const BasicBoxData<T>& data, T* u, Workers& workers) const;
  template <class T>
  void transform_rows(bool forward, const BasicBoxData<T>* data, T* u, Workers& workers) const;
  template <class T>
  void transform_axis(int a, bool forward, T* u, Workers& workers) const;
  template <class T>
  void divide_axis(T* u, Workers& workers) const;
  template <class T>
  void expand_all(T* u, Workers& workers) const;
  template <class T>
  void collapse_all(T* u, Workers& workers) const;
  template <class T>
  void solve_wavefront(const BasicBoxData<T>& data, T* u, Workers& workers) const;
  template <class T>
  [[nodiscard]] std::size_t buffer_numbers() const;

  Box box_;
  bool tridiagonal_ = true;
  std::array<AxisPlan, 3> axis_;
  FactorTable factors_;
  BorderTable border_;  ///< A periodic last axis, eliminated.
  double first_weight_ = 1, last_weight_ = 1;
  AlignedVector<double> mode_scale_;  ///< Per mode of the transformed axes: right-hand side factor.
  AlignedVector<double> ones_;
  std::size_t modes_ = 1;
  std::shared_ptr<DeskPool<double>> desks_;
  mutable std::mutex narrow_mutex_;
  mutable std::shared_ptr<Narrow> narrow_;
};

}  // namespace neurolens::pde
