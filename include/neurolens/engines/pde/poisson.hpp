/// \file
/// Poisson, Helmholtz and screened problems with constant coefficients on boxes, solved directly.
///   laplacian(u) + c u = f
/// Method: trigonometric transforms along all axes but one, tridiagonal solves along that one; any
/// number of points at full speed; O(n log n). Order 2 (5-point) or 4 (compact). Expected relative
/// residual: 1e-15 times the condition number, about 1e-13 at 100 and 1e-10 at 4000 points per
/// axis. Limits: constant c and unit diffusivity (variable ones: multigrid.hpp); Robin ends on
/// two axes of a 3-D box, or with c > 0 or a negative ratio, on axes of at most 512 intervals but
/// one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "neurolens/base/result.hpp"
#include "neurolens/engines/pde/data.hpp"
#include "neurolens/engines/pde/grid.hpp"
#include "neurolens/engines/pde/workers.hpp"

namespace neurolens::pde {

/// What a solver says about its solution.
struct Report {
  std::string method;                    ///< Short name: direct, multigrid, pcg, ...
  std::string details;                   ///< What was done along which axis.
  std::string why;                       ///< Why this method was chosen.
  Precision precision = Precision::f64;  ///< Of the source's and the solution's numbers.
  std::uint64_t unknowns = 0;
  int iterations = 0;  ///< 0 for direct methods.
  /// max |rhs - A u| / max |rhs| of the discrete system; absolute when rhs is 0. Computed in double
  /// precision from u as it is handed out: rounding u to f32 alone leaves about
  /// 6e-8 max |u| / (h^2 max |rhs|), which says nothing against u.
  double residual_relative = 0;
  /// Multigrid with f32: the same before u was rounded, which is what the tolerance is for.
  std::optional<double> residual_unrounded;
  std::optional<double> error_estimate;  ///< Of max |u - exact|; empty when not estimated.
  std::optional<double> error_max;       ///< max |u - exact|, when an exact solution was given.
  bool nullspace = false;  ///< Constants solve the homogeneous problem: u has weighted mean 0.
  double compatibility_defect = 0;  ///< Nullspace: |mean of rhs| / mean |rhs| that was removed.
  Nanoseconds time;                 ///< Whole solve.
  Nanoseconds plan_time;            ///< Of it, planning; 0 when the plan was cached.
  Bytes memory;                     ///< Arrays and plan.
};

/// A prepared solver for one grid, boundary kinds, c and order. Immutable: share it between
/// threads.
class PoissonPlan {
 public:
  /// `order` is 2 or 4. Errors: those of check(); refused when the operator is singular (c at an
  /// eigenvalue); unavailable when the direct method does not cover the boundary; out_of_memory.
  [[nodiscard]] static Result<std::shared_ptr<const PoissonPlan>> make(const Grid& grid,
                                                                       const Boundary& boundary,
                                                                       double c = 0, int order = 2);
  ~PoissonPlan();
  PoissonPlan(const PoissonPlan&) = delete;
  PoissonPlan& operator=(const PoissonPlan&) = delete;

  /// Solves for `u` (same grid) from source values at all points and face values at time t. The
  /// kinds and Robin coefficients of `boundary` must be those of the plan. Does not check the
  /// residual. Fills the nullspace fields of `report` when given. source and u must differ.
  Status solve(const Field& source, const Boundary& boundary, double t, Field& u,
               const Context& context = {}, Report* report = nullptr) const;

  Status solve(const FieldF32& source, const Boundary& boundary, double t, FieldF32& u,
               const Context& context = {}, Report* report = nullptr) const;

  /// The residual of the discrete system, as Report::residual_relative. One pass over the data, in
  /// double precision for either kind of field. Errors: those of ScalarData::fill; out_of_range
  /// when it is no finite number.
  [[nodiscard]] Result<double> residual(const Field& source, const Boundary& boundary, double t,
                                        const Field& u, const Context& context = {}) const;
  [[nodiscard]] Result<double> residual(const FieldF32& source, const Boundary& boundary, double t,
                                        const FieldF32& u, const Context& context = {}) const;

  [[nodiscard]] const Grid& grid() const;
  [[nodiscard]] int order() const;
  [[nodiscard]] std::string description() const;
  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] PhaseCost cost() const;

 private:
  struct State;
  explicit PoissonPlan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Largest tolerated Report::compatibility_defect: beyond it the data contradict each other.
inline constexpr double kMaxCompatibilityDefect = 0.05;

}  // namespace neurolens::pde
