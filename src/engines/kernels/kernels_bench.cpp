// Kernels against the measured FMA peak of one core: "share" is the fraction reached.
#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {
namespace {

double peak() {
  static const double value = measure_fma_peak(50);
  return value;
}

void BM_Gemm(benchmark::State& state) {
  Gemm<float> g;
  g.m = state.range(0), g.n = state.range(1), g.k = state.range(2);
  g.transpose_a = (state.range(3) & 1) != 0;
  g.transpose_b = (state.range(3) & 2) != 0;
  std::vector<float> a(static_cast<std::size_t>(g.m * g.k), 0.1f),
      b(static_cast<std::size_t>(g.k * g.n), 0.1f);
  std::vector<float> c(static_cast<std::size_t>(g.m * g.n));
  g.a = a.data(), g.b = b.data(), g.c = c.data();
  g.lda = g.transpose_a ? g.m : g.k, g.ldb = g.transpose_b ? g.k : g.n, g.ldc = g.n;
  for (auto _ : state) {
    simd_kernels().gemm(g);
    benchmark::ClobberMemory();
  }
  const double flops = 2.0 * double(g.m) * double(g.n) * double(g.k);
  state.counters["GFLOPs"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["share"] =
      benchmark::Counter(flops / peak(), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Gemm)
    ->Args({32, 256, 128, 0})
    ->Args({32, 128, 256, 0})
    ->Args({32, 10, 128, 0})
    ->Args({64, 256, 128, 0})
    ->Args({32, 256, 128, 2})
    ->Args({32, 128, 10, 2})
    ->Args({128, 256, 32, 1})
    ->Args({256, 128, 32, 1})
    ->Args({128, 10, 32, 1})
    ->Args({3200, 64, 64, 0})
    ->Args({64, 64, 100, 1})
    ->Args({32, 64, 784, 0})
    ->Args({784, 64, 32, 1});

void BM_Tanh(benchmark::State& state) {
  std::vector<float> x(4096), y(4096);
  std::iota(x.begin(), x.end(), -2048.0f);
  for (auto& v : x) v *= 1e-3f;
  for (auto _ : state) {
    simd_kernels().activate(Activation::tanh, 4096, x.data(), y.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(4096 * state.iterations());
}
BENCHMARK(BM_Tanh);

void BM_Adam(benchmark::State& state) {
  std::vector<float> p(67'722, 0.1f), g(p), m(p), v(p);
  Adam<float> a{static_cast<std::int64_t>(p.size()), p.data(), g.data(), m.data(), v.data()};
  a.step_size = 1e-3f;
  for (auto _ : state) {
    simd_kernels().adam(a);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(a.n * state.iterations());
}
BENCHMARK(BM_Adam);

// The adaptive cell, 100 nodes of 64, one stream per call; range: how many nodes are awake.
void BM_AdaptiveForward(benchmark::State& state) {
  const std::int64_t hidden = 64, nodes = 100, count = state.range(0);
  const std::vector<float> h(6400, 0.1f), w(4096, 0.01f), vec(100, 0.1f), gain(100, 1.0f),
      g(6400, 0.5f);
  std::vector<float> next(6400), a(100), var(100);
  std::vector<std::int32_t> node;
  for (std::int64_t i = 0; i < count; ++i)
    node.push_back(static_cast<std::int32_t>(i * nodes / count));
  AdaptiveForward<float> f{
      count,       hidden,   node.data(), h.data(),   next.data(),
      gain.data(), w.data(), vec.data(),  vec.data(), g.data(),
      1.0f,        g.data(), vec.data(),  a.data(),   state.range(1) ? var.data() : nullptr};
  for (auto _ : state) {
    simd_kernels().adaptive_forward(f);
    benchmark::ClobberMemory();
  }
  state.counters["ns_per_row"] =
      benchmark::Counter(double(count) * 1e-9, benchmark::Counter::kIsIterationInvariantRate |
                                                   benchmark::Counter::kInvert);
}
BENCHMARK(BM_AdaptiveForward)->Args({100, 0})->Args({100, 1})->Args({50, 0})->Args({25, 0});

void BM_AdaptiveBackward(benchmark::State& state) {
  const std::int64_t hidden = 64, count = state.range(0);
  const std::vector<float> h(6400, 0.1f), vec(100, 0.1f), g(6400, 0.5f);
  std::vector<float> q(6400), dw(4096), db(64), dg(6400), dv(6400), dbeta(100), du(64);
  std::vector<std::int32_t> node;
  for (std::int64_t i = 0; i < count; ++i)
    node.push_back(static_cast<std::int32_t>(i * 100 / count));
  AdaptiveBackward<float> f{count,      hidden,     node.data(),  h.data(),  h.data(),
                            vec.data(), vec.data(), vec.data(),   g.data(),  1.0f,
                            g.data(),   nullptr,    q.data(),     dw.data(), db.data(),
                            dg.data(),  dv.data(),  dbeta.data(), du.data()};
  for (auto _ : state) {
    simd_kernels().adaptive_backward(f);
    benchmark::ClobberMemory();
  }
  state.counters["ns_per_row"] =
      benchmark::Counter(double(count) * 1e-9, benchmark::Counter::kIsIterationInvariantRate |
                                                   benchmark::Counter::kInvert);
}
BENCHMARK(BM_AdaptiveBackward)->Arg(100)->Arg(50)->Arg(25);

void BM_FmaPeak(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(measure_fma_peak(1));
  state.counters["GFLOPs"] = peak() * 1e-9;
}
BENCHMARK(BM_FmaPeak)->Iterations(2);

}  // namespace
}  // namespace neurolens::kernels
