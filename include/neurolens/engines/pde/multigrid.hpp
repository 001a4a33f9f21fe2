/// \file
/// Elliptic problems with variable coefficients, by matrix-free geometric multigrid:
///   div(a grad u) + c u = f,   a > 0, c <= 0.
/// Method: finite volumes on the grid's points (order 2, harmonic face values of a, hence exact for
/// jumps on faces in 1-D); coarse operators by series and parallel connection of the fine ones;
/// red-black smoothing; inner cycles in single precision, the residual that is reported in double.
/// As a solver or, where that converges slowly, as the preconditioner of conjugate gradients, which
/// converges for jumps of 1e6 in a. Any number of points. 2-D and 3-D problems with bounded axes of
/// about equal spacing take one pass over memory per cycle.
#pragma once

#include <cstdint>
#include <memory>

#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

/// The shape of one multigrid cycle.
enum class Cycle : std::uint8_t {
  v,    ///< Each coarser level once.
  w,    ///< Twice: more robust, about 1.5 times the work in 2-D.
  full  ///< Start from the coarsest level (nested iteration), then V-cycles.
};

struct MultigridOptions {
  Cycle cycle = Cycle::full;
  /// Red-black sweeps before and after each coarse correction, 1 to 8 (where a cycle is one pass:
  /// twice as many in each pass over the finest level, and one more on each side of coarser ones).
  int smoothing = 1;
  bool conjugate_gradient = true;  ///< false: plain cycles, less memory, fragile at large jumps.
  /// Conjugate gradients begin only once plain cycles turn out to gain less than a factor of 4
  /// each; smooth coefficients never need them. false: from the start.
  bool cycles_first = true;
  double tolerance = 1e-8;   ///< Of Report::residual_relative, in (1e-15, 1).
  int max_iterations = 300;  ///< >= 1.
};

/// Prepared levels for one grid, boundary kinds, a and c. Immutable: share it between threads.
class MultigridPlan {
 public:
  /// Errors: those of check(); out_of_range where a <= 0, c > 0 or a Robin ratio is negative
  /// (`where` names the point); out_of_memory.
  [[nodiscard]] static Result<std::shared_ptr<const MultigridPlan>> make(
      const Grid& grid, const Boundary& boundary, const ScalarData& a, const ScalarData& c,
      const MultigridOptions& options = {});
  ~MultigridPlan();
  MultigridPlan(const MultigridPlan&) = delete;
  MultigridPlan& operator=(const MultigridPlan&) = delete;

  /// Solves for `u`, whose content is the first guess unless the cycle is `full`. Fills iterations,
  /// residual and nullspace fields of `report`; where rounding alone keeps the residual above the
  /// tolerance, `details` says so. Errors: check_failed when the tolerance was not met otherwise
  /// (`u` then holds the best so far), refused for contradicting Neumann data, out_of_range for bad
  /// data.
  Status solve(const Field& source, const Boundary& boundary, double t, Field& u,
               const Context& context, Report& report) const;
  /// The same for single precision. The iterate is kept in double precision (16 bytes per point,
  /// which the plan keeps for the next solve) until the tolerance is met and rounded then.
  /// Report::residual_unrounded and residual_relative are what was reached; residual() tells what
  /// is left of it in `u`.
  Status solve(const FieldF32& source, const Boundary& boundary, double t, FieldF32& u,
               const Context& context, Report& report) const;

  /// max |rhs - A u| / max |rhs| of a field in single precision, in double precision (16 to 32
  /// bytes per point meanwhile). Errors: those of ScalarData::fill, out_of_memory.
  [[nodiscard]] Result<double> residual(const FieldF32& source, const Boundary& boundary, double t,
                                        const FieldF32& u) const;

  [[nodiscard]] Bytes bytes() const;
  [[nodiscard]] int levels() const;

 private:
  struct State;
  explicit MultigridPlan(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace neurolens::pde
