/// \file
/// Sampled stacks as the trace formats need them: when each sample was taken and on which row.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trace_events.hpp"

namespace neurolens::report {

/// A thread that was sampled.
struct SampledThread {
  std::string name;
  std::uint64_t tid = 0;   ///< As the trace calls it: one more than its place among all rows.
  bool has_track = false;  ///< The timeline has a row for this thread; `tid` is that row's.
};

struct Samples {
  const run::Profile* profile = nullptr;
  std::vector<SampledThread> threads;
  std::vector<std::uint32_t> thread;  ///< Per sample: index into `threads`.
  /// Per sample; where the Run has no times, the sum of the weights before it on its thread.
  std::vector<std::int64_t> time_ns;
};

/// The samples of time of a Run, nullopt when it has none. (Stacks weighed in bytes have no place
/// in time.) The Run must outlive the answer.
[[nodiscard]] std::optional<Samples> samples_of(const run::Run& run, const Trace& trace);

/// Frames of a stack, root first; of a stack deeper than `most` the innermost ones.
[[nodiscard]] std::vector<std::int64_t> frames_of(const run::Profile& profile, std::int64_t stack,
                                                  std::size_t most);

/// trace_of(), or an empty trace where samples are all that a Run holds.
[[nodiscard]] Result<Trace> trace_or_samples(const run::Run& run);

}  // namespace neurolens::report
