/// \file
/// A Run in the formats of other tools. Every writer is a pure function of the Run: same Run, same
/// bytes. Names are data: control characters, quotes and line breaks are escaped or, where the
/// format has no escape (collapsed stacks), replaced.
#pragma once

#include <string>

#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// Perfetto's protobuf trace: a track for every thread, stream, process and asynchronous lane below
/// one process track, slices of the timeline with type, shapes and costs of their op, a counter
/// track for every counter, flows from an op on a thread to its kernels on a stream. Times are ns
/// of the Run's own clock. Nested slices are written as begin and end; slices of a track that
/// overlap without nesting are spread over lanes below it. A Run without a timeline gets one of its
/// iterations. Sampled stacks become PerfSample packets with interned callstacks.
/// Errors: too_few_samples when there is none of all that.
[[nodiscard]] Result<std::string> to_perfetto(const run::Run& run);

/// Chrome's trace-event JSON (complete events "X", counters "C", flows "s"/"f", metadata "M");
/// times in us with three decimals; sampled stacks as "stackFrames" and "samples". Errors as above.
[[nodiscard]] Result<std::string> to_chrome(const run::Run& run);

/// speedscope's file format: a sampled profile per thread where stacks were sampled, else an
/// evented profile per track of the timeline (slices that do not nest are clipped to their parent's
/// end). Errors: too_few_samples when there is neither.
[[nodiscard]] Result<std::string> to_speedscope(const run::Run& run);

/// Collapsed stacks "a;b;c 42", root first, one line per stack, weights added up; from samples,
/// else from the timeline (self time in ns). ';' and line breaks in names become ':' and ' '.
/// Errors: too_few_samples when there is neither.
[[nodiscard]] Result<std::string> to_collapsed(const run::Run& run);

/// One row per op (RFC 4180, UTF-8): index, name, type, times with interval, share, costs, place
/// under the roof. Empty cells: not collected. A cell that a spreadsheet would take for a formula
/// begins with an apostrophe. Errors: those of analyze::summarise().
[[nodiscard]] Result<std::string> to_csv(const run::Run& run);

}  // namespace neurolens::report
