/// \file
/// Two sides measured alternately by fresh launches: one block launches each side once (and the
/// baseline a second time, as control), in random order. A launch is a new process, so that its
/// luck with addresses, caches and pages is drawn anew each time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

/// How a side is launched.
struct LaunchCommand {
  std::vector<std::string> command;  ///< Program and arguments; looked up in PATH.
  /// The program prints {"samples_ns": [...]} and its smallest sample counts; else the whole
  /// launch, from start to exit.
  bool reports_samples = false;
};

/// One launch: its time. Its stdout is read or dropped, its stderr kept for the error.
/// Errors: not_found when there is no such program; task_failed when it ends with another status
/// than 0 (its last words are passed on); parse_error when samples were promised and did not come.
[[nodiscard]] Result<Nanoseconds> launch(const LaunchCommand& command);

/// One block.
struct LiveBlock {
  Nanoseconds baseline;
  Nanoseconds candidate;
  Nanoseconds control;  ///< The baseline once more.
};

/// Launches both sides and the control once, in an order that `random` decides. Errors: those of
/// launch(); cancelled.
[[nodiscard]] Result<LiveBlock> measure_block(const LaunchCommand& baseline,
                                              const LaunchCommand& candidate, Random& random,
                                              const Attention& attention);

/// Known work for self-tests: "arithmetic" (dependent multiply-adds), "memory" (sums over a buffer
/// larger than a first-level cache) or "branches" (unpredictable decisions over a small table).
[[nodiscard]] std::vector<std::string> kernel_names();
/// Times `iterations` of a kernel after three unmeasured ones, ns each (about 0.3 ms at ratio 1).
/// `work_ratio` multiplies the loop count: 1.05 does exactly 5 % more. Errors: not_found;
/// out_of_range.
[[nodiscard]] Result<std::vector<std::int64_t>> run_kernel(const std::string& name,
                                                           double work_ratio, int iterations);

}  // namespace neurolens::capture
