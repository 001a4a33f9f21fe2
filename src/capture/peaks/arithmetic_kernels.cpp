// Arithmetic loops. Twelve chains cover 2 ports x 4-5 cycles of latency with room to spare and
// leave registers for the operands. Every chain converges to a finite value, so that no denormal
// slows it down. The file is longer than its logic: one loop per type and level, spelt out by a
// macro because lambdas do not inherit a function's target attribute.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace neurolens::capture::peaks {
namespace {

#define NEUROLENS_TWELVE(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
constexpr double kChains = 12;

#if defined(__x86_64__)

__attribute__((target("sse2"))) double f32_sse2(std::int64_t loops) {
  const __m128 x = _mm_set1_ps(0.5F);
  const __m128 y = _mm_set1_ps(0.25F);
#define NEUROLENS_DO(i) __m128 a##i = _mm_set1_ps(1.0F + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm_add_ps(_mm_mul_ps(a##i, x), y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm_cvtss_f32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("sse2"))) double f64_sse2(std::int64_t loops) {
  const __m128d x = _mm_set1_pd(0.5);
  const __m128d y = _mm_set1_pd(0.25);
#define NEUROLENS_DO(i) __m128d a##i = _mm_set1_pd(1.0 + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm_add_pd(_mm_mul_pd(a##i, x), y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += _mm_cvtsd_f64(a##i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("avx2,fma"))) double f32_avx2(std::int64_t loops) {
  const __m256 x = _mm256_set1_ps(0.5F);
  const __m256 y = _mm256_set1_ps(0.25F);
#define NEUROLENS_DO(i) __m256 a##i = _mm256_set1_ps(1.0F + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm256_fmadd_ps(a##i, x, y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm256_cvtss_f32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("avx2,fma"))) double f64_avx2(std::int64_t loops) {
  const __m256d x = _mm256_set1_pd(0.5);
  const __m256d y = _mm256_set1_pd(0.25);
#define NEUROLENS_DO(i) __m256d a##i = _mm256_set1_pd(1.0 + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm256_fmadd_pd(a##i, x, y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += _mm256_cvtsd_f64(a##i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("avx512f"))) double f32_avx512(std::int64_t loops) {
  const __m512 x = _mm512_set1_ps(0.5F);
  const __m512 y = _mm512_set1_ps(0.25F);
#define NEUROLENS_DO(i) __m512 a##i = _mm512_set1_ps(1.0F + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm512_fmadd_ps(a##i, x, y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm512_cvtss_f32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("avx512f"))) double f64_avx512(std::int64_t loops) {
  const __m512d x = _mm512_set1_pd(0.5);
  const __m512d y = _mm512_set1_pd(0.25);
#define NEUROLENS_DO(i) __m512d a##i = _mm512_set1_pd(1.0 + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm512_fmadd_pd(a##i, x, y);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += _mm512_cvtsd_f64(a##i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

/// Operands are zero: the accumulators stay finite, and the rate does not depend on values.
__attribute__((target("avx512f,avx512bf16"))) double bf16_avx512(std::int64_t loops) {
  const __m512bh x = _mm512_cvtne2ps_pbh(_mm512_setzero_ps(), _mm512_setzero_ps());
#define NEUROLENS_DO(i) __m512 a##i = _mm512_set1_ps(1.0F + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm512_dpbf16_ps(a##i, x, x);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm512_cvtss_f32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

__attribute__((target("avx512f,avx512vnni"))) double i8_avx512(std::int64_t loops) {
  const __m512i x = _mm512_set1_epi8(1);
#define NEUROLENS_DO(i) __m512i a##i = _mm512_set1_epi32(i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = _mm512_dpbusd_epi32(a##i, x, x);
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm512_cvtsi512_si32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

#else

template <class T>
double generic(std::int64_t loops) {
  const T x = T(0.5);
  const T y = T(0.25);
#define NEUROLENS_DO(i) T a##i = T(1 + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t l = 0; l < loops; ++l) {
#define NEUROLENS_DO(i) a##i = a##i * x + y;
    NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(a##i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return sum;
}

#endif

}  // namespace

std::vector<ArithmeticKernel> arithmetic_kernels() {
  std::vector<ArithmeticKernel> kernels;
#if defined(__x86_64__)
  kernels.push_back({"f32", "sse2", false, kChains * 4 * 2, f32_sse2, dependent_multiplications});
  kernels.push_back({"f64", "sse2", false, kChains * 2 * 2, f64_sse2, dependent_multiplications});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernels.push_back({"f32", "avx2", false, kChains * 8 * 2, f32_avx2, dependent_multiplications});
    kernels.push_back({"f64", "avx2", false, kChains * 4 * 2, f64_avx2, dependent_multiplications});
  }
  if (__builtin_cpu_supports("avx512f")) {
    kernels.push_back(
        {"f32", "avx512", false, kChains * 16 * 2, f32_avx512, dependent_multiplications_avx512});
    kernels.push_back(
        {"f64", "avx512", false, kChains * 8 * 2, f64_avx512, dependent_multiplications_avx512});
    if (__builtin_cpu_supports("avx512bf16"))
      kernels.push_back({"bf16", "avx512", false, kChains * 32 * 2, bf16_avx512,
                         dependent_multiplications_avx512});
    if (__builtin_cpu_supports("avx512vnni"))
      kernels.push_back(
          {"i8", "avx512", true, kChains * 64 * 2, i8_avx512, dependent_multiplications_avx512});
  }
#else
  kernels.push_back(
      {"f32", "generic", false, kChains * 2, generic<float>, dependent_multiplications});
  kernels.push_back(
      {"f64", "generic", false, kChains * 2, generic<double>, dependent_multiplications});
#endif
  return kernels;
}

std::uint64_t dependent_multiplications(std::int64_t multiplications) {
  std::uint64_t value = static_cast<std::uint64_t>(multiplications) | 1;
  const std::uint64_t factor = value | 3;
  for (std::int64_t i = 0; i < multiplications; i += 8) {
    // An empty statement that "changes" the value keeps every multiplication, in order, in one
    // register.
#define NEUROLENS_STEP \
  value *= factor;     \
  __asm__ volatile("" : "+r"(value));
    NEUROLENS_STEP NEUROLENS_STEP NEUROLENS_STEP NEUROLENS_STEP NEUROLENS_STEP NEUROLENS_STEP
        NEUROLENS_STEP NEUROLENS_STEP
#undef NEUROLENS_STEP
  }
  return value;
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) std::uint64_t dependent_multiplications_avx512(
    std::int64_t multiplications) {
  std::uint64_t value = static_cast<std::uint64_t>(multiplications) | 1;
  const std::uint64_t factor = value | 3;
  const __m512 x = _mm512_set1_ps(0.5F);
  const __m512 y = _mm512_set1_ps(0.25F);
#define NEUROLENS_DO(i) __m512 a##i = _mm512_set1_ps(1.0F + i);
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  for (std::int64_t i = 0; i < multiplications; i += 4) {
    // Four multiplications take 12 cycles; eighteen vector operations on two ports take 9 of them.
#define NEUROLENS_STEP \
  value *= factor;     \
  __asm__ volatile("" : "+r"(value));
#define NEUROLENS_DO(i) a##i = _mm512_fmadd_ps(a##i, x, y);
    NEUROLENS_STEP NEUROLENS_TWELVE(NEUROLENS_DO) NEUROLENS_STEP NEUROLENS_DO(0) NEUROLENS_DO(1)
        NEUROLENS_STEP NEUROLENS_DO(2) NEUROLENS_DO(3) NEUROLENS_STEP NEUROLENS_DO(4)
            NEUROLENS_DO(5)
#undef NEUROLENS_DO
#undef NEUROLENS_STEP
  }
  double sum = 0;
#define NEUROLENS_DO(i) sum += static_cast<double>(_mm512_cvtss_f32(a##i));
  NEUROLENS_TWELVE(NEUROLENS_DO)
#undef NEUROLENS_DO
  return value + (sum > 1e30 ? 1 : 0);  // keeps the vectors alive
}
#endif

}  // namespace neurolens::capture::peaks
