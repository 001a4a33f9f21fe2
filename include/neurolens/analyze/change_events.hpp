/// \file
/// Changes of many series seen as events: ops that moved at the same place moved for one reason.
///
/// Method: the changes of all series are put in order of their place; neighbours whose places span
/// at most twice `slack` Runs form one event, a series at most once. The place of an event is the
/// median of its members' places. A step of 5 % under 2 % noise is placed within 2 Runs in about
/// nine of ten cases, larger steps more sharply.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "neurolens/analyze/change_points.hpp"

namespace neurolens::analyze {

/// The changes of one series whose points are some of the Runs of a history.
struct SeriesChanges {
  /// Position among all Runs of each point of the series, ascending.
  std::vector<std::size_t> runs;
  std::vector<ChangePoint> changes;  ///< What find_changes() said of its values.
};

/// One series in an event.
struct ChangeMember {
  std::size_t series = 0;  ///< Index into the series given.
  ChangePoint change;
};

/// What happened between the Runs at positions `place` - 1 and `place`.
struct ChangeEvent {
  std::size_t place = 0;
  std::vector<ChangeMember> members;  ///< In the order of the series.
};

/// Events in the order of their place. Pure. O(changes log changes).
[[nodiscard]] std::vector<ChangeEvent> group_changes(std::span<const SeriesChanges> series,
                                                     std::size_t slack = 2);

}  // namespace neurolens::analyze
