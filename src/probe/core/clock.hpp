/// \file
/// Reading both clocks, and how they relate.
#pragma once

#include <cstdint>

#include "core/format.hpp"

namespace neurolens::probe {

[[nodiscard]] std::int64_t monotonic_ns() noexcept;
[[nodiscard]] std::int64_t wall_ns() noexcept;
/// The tightest of several readings of (counter, clock, counter).
[[nodiscard]] SyncPair read_both(std::uint32_t clock) noexcept;
/// True when the processor's counter runs at a constant rate in every power state.
[[nodiscard]] bool counter_is_constant() noexcept;
/// Measured over 0.2 ms, once per process: good to about 0.1 %.
[[nodiscard]] double ticks_per_ns(std::uint32_t clock) noexcept;

}  // namespace neurolens::probe
