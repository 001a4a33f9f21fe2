/// \file
/// What a stretch of code allocates: current, peak, count, and by call stack.
/// Method: allocation functions are interposed (malloc and its kin; operator new ends there too),
/// and a table keeps size, thread and age of every block that was allocated while a tracker ran, so
/// that bytes are those asked for, not those of the heap's size classes. realloc counts as one
/// allocation and one release. A block belongs to the trackers that ran when it was allocated,
/// whoever frees it. Interposition is opt-in: link neurolens::probe_memory into the program, or
/// preload the library of `neurolens record --memory`. Without it trackers answer "not collected".
/// Cost: one predicted branch per allocation while no tracker runs; while one does, a look-up in a
/// table, and with call stacks an unwinding (less when sampled): benchmarks/probe measures both.
/// Limits: 64 trackers at a time; mmap and the stack are not counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/units.hpp"

namespace neurolens::probe {

/// True when the allocation functions of this process are interposed.
[[nodiscard]] bool memory_is_tracked() noexcept;

struct MemoryUse {
  std::uint64_t allocations = 0;
  std::uint64_t releases = 0;  ///< Of blocks counted in `allocations`.
  Bytes allocated;             ///< Sum over all allocations.
  Bytes current;               ///< Still alive.
  Bytes peak;                  ///< Largest `current` at any moment.
};

/// Allocations that share a call stack.
struct AllocationSite {
  /// Innermost first: "function (module+0xOFFSET)".
  std::vector<std::string> frames;
  std::uint64_t allocations = 0;  ///< Estimated when sampled.
  Bytes allocated;                ///< Estimated when sampled.
  Bytes current;                  ///< Estimated when sampled.
};

struct MemoryOptions {
  /// Whose allocations: those of the constructing thread, or those of all threads.
  bool all_threads = false;
  /// Call stacks too. While any tracker asks for them all allocations pay for them.
  bool call_sites = false;
  /// Take the stack of one allocation per so many bytes on average, at random (Poisson); 1 takes
  /// every stack. 524,288 is fit for production. Totals stay exact in any case.
  Bytes sample_every{1};
};

/// Counts from construction to stop() or destruction. Trackers may overlap and nest.
/// Threads: construct, use and destroy on one thread.
class MemoryTracker {
 public:
  explicit MemoryTracker(const MemoryOptions& options = {}) noexcept;
  ~MemoryTracker();
  MemoryTracker(const MemoryTracker&) = delete;
  MemoryTracker& operator=(const MemoryTracker&) = delete;

  /// So far; nullopt when nothing is interposed or 64 trackers run already.
  [[nodiscard]] std::optional<MemoryUse> use() const noexcept;
  /// By call stack, most bytes first; empty unless asked for in the options.
  [[nodiscard]] std::vector<AllocationSite> sites() const;
  /// Ends the count; use() and sites() keep their answers.
  void stop() noexcept;

 private:
  int slot_ = -1;
  bool stopped_ = false;
  MemoryUse final_;
  std::vector<AllocationSite> final_sites_;
};

}  // namespace neurolens::probe
