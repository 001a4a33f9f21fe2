/// \file
/// Reading what a session wrote, complete or cut off at any byte.
/// Method: the file is mapped, its blocks are checked against their sums, and events are handed on
/// in the order of each thread. Times are interpolated between pairs of (counter, monotonic clock)
/// that the session recorded; expect 100 ns at worst against the monotonic clock.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/strong_id.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::probe {

using SiteId = StrongId<struct SiteTag>;
using ThreadId = StrongId<struct ThreadTag>;

/// What an event says.
enum class EventKind : std::uint8_t {
  begin,
  end,
  instant,
  counter,
  value,
  flow,
  async_begin,
  async_end,
  mark,
  thread_name,
  stall,
};

/// How the 64 bits of `TraceEvent::value` read.
enum class ValueType : std::uint8_t { integer, real, extent };

struct TraceEvent {
  EventKind kind = EventKind::begin;
  ValueType type = ValueType::integer;
  std::uint8_t lane =
      0;  ///< 1: stored by a signal handler that interrupted a store; a stack of its own.
  std::uint8_t flow_phase = 0;  ///< FlowPhase of a flow.
  std::uint8_t dimension = 0;   ///< Which dimension an extent belongs to.
  std::uint8_t dimensions = 0;  ///< Of how many.
  SiteId site;                  ///< Meaningless for `end`.
  ThreadId thread;
  Nanoseconds time;  ///< Since the session began. Never decreases within (thread, lane).
  std::uint64_t value =
      0;  ///< Number, flow id, span id, index of a mark, or nanoseconds of a stall.

  [[nodiscard]] std::int64_t integer() const { return static_cast<std::int64_t>(value); }
  [[nodiscard]] double real() const;
};

/// A place in the program that records events.
struct TraceSite {
  std::string name, file, category;
  std::uint32_t line = 0;
};

/// A thread that recorded events.
struct TraceThread {
  std::int64_t system_id = 0;
  std::string name;
};

/// Everything but the events.
struct TraceInfo {
  std::uint64_t process_id = 0;
  bool ring = false;
  bool complete = false;     ///< The session was stopped. False after a kill.
  bool damaged = false;      ///< Bytes in the middle or at the end could not be used.
  double counter_hz = 0;     ///< Ticks per second of the recording clock.
  Nanoseconds started;       ///< Wall clock.
  Nanoseconds duration;      ///< From the start to the last event or the stop.
  std::uint64_t events = 0;  ///< In the file.
  /// Never recorded, for lack of room. nullopt: not known, because the recording was cut off.
  std::optional<std::uint64_t> lost;
  std::uint64_t overwritten = 0;  ///< Replaced by newer ones.
  std::vector<TraceSite> sites;
  std::vector<TraceThread> threads;
};

/// Calls `visit` for every event, thread by thread in pieces, each (thread, lane) in order.
/// Memory: independent of the length of the trace.
/// Errors: not_found and kin, parse_error (not a trace), newer_version.
Result<TraceInfo> visit_trace(const std::string& path,
                              const std::function<void(const TraceEvent&)>& visit);

/// A recording read back.
struct Trace {
  TraceInfo info;
  std::vector<TraceEvent> events;
};
/// The whole trace in memory, 40 bytes an event.
[[nodiscard]] Result<Trace> read_trace(const std::string& path);

/// A closed scope.
struct Span {
  SiteId site;
  ThreadId thread;
  std::uint8_t lane = 0;
  bool cut = false;          ///< Still open when the recording ended; `end` is that moment.
  std::uint32_t depth = 0;   ///< 0: outermost.
  std::int64_t parent = -1;  ///< Index into the same vector, -1: none.
  Nanoseconds begin, end;
  Nanoseconds own;  ///< Duration without that of the scopes directly inside.
};
/// Pairs begins with ends. Ends whose begin was overwritten are left out.
/// Sorted by (thread, lane, begin): a parent precedes its children.
[[nodiscard]] std::vector<Span> spans_of(const Trace& trace);

/// Per site: how often and how long.
struct SiteSummary {
  SiteId site;
  std::uint64_t count = 0;
  Nanoseconds total, own, min, max;
  double median_ns = 0;
};
/// Largest own time first. Memory: 8 bytes a scope.
[[nodiscard]] Result<std::vector<SiteSummary>> summarize_trace(const std::string& path,
                                                               TraceInfo* info = nullptr);

}  // namespace neurolens::probe
