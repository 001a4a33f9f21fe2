// What a step of each method costs per point: squares that fit into the second cache and ones that
// do not; plans are made on the way, as in any run. Exact methods: per output.
#include <benchmark/benchmark.h>

#include "neurolens/engines/pde/evolve.hpp"

namespace neurolens::pde {
namespace {

void evolution(benchmark::State& state, Equation equation, TimeMethod method,
               const char* diffusivity) {
  constexpr int kSteps = 20;
  EvolutionProblem p;
  p.equation = equation;
  p.grid = Grid::unit(2, static_cast<int>(state.range(0)));
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = *ScalarData::parse("sin(pi*x)*sin(2*pi*y)");
  p.diffusivity = *ScalarData::parse(diffusivity);
  p.velocity = {1, 0.5, 0};
  EvolutionOptions o;
  o.method = method;
  o.estimate_error = false;
  o.tolerance = 0.05;  // of tr_bdf2: no step is refused
  const double h = p.grid.spacing(0);
  const bool explicit_diffusion = method == TimeMethod::rk4 || method == TimeMethod::rk3;
  if (method == TimeMethod::exact) {
    o.output_times.clear();
    for (int i = 1; i <= kSteps; ++i) o.output_times.push_back(0.01 * i);
  } else {
    o.step = explicit_diffusion ? 0.1 * h * h : 0.1 * h;
    o.output_times = {kSteps * o.step};
  }
  std::uint64_t steps = 0;
  for (auto _ : state) {
    const auto result = evolve(p, o);
    if (!result.ok()) {
      state.SkipWithError(result.error().message.c_str());
      return;
    }
    steps += method == TimeMethod::exact ? kSteps : result->steps;
  }
  state.counters["per_point_and_step"] =
      benchmark::Counter(static_cast<double>(steps) * static_cast<double>(p.grid.size()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void sizes(benchmark::internal::Benchmark* run) {
  run->ArgName("points")->Arg(257)->Arg(1025)->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(evolution, heat_exact, Equation::heat, TimeMethod::exact, "1")->Apply(sizes);
BENCHMARK_CAPTURE(evolution, wave_exact, Equation::wave, TimeMethod::exact, "1")->Apply(sizes);
BENCHMARK_CAPTURE(evolution, heat_tr_bdf2, Equation::heat, TimeMethod::tr_bdf2, "1")->Apply(sizes);
BENCHMARK_CAPTURE(evolution, heat_tr_bdf2_varying, Equation::heat, TimeMethod::tr_bdf2, "1+x*y")
    ->Apply(sizes);
BENCHMARK_CAPTURE(evolution, heat_rk4, Equation::heat, TimeMethod::rk4, "1")->Apply(sizes);
BENCHMARK_CAPTURE(evolution, heat_rk3_varying, Equation::heat, TimeMethod::rk3, "1+x*y")
    ->Apply(sizes);
BENCHMARK_CAPTURE(evolution, wave_leapfrog, Equation::wave, TimeMethod::leapfrog, "1")
    ->Apply(sizes);
BENCHMARK_CAPTURE(evolution, burgers_sdirk, Equation::burgers, TimeMethod::sdirk, "0.01")
    ->Apply(sizes);
BENCHMARK_CAPTURE(evolution, transport_rk3, Equation::advection_diffusion, TimeMethod::rk3, "0.01")
    ->Apply(sizes);

}  // namespace
}  // namespace neurolens::pde
