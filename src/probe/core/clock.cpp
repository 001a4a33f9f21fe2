#include "core/clock.hpp"

#include <atomic>
#include <ctime>

#include "neurolens/probe/hot_path.hpp"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace neurolens::probe {
namespace {

std::int64_t read(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() noexcept {
  return read(CLOCK_MONOTONIC);
}
std::int64_t wall_ns() noexcept {
  return read(CLOCK_REALTIME);
}

SyncPair read_both(std::uint32_t clock) noexcept {
  SyncPair best;
  std::uint64_t narrowest = ~std::uint64_t{0};
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::uint64_t before = hot::ticks(clock);
    const std::int64_t ns = monotonic_ns();
    const std::uint64_t after = hot::ticks(clock);
    if (after - before < narrowest) {
      narrowest = after - before;
      best = {before + narrowest / 2, ns};
    }
  }
  return best;
}

bool counter_is_constant() noexcept {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0x80000007, &a, &b, &c, &d) == 0) return false;
  return (d & (1u << 8)) != 0;
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

double ticks_per_ns(std::uint32_t clock) noexcept {
  if (clock != 1) return 1.0;
  static constinit std::atomic<double> known{0.0};
  if (const double value = known.load(std::memory_order_relaxed); value > 0) return value;
  const SyncPair a = read_both(clock);
  SyncPair b = a;
  while (b.monotonic_ns - a.monotonic_ns < 200'000) b = read_both(clock);
  const double rate =
      static_cast<double>(b.ticks - a.ticks) / static_cast<double>(b.monotonic_ns - a.monotonic_ns);
  known.store(rate, std::memory_order_relaxed);
  return rate;
}

namespace hot {
std::uint64_t system_ticks() noexcept {
  return static_cast<std::uint64_t>(monotonic_ns());
}
}  // namespace hot

}  // namespace neurolens::probe
