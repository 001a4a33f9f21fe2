// Square transposes of registers, of either kind of number. Included once per instruction set.
#if defined(NEUROLENS_PDE_TRANSPOSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_TRANSPOSE_INL
#undef NEUROLENS_PDE_TRANSPOSE_INL
#else
#define NEUROLENS_PDE_TRANSPOSE_INL
#endif

#include <hwy/highway.h>

#include "kernels/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

// In place, as many vectors as a vector has numbers.
HWY_INLINE void transpose(hn::Vec<hn::ScalableTag<double>>* v) {
#if HWY_TARGET <= HWY_AVX3  // better targets have smaller numbers
  __m512d t[8], w[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm512_unpacklo_pd(v[2 * i].raw, v[2 * i + 1].raw);
    t[2 * i + 1] = _mm512_unpackhi_pd(v[2 * i].raw, v[2 * i + 1].raw);
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      // Blocks 0, 2 and 1, 3 of rows (4i + j, 4i + 2 + j).
      w[4 * i + j] = _mm512_shuffle_f64x2(t[4 * i + j], t[4 * i + 2 + j], 0x88);
      w[4 * i + 2 + j] = _mm512_shuffle_f64x2(t[4 * i + j], t[4 * i + 2 + j], 0xDD);
    }
  for (int j = 0; j < 4; ++j) {
    v[j].raw = _mm512_shuffle_f64x2(w[j], w[4 + j], 0x88);
    v[4 + j].raw = _mm512_shuffle_f64x2(w[j], w[4 + j], 0xDD);
  }
#elif HWY_TARGET == HWY_AVX2
  const __m256d a = _mm256_unpacklo_pd(v[0].raw, v[1].raw);
  const __m256d b = _mm256_unpackhi_pd(v[0].raw, v[1].raw);
  const __m256d c = _mm256_unpacklo_pd(v[2].raw, v[3].raw);
  const __m256d e = _mm256_unpackhi_pd(v[2].raw, v[3].raw);
  v[0].raw = _mm256_permute2f128_pd(a, c, 0x20);
  v[1].raw = _mm256_permute2f128_pd(b, e, 0x20);
  v[2].raw = _mm256_permute2f128_pd(a, c, 0x31);
  v[3].raw = _mm256_permute2f128_pd(b, e, 0x31);
#else
  static_assert(hn::MaxLanes(hn::ScalableTag<double>()) == 2, "write one for this vector width");
  const hn::ScalableTag<double> d;
  const auto a = hn::InterleaveLower(d, v[0], v[1]);
  const auto b = hn::InterleaveUpper(d, v[0], v[1]);
  v[0] = a;
  v[1] = b;
#endif
}

// Four rows r[0], r[step], ...: afterwards column c of each block of four numbers stands in r[c].
HWY_INLINE void transpose_fours(hn::Vec<hn::ScalableTag<float>>* r) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<double> pairs;
  const auto a = hn::BitCast(pairs, hn::InterleaveLower(d, r[0], r[1]));
  const auto b = hn::BitCast(pairs, hn::InterleaveUpper(d, r[0], r[1]));
  const auto c = hn::BitCast(pairs, hn::InterleaveLower(d, r[2], r[3]));
  const auto e = hn::BitCast(pairs, hn::InterleaveUpper(d, r[2], r[3]));
  r[0] = hn::BitCast(d, hn::InterleaveLower(pairs, a, c));
  r[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, a, c));
  r[2] = hn::BitCast(d, hn::InterleaveLower(pairs, b, e));
  r[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, b, e));
}

HWY_INLINE void transpose(hn::Vec<hn::ScalableTag<float>>* v) {
  constexpr std::size_t kRows = hn::MaxLanes(hn::ScalableTag<float>());
  for (std::size_t i = 0; i < kRows; i += 4) transpose_fours(v + i);
    // v[4 i + c] now holds, for rows 4 i to 4 i + 3, columns c, 4 + c, ...: exchange blocks of
    // four.
#if HWY_TARGET <= HWY_AVX3
  for (std::size_t c = 0; c < 4; ++c) {
    const __m512 a = _mm512_shuffle_f32x4(v[c].raw, v[4 + c].raw, 0x88);  // blocks 0, 2
    const __m512 b = _mm512_shuffle_f32x4(v[c].raw, v[4 + c].raw, 0xDD);  // 1, 3
    const __m512 e = _mm512_shuffle_f32x4(v[8 + c].raw, v[12 + c].raw, 0x88);
    const __m512 f = _mm512_shuffle_f32x4(v[8 + c].raw, v[12 + c].raw, 0xDD);
    v[c].raw = _mm512_shuffle_f32x4(a, e, 0x88);
    v[4 + c].raw = _mm512_shuffle_f32x4(b, f, 0x88);
    v[8 + c].raw = _mm512_shuffle_f32x4(a, e, 0xDD);
    v[12 + c].raw = _mm512_shuffle_f32x4(b, f, 0xDD);
  }
#elif HWY_TARGET == HWY_AVX2
  for (std::size_t c = 0; c < 4; ++c) {
    const __m256 low = v[c].raw;
    v[c].raw = _mm256_permute2f128_ps(low, v[4 + c].raw, 0x20);
    v[4 + c].raw = _mm256_permute2f128_ps(low, v[4 + c].raw, 0x31);
  }
#else
  static_assert(kRows == 4, "write one for this vector width");
#endif
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
