// What the kinds of faces cost a direct solve: ns per unknown of both stencils on squares of 127,
// 1,024 and 4,096 points. The plan is kept, as in repeated solves.
#include <benchmark/benchmark.h>

#include <string>

#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {
namespace {

// Letters of the pairs of ends: D, N, R, P. range(0): points per side, range(1): order.
void faces(benchmark::State& state, char x, char y) {
  const Grid grid = Grid::unit(2, static_cast<int>(state.range(0)));
  Boundary boundary;
  const char letters[] = {x, y};
  double unknowns = 1;
  for (std::size_t a = 0; a < 2; ++a) {
    const ConditionKind kind = letters[a] == 'D'   ? ConditionKind::dirichlet
                               : letters[a] == 'N' ? ConditionKind::neumann
                               : letters[a] == 'R' ? ConditionKind::robin
                                                   : ConditionKind::periodic;
    boundary.face[a] = {FaceCondition{kind, 0.0, 1.5, 0.8}, FaceCondition{kind, 0.0, 1.5, 0.8}};
    unknowns *= grid.points[a] - (letters[a] == 'D' ? 2 : letters[a] == 'P' ? 1 : 0);
  }
  const auto plan = PoissonPlan::make(grid, boundary, -1.0, static_cast<int>(state.range(1)));
  if (!plan.ok()) {
    state.SkipWithError(plan.error().message.c_str());
    return;
  }
  Field f(grid);
  (void)ScalarData::parse("exp(-40*((x-.3)^2+(y-.5)^2))")
      ->fill(grid, whole(grid), 0, f.values.data());
  Field u(grid);
  for (auto _ : state) {
    if (!(*plan)->solve(f, boundary, 0, u).ok()) state.SkipWithError("not solved");
    benchmark::ClobberMemory();
  }
  state.counters["per_unknown"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * unknowns,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void sizes(benchmark::internal::Benchmark* run) {
  run->ArgNames({"points", "order"});
  for (const int points : {127, 1024, 4096})
    for (const int order : {2, 4}) run->Args({points, order});
}
BENCHMARK_CAPTURE(faces, dirichlet_dirichlet, 'D', 'D')->Apply(sizes);
BENCHMARK_CAPTURE(faces, dirichlet_robin, 'D', 'R')->Apply(sizes);
BENCHMARK_CAPTURE(faces, robin_dirichlet, 'R', 'D')->Apply(sizes);
BENCHMARK_CAPTURE(faces, robin_neumann, 'R', 'N')->Apply(sizes);
BENCHMARK_CAPTURE(faces, robin_periodic, 'R', 'P')->Apply(sizes);
BENCHMARK_CAPTURE(faces, robin_robin, 'R', 'R')->Apply(sizes);
BENCHMARK_CAPTURE(faces, periodic_periodic, 'P', 'P')->Apply(sizes);

}  // namespace
}  // namespace neurolens::pde
