/// \file
/// How long a measurement goes on: the rule for pairs of iterations (one observed, one not) that
/// every adapter keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

inline constexpr std::int64_t kDefaultWarmup = 5;         ///< Pairs.
inline constexpr std::int64_t kWarmupNs = 1'000'000'000;  ///< Warm-up that was not asked for ends.
inline constexpr std::size_t kFewestPairs = 10;           ///< Before an interval is believed.
inline constexpr std::int64_t kSettleNs = 200'000'000;    ///< The least time of such a measurement.

/// With a number of iterations: that many pairs. Without: until the 95 % interval of the median is
/// narrow enough, at most `time_limit`, at least one pair.
class Pace {
 public:
  Pace(std::optional<std::int64_t> iterations, Nanoseconds time_limit, double target_interval_ratio)
      : iterations_(iterations), time_limit_(time_limit), target_(target_interval_ratio) {}

  /// Whether `pairs` that took `elapsed_ns` are enough. `latencies` are the unobserved ones;
  /// `least_ns` is a time to go on for even when the interval is narrow before. Looks at the
  /// interval at growing distances, so that looking costs little.
  [[nodiscard]] bool finished(std::size_t pairs, std::int64_t elapsed_ns,
                              std::span<const double> latencies, std::int64_t least_ns = kSettleNs);
  /// Whether the last finished() was true because the interval is narrow enough.
  [[nodiscard]] bool interval_reached() const { return interval_reached_; }
  /// Tells how far it is, at most every 50 ms.
  void report(const Attention& attention, std::size_t pairs, std::int64_t elapsed_ns);

 private:
  std::optional<std::int64_t> iterations_;
  Nanoseconds time_limit_;
  double target_;
  std::size_t next_check_ = kFewestPairs;
  std::int64_t next_report_ns_ = 0;
  bool interval_reached_ = false;
};

}  // namespace neurolens::capture
