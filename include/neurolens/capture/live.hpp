/// \file
/// Two sides measured alternately, block by block. A block measures each side once, and the
/// baseline a second time as control, in random order, in processes that start with the block: the
/// luck of a process with addresses, caches and pages is drawn anew each time, so a block is an
/// independent piece of evidence.
///
/// Within a block there are two ways. Fresh: one process after the other, each measures and ends.
/// Resident: all three stay alive and take turns of a few iterations, forth and back, so that what
/// the machine does in the meantime meets them alike; but each finds the caches as another left
/// them. Which one is steadier depends on the work.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::capture {

struct CaptureRequest;

/// How the processes of a block take turns.
enum class Runner : std::uint8_t { fresh, resident };
/// "fresh", "resident".
[[nodiscard]] std::string_view to_string(Runner runner) noexcept;

/// How a side is launched.
struct LaunchCommand {
  std::vector<std::string> command;  ///< Program and arguments; looked up in PATH.
  /// The program prints {"samples_ns": [...]} and its smallest sample counts; else the whole
  /// launch, from start to exit. With "op_ns": [...] in it, those are kept too. Such a program also
  /// takes --resident, see serve_turns().
  bool reports_samples = false;
};

/// What one process of a block came to.
struct Launched {
  Nanoseconds time;           ///< Smallest sample, or the whole launch.
  Nanoseconds p95;            ///< 95th percentile of the samples, or the whole launch.
  Bytes peak_memory;          ///< Largest resident set of the process.
  Nanoseconds even;           ///< Smallest of the samples at even places (whole launch)...
  Nanoseconds odd;            ///< ...and at odd ones: two readings of one process's luck.
  std::vector<double> op_ns;  ///< Per op of the plan, when the program says so.
  Nanoseconds spent;          ///< From start to exit.
};

/// One launch. Its stdout is read or dropped, its stderr kept for the error.
/// Errors: not_found when there is no such program; task_failed when it ends with another status
/// than 0 (its last words are passed on); parse_error when samples were promised and did not come.
[[nodiscard]] Result<Launched> launch(const LaunchCommand& command);

/// One block.
struct LiveBlock {
  Launched baseline;
  Launched candidate;
  Launched control;  ///< The baseline once more.
};

/// Measures one block, in an order that `random` decides. The resident runner needs commands that
/// report samples. Errors: those of launch(); cancelled; bad_request.
[[nodiscard]] Result<LiveBlock> measure_block(Runner runner, const LaunchCommand& baseline,
                                              const LaunchCommand& candidate, Random& random,
                                              const Attention& attention);

/// Work that was prepared once; each call does it once and says how long it took.
using Workload = std::function<Result<Nanoseconds>()>;

/// Known work for self-tests: "arithmetic" (dependent multiply-adds), "memory" (sums over a buffer
/// larger than a first-level cache) or "branches" (unpredictable decisions over a small table).
[[nodiscard]] std::vector<std::string> kernel_names();
/// A kernel, about 0.3 ms at ratio 1. `work_ratio` multiplies the loop count: 1.05 does exactly 5 %
/// more. Errors: not_found; out_of_range.
[[nodiscard]] Result<Workload> kernel_workload(const std::string& name, double work_ratio);
/// A model under its backend, without any observer. Errors: those of profile_model().
[[nodiscard]] Result<Workload> model_workload(const CaptureRequest& request);

/// Warms `workload` up (three iterations) and takes `count` samples, ns. Work shorter than 200 us
/// is repeated within a sample, which is then the mean of the repeats.
class Sampler {
 public:
  explicit Sampler(Workload workload) : workload_(std::move(workload)) {}
  [[nodiscard]] Status warm_up();
  [[nodiscard]] Result<std::vector<std::int64_t>> take(int count);

 private:
  Workload workload_;
  std::int64_t repeats_ = 1;
};

/// The other side of the resident runner, for programs that report samples: reads a number per line
/// from stdin until its end, and answers each with a line {"samples_ns": [...]} of so many samples,
/// after one that is not counted. The first answer, to nothing, is an empty list: ready. `say`
/// writes one line. Errors: of the work; bad_request for a line that is no number in [1,
/// 1,000,000].
[[nodiscard]] Status serve_turns(Sampler& sampler, const std::function<void(std::string)>& say);

}  // namespace neurolens::capture
