/// \file
/// The `solve` command as a function: options as text in, a report, files' contents and data out.
/// The command line only parses its arguments into a SolveRequest, prints the answer and writes the
/// files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "neurolens/engines/pde/elliptic.hpp"
#include "neurolens/engines/pde/evolve.hpp"
#include "neurolens/engines/pde/ode.hpp"

namespace neurolens::pde {

/// Everything as the user wrote it. Empty strings mean "not given".
struct SolveRequest {
  /// poisson, heat, wave, advection-diffusion, burgers, ode or bvp.
  std::string equation = "poisson";
  std::string points = "65x65";  ///< Points per axis, boundary included: "80x80".
  std::string domain;  ///< "-1:1x-1:1"; default 0:1 per axis. ode and bvp: time or x range.
  std::string source;  ///< f, or s. In x, y, z, t.
  /// "dirichlet=EXPR" (all faces), "all:KIND=EXPR", "xmin:KIND=EXPR", "x:periodic"; KIND is
  /// dirichlet, neumann, robin(ALPHA,BETA) or periodic. Later entries win. Default: dirichlet=0.
  std::vector<std::string> boundary;
  std::string exact;        ///< Exact solution, for the error.
  std::string coefficient;  ///< a of div(a grad u), or the diffusivity.
  std::string reaction;     ///< c of ... + c u.
  std::string initial;      ///< u at the start. ode, bvp: "x=0,y=1" (bvp: the guess, in x).
  std::string initial_velocity;
  std::string velocity;  ///< "1,0.5".
  double wave_speed = 1;
  /// auto, direct (also dst), multigrid (also mg), pcg; exact, tr-bdf2, sdirk, rk4, rk3, leapfrog;
  /// dormand-prince, adams, bdf.
  std::string method = "auto";
  int order = 2;
  /// f64 or f32: how source and solution are kept. f32 for poisson only.
  std::string precision = "f64";
  double tolerance = 0;  ///< 0: the method's default.
  double step = 0;
  std::string times;    ///< "0.1,0.2,1" or "0:1:11" (11 outputs, both ends kept); default 1.
  int convergence = 0;  ///< Levels of a convergence table; 0: none.
  bool estimate_error = true;
  bool cuda = false;
  /// ode, bvp: "x=y", "y=-x": the derivative of each component.
  std::vector<std::string> derivatives;
  /// ode: expressions whose zeros are events. bvp: residuals in NAME_a and NAME_b, such as "u_b-1".
  std::vector<std::string> conditions;
  bool want_svg = false, want_png = false, want_npy = false;
};

struct SolveAnswer {
  std::string json;      ///< One document: method, unknowns, time_ns, residual_relative, error_max,
                         ///< error_estimate, iterations, ...
  std::string text;      ///< For people, several lines.
  bool stopped = false;  ///< The caller asked to stop; what was reached by then is here.
  std::string svg, png, npy;               ///< As wanted.
  std::vector<Field> states;               ///< Stationary: one; empty with f32.
  std::vector<FieldF32> states_f32;        ///< With f32, in place of `states`.
  std::vector<double> times;               ///< Of states, or of the rows of `table`.
  std::vector<std::string> columns;        ///< ode, bvp: component names.
  std::vector<std::vector<double>> table;  ///< ode, bvp: one row of components per time.
};

/// Errors: bad_request and parse_error name the option in `where` ("--bc", "--n", ...); otherwise
/// those of the solvers.
[[nodiscard]] Result<SolveAnswer> run_solve(const SolveRequest& request,
                                            const Context& context = {});

/// Parses "80x80" and "-1:1x-1:1" (empty: unit intervals). Errors: bad_request.
[[nodiscard]] Result<Grid> parse_grid(std::string_view points, std::string_view domain);
/// Applies one boundary text to `boundary`. Errors: bad_request, parse_error.
Status parse_boundary(std::string_view text, int dimensions, Boundary& boundary);

}  // namespace neurolens::pde
