// What happened when: timeline, memory, stacks, history.
#include <algorithm>
#include <numeric>

#include "sections.hpp"

namespace neurolens::report {
namespace {

/// Events in the order of the document: by track, begin, longer first.
std::vector<std::uint32_t> order_of(const run::Timeline& t) {
  std::vector<std::uint32_t> first(t.tracks.size() + 1, 0);
  for (const auto track : t.track) ++first[static_cast<std::size_t>(track) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<std::uint32_t> order(t.track.size());
  std::vector<std::uint32_t> next(first.begin(), first.end() - 1);
  for (std::uint32_t i = 0; i < t.track.size(); ++i)
    order[next[static_cast<std::size_t>(t.track[i])]++] = i;
  const auto before = [&](std::uint32_t a, std::uint32_t b) {
    return t.begin_ns[a] != t.begin_ns[b] ? t.begin_ns[a] < t.begin_ns[b]
                                          : t.duration_ns[a] > t.duration_ns[b];
  };
  for (std::size_t track = 0; track + 1 < first.size(); ++track) {
    const auto begin = order.begin() + first[track];
    const auto end = order.begin() + first[track + 1];
    if (!std::is_sorted(begin, end, before)) std::stable_sort(begin, end, before);
  }
  return order;
}

/// Most events of `order`[from, to) open at one moment.
std::uint64_t depth_of(const run::Timeline& t, const std::vector<std::uint32_t>& order,
                       std::size_t from, std::size_t to) {
  std::vector<std::int64_t> open;
  std::size_t deepest = 0;
  for (std::size_t i = from; i < to; ++i) {
    const std::int64_t begin = t.begin_ns[order[i]];
    while (!open.empty() && open.back() <= begin) open.pop_back();
    open.push_back(begin + t.duration_ns[order[i]]);
    deepest = std::max(deepest, open.size());
  }
  return deepest;
}

void write_tracks(json::Writer& w, const run::Timeline& t,
                  const std::vector<std::uint32_t>& order) {
  w.key("tracks").begin_array();
  std::size_t at = 0;
  for (std::size_t track = 0; track < t.tracks.size(); ++track) {
    const std::size_t first = at;
    while (at < order.size() && t.track[order[at]] == static_cast<std::int64_t>(track)) ++at;
    w.begin_object().member("name", t.tracks[track].name).member("kind", t.tracks[track].kind);
    w.member("process", t.tracks[track].process).member("id", t.tracks[track].id);
    w.member("first", static_cast<std::uint64_t>(first));
    w.member("count", static_cast<std::uint64_t>(at - first));
    w.member("depth", depth_of(t, order, first, at)).end_object();
  }
  w.end_array();
}

}  // namespace

void write_timeline(json::Writer& w, const run::Run& run) {
  w.key("timeline");
  if (!run.timeline || run.timeline->begin_ns.empty()) {
    w.null();
    return;
  }
  const run::Timeline& t = *run.timeline;
  const auto order = order_of(t);
  const std::int64_t origin = *std::min_element(t.begin_ns.begin(), t.begin_ns.end());
  std::int64_t end = origin;
  run::Column begin, duration, name, op;
  for (auto* column : {&begin, &duration, &name, &op}) column->reserve(order.size());
  std::int64_t last = origin;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t e = order[i];
    if (i == 0 || t.track[order[i - 1]] != t.track[e]) last = origin;
    begin.push_back(t.begin_ns[e] - last);
    last = t.begin_ns[e];
    end = std::max(end, t.begin_ns[e] + t.duration_ns[e]);
    duration.push_back(t.duration_ns[e]);
    name.push_back(t.name[e]);
    op.push_back(t.op[e] == run::kMissing ? kNoEntry : t.op[e]);
  }
  w.begin_object().member("count", static_cast<std::uint64_t>(order.size()));
  w.member("begin_ns", origin).member("end_ns", end);
  write_tracks(w, t, order);
  w.key("names").begin_array();
  for (const auto& text : t.names) w.value(text);
  w.end_array();
  write_column(w, "begin", begin, true);
  write_column(w, "duration", duration);
  write_column(w, "name", name);
  write_column(w, "op", op);
  w.end_object();
}

void write_memory(json::Writer& w, const run::Run& run) {
  w.key("memory").begin_object();
  w.member("host_before_bytes", run.memory.host_before_bytes);
  w.member("host_peak_bytes", run.memory.host_peak_bytes);
  w.member("accelerator_peak_bytes", run.memory.accelerator_peak_bytes);
  w.key("counters").begin_array();
  std::vector<const run::CounterTrack*> sorted;
  for (const auto& counter : run.counters) sorted.push_back(&counter);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
    return (a->unit == "bytes") > (b->unit == "bytes");
  });
  for (const auto* counter : sorted) {
    w.begin_object().member("name", counter->name).member("unit", counter->unit);
    write_ascending(w, "time_ns", counter->time_ns);
    write_column(w, "value", counter->value);
    w.end_object();
  }
  w.end_array().end_object();
}

void write_profile(json::Writer& w, const run::Run& run) {
  w.key("profile");
  if (!run.profile || run.profile->stack_parent.empty()) {
    w.null();
    return;
  }
  const run::Profile& p = *run.profile;
  w.begin_object().member("unit", p.weight_unit).key("frames").begin_array();
  for (const auto& frame : p.frames) {
    w.begin_object().member("function", frame.function).member("module", frame.module);
    w.member("file", frame.file).member("line", frame.line).end_object();
  }
  w.end_array();
  run::Column parent;
  for (const auto stack : p.stack_parent)
    parent.push_back(stack == run::kMissing ? kNoEntry : stack);
  run::Column self(p.stack_parent.size(), 0);
  for (std::size_t i = 0; i < p.sample_stack.size(); ++i)
    self[static_cast<std::size_t>(p.sample_stack[i])] += p.sample_weight[i];
  write_column(w, "parent", parent);
  write_column(w, "frame", p.stack_frame);
  write_column(w, "self", self);
  w.end_object();
}

void write_history(json::Writer& w, const Findings& findings) {
  w.key("history");
  if (!findings.history) {
    w.null();
    return;
  }
  const History& h = *findings.history;
  w.begin_object().member("metric", h.metric).member("unit", h.unit).key("points").begin_array();
  std::optional<std::int64_t> current;
  for (std::size_t i = 0; i < h.points.size(); ++i) {
    const auto& point = h.points[i];
    if (point.run_id == findings.run->run_id) current = static_cast<std::int64_t>(i);
    w.begin_object().member("run_id", point.run_id).member("created_at", point.created_at);
    w.member("value", rounded(point.value)).end_object();
  }
  w.end_array().key("changes").begin_array();
  for (const auto& change : h.changes) {
    w.begin_object().member("index", static_cast<std::uint64_t>(change.index));
    w.member("before", rounded(change.before)).member("after", rounded(change.after));
    w.member("ratio", rounded(change.after / change.before)).end_object();
  }
  w.end_array().member("current", current).end_object();
}

}  // namespace neurolens::report
