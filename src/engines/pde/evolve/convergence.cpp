// Errors of evolutions against an exact solution, over grids.
#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "neurolens/engines/pde/evolve.hpp"

namespace neurolens::pde {
namespace {

constexpr int kMostLevels = 12;

// Twice as fine in space, and in time what belongs to it.
void refine(EvolutionProblem& problem, EvolutionOptions& options, const EvolutionResult& last) {
  Grid& grid = problem.grid;
  for (int axis = 0; axis < grid.dimensions; ++axis)
    grid.points[index(axis)] = 2 * grid.points[index(axis)] - 1;
  const std::string& method = last.report.method;
  if (method == to_string(TimeMethod::tr_bdf2)) {
    options.tolerance = std::max(options.tolerance / 8, 1.01e-12);
    options.step /= 2;
  } else if (method == to_string(TimeMethod::rk4) || method == to_string(TimeMethod::rk3)) {
    options.step /= 4;  // diffusion limits explicit steps to a multiple of h^2
  } else {
    options.step = last.largest_step / 2;
  }
}

}  // namespace

Result<double> error_against(const EvolutionResult& result, const ScalarData& exact) {
  double worst = 0;
  for (std::size_t s = 0; s < result.states.size(); ++s) {
    const Field& u = result.states[s];
    NEUROLENS_ASSIGN(Field e, make_field(u.grid));
    NEUROLENS_TRY(exact.fill(u.grid, whole(u.grid), result.times[s], e.values.data()));
    for (std::size_t i = 0; i < e.values.size(); ++i)
      worst = std::max(worst, std::fabs(e.values[i] - u.values[i]));
  }
  return worst;
}

Result<std::vector<ConvergenceRow>> convergence_table(const EvolutionProblem& problem,
                                                      const ScalarData& exact, int levels,
                                                      const EvolutionOptions& options,
                                                      const Context& context) {
  if (levels < 2 || levels > kMostLevels)
    return Error{Errc::out_of_range, "A convergence table has 2 to 12 levels.", ""};
  EvolutionProblem p = problem;
  EvolutionOptions o = options;
  o.estimate_error = false;
  std::vector<ConvergenceRow> rows;
  while (static_cast<int>(rows.size()) < levels) {
    const auto result = evolve(p, o, context);
    if (!rows.empty() && context.attention.cancelled()) break;  // the grids so far are kept
    if (!result.ok()) return result.error();
    NEUROLENS_ASSIGN(const double error, error_against(*result, exact));
    ConvergenceRow row{p.grid, error, {}, result->report.time};
    if (!rows.empty() && error > 0) row.order = std::log2(rows.back().error_max / error);
    rows.push_back(row);
    refine(p, o, *result);
  }
  return rows;
}

}  // namespace neurolens::pde
