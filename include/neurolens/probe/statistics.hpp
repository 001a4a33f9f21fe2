/// \file
/// Named durations: count, total, mean, median, percentiles, extremes, and memory where it is
/// tracked. Method: every thread adds to a shard of its own; the first 512 durations of a shard are
/// kept as they are, later ones go into buckets of 1/64 octave. While all were kept, median and
/// percentiles are exact (linear interpolation between order statistics); afterwards they are good
/// to 1.1 %, and the result says so. Count, total, mean, minimum and maximum are always exact.
/// Nothing is printed: report() and json() return text.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "neurolens/base/units.hpp"
#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/timer.hpp"

namespace neurolens::probe {

/// What is known about one name.
struct Statistics {
  std::string name;
  std::uint64_t count = 0;
  Nanoseconds total, min, max;
  double mean_ns = 0, median_ns = 0, p95_ns = 0, p99_ns = 0;
  bool exact_percentiles = true;
  /// Of the calls whose memory was tracked: mean and largest peak. nullopt: not collected.
  std::optional<Bytes> memory_mean, memory_peak;
};

/// Collects durations under one name. Threads: safe.
class Entry {
 public:
  explicit Entry(std::string name);
  ~Entry();
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  /// Adds one duration; a negative one counts as 0. Cost: about 10 ns, no allocation after the
  /// first few calls of a thread.
  void add(Nanoseconds duration) noexcept;
  /// Adds the peak of one tracked call.
  void add_memory(Bytes peak) noexcept;
  [[nodiscard]] Statistics statistics() const;
  /// Forgets everything added so far.
  void reset() noexcept;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Shard;
  Shard& shard() noexcept;
  static constexpr std::size_t kShards = 8;
  std::string name_;
  std::atomic<Shard*> shards_[kShards]{};
  std::atomic<std::int64_t> memory_total_{0}, memory_peak_{0};
  std::atomic<std::uint64_t> memory_count_{0};
};

/// A table of entries. Threads: safe. Entries live as long as the registry.
class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// The entry of this name, made when absent. Look it up once and keep the reference.
  Entry& entry(std::string_view name);
  /// Names with at least one duration, largest total first.
  [[nodiscard]] std::vector<Statistics> statistics() const;
  /// A table for people; times in a unit that fits. Empty registry: one sentence.
  [[nodiscard]] std::string report() const;
  /// {"statistics": [{"name", "count", "total_ns", ...}]}, memory null when not collected.
  [[nodiscard]] std::string json() const;
  void reset();

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

/// The registry that profile() and NEUROLENS_TIMED use. Lives to the end of the process.
[[nodiscard]] Registry& default_registry();

/// Adds the time from here to the end of the block to an entry.
class ScopedTimer {
 public:
  explicit ScopedTimer(Entry& entry) noexcept : entry_(entry) {}
  ~ScopedTimer() { entry_.add(timer_.elapsed()); }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  Entry& entry_;
  Timer timer_;
};

}  // namespace neurolens::probe

/// Times the rest of the block into the default registry under `name`, a string.
#define NEUROLENS_TIMED(name)                                                              \
  static ::neurolens::probe::Entry& NEUROLENS_PROBE_JOIN(neurolens_entry_, __LINE__) =     \
      ::neurolens::probe::default_registry().entry(name);                                  \
  const ::neurolens::probe::ScopedTimer NEUROLENS_PROBE_JOIN(neurolens_timer_, __LINE__) { \
    NEUROLENS_PROBE_JOIN(neurolens_entry_, __LINE__)                                       \
  }
