/// \file
/// The front door for stationary problems: chooses the solver, checks the answer and says how good
/// it is.
///   div(a grad u) + c u = f
#pragma once

#include <optional>
#include <vector>

#include "neurolens/engines/pde/convergence.hpp"
#include "neurolens/engines/pde/multigrid.hpp"
#include "neurolens/engines/pde/plan_cache.hpp"
#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

enum class EllipticMethod : std::uint8_t { automatic, direct, multigrid };

struct EllipticProblem {
  Grid grid;
  Boundary boundary;
  ScalarData source;
  ScalarData coefficient = 1.0;     ///< a > 0.
  ScalarData reaction = 0.0;        ///< c.
  int order = 2;                    ///< 2 or 4; 4 with constant a and c only.
  std::optional<ScalarData> exact;  ///< For Report::error_max.
};

struct EllipticOptions {
  EllipticMethod method = EllipticMethod::automatic;
  MultigridOptions multigrid;
  /// Costs one more solve: order 2 is compared with order 4 on the same grid; otherwise with the
  /// grid of half the intervals, where there are at least 8 per axis and data are functions.
  bool estimate_error = true;
  bool use_cuda =
      false;  ///< Falls back to the CPU, saying so in Report::why, when there is no device.
  PlanCache* cache = nullptr;  ///< Not owned.
};

/// The solution on all grid points and what is known of it.
template <class T>
struct BasicEllipticSolution {
  BasicField<T> u;
  Report report;
};
using EllipticSolution = BasicEllipticSolution<double>;
using EllipticSolutionF32 = BasicEllipticSolution<float>;

/// Errors: those of PoissonPlan and MultigridPlan; bad_request when the method does not fit the
/// problem.
[[nodiscard]] Result<EllipticSolution> solve_elliptic(const EllipticProblem& problem,
                                                      const EllipticOptions& options = {},
                                                      const Context& context = {});

/// The same with source and solution in single precision: half the memory. `source` as an f32 array
/// is taken without a copy in double precision. Errors besides: out_of_range for numbers beyond
/// 3.4e38, in the data or in the solution.
[[nodiscard]] Result<EllipticSolutionF32> solve_elliptic_f32(const EllipticProblem& problem,
                                                             const EllipticOptions& options = {},
                                                             const Context& context = {});

/// Solves on the problem's grid and `levels` - 1 grids with the intervals doubled each time. Needs
/// `exact`, and functions for all data. Errors: bad_request, and those of solve_elliptic.
[[nodiscard]] Result<std::vector<ConvergenceRow>> convergence_table(
    const EllipticProblem& problem, int levels, const EllipticOptions& options = {},
    const Context& context = {}, Precision precision = Precision::f64);

}  // namespace neurolens::pde
