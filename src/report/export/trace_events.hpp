/// \file
/// The timeline as exporters need it: events of each track in order, nested in lanes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::report {

/// One slice. `op` is run::kMissing when it is none.
struct TraceEvent {
  std::int64_t begin_ns = 0;
  std::int64_t duration_ns = 0;
  std::uint32_t name = 0;  ///< Index into Trace::names.
  std::int64_t op = run::kMissing;
};

/// Slices that nest: each lies inside or beside every other one. By begin, longer first.
struct TraceLane {
  std::uint32_t track = 0;
  std::uint32_t lane = 0;  ///< 0 is the track itself.
  std::vector<TraceEvent> events;
};

/// From an op's slice on the host to a slice of it on a stream.
struct TraceFlow {
  std::uint64_t id = 0;
  std::size_t from_lane = 0, from_event = 0, to_lane = 0, to_event = 0;
};

struct Trace {
  std::vector<run::Track> tracks;
  std::vector<std::string> names;
  std::vector<TraceLane> lanes;  ///< By track, then lane.
  std::vector<TraceFlow> flows;
};

/// The Run's timeline, or one made of its iterations. Errors: too_few_samples when there is
/// neither.
[[nodiscard]] Result<Trace> trace_of(const run::Run& run);

/// Facts about an event's op for the tools that show them; empty for none.
struct TraceFact {
  std::string_view key;
  std::string text;                    ///< For texts.
  std::optional<std::int64_t> number;  ///< For numbers.
};
[[nodiscard]] std::vector<TraceFact> facts_of(const run::Run& run, std::int64_t op);

}  // namespace neurolens::report
