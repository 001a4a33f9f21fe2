// Tools that think in stacks: speedscope and collapsed lines.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/export.hpp"
#include "sampled.hpp"
#include "trace_events.hpp"

namespace neurolens::report {
namespace {

constexpr std::size_t kAllFrames = std::numeric_limits<std::size_t>::max();

bool has_samples(const run::Run& run) {
  return run.profile && !run.profile->sample_stack.empty();
}

void begin_speedscope(json::Writer& w, const run::Run& run) {
  w.begin_object().member("$schema", "https://www.speedscope.app/file-format-schema.json");
  w.member("exporter", "neurolens " + run.neurolens_version).member("name", run.workload.name);
  w.key("activeProfileIndex").value(0);
}

void write_sampled(json::Writer& w, const run::Profile& p) {
  w.key("shared").begin_object().key("frames").begin_array();
  for (const auto& frame : p.frames) {
    w.begin_object().member("name", frame.function);
    if (frame.file || frame.module) w.member("file", frame.file ? *frame.file : *frame.module);
    if (frame.line) w.member("line", *frame.line);
    w.end_object();
  }
  w.end_array().end_object();
  std::map<std::int64_t, std::vector<std::size_t>> threads;
  for (std::size_t i = 0; i < p.sample_stack.size(); ++i)
    threads[p.sample_thread.empty() ? run::kMissing : p.sample_thread[i]].push_back(i);
  w.key("profiles").begin_array();
  for (const auto& [thread, samples] : threads) {
    std::int64_t total = 0;
    for (const auto i : samples) total += p.sample_weight[i];
    w.begin_object().member("type", "sampled");
    w.member("name", thread == run::kMissing ? std::string("all threads")
                                             : fmt::format("thread {}", thread));
    w.member("unit", p.weight_unit == "ns" ? "nanoseconds" : "bytes");
    w.member("startValue", 0).member("endValue", total).key("samples").begin_array();
    for (const auto i : samples) w.numbers(frames_of(p, p.sample_stack[i], kAllFrames));
    w.end_array().key("weights").begin_array();
    for (const auto i : samples) w.value(p.sample_weight[i]);
    w.end_array().end_object();
  }
  w.end_array();
}

void write_event(json::Writer& w, std::string_view type, std::uint32_t frame, std::int64_t at) {
  w.begin_object().member("type", type).member("frame", static_cast<std::uint64_t>(frame));
  w.member("at", at).end_object();
}

void write_lane(json::Writer& w, const Trace& trace, const TraceLane& lane) {
  std::int64_t end = lane.events.front().begin_ns;
  for (const auto& event : lane.events) end = std::max(end, event.begin_ns + event.duration_ns);
  w.begin_object().member("type", "evented");
  w.member("name", trace.tracks[lane.track].name + (lane.lane == 0 ? "" : " (overlapping)"));
  w.member("unit", "nanoseconds").member("startValue", lane.events.front().begin_ns);
  w.member("endValue", end).key("events").begin_array();
  std::vector<std::pair<std::int64_t, std::uint32_t>> open;
  const auto close_until = [&](std::int64_t time) {
    while (!open.empty() && open.back().first <= time) {
      write_event(w, "C", open.back().second, open.back().first);
      open.pop_back();
    }
  };
  for (const auto& event : lane.events) {
    close_until(event.begin_ns);
    write_event(w, "O", event.name, event.begin_ns);
    open.emplace_back(event.begin_ns + event.duration_ns, event.name);
  }
  close_until(std::numeric_limits<std::int64_t>::max());
  w.end_array().end_object();
}

void write_evented(json::Writer& w, const Trace& trace) {
  w.key("shared").begin_object().key("frames").begin_array();
  for (const auto& name : trace.names) w.begin_object().member("name", name).end_object();
  w.end_array().end_object().key("profiles").begin_array();
  for (const auto& lane : trace.lanes) {
    if (!lane.events.empty()) write_lane(w, trace, lane);
  }
  w.end_array();
}

/// A name inside a collapsed line.
std::string part(std::string_view name) {
  std::string out = printable(name);
  for (char& c : out) {
    if (c == ';') c = ':';
    if (c == '\n' || c == '\r') c = ' ';
  }
  return out.empty() ? "(no name)" : out;
}

using Weights = std::map<std::string, std::int64_t>;

Weights weights_of_samples(const run::Profile& p) {
  std::vector<std::string> paths(p.stack_parent.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string own = part(p.frames[static_cast<std::size_t>(p.stack_frame[i])].function);
    paths[i] = p.stack_parent[i] == run::kMissing
                   ? own
                   : paths[static_cast<std::size_t>(p.stack_parent[i])] + ";" + own;
  }
  Weights weights;
  for (std::size_t i = 0; i < p.sample_stack.size(); ++i)
    weights[paths[static_cast<std::size_t>(p.sample_stack[i])]] += p.sample_weight[i];
  return weights;
}

/// Self time: an event's own duration less those directly inside it.
Weights weights_of_trace(const Trace& trace) {
  Weights weights;
  for (const auto& lane : trace.lanes) {
    struct Open {
      std::int64_t end;
      std::string path;
    };
    std::vector<Open> open;
    const std::string root = part(trace.tracks[lane.track].name);
    for (const auto& event : lane.events) {
      while (!open.empty() && open.back().end <= event.begin_ns) open.pop_back();
      if (!open.empty()) weights[open.back().path] -= event.duration_ns;
      std::string path =
          (open.empty() ? root : open.back().path) + ";" + part(trace.names[event.name]);
      weights[path] += event.duration_ns;
      open.push_back({event.begin_ns + event.duration_ns, std::move(path)});
    }
  }
  return weights;
}

}  // namespace

Result<std::string> to_speedscope(const run::Run& run) {
  json::Writer w;
  begin_speedscope(w, run);
  if (has_samples(run)) {
    write_sampled(w, *run.profile);
  } else {
    NEUROLENS_ASSIGN(const Trace trace, trace_of(run));
    write_evented(w, trace);
  }
  w.end_object();
  return std::move(w).take() + "\n";
}

Result<std::string> to_collapsed(const run::Run& run) {
  Weights weights;
  if (has_samples(run)) {
    weights = weights_of_samples(*run.profile);
  } else {
    NEUROLENS_ASSIGN(const Trace trace, trace_of(run));
    weights = weights_of_trace(trace);
  }
  std::string out;
  for (const auto& [path, weight] : weights) {
    if (weight > 0) out += fmt::format("{} {}\n", path, weight);
  }
  return out;
}

}  // namespace neurolens::report
