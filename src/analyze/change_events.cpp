#include "neurolens/analyze/change_events.hpp"

#include <algorithm>

namespace neurolens::analyze {
namespace {

struct Placed {
  std::size_t place = 0;
  ChangeMember member;
};

bool belongs(const std::vector<Placed>& event, const Placed& next, std::size_t slack) {
  if (event.empty() || next.place - event.front().place > 2 * slack) return false;
  return std::none_of(event.begin(), event.end(),
                      [&](const Placed& p) { return p.member.series == next.member.series; });
}

ChangeEvent finished(std::vector<Placed>& placed) {
  ChangeEvent event;
  event.place = placed[placed.size() / 2].place;  // in order of place already
  std::sort(placed.begin(), placed.end(),
            [](const Placed& a, const Placed& b) { return a.member.series < b.member.series; });
  for (const auto& p : placed) event.members.push_back(p.member);
  placed.clear();
  return event;
}

}  // namespace

std::vector<ChangeEvent> group_changes(std::span<const SeriesChanges> series, std::size_t slack) {
  std::vector<Placed> all;
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (const auto& change : series[s].changes)
      all.push_back({series[s].runs[change.index], {s, change}});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Placed& a, const Placed& b) { return a.place < b.place; });
  std::vector<ChangeEvent> events;
  std::vector<Placed> open;
  for (const auto& next : all) {
    if (!open.empty() && !belongs(open, next, slack)) events.push_back(finished(open));
    open.push_back(next);
  }
  if (!open.empty()) events.push_back(finished(open));
  return events;
}

}  // namespace neurolens::analyze
