// The library's own solvers.
#include <fmt/format.h>

#include "neurolens/engines/pde/multigrid.hpp"
#include "neurolens/engines/pde/poisson.hpp"
#include "peers.hpp"

namespace neurolens::pde_bench {
namespace {

using namespace neurolens::pde;

const Boundary kZero = Boundary::all({ConditionKind::dirichlet, 0.0});

Field source_of(const Problem& p, const Grid& grid) {
  Field f(grid);
  // Order 4 reads f on the boundary too; the Gaussian is continued by its interior neighbour's
  // value, which changes the solution slightly and its cost not at all.
  p.each([&](std::array<int, 3> i) {
    f.at(i[0], i[1], p.dimensions > 2 ? i[2] : 0) = p.f[p.index(i)];
  });
  return f;
}

std::vector<double> interior(const Problem& p, const Field& u) {
  std::vector<double> v(p.unknowns());
  p.each(
      [&](std::array<int, 3> i) { v[p.index(i)] = u.at(i[0], i[1], p.dimensions > 2 ? i[2] : 0); });
  return v;
}

}  // namespace

std::optional<Outcome> run_direct(const Problem& p, int order, int threads) {
  const Grid grid = Grid::unit(p.dimensions, p.points);
  const Field f = source_of(p, grid);
  Field u(grid);
  const auto workers =
      threads > 1 ? make_thread_workers(static_cast<std::size_t>(threads)) : nullptr;
  const Context context{workers.get(), nullptr};
  Outcome outcome;
  std::shared_ptr<const PoissonPlan> plan;
  outcome.setup_s = seconds_of([&] {
    auto made = PoissonPlan::make(grid, kZero, 0, order);
    if (made.ok()) plan = *made;
  });
  if (plan == nullptr) return {};
  bool solved = true;
  time_solves(outcome, [&] { solved = plan->solve(f, kZero, 0, u, context).ok() && solved; });
  if (!solved) return {};
  outcome.details = plan->description();
  if (order == 2) {
    outcome.residual = p.residual(interior(p, u));
  } else if (const auto own = plan->residual(f, kZero, 0, u); own.ok()) {
    outcome.residual = *own;  // of the compact stencil: the harness knows the 5-point one only
  }
  return outcome;
}

std::optional<Outcome> run_multigrid(const Problem& p) {
  const Grid grid = Grid::unit(p.dimensions, p.points);
  const Field f = source_of(p, grid);
  Field u(grid);
  const ScalarData a = p.variable ? *ScalarData::parse("1+x*y") : ScalarData(1.0);
  Outcome outcome;
  std::shared_ptr<const MultigridPlan> plan;
  outcome.setup_s = seconds_of([&] {
    auto made = MultigridPlan::make(grid, kZero, a, 0.0);
    if (made.ok()) plan = *made;
  });
  if (plan == nullptr) return {};
  Report report;
  bool solved = true;
  time_solves(outcome, [&] { solved = plan->solve(f, kZero, 0, u, {}, report).ok() && solved; });
  if (!solved) return {};
  outcome.iterations = report.iterations;
  outcome.details = report.details;
  outcome.residual = p.residual(interior(p, u));
  return outcome;
}

}  // namespace neurolens::pde_bench
