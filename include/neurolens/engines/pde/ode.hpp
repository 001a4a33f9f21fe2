/// \file
/// Ordinary differential equations: initial-value problems y' = f(t, y) and two-point
/// boundary-value problems.
///
/// Initial values. Small non-stiff systems: our Dormand-Prince 5(4) with its continuous extension.
/// Stiff ones: CVODE's variable-order BDF; large non-stiff ones: its Adams method. Both control the
/// local error to relative_tolerance * |y| + absolute_tolerance. `automatic` starts with
/// Dormand-Prince and hands over to BDF when the steps are held down by stability instead of
/// accuracy.
///
/// Boundary values. y' = f(x, y), g(y(a), y(b)) = 0: collocation of order 4 (three-point Lobatto),
/// Newton's method, mesh refined where the defect of the interpolating cubic is too large.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::pde {

/// dydt = f(t, y). Return false to refuse the point (the step is then tried smaller, or fails).
using OdeFunction =
    std::function<bool(double t, std::span<const double> y, std::span<double> dydt)>;
/// Row-major df_i/dy_j at [i * n + j].
using OdeJacobian =
    std::function<bool(double t, std::span<const double> y, std::span<double> jacobian)>;
/// A zero of `value` is an event.
struct OdeEvent {
  std::function<double(double t, std::span<const double> y)> value;
  int direction = 0;      ///< -1: falling zeros only, 1: rising, 0: both.
  bool terminal = false;  ///< The run ends there.
};

enum class OdeMethod : std::uint8_t { automatic, dormand_prince, adams, bdf };
/// How BDF gets its Jacobian when no function is given.
enum class JacobianMode : std::uint8_t {
  differences,  ///< One evaluation of f per unknown.
  coloured,     ///< Differences, columns of `sparsity` that share no row together.
};

struct OdeProblem {
  OdeFunction f;
  std::vector<double> initial;  ///< Not empty.
  double start = 0;
  std::vector<OdeEvent> events;
  OdeJacobian jacobian;  ///< Optional.
  /// For `coloured`: nonzero pattern of df_i/dy_j, row-major n x n.
  std::vector<std::uint8_t> sparsity;
};

struct OdeOptions {
  OdeMethod method = OdeMethod::automatic;
  JacobianMode jacobian = JacobianMode::differences;
  std::vector<double>
      output_times;  ///< Monotonic, on one side of the start; not empty. Dense output.
  double relative_tolerance = 1e-6;  ///< In [1e-14, 0.1].
  double absolute_tolerance = 1e-9;  ///< >= 0; with 0, components must stay away from 0.
  double first_step = 0;             ///< 0: chosen.
  std::uint64_t max_steps = 1'000'000;
  Attention attention{};  ///< Asked between steps; a stopped run keeps the outputs it reached.
};

/// A zero of an event function: when, which (index in OdeProblem::events), and the state there.
struct OdeEventHit {
  double t = 0;
  std::size_t event = 0;
  std::vector<double> y;
};

struct OdeResult {
  std::vector<double> times;                ///< The output times reached.
  std::vector<std::vector<double>> states;  ///< One per time.
  std::vector<OdeEventHit> hits;
  bool ended_by_event = false;
  bool stopped = false;  ///< The caller asked to stop; times end with the last output reached.
  std::uint64_t steps = 0, rejected = 0, evaluations = 0, jacobians = 0;
  std::string
      method;  ///< What ran: "dormand-prince", "adams", "bdf", or "dormand-prince, then bdf".
  std::string why;
  Nanoseconds time;
  Bytes memory;  ///< Work arrays and outputs.
};

/// Errors: bad_request (no outputs, sizes), out_of_range (tolerances, non-finite data);
/// check_failed when the tolerance cannot be met, max_steps is reached or f refuses every smaller
/// step.
[[nodiscard]] Result<OdeResult> integrate(const OdeProblem& problem, const OdeOptions& options);

/// max |y - exact| over components and outputs of `result`, as far as integrating once more with a
/// tenth of both tolerances tells; nothing where that cannot be done.
[[nodiscard]] std::optional<double> estimate_error(const OdeProblem& problem,
                                                   const OdeOptions& options,
                                                   const OdeResult& result);

struct BvpProblem {
  /// dydx = f(x, y); n = guess[i].size().
  OdeFunction f;
  /// residual (n numbers) of the boundary conditions from y(a) and y(b).
  std::function<void(std::span<const double> ya, std::span<const double> yb,
                     std::span<double> residual)>
      conditions;
  std::vector<double> mesh;                ///< Increasing, at least 2 points; a = first, b = last.
  std::vector<std::vector<double>> guess;  ///< y at each mesh point.
};

/// The largest BvpOptions::tolerance.
inline constexpr double kCoarsestBvpTolerance = 0.0999;

struct BvpOptions {
  double tolerance = 1e-6;          ///< Of the relative defect, in (1e-13, 0.1).
  std::size_t max_points = 20'000;  ///< >= 2.
  int max_newton = 40;
  Attention attention{};  ///< Asked between Newton steps; a stopped run is an error, cancelled.
};

struct BvpResult {
  std::vector<double> mesh;
  std::vector<std::vector<double>> y;
  double defect = 0;  ///< Largest relative defect over the intervals.
  int refinements = 0, newton_iterations = 0;
  Nanoseconds time;
  Bytes memory;  ///< Of the largest Newton system and the solution.
  /// Cubic interpolation, x within the mesh.
  [[nodiscard]] std::vector<double> at(double x) const;
  std::vector<std::vector<double>> slope;  ///< y' at the mesh points.
};

/// Errors: bad_request, out_of_range; check_failed when Newton does not converge or max_points is
/// reached.
[[nodiscard]] Result<BvpResult> solve_bvp(const BvpProblem& problem,
                                          const BvpOptions& options = {});

/// max |y - exact| over components and mesh points of `result`, as far as solving once more with
/// every interval halved tells; nothing where that fails.
[[nodiscard]] std::optional<double> estimate_error(const BvpProblem& problem,
                                                   const BvpOptions& options,
                                                   const BvpResult& result);

}  // namespace neurolens::pde
