#include "neurolens/analyze/change_events.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "neurolens/base/random.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::size_t kRuns = 180;
constexpr std::size_t kOps = 20;

/// Ops with 2 % noise; the first three rise by 12 % from Run 60 on, the next two fall by 10 % from
/// Run 120 on. With `planted` off, none moves.
std::vector<SeriesChanges> measure(std::uint64_t seed, bool planted) {
  std::vector<SeriesChanges> all(kOps);
  for (std::size_t op = 0; op < kOps; ++op) {
    Random random(seed, op);
    std::vector<double> values;
    for (std::size_t t = 0; t < kRuns; ++t) {
      if (op == 1 && t % 7 == 0) continue;  // an op that some Runs do not have
      const double level = !planted                        ? 1.0
                           : op < 3 && t >= 60             ? 1.12
                           : op >= 3 && op < 5 && t >= 120 ? 0.9
                                                           : 1.0;
      values.push_back(1e5 * level * std::exp(0.02 * random.normal()));
      all[op].runs.push_back(t);
    }
    all[op].changes = find_changes(values, {.level = ChangeLevel::tenth_of_a_percent});
  }
  return all;
}

TEST(ChangeEvents, OpsThatMoveTogetherAreOneEvent) {
  int exact = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto events = group_changes(measure(seed, true));
    if (events.size() != 2 || events[0].members.size() != 3 || events[1].members.size() != 2)
      continue;
    ++exact;
    EXPECT_NEAR(static_cast<double>(events[0].place), 60, 2);
    EXPECT_NEAR(static_cast<double>(events[1].place), 120, 2);
    EXPECT_EQ(events[0].members[2].series, 2U);
    EXPECT_NEAR(events[0].members[0].change.after / events[0].members[0].change.before, 1.12, 0.03);
    EXPECT_EQ(events[1].members[0].series, 3U);
  }
  EXPECT_GE(exact, 17);
}

TEST(ChangeEvents, NothingMovesUnderNoise) {
  int alarms = 0;
  for (std::uint64_t seed = 100; seed < 150; ++seed)
    alarms += group_changes(measure(seed, false)).empty() ? 0 : 1;
  EXPECT_LE(alarms, 4);  // 50 histories of 20 ops at one in a thousand: 1 is expected
}

TEST(ChangeEvents, ASeriesIsInAnEventOnceAndFarChangesStayApart) {
  std::vector<std::size_t> runs(40);
  std::iota(runs.begin(), runs.end(), std::size_t{0});
  const auto at = [](std::size_t index) { return ChangePoint{index, 1, 2, 5}; };
  const std::vector<SeriesChanges> series{{runs, {at(10), at(13)}}, {runs, {at(12), at(30)}}};
  const auto events = group_changes(series);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].members.size(), 2U);  // 10 and 12
  EXPECT_EQ(events[1].members.size(), 1U);  // 13: the same series again
  EXPECT_EQ(events[2].place, 30U);
  EXPECT_TRUE(group_changes({}).empty());
}

}  // namespace
}  // namespace neurolens::analyze
