// Formulas on a grid beside the same formulas written in C++ with the C library's functions.
#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

#include "neurolens/engines/pde/expression.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPoints = 80;  // per side; the founding case

std::vector<double> axis() {
  std::vector<double> x(kPoints);
  for (std::size_t i = 0; i < kPoints; ++i) x[i] = static_cast<double>(i) / (kPoints - 1);
  return x;
}

void per_point(benchmark::State& state) {
  state.counters["per_point"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kPoints * kPoints,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void formula(benchmark::State& state, const char* text) {
  const auto expression = Expression::parse(text);
  const std::vector<double> x = axis();
  const double z[] = {0};
  std::vector<double> out(kPoints * kPoints);
  for (auto _ : state) {
    expression->evaluate_grid(x, x, z, 0, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  per_point(state);
}

template <class F>
void by_hand(benchmark::State& state, const F& f) {
  const std::vector<double> x = axis();
  std::vector<double> out(kPoints * kPoints);
  for (auto _ : state) {
    for (std::size_t j = 0; j < kPoints; ++j)
      for (std::size_t i = 0; i < kPoints; ++i) out[j * kPoints + i] = f(x[i], x[j]);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  per_point(state);
}

BENCHMARK_CAPTURE(formula, gaussian, "exp(-40*((x-.3)^2+(y-.5)^2))");
BENCHMARK_CAPTURE(by_hand, gaussian, [](double x, double y) {
  return std::exp(-40 * ((x - .3) * (x - .3) + (y - .5) * (y - .5)));
});
BENCHMARK_CAPTURE(formula, product_of_sines, "-2*pi^2*sin(pi*x)*sin(pi*y)");
BENCHMARK_CAPTURE(by_hand, product_of_sines, [](double x, double y) {
  return -2 * M_PI * M_PI * std::sin(M_PI * x) * std::sin(M_PI * y);
});
BENCHMARK_CAPTURE(formula, mixed_wave, "sin(7*x*y)+tanh(3*(x-y))");
BENCHMARK_CAPTURE(by_hand, mixed_wave,
                  [](double x, double y) { return std::sin(7 * x * y) + std::tanh(3 * (x - y)); });

}  // namespace
}  // namespace neurolens::pde
