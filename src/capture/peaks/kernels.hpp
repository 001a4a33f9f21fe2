/// \file
/// Loops that saturate one resource. Each runs on the calling thread and touches nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace neurolens::capture::peaks {

/// An arithmetic loop for one type at one SIMD level.
struct ArithmeticKernel {
  const char* type;   ///< "f32", "f64", "bf16", "i8".
  const char* level;  ///< "sse2", "avx2", "avx512", "generic".
  bool integer;
  double flops_per_loop;              ///< Operations per turn of the loop; a multiply-add counts 2.
  double (*run)(std::int64_t loops);  ///< The result keeps the work alive; its value means nothing.
  /// Tells the clock at which such arithmetic runs; see dependent_multiplications().
  std::uint64_t (*multiplications)(std::int64_t count);
};

/// Those that this processor can execute.
std::vector<ArithmeticKernel> arithmetic_kernels();

/// A bandwidth loop over f64 arrays of `n` elements, 64-byte aligned, n a multiple of 64.
struct BandwidthKernel {
  const char* kind;  ///< "read", "write", "copy", "triad".
  int arrays;        ///< Arrays touched.
  double bytes_per_element;
  double (*run)(double* a, const double* b, const double* c, std::size_t n);
};

/// At the widest SIMD level of this processor.
std::vector<BandwidthKernel> bandwidth_kernels();

/// `multiplications` (a multiple of 8) dependent 64-bit integer multiplications. Each takes
/// kMultiplyCycles on every x86-64 and Armv8 server core of the last ten years; additions would not
/// do, because newer cores fold chains of them at no cost.
std::uint64_t dependent_multiplications(std::int64_t multiplications);
inline constexpr double kMultiplyCycles = 3;
#if defined(__x86_64__)
/// The same with 512-bit arithmetic beside it, on ports and chains of its own and in three quarters
/// of the cycles: processors that lower their clock for wide arithmetic raise it again within a
/// microsecond, so a clock taken afterwards would be another one. Needs avx512f.
std::uint64_t dependent_multiplications_avx512(std::int64_t multiplications);
#endif
}  // namespace neurolens::capture::peaks
