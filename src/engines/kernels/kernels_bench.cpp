// Kernels against the measured FMA peak of one core: "share" is the fraction reached.
#include <benchmark/benchmark.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <new>
#include <numeric>
#include <vector>

#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {
namespace {

// Memory as the engines hand it over: every array starts on a cache line.
template <class T>
struct Aligned {
  using value_type = T;
  T* allocate(std::size_t n) {
    return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }
  friend bool operator==(Aligned, Aligned) { return true; }
};
using Floats = std::vector<float, Aligned<float>>;

double peak() {
  static const double value = measure_fma_peak(50);
  return value;
}

void BM_Gemm(benchmark::State& state) {
  Gemm<float> g;
  g.m = state.range(0), g.n = state.range(1), g.k = state.range(2);
  g.transpose_a = (state.range(3) & 1) != 0;
  g.transpose_b = (state.range(3) & 2) != 0;
  Floats a(static_cast<std::size_t>(g.m * g.k), 0.1f), b(static_cast<std::size_t>(g.k * g.n), 0.1f);
  Floats c(static_cast<std::size_t>(g.m * g.n));
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
  Floats x(4096), y(4096);
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
  Floats p(67'722, 0.1f), g(p), m(p), v(p);
  Adam<float> a{static_cast<std::int64_t>(p.size()), p.data(), g.data(), m.data(), v.data()};
  a.step_size = 1e-3f;
  for (auto _ : state) {
    simd_kernels().adam(a);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(a.n * state.iterations());
}
BENCHMARK(BM_Adam);

// The adaptive cell at 32 streams of 100 nodes of 64, as far apart as the engine lays them;
// range(0): percentage of nodes awake.
constexpr std::int64_t kStreamStride = 7008;
struct AdaptiveSetUp {
  Floats h = Floats(32 * kStreamStride, 0.1f), next = h, w = Floats(4096, 0.01f);
  Floats u = Floats(32 * 64, 0.1f), g = Floats(6400, 0.5f);
  Floats gain = Floats(3200, 1.0f), a = gain, var = gain, db = u, dg = g, dv = g, du = u;
  std::vector<std::int32_t> node, stream;
  std::vector<const float*> in;
  std::vector<float*> out;
  AdaptiveRows<float> rows;

  explicit AdaptiveSetUp(std::int64_t percent) {
    for (std::int32_t n = 0; n < 100; ++n) {
      for (std::int32_t s = 0; s < 32; ++s) {
        if ((n * 37 + s * 11) % 100 >= percent) continue;
        node.push_back(n), stream.push_back(s);
        in.push_back(h.data() + s * kStreamStride + n * 64);
        out.push_back(next.data() + s * kStreamStride + n * 64);
      }
    }
    rows = {static_cast<std::int64_t>(node.size()),
            64,
            100,
            node.data(),
            stream.data(),
            in.data(),
            out.data()};
  }
};

void report_rows(benchmark::State& state, std::int64_t count, double flops_per_row) {
  const double rows = static_cast<double>(count);
  state.counters["ns_per_row"] = benchmark::Counter(
      rows * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["share"] = benchmark::Counter(rows * flops_per_row / peak(),
                                               benchmark::Counter::kIsIterationInvariantRate);
}

void BM_AdaptiveForward(benchmark::State& state) {
  AdaptiveSetUp s(state.range(0));
  const AdaptiveForward<float> f{s.rows,
                                 s.gain.data(),
                                 s.w.data(),
                                 s.u.data(),
                                 s.u.data(),
                                 s.g.data(),
                                 1.0f,
                                 s.g.data(),
                                 s.u.data(),
                                 s.a.data(),
                                 state.range(1) ? s.var.data() : nullptr};
  for (auto _ : state) {
    simd_kernels().adaptive_forward(f);
    benchmark::ClobberMemory();
  }
  report_rows(state, s.rows.count, 2.0 * 64 * 64);
}
BENCHMARK(BM_AdaptiveForward)
    ->Args({100, 0})
    ->Args({100, 1})
    ->Args({50, 0})
    ->Args({25, 0})
    ->Args({10, 0});

void BM_AdaptiveBackward(benchmark::State& state) {
  AdaptiveSetUp s(state.range(0));
  const AdaptiveBackward<float> f{s.rows,      s.a.data(),   s.gain.data(), s.u.data(),
                                  s.g.data(),  1.0f,         s.g.data(),    nullptr,
                                  nullptr,     s.w.data(),   s.db.data(),   s.dg.data(),
                                  s.dv.data(), s.var.data(), s.du.data()};
  for (auto _ : state) {
    simd_kernels().adaptive_backward(f);
    benchmark::ClobberMemory();
  }
  report_rows(state, s.rows.count, 2.0 * 64 * 64);
}
BENCHMARK(BM_AdaptiveBackward)->Arg(100)->Arg(50)->Arg(25)->Arg(10);

// What the bfloat16 dot product of x86 can do at best: multiply-adds from registers, against those
// of float. Below a ratio of 1 it does not pay to convert operands for it.
#if defined(__x86_64__)
__attribute__((noinline, target("avx512f,avx512bf16"))) float dot_burst(std::int64_t steps) {
  __m512 sums[16];
  for (auto& s : sums) s = _mm512_setzero_ps();
  const __m512bh one = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.5f));
  for (std::int64_t i = 0; i < steps; ++i) {
    asm volatile("");  // the same work every time, and still to be done
    for (auto& s : sums) s = _mm512_dpbf16_ps(s, one, one);
  }
  float lanes[16];
  for (int i = 1; i < 16; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  _mm512_storeu_ps(lanes, sums[0]);
  return std::accumulate(lanes, lanes + 16, 0.0f);
}

void BM_Bf16DotPeak(benchmark::State& state) {
  if (!__builtin_cpu_supports("avx512bf16")) return state.SkipWithError("no bfloat16 dot product");
  for (auto _ : state) {
    std::int64_t steps = 20'000;
    benchmark::DoNotOptimize(steps);
    benchmark::DoNotOptimize(dot_burst(steps));
  }
  const double flops = 20'000.0 * 16 * 64;
  state.counters["GFLOPs"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_float_peak"] =
      benchmark::Counter(flops / peak(), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Bf16DotPeak);
#endif

void BM_FmaPeak(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(measure_fma_peak(1));
  state.counters["GFLOPs"] = peak() * 1e-9;
}
BENCHMARK(BM_FmaPeak)->Iterations(2);

}  // namespace
}  // namespace neurolens::kernels
