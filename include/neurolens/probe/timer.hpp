/// \file
/// A stopwatch on the fastest steady clock of the machine: the processor's counter where it is
/// constant (10 ns a reading), else the system's monotonic clock.
/// Precision: one reading; the counter's rate is measured once per process, good to about 0.1 %.
#pragma once

#include <cstdint>

#include "neurolens/base/units.hpp"
#include "neurolens/probe/hot_path.hpp"

namespace neurolens::probe {

/// Runs from its construction. Threads: one at a time.
class Timer {
 public:
  Timer() noexcept : clock_(steady_clock_kind()), begin_(hot::ticks(clock_)) {}
  /// Time since construction or the last restart.
  [[nodiscard]] Nanoseconds elapsed() const noexcept {
    return to_duration(hot::ticks(clock_) - begin_, clock_);
  }
  /// elapsed(), and begins anew at the same instant.
  Nanoseconds restart() noexcept {
    const std::uint64_t now = hot::ticks(clock_);
    const Nanoseconds duration = to_duration(now - begin_, clock_);
    begin_ = now;
    return duration;
  }

 private:
  static std::uint32_t steady_clock_kind() noexcept;
  static Nanoseconds to_duration(std::uint64_t ticks, std::uint32_t clock) noexcept;
  std::uint32_t clock_;
  std::uint64_t begin_;
};

}  // namespace neurolens::probe
