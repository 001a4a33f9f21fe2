// Solves a Poisson problem, shows its order of accuracy, and reuses a plan.
#include <cmath>
#include <cstdio>

#include "neurolens/engines/pde/elliptic.hpp"

int main() {
  using namespace neurolens::pde;
  EllipticProblem p;
  p.grid = Grid::unit(2, 41);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.source = *ScalarData::parse("-2*pi^2*sin(pi*x)*sin(pi*y)");
  p.exact = *ScalarData::parse("sin(pi*x)*sin(pi*y)");
  PlanCache cache;
  EllipticOptions options;
  options.cache = &cache;
  for (const int order : {2, 4}) {
    p.order = order;
    const auto rows = convergence_table(p, 3, options);
    if (!rows.ok()) {
      std::fprintf(stderr, "%s\n", rows.error().text().c_str());
      return 1;
    }
    for (const ConvergenceRow& row : *rows)
      std::printf("order %d  %9s points  error %.2e  observed order %s\n", order,
                  row.grid.text().c_str(), row.error_max,
                  row.order ? std::to_string(*row.order).c_str() : "-");
    if (std::fabs(rows->back().order.value_or(0) - order) > 0.1) return 1;
  }
  const auto again = solve_elliptic(p, options);
  return again.ok() && cache.statistics().hits > 0 ? 0 : 1;
}
