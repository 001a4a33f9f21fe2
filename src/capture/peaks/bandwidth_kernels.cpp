// Bandwidth loops with ordinary stores at the widest SIMD level. Four vectors per turn hide the
// loop.
#include "kernels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace neurolens::capture::peaks {
namespace {

constexpr double kScalar = 3.0;

#if defined(__x86_64__)

// One body for both levels: LEVEL names the functions, V the vector type, P the intrinsics' prefix,
// W the lanes.
#define NEUROLENS_BANDWIDTH(LEVEL, TARGET, V, P, W)                                              \
  __attribute__((target(TARGET))) double read_##LEVEL(double*, const double* b, const double*,   \
                                                      std::size_t n) {                           \
    V s0 = P##setzero_pd(), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;       \
    for (std::size_t i = 0; i < n; i += 8 * W) {                                                 \
      s0 = P##add_pd(s0, P##load_pd(b + i));                                                     \
      s1 = P##add_pd(s1, P##load_pd(b + i + W));                                                 \
      s2 = P##add_pd(s2, P##load_pd(b + i + 2 * W));                                             \
      s3 = P##add_pd(s3, P##load_pd(b + i + 3 * W));                                             \
      s4 = P##add_pd(s4, P##load_pd(b + i + 4 * W));                                             \
      s5 = P##add_pd(s5, P##load_pd(b + i + 5 * W));                                             \
      s6 = P##add_pd(s6, P##load_pd(b + i + 6 * W));                                             \
      s7 = P##add_pd(s7, P##load_pd(b + i + 7 * W));                                             \
    }                                                                                            \
    s0 = P##add_pd(P##add_pd(s0, s1), P##add_pd(s2, s3));                                        \
    s4 = P##add_pd(P##add_pd(s4, s5), P##add_pd(s6, s7));                                        \
    alignas(64) double lanes[W];                                                                 \
    P##store_pd(lanes, P##add_pd(s0, s4));                                                       \
    return lanes[0];                                                                             \
  }                                                                                              \
  __attribute__((target(TARGET))) double write_##LEVEL(double* a, const double*, const double*,  \
                                                       std::size_t n) {                          \
    const V s = P##set1_pd(kScalar);                                                             \
    for (std::size_t i = 0; i < n; i += 4 * W) {                                                 \
      P##store_pd(a + i, s);                                                                     \
      P##store_pd(a + i + W, s);                                                                 \
      P##store_pd(a + i + 2 * W, s);                                                             \
      P##store_pd(a + i + 3 * W, s);                                                             \
    }                                                                                            \
    return a[0];                                                                                 \
  }                                                                                              \
  __attribute__((target(TARGET))) double copy_##LEVEL(double* a, const double* b, const double*, \
                                                      std::size_t n) {                           \
    for (std::size_t i = 0; i < n; i += 4 * W) {                                                 \
      P##store_pd(a + i, P##load_pd(b + i));                                                     \
      P##store_pd(a + i + W, P##load_pd(b + i + W));                                             \
      P##store_pd(a + i + 2 * W, P##load_pd(b + i + 2 * W));                                     \
      P##store_pd(a + i + 3 * W, P##load_pd(b + i + 3 * W));                                     \
    }                                                                                            \
    return a[0];                                                                                 \
  }                                                                                              \
  __attribute__((target(TARGET))) double triad_##LEVEL(double* a, const double* b,               \
                                                       const double* c, std::size_t n) {         \
    const V s = P##set1_pd(kScalar);                                                             \
    for (std::size_t i = 0; i < n; i += 4 * W) {                                                 \
      P##store_pd(a + i, P##fmadd_pd(s, P##load_pd(c + i), P##load_pd(b + i)));                  \
      P##store_pd(a + i + W, P##fmadd_pd(s, P##load_pd(c + i + W), P##load_pd(b + i + W)));      \
      P##store_pd(a + i + 2 * W,                                                                 \
                  P##fmadd_pd(s, P##load_pd(c + i + 2 * W), P##load_pd(b + i + 2 * W)));         \
      P##store_pd(a + i + 3 * W,                                                                 \
                  P##fmadd_pd(s, P##load_pd(c + i + 3 * W), P##load_pd(b + i + 3 * W)));         \
    }                                                                                            \
    return a[0];                                                                                 \
  }

NEUROLENS_BANDWIDTH(avx512, "avx512f", __m512d, _mm512_, 8)
NEUROLENS_BANDWIDTH(avx2, "avx2,fma", __m256d, _mm256_, 4)
#undef NEUROLENS_BANDWIDTH

#endif

double read_plain(double*, const double* b, const double*, std::size_t n) {
  double s[8] = {};
  for (std::size_t i = 0; i < n; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) s[k] += b[i + k];
  }
  return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

double write_plain(double* a, const double*, const double*, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    a[i] = kScalar;
    __asm__ volatile("" ::: "memory");  // keeps the loop from becoming a call of memset
  }
  return a[0];
}

double copy_plain(double* a, const double* b, const double*, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) a[i + k] = b[i + k];
    __asm__ volatile("" ::: "memory");
  }
  return a[0];
}

double triad_plain(double* a, const double* b, const double* c, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) a[i] = b[i] + kScalar * c[i];
  return a[0];
}

}  // namespace

std::vector<BandwidthKernel> bandwidth_kernels() {
  const auto make = [](auto read, auto write, auto copy, auto triad) {
    return std::vector<BandwidthKernel>{{"read", 1, 8, read},
                                        {"write", 1, 8, write},
                                        {"copy", 2, 16, copy},
                                        {"triad", 3, 24, triad}};
  };
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return make(read_avx512, write_avx512, copy_avx512, triad_avx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return make(read_avx2, write_avx2, copy_avx2, triad_avx2);
  }
#endif
  return make(read_plain, write_plain, copy_plain, triad_plain);
}

}  // namespace neurolens::capture::peaks
