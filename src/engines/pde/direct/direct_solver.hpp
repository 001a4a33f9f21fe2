/// \file
/// The fast direct solver: transforms along all axes but the last, tridiagonal solves along the
/// last (or transforms along all axes and a division), fused so that data cross memory twice.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "direct/box.hpp"
#include "direct/factors.hpp"
#include "direct/stage.hpp"
#include "neurolens/engines/pde/workers.hpp"

namespace neurolens::pde {

class DeskPool;

class DirectSolver {
 public:
  /// Plans for a box. Errors: unavailable when no transform fits (Robin ends on two axes that are
  /// too long for an explicit basis), refused when the operator is singular or nearly so (c at an
  /// eigenvalue).
  [[nodiscard]] static Result<std::unique_ptr<DirectSolver>> make(const Box& box);

  /// Solves for the unknown points of `u` (solver's order, all points). `data` must have been
  /// prepared for the same box; its f must not overlap u.
  Status solve(const BoxData& data, double* u, Workers& workers) const;

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
  Status plan_division();
  void numerator_denominator(const double* symbols, double& a, double& b) const;
  /// Of mode (i, j, k), an axis each; 0 for axes that the box does not have.
  [[nodiscard]] std::array<double, 3> symbols(int i, int j, int k) const {
    return {axis_[0].symbol[static_cast<std::size_t>(i)],
            box_.dimensions > 1 ? axis_[1].symbol[static_cast<std::size_t>(j)] : 0,
            box_.dimensions > 2 ? axis_[2].symbol[static_cast<std::size_t>(k)] : 0};
  }

  static constexpr std::size_t kLines = 16;  ///< Most lines of a batch.
  void through(const Stage& stage, const std::array<const double*, kLines>& in, std::size_t count,
               const std::array<double*, kLines>& out, double* buffer) const;
  void transform_line(const Stage& stage, double* u) const;
  void solve_planes(const BoxData& data, double* u, Workers& workers) const;
  void solve_single_row_modes(const BoxData& data, double* u) const;
  void solve_spectral(const BoxData& data, double* u, Workers& workers) const;
  void transform_rows(bool forward, const BoxData* data, double* u, Workers& workers) const;
  void transform_axis(int a, bool forward, double* u, Workers& workers) const;
  void divide_axis(double* u, Workers& workers) const;
  void solve_wavefront(const BoxData& data, double* u, Workers& workers) const;
  [[nodiscard]] std::size_t buffer_doubles() const;

  Box box_;
  bool tridiagonal_ = true;
  std::array<AxisPlan, 3> axis_;
  FactorTable factors_;
  double first_weight_ = 1, last_weight_ = 1;
  AlignedVector<double> mode_scale_;  ///< Per mode of the transformed axes: right-hand side factor.
  AlignedVector<double> ones_;
  std::size_t modes_ = 1;
  std::shared_ptr<DeskPool> desks_;
};

}  // namespace neurolens::pde
