// From begins and ends to scopes.
#include <algorithm>
#include <map>

#include "neurolens/probe/trace.hpp"

namespace neurolens::probe {
namespace {

std::uint64_t stack_key(const TraceEvent& e) {
  return std::uint64_t{e.thread.value} << 1 | e.lane;
}

struct Open {
  SiteId site;
  Nanoseconds begin;
  Nanoseconds inside;
};

struct Totals {
  std::vector<std::int64_t> durations;
  std::int64_t own = 0;
};

}  // namespace

std::vector<Span> spans_of(const Trace& trace) {
  std::map<std::uint64_t, std::vector<const TraceEvent*>> stacks;
  for (const TraceEvent& e : trace.events) {
    if (e.kind == EventKind::begin || e.kind == EventKind::end) stacks[stack_key(e)].push_back(&e);
  }
  std::vector<Span> spans;
  for (const auto& [key, events] : stacks) {
    std::vector<std::int64_t> open;
    const auto close = [&](Nanoseconds at, bool cut) {
      Span& span = spans[static_cast<std::size_t>(open.back())];
      open.pop_back();
      span.end = at;
      span.cut = cut;
      const Nanoseconds duration = at - span.begin;
      span.own += duration;
      if (span.parent >= 0) spans[static_cast<std::size_t>(span.parent)].own -= duration;
    };
    for (const TraceEvent* e : events) {
      if (e->kind == EventKind::end) {
        if (!open.empty()) close(e->time, false);
        continue;
      }
      Span span;
      span.site = e->site;
      span.thread = e->thread;
      span.lane = e->lane;
      span.depth = static_cast<std::uint32_t>(open.size());
      span.parent = open.empty() ? -1 : open.back();
      span.begin = e->time;
      open.push_back(static_cast<std::int64_t>(spans.size()));
      spans.push_back(span);
    }
    while (!open.empty()) close(trace.info.duration, true);
  }
  return spans;
}

Result<std::vector<SiteSummary>> summarize_trace(const std::string& path, TraceInfo* info) {
  std::map<std::uint64_t, std::vector<Open>> stacks;
  std::vector<Totals> totals;
  const auto close = [&](std::vector<Open>& stack, Nanoseconds at) {
    const Open top = stack.back();
    stack.pop_back();
    const Nanoseconds duration = at - top.begin;
    if (totals.size() <= top.site.index()) totals.resize(top.site.index() + 1);
    totals[top.site.index()].durations.push_back(duration.count);
    totals[top.site.index()].own += (duration - top.inside).count;
    if (!stack.empty()) stack.back().inside += duration;
  };
  std::uint64_t last_key = ~std::uint64_t{0};
  std::vector<Open>* stack = nullptr;
  NEUROLENS_ASSIGN(const TraceInfo read, visit_trace(path, [&](const TraceEvent& e) {
                     if (e.kind != EventKind::begin && e.kind != EventKind::end) return;
                     if (const std::uint64_t key = stack_key(e); key != last_key) {
                       stack = &stacks[key];
                       last_key = key;
                     }
                     if (e.kind == EventKind::begin) {
                       stack->push_back({e.site, e.time, {}});
                     } else if (!stack->empty()) {
                       close(*stack, e.time);
                     }
                   }));
  for (auto& [key, open] : stacks) {
    while (!open.empty()) close(open, read.duration);
  }
  std::vector<SiteSummary> result;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    auto& d = totals[i].durations;
    if (d.empty()) continue;
    std::sort(d.begin(), d.end());
    SiteSummary s;
    s.site = SiteId(i);
    s.count = d.size();
    for (const std::int64_t ns : d) s.total.count += ns;
    s.own = Nanoseconds{totals[i].own};
    s.min = Nanoseconds{d.front()};
    s.max = Nanoseconds{d.back()};
    s.median_ns =
        (static_cast<double>(d[(d.size() - 1) / 2]) + static_cast<double>(d[d.size() / 2])) / 2;
    result.push_back(s);
  }
  std::sort(result.begin(), result.end(),
            [](const SiteSummary& a, const SiteSummary& b) { return a.own > b.own; });
  if (info != nullptr) *info = read;
  return result;
}

}  // namespace neurolens::probe
