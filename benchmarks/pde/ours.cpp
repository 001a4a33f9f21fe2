// The library's own solvers.
#include <algorithm>
#include <cmath>

#include "neurolens/engines/pde/multigrid.hpp"
#include "neurolens/engines/pde/poisson.hpp"
#include "peers.hpp"

namespace neurolens::pde_bench {
namespace {

using namespace neurolens::pde;

const Boundary kZero = Boundary::all({ConditionKind::dirichlet, 0.0});

template <class T>
BasicField<T> source_of(const Problem& p, const Grid& grid) {
  BasicField<T> f(grid);
  // Order 4 reads f on the boundary too; the Gaussian is continued by its interior neighbour's
  // value, which changes the solution slightly and its cost not at all.
  p.each([&](std::array<int, 3> i) {
    f.at(i[0], i[1], p.dimensions > 2 ? i[2] : 0) = static_cast<T>(p.f[p.index(i)]);
  });
  return f;
}

template <class T>
std::vector<double> interior(const Problem& p, const BasicField<T>& u) {
  std::vector<double> v(p.unknowns());
  p.each([&](std::array<int, 3> i) {
    v[p.index(i)] = static_cast<double>(u.at(i[0], i[1], p.dimensions > 2 ? i[2] : 0));
  });
  return v;
}

double loss_of(const FieldF32& u, const Field& wide) {
  double most = 0;
  double size = 0;
  for (std::size_t i = 0; i < u.values.size(); ++i) {
    most = std::max(most, std::fabs(static_cast<double>(u.values[i]) - wide.values[i]));
    size = std::max(size, std::fabs(wide.values[i]));
  }
  return most / size;
}

// Times solve(f, u, report) for f and u of numbers T and takes what it leaves.
template <class T, class Solve>
bool time_field(const Problem& p, const Grid& grid, Outcome& outcome, const Solve& solve) {
  const BasicField<T> f = source_of<T>(p, grid);
  BasicField<T> u(grid);
  Report report;
  bool solved = true;
  time_solves(outcome, [&] { solved = solve(f, u, report).ok() && solved; });
  if (!solved) return false;
  outcome.iterations = report.iterations;
  outcome.details = report.details;
  outcome.peak_bytes = peak_bytes();
  outcome.residual = p.residual(interior(p, u));
  if constexpr (sizeof(T) == sizeof(float)) {
    Field wide(grid);
    Report unused;
    if (!solve(to_f64(f), wide, unused).ok()) return false;
    outcome.loss = loss_of(u, wide);
  }
  return true;
}

template <class T>
std::optional<Outcome> time_direct(const Problem& p, int order, int threads) {
  const Grid grid = Grid::unit(p.dimensions, p.points);
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
  if (!time_field<T>(p, grid, outcome, [&](const auto& f, auto& u, Report&) {
        return plan->solve(f, kZero, 0, u, context);
      }))
    return {};
  outcome.details = plan->description();
  if (order != 2) {  // of the compact stencil: the harness knows the 5-point one only
    const Field f = source_of<double>(p, grid);
    Field u(grid);
    if (!plan->solve(f, kZero, 0, u).ok()) return {};
    if (const auto own = plan->residual(f, kZero, 0, u); own.ok()) outcome.residual = *own;
  }
  return outcome;
}

template <class T>
std::optional<Outcome> time_multigrid(const Problem& p, int threads) {
  const Grid grid = Grid::unit(p.dimensions, p.points);
  const auto workers =
      threads > 1 ? make_thread_workers(static_cast<std::size_t>(threads)) : nullptr;
  const Context context{workers.get(), nullptr, {}};
  const ScalarData a = p.variable ? *ScalarData::parse("1+x*y") : ScalarData(1.0);
  Outcome outcome;
  std::shared_ptr<const MultigridPlan> plan;
  outcome.setup_s = seconds_of([&] {
    auto made = MultigridPlan::make(grid, kZero, a, 0.0);
    if (made.ok()) plan = *made;
  });
  if (plan == nullptr) return {};
  if (!time_field<T>(p, grid, outcome, [&](const auto& f, auto& u, Report& report) {
        return plan->solve(f, kZero, 0, u, context, report);
      }))
    return {};
  return outcome;
}

}  // namespace

std::optional<Outcome> run_direct(const Problem& p, int order, int threads) {
  return time_direct<double>(p, order, threads);
}
std::optional<Outcome> run_direct_f32(const Problem& p) {
  return time_direct<float>(p, 2, 1);
}
std::optional<Outcome> run_multigrid(const Problem& p, int threads) {
  return time_multigrid<double>(p, threads);
}
std::optional<Outcome> run_multigrid_f32(const Problem& p) {
  return time_multigrid<float>(p, 1);
}

}  // namespace neurolens::pde_bench
