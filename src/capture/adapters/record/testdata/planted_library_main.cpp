// A shared object with a known share of the work.
#include <cstdint>

extern "C" __attribute__((visibility("default"), noinline)) std::uint64_t planted_in_library(
    std::uint64_t n) {
  std::uint64_t x = n;
  for (std::uint64_t i = 0; i < n; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(x));
  }
  return x;
}
