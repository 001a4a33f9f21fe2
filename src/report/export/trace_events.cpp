#include "trace_events.hpp"

#include <algorithm>
#include <map>

#include "findings/sections.hpp"
#include "neurolens/run/work.hpp"

namespace neurolens::report {
namespace {

Trace from_iterations(const run::Run& run) {
  const run::Iterations& rows = run.samples.iterations;
  Trace trace;
  trace.tracks = {{"iterations", "thread", std::nullopt, std::nullopt}};
  trace.names = {"iteration", "observed iteration", "warm-up iteration", "disturbed iteration"};
  TraceLane lane;
  for (std::size_t i = 0; i < rows.duration_ns.size(); ++i) {
    const std::uint32_t name = rows.warmup[i] != 0      ? 2U
                               : rows.disturbed[i] != 0 ? 3U
                               : rows.observed[i] != 0  ? 1U
                                                        : 0U;
    lane.events.push_back({rows.begin_ns[i], rows.duration_ns[i], name, run::kMissing});
  }
  std::stable_sort(lane.events.begin(), lane.events.end(),
                   [](const auto& a, const auto& b) { return a.begin_ns < b.begin_ns; });
  trace.lanes.push_back(std::move(lane));
  return trace;
}

bool before(const TraceEvent& a, const TraceEvent& b) {
  return a.begin_ns != b.begin_ns ? a.begin_ns < b.begin_ns : a.duration_ns > b.duration_ns;
}

/// Puts every event into the first lane in which it nests.
void spread(std::uint32_t track, const std::vector<TraceEvent>& events, Trace& trace) {
  const std::size_t first = trace.lanes.size();
  std::vector<std::vector<std::int64_t>> open;  // ends of the open events, per lane
  for (const auto& event : events) {
    const std::int64_t end = event.begin_ns + event.duration_ns;
    std::size_t lane = 0;
    for (;; ++lane) {
      if (lane == open.size()) {
        open.emplace_back();
        trace.lanes.push_back({track, static_cast<std::uint32_t>(lane), {}});
      }
      auto& stack = open[lane];
      while (!stack.empty() && stack.back() <= event.begin_ns) stack.pop_back();
      if (!stack.empty() && stack.back() < end) continue;
      stack.push_back(end);
      break;
    }
    trace.lanes[first + lane].events.push_back(event);
  }
}

/// Connects the k-th host slice of an op with the slices on streams that begin between it and the
/// next host slice of that op.
void connect(Trace& trace) {
  struct Launch {
    std::int64_t begin_ns;
    std::size_t lane, event;
  };
  std::map<std::int64_t, std::vector<Launch>> launches;
  const auto on_stream = [&](const TraceLane& lane) {
    return trace.tracks[lane.track].kind == "stream";
  };
  for (std::size_t l = 0; l < trace.lanes.size(); ++l) {
    if (on_stream(trace.lanes[l])) continue;
    for (std::size_t e = 0; e < trace.lanes[l].events.size(); ++e) {
      const auto& event = trace.lanes[l].events[e];
      if (event.op != run::kMissing) launches[event.op].push_back({event.begin_ns, l, e});
    }
  }
  for (auto& [op, list] : launches) {
    std::stable_sort(list.begin(), list.end(),
                     [](const auto& a, const auto& b) { return a.begin_ns < b.begin_ns; });
  }
  for (std::size_t l = 0; l < trace.lanes.size(); ++l) {
    if (!on_stream(trace.lanes[l])) continue;
    for (std::size_t e = 0; e < trace.lanes[l].events.size(); ++e) {
      const auto& event = trace.lanes[l].events[e];
      const auto found = launches.find(event.op);
      if (event.op == run::kMissing || found == launches.end()) continue;
      const auto after = std::upper_bound(
          found->second.begin(), found->second.end(), event.begin_ns,
          [](std::int64_t t, const Launch& launch) { return t < launch.begin_ns; });
      if (after == found->second.begin()) continue;  // launched before the window
      const Launch& from = *(after - 1);
      trace.flows.push_back({trace.flows.size() + 1, from.lane, from.event, l, e});
    }
  }
}

}  // namespace

Result<Trace> trace_of(const run::Run& run) {
  if (!run.timeline || run.timeline->begin_ns.empty()) {
    if (run.samples.iterations.duration_ns.empty())
      return Error{Errc::too_few_samples, "The Run has neither a timeline nor iterations.", ""};
    return from_iterations(run);
  }
  const run::Timeline& t = *run.timeline;
  Trace trace;
  trace.tracks = t.tracks;
  trace.names = t.names;
  std::vector<std::vector<TraceEvent>> tracks(t.tracks.size());
  for (std::size_t i = 0; i < t.begin_ns.size(); ++i) {
    tracks[static_cast<std::size_t>(t.track[i])].push_back(
        {t.begin_ns[i], t.duration_ns[i], static_cast<std::uint32_t>(t.name[i]), t.op[i]});
  }
  for (std::uint32_t track = 0; track < tracks.size(); ++track) {
    std::stable_sort(tracks[track].begin(), tracks[track].end(), before);
    spread(track, tracks[track], trace);
  }
  connect(trace);
  return trace;
}

std::vector<TraceFact> facts_of(const run::Run& run, std::int64_t op) {
  if (op == run::kMissing) return {};
  const run::Op& row = run.ops[static_cast<std::size_t>(op)];
  std::vector<TraceFact> facts;
  facts.push_back({"op_index", "", op});
  facts.push_back({"op_type", row.type, {}});
  if (row.provider) facts.push_back({"provider", *row.provider, {}});
  if (auto shapes = shapes_of(row); !shapes.empty())
    facts.push_back({"shapes", std::move(shapes), {}});
  if (const auto flops = run::flops_of(row.cost)) facts.push_back({"flops", "", *flops});
  if (const auto bytes = run::bytes_of(row.cost)) facts.push_back({"bytes", "", *bytes});
  return facts;
}

}  // namespace neurolens::report
