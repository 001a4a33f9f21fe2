// Matrix products of the simd backend, and the yardstick that they are measured against.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/gemm.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "simd/gemm-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

void GemmSimd(const Gemm<float>& g) {
  if (WorthTurning(g)) return MultiplyTurned(g);
  Multiply<Left::strided>(g,
                          Rows{g.a, g.transpose_a ? 1 : g.lda, g.transpose_a ? g.lda : 1, nullptr});
}

// bfloat16 by rounding both operands to nearest even; the arithmetic is that of the float tile.
HWY_INLINE V RoundBf16(V v) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  const auto up = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFFu)));
  return hn::BitCast(d, hn::And(up, hn::Set(du, 0xFFFF0000u)));
}

// out[i][p] = rounded A[i0 + i][k0 + p], rows `kc` apart.
void RoundLeft(const Gemm<float>& g, std::int64_t i0, std::int64_t m, std::int64_t k0,
               std::int64_t kc, float* HWY_RESTRICT out) {
  if (!g.transpose_a) {
    for (std::int64_t i = 0; i < m; ++i, out += kc) {
      const float* row = g.a + (i0 + i) * g.lda + k0;
      for (std::int64_t p = 0; p < kc; p += kLanes)
        StorePart(RoundBf16(LoadPart(row + p, kc - p)), out + p, kc - p);
    }
    return;
  }
  for (std::int64_t p = 0; p < kc; ++p, out += m) {  // stays as it is stored: step by step
    const float* row = g.a + (k0 + p) * g.lda + i0;
    for (std::int64_t i = 0; i < m; i += kLanes)
      StorePart(RoundBf16(LoadPart(row + i, m - i)), out + i, m - i);
  }
}

// Both operands are rounded once for each block of rows and panel, on their way into packed copies;
// the product of two bfloat16 numbers is exact in float, so the tile of floats does the rest.
// Processors with a bfloat16 dot product do no better where it has half the rate of two float
// units; see docs/decisions/0201-bf16-by-rounding.md.
void GemmBf16Simd(const Gemm<float>& g) {
  constexpr std::int64_t kLeftElements = 8192;
  HWY_ALIGN float packed[kChunk * kPanel];
  HWY_ALIGN float rounded[kLeftElements];
  const bool epilogue = HasEpilogue(g);
  const std::int64_t steps = std::max<std::int64_t>(g.k, 1);
  const std::int64_t block = kLeftElements / std::min(steps, kChunk);
  for (std::int64_t i0 = 0; i0 < g.m; i0 += block) {
    const std::int64_t m = std::min(block, g.m - i0);
    for (std::int64_t k0 = 0; k0 < steps; k0 += kChunk) {
      const std::int64_t kc = std::min(kChunk, g.k - k0);
      RoundLeft(g, i0, m, k0, kc, rounded);
      const Rows left{rounded, g.transpose_a ? 1 : kc, g.transpose_a ? m : 1, nullptr};
      for (std::int64_t n0 = 0; n0 < g.n; n0 += kPanel) {
        const std::int64_t nr = std::min(kPanel, g.n - n0);
        const int nv = static_cast<int>((nr + kLanes - 1) / kLanes);
        const std::int64_t width = nv * kLanes;
        PackPanel(g, k0, kc, n0, nr, width, packed);
        for (std::int64_t i = 0; i < kc * width; i += kLanes)
          hn::Store(RoundBf16(hn::Load(D(), packed + i)), D(), packed + i);
        Start start = StartOf(g, k0, n0);
        if (start.base != nullptr) start.base += i0 * start.row;
        float* c = g.c + i0 * g.ldc + n0;
        if (nr == width) {
          AnyStrip<Left::strided>(nv, left, m, packed, width, kc, start, c, g.ldc, nullptr);
        } else {
          RaggedStrip<Left::strided>(nv, left, m, packed, kc, start, c, g.ldc, nr);
        }
        if (epilogue && k0 + kc >= g.k) Epilogue(g, i0, m, n0, nr);
      }
    }
  }
}

// `steps` rounds of 16 independent chains; returns the flops done. The sum escapes through `sink`.
double FmaBurst(std::int64_t steps, float* sink) {
  const D d;
  V acc[16];
  NEUROLENS_UNROLL
  for (int i = 0; i < 16; ++i) acc[i] = hn::Set(d, 0.1f * static_cast<float>(i));
  const V a = hn::Set(d, sink[0]);
  const V b = hn::Set(d, sink[1]);
  for (std::int64_t s = 0; s < steps; ++s) {
    for (int i = 0; i < 16; ++i) acc[i] = hn::MulAdd(acc[i], a, b);
  }
  V total = acc[0];
  for (int i = 1; i < 16; ++i) total = hn::Add(total, acc[i]);
  sink[2] = Total(total);
  return 2.0 * 16.0 * static_cast<double>(kLanes) * static_cast<double>(steps);
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <chrono>

namespace neurolens::kernels {
HWY_EXPORT(GemmSimd);
HWY_EXPORT(GemmBf16Simd);
HWY_EXPORT(FmaBurst);

// The first dynamic dispatch detects the machine; the pointer kept afterwards is the chosen one.
void fill_gemm(Kernels<float>& table) {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  table.gemm = &HWY_DYNAMIC_DISPATCH(GemmSimd);
}

void fill_gemm_bf16(Kernels<float>& table) {
  table.gemm = &HWY_DYNAMIC_DISPATCH(GemmBf16Simd);
}

const char* simd_target_name() {
  const auto supported = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(supported & ~(supported - 1));
}

double measure_fma_peak(int milliseconds) {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const auto burst = &HWY_DYNAMIC_DISPATCH(FmaBurst);
  using clock = std::chrono::steady_clock;
  float sink[3] = {0.5f, 0.25f, 0.0f};
  const auto end = clock::now() + std::chrono::milliseconds(milliseconds);
  double best = 0;
  while (clock::now() < end) {
    const auto begin = clock::now();
    const double flops = burst(20'000, sink);
    best = std::max(best, flops / std::chrono::duration<double>(clock::now() - begin).count());
  }
  return best;
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
