/// \file
/// Starting and stopping a recording.
/// A program needs no call at all: with NEUROLENS_PROBE=FILE in its environment it records from its
/// start to its exit. The value may go on with options:
/// FILE,mode=ring,memory=64M,clock=system,fork=ignore;
/// "%p" in FILE becomes the process id. A file that another process is recording into is left
/// alone; the later process writes to FILE.PID.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::probe {

/// How events are kept.
enum class Keep : std::uint8_t {
  /// Every event reaches the file. When the disk is slower than the program, the program waits, and
  /// the wait is recorded as a stall. A kill loses at most `flush_every`.
  everything,
  /// The newest events that fit into `memory`, in a mapped file that survives any end of the
  /// process. What was overwritten is counted exactly.
  newest,
};

enum class RecordClock : std::uint8_t {
  automatic,          ///< The processor's counter where it is constant, else the system's clock.
  processor_counter,  ///< Errors: unavailable where it does not run at a constant rate.
  system,             ///< CLOCK_MONOTONIC: about twice the cost.
};

struct SessionOptions {
  /// The file to write; replaced when present.
  std::string path;
  Keep keep = Keep::everything;
  /// Buffers in total, in [256 KiB, 64 GiB], rounded down to 64 KiB. Never less than one chunk of
  /// 64 KiB per thread that records (`everything`); `newest` drops the events of threads beyond.
  /// Raising it helps bursts (`everything`) or reaches further back (`newest`).
  Bytes memory{std::int64_t{32} << 20};
  RecordClock clock = RecordClock::automatic;
  /// How often part-filled buffers reach the file (`everything` only), in [1 ms, 1 h].
  Nanoseconds flush_every{500'000'000};
  /// A forked child records too, into PATH.PID, from its first event on. Off: children are silent.
  bool follow_fork = true;
};

/// What a finished session recorded.
struct SessionReport {
  std::uint64_t events = 0;       ///< In the file.
  std::uint64_t lost = 0;         ///< Not recorded, for lack of room: exact.
  std::uint64_t overwritten = 0;  ///< Recorded and replaced by newer ones (`newest`): exact.
  std::uint64_t stalls = 0;       ///< Times a thread waited for the disk (`everything`).
  Nanoseconds stalled;            ///< Sum of these waits over threads.
  Bytes written;                  ///< Size of the file.
};

/// Begins to record. One session per process at a time.
/// Errors: bad_request (a session is running, or an option outside its range), io_error and its
/// kin, unavailable (no constant counter although demanded). Threads: safe; not from a signal
/// handler.
Status start(const SessionOptions& options);

/// Ends the session and completes the file. Scopes that are open elsewhere stay open in the file.
/// Errors: bad_request (no session), no_space, io_error: then the file holds what was written
/// before.
Result<SessionReport> stop();

/// Options from the form that NEUROLENS_PROBE takes. Errors: bad_request.
[[nodiscard]] Result<SessionOptions> parse_session(std::string_view text);

}  // namespace neurolens::probe
