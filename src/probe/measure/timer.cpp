#include "neurolens/probe/timer.hpp"

#include "core/clock.hpp"

namespace neurolens::probe {

std::uint32_t Timer::steady_clock_kind() noexcept {
  static const std::uint32_t kind = counter_is_constant() ? 1 : 2;
  return kind;
}

Nanoseconds Timer::to_duration(std::uint64_t ticks, std::uint32_t clock) noexcept {
  if (clock != 1) return Nanoseconds{static_cast<std::int64_t>(ticks)};
  return Nanoseconds{static_cast<std::int64_t>(static_cast<double>(ticks) / ticks_per_ns(clock))};
}

}  // namespace neurolens::probe
