/// \file
/// Equations in time on boxes:
///   heat                 u_t  = div(k grad u) + s
///   wave                 u_tt = c^2 laplacian(u) + s
///   advection-diffusion  u_t  = k laplacian(u) - v . grad u + s
///   Burgers              u_t  = k laplacian(u) - u (u_x + u_y + u_z)
/// Space: order 2, all boundary conditions, boundary values honoured at every stage's time. Time:
/// exact (each eigenvector by its closed form) for heat and wave with constant coefficients and
/// data that do not change in time; otherwise TR-BDF2 with error control, the two-stage SDIRK pair
/// (diffusion implicit, transport explicit), or explicit Runge-Kutta; leapfrog for waves. Implicit
/// stages use the fast direct solver, or multigrid where k varies.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "neurolens/engines/pde/convergence.hpp"
#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

enum class Equation : std::uint8_t { heat, wave, advection_diffusion, burgers };
/// "heat", "wave", "advection-diffusion" or "burgers".
[[nodiscard]] std::string_view to_string(Equation equation);

struct EvolutionProblem {
  Equation equation = Equation::heat;
  Grid grid;
  Boundary boundary;
  ScalarData initial;                       ///< u at the start.
  ScalarData initial_velocity;              ///< u_t at the start; waves only.
  ScalarData source;                        ///< s; not for Burgers.
  ScalarData diffusivity = 1.0;             ///< k > 0; may vary in space for heat.
  double wave_speed = 1;                    ///< c > 0.
  std::array<double, 3> velocity{0, 0, 0};  ///< v.
};

enum class TimeMethod : std::uint8_t {
  automatic,
  exact,    ///< Heat and wave; error: that of space alone.
  tr_bdf2,  ///< Heat. Order 2, L-stable, controls its step by an embedded order-3 estimate.
  sdirk,    ///< Order 2; diffusion implicit (L-stable), transport explicit. Fixed step.
  rk4,      ///< Explicit, order 4. Fixed step below the stability limit.
  rk3,      ///< Explicit, order 3, strong-stability preserving, two registers.
  leapfrog  ///< Waves, explicit, order 2, conserves a discrete energy.
};
/// "automatic", "exact", "tr-bdf2", "sdirk", "rk4", "rk3" or "leapfrog".
[[nodiscard]] std::string_view to_string(TimeMethod method);

struct EvolutionOptions {
  TimeMethod method = TimeMethod::automatic;
  double start = 0;
  /// Increasing times at which states are kept, the start itself allowed; the last one, after the
  /// start, ends the run. Not empty.
  std::vector<double> output_times{1.0};
  double step = 0;          ///< Of fixed-step methods and the first step of tr_bdf2; 0: chosen.
  double tolerance = 1e-6;  ///< tr_bdf2: error per unit of max |u| and step, in (1e-12, 1e-1).
  std::uint64_t max_steps = 10'000'000;
  /// Solves once more on the grid of half the intervals with steps twice as long (tr_bdf2: the
  /// tolerance 8 times as large), where there are at least 8 intervals per axis and data are
  /// functions.
  bool estimate_error = true;
};

struct EvolutionResult {
  std::vector<double> times;
  std::vector<Field> states;  ///< One per output time.
  /// The caller asked to stop: states end with the last output time reached, `reached` is where.
  bool stopped = false;
  double reached = 0;
  std::uint64_t steps = 0, rejected = 0;       ///< The exact method takes none.
  double smallest_step = 0, largest_step = 0;  ///< 0 without steps.
  /// max |rhs - A u| / max |rhs|. Exact: of A u = u_t - forcing in space at the last output, u_t by
  /// its closed form; implicit methods: of the last linear system (multigrid: the worst of all).
  /// Empty for methods that solve none.
  std::optional<double> residual_relative;
  /// Waves by the exact method: discrete energy at the start and the end.
  double energy_start = 0, energy_end = 0;
  Report report;
};

/// Errors: those of check() and ScalarData::fill; bad_request (method does not fit the equation,
/// times not increasing); refused when an explicit step is unstable (the sentence names the largest
/// stable one); check_failed when the tolerance or max_steps cannot be met or the solution
/// overflows; cancelled when it was stopped before the first output time.
[[nodiscard]] Result<EvolutionResult> evolve(const EvolutionProblem& problem,
                                             const EvolutionOptions& options,
                                             const Context& context = {});

/// Solves on the problem's grid and `levels` - 1 (2 to 12 in all) grids with the intervals doubled
/// each time, and compares all states with `exact`. Steps of implicit methods and of leapfrog are
/// halved with the grid, explicit Runge-Kutta steps are quartered where `step` is given, and the
/// tolerance of tr_bdf2 is divided by 8. When stopped, the rows so far. Errors: out_of_range, and
/// those of evolve.
[[nodiscard]] Result<std::vector<ConvergenceRow>> convergence_table(
    const EvolutionProblem& problem, const ScalarData& exact, int levels,
    const EvolutionOptions& options = {}, const Context& context = {});

/// max |states - exact| over all points and times. Errors: those of ScalarData::fill.
[[nodiscard]] Result<double> error_against(const EvolutionResult& result, const ScalarData& exact);

}  // namespace neurolens::pde
