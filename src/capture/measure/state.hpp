/// \file
/// What the machine did beside an iteration, and which iterations that spoils.
///
/// Rule: an iteration is disturbed when what the machine took from it exceeds the width to which
/// the median is wanted (less cannot move the median out of its interval): time that the hypervisor
/// stole around it, or (one thread) time that passed without the processor. The latter is wall time
/// less processor time, two clocks; below zero there is only their noise, and five times that is no
/// absence. With several threads absence cannot be told from waiting: there an iteration is
/// disturbed when it was preempted more often than the kernel's own work does, once per millisecond
/// (a tick). The rule looks at the state only, never at whether the iteration was slow: leaving out
/// slow iterations because they are slow would bend the result. When more than half of all
/// iterations are disturbed the machine is simply busy: none is left out, and the Run says so.
#pragma once

#include <cstdint>
#include <optional>

#include "neurolens/base/units.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// Reads the counters; two readings make a difference. About 1 us, and 30 us when /proc/stat is
/// read, which happens at most every 10 ms (its resolution).
class StateSampler {
 public:
  StateSampler();
  ~StateSampler();
  StateSampler(const StateSampler&) = delete;
  StateSampler& operator=(const StateSampler&) = delete;

  /// Just before and just after the timed region.
  void begin();
  void end();

  struct Difference {
    std::int64_t cpu_time_ns = run::kMissing;
    std::int64_t steal_ns = run::kMissing;  ///< Missing between readings of /proc/stat.
    std::int64_t involuntary_switches = run::kMissing;
    std::int64_t page_faults = run::kMissing;
    std::int64_t frequency_hz = run::kMissing;
  };
  /// Of the last begin() and end(). `now` is any monotonic instant after end().
  Difference difference(Nanoseconds now);

 private:
  struct Counters {
    std::int64_t cpu_time_ns = 0;
    std::int64_t involuntary_switches = 0;
    std::int64_t page_faults = 0;
  };
  static Counters read();
  [[nodiscard]] std::optional<std::int64_t> steal() const;
  [[nodiscard]] std::int64_t frequency() const;

  Counters before_;
  Counters after_;
  int stat_ = -1;
  int frequency_ = -1;
  std::optional<std::int64_t> last_steal_;
  std::int64_t next_steal_ns_ = 0;
};

/// One more row, with the state of the machine beside it; `disturbed` is filled at the end.
void append(run::Iterations& iterations, Nanoseconds begin, Nanoseconds duration, bool observed,
            bool warmup, const StateSampler::Difference& state);

/// Fills `iterations.disturbed` by the rule above; `wanted` is the width relative to the median, as
/// in CaptureRequest::target_interval_ratio. Returns false when the machine was busy throughout -
/// more than half, or every observed or every unobserved iteration that counts - and therefore
/// nothing was marked.
bool mark_disturbed(run::Iterations& iterations, std::int64_t threads, double wanted);

}  // namespace neurolens::capture
