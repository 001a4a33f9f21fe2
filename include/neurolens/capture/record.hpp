/// \file
/// Samples any Linux program, without a change to it.
/// Method: the kernel's perf events interrupt every running thread at a fixed rate (processor
/// cycles where the machine has that counter, else the software clock) and copy registers and the
/// top of the stack; stacks are unwound here with the program's own unwinding tables (so
/// -fomit-frame-pointer is fine), inlined calls are restored from DWARF, symbols come from the
/// file, its debug link or its build id. Precision: see Share. Cost to the program: a few
/// microseconds per sample; this process unwinds beside it. Limits:
/// stacks deeper than `stack_bytes` lose their outer part (counted); code made at run time shows as
/// "[unknown]"; DWARF unwinding is for x86-64, other processors use frame pointers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/progress.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"
#include "neurolens/capture/sampled_profile.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

enum class Unwind : std::uint8_t {
  dwarf,           ///< Tables; falls back to frame pointers where a module has none.
  frame_pointers,  ///< Cheaper; right only for programs built with -fno-omit-frame-pointer.
};

struct RecordOptions {
  /// Program and arguments; searched in PATH. Its standard streams are this process's own.
  /// Either this or `pid`.
  std::vector<std::string> command;
  /// A running process to attach to; all its present and future threads and children.
  std::optional<std::int64_t> pid;
  /// Samples per second and thread, in [1, 20,000]. Raising it narrows intervals and costs more.
  double rate_hz = 997;
  /// 0: until the program ends. With `command` the program goes on unobserved afterwards, and is
  /// waited for.
  Nanoseconds duration;
  Unwind unwind = Unwind::dwarf;
  /// Stack bytes copied per sample, in [1024, 65000]. Raising it reaches deeper.
  std::uint32_t stack_bytes = 32768;
  /// Processor cycles when the machine has them; false demands the software clock.
  bool hardware = true;
  /// Track allocations too (with `command` only), by the library at `memory_library`.
  bool memory = false;
  /// Empty: libneurolens_memory.so beside this program or in its ../lib.
  std::string memory_library;
  /// Cancelling detaches from a process; a command is sent SIGTERM and waited for. Either way the
  /// recording so far is the result.
  Attention attention;
};

struct Recording {
  SampledProfile profile;
  /// Largest resident set of the command or one of its children; nullopt when attached.
  std::optional<Bytes> peak_resident;
  std::optional<MemoryProfile> memory;
  /// Of the command: its exit status, or the signal that ended it.
  std::optional<int> exit_status, exit_signal;
};

/// Why sampling does not work here; nullopt when it does. Cheap, no lasting effect.
[[nodiscard]] std::optional<std::string> record_obstacle();

/// Runs or attaches, samples, and waits for the end.
/// Errors: bad_request, not_found (no such program or process), unavailable (the kernel forbids
/// sampling; the sentence says which setting), permission_denied (attach). Threads: one recording
/// at a time per process; SIGINT and SIGQUIT are left to the command meanwhile (attached, they
/// reach this process as ever).
[[nodiscard]] Result<Recording> record(const RecordOptions& options);

/// What a Run says about its surroundings.
struct ProgramFacts {
  run::Host host;
  std::string neurolens_version;
  std::vector<std::string> argv;  ///< The command line that reproduces the Run.
  std::map<std::string, std::string> tags;
};

/// The recording as a Run: functions become ops (own time, with the interval of its share), stacks
/// the profile. With memory, the profile's weights are allocated bytes instead of nanoseconds.
/// The result passes run::validate().
[[nodiscard]] run::Run to_run(const Recording& recording, const RecordOptions& options,
                              const ProgramFacts& facts);

}  // namespace neurolens::capture
