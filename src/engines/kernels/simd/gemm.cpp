// Matrix products of the simd backend, and the yardstick that they are measured against.
#include "simd/targets.hpp"
//
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
  Multiply(g, Rows{g.a, g.transpose_a ? 1 : g.lda, g.transpose_a ? g.lda : 1, nullptr});
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

void RoundRow(std::int64_t n, const float* x, std::int64_t step, float* out) {
  if (step == 1) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
      StorePart(RoundBf16(LoadPart(x + i, n - i)), out + i, n - i);
    }
    return;
  }
  for (std::int64_t i = 0; i < n; i += kLanes) {
    HWY_ALIGN float buffer[kLanes] = {};
    const std::int64_t count = std::min(kLanes, n - i);
    for (std::int64_t l = 0; l < count; ++l) buffer[l] = x[(i + l) * step];
    StorePart(RoundBf16(hn::Load(D(), buffer)), out + i, count);
  }
}

void GemmBf16Simd(const Gemm<float>& g) {
  HWY_ALIGN float packed[kChunk * kPanel];
  HWY_ALIGN float left[kTileRows * kChunk];
  const Rows rows{g.a, g.transpose_a ? 1 : g.lda, g.transpose_a ? g.lda : 1, nullptr};
  const bool epilogue = HasEpilogue(g);
  for (std::int64_t n0 = 0; n0 < g.n; n0 += kPanel) {
    const std::int64_t nr = std::min(kPanel, g.n - n0);
    const int nv = static_cast<int>((nr + kLanes - 1) / kLanes);
    const std::int64_t width = nv * kLanes;
    for (std::int64_t k0 = 0; k0 < std::max<std::int64_t>(g.k, 1); k0 += kChunk) {
      const std::int64_t kc = std::min(kChunk, g.k - k0);
      PackPanel(g, k0, kc, n0, nr, width, packed);
      RoundRow(kc * width, packed, 1, packed);
      for (std::int64_t i = 0; i < g.m; i += kTileRows) {
        const int mr = static_cast<int>(std::min<std::int64_t>(kTileRows, g.m - i));
        const float* a[kTileRows];
        for (int t = 0; t < mr; ++t) {
          RoundRow(kc, rows.at(i + t) + k0 * rows.step, rows.step, left + t * kChunk);
          a[t] = left + t * kChunk;
        }
        RaggedTile(mr, nv, a, 1, packed, width, kc, g.c + i * g.ldc + n0, g.ldc, nr,
                   g.accumulate || k0 > 0);
        if (epilogue && k0 + kc >= g.k) Epilogue(g, i, mr, n0, nr);
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
