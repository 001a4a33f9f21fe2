/// \file
/// Time as an interface, so that tests can hold it still.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "neurolens/base/units.hpp"

namespace neurolens {

/// Tells time and waits. Implementations are safe to use from several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic instant; only differences mean something.
  [[nodiscard]] virtual Nanoseconds now() const = 0;
  /// Wall-clock instant: nanoseconds since 1970-01-01T00:00:00Z. May jump.
  [[nodiscard]] virtual Nanoseconds wall() const = 0;
  /// Blocks for at least `duration`; returns at once for durations <= 0.
  virtual void sleep(Nanoseconds duration) = 0;
};

/// The machine's clock (CLOCK_MONOTONIC, CLOCK_REALTIME). Lives as long as the process.
[[nodiscard]] Clock& system_clock();

/// A clock that moves only when told to: `sleep` and `advance` add to both of its readings.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Nanoseconds wall_start = Nanoseconds{0});
  ~ManualClock() override;
  [[nodiscard]] Nanoseconds now() const override;
  [[nodiscard]] Nanoseconds wall() const override;
  void sleep(Nanoseconds duration) override;
  void advance(Nanoseconds duration);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// RFC 3339 in UTC with millisecond precision: "2026-01-31T12:00:00.000Z".
[[nodiscard]] std::string to_rfc3339(Nanoseconds wall);

}  // namespace neurolens
