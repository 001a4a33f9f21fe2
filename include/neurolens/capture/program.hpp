/// \file
/// An instrumented program as a Run: it runs with the probe switched on, its scopes become ops, its
/// iteration marks become iterations.
/// Method: the cost of a scope is calibrated on this machine through the real path, apart for the
/// part that falls inside the scope's own interval and the part that falls into its parent;
/// corrected times take both off. Precision: about 2 ns per scope. Limits: iterations are all
/// observed: a program cannot be asked to switch its probe on and off between them, so the ledger
/// is the only correction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/capture/record.hpp"

namespace neurolens::capture {

struct ProgramOptions {
  std::vector<std::string> command;
  /// Iterations left out at the front, >= 0; they stay in the Run as warm-up.
  std::uint32_t warmup = 0;
  /// Keep the trace here; empty: a temporary file.
  std::string trace_path;
};

/// What came of running a program.
struct ProgramRun {
  run::Run run;
  std::optional<int> exit_status, exit_signal;
};

/// Cost of one scope on this machine.
struct ScopeCost {
  double inside_ns = 0;   ///< Within the scope's own interval.
  double outside_ns = 0;  ///< Added to whatever surrounds it.
};
/// Measures it (about 50 ms). Errors: those of a session; bad_request when one is running.
[[nodiscard]] Result<ScopeCost> calibrate_scope();

/// The trace at `path` as a Run that passes run::validate().
/// Errors: not_found, parse_error; check_failed when it holds no scope (is the program linked with
/// the probe?).
[[nodiscard]] Result<run::Run> trace_to_run(const std::string& path, const ProgramOptions& options,
                                            const ScopeCost& cost, const ProgramFacts& facts);

/// Runs the program and converts its trace. Errors: those of record() and of trace_to_run().
[[nodiscard]] Result<ProgramRun> profile_program(const ProgramOptions& options,
                                                 const ProgramFacts& facts);

}  // namespace neurolens::capture
