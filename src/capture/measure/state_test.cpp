#include "measure/state.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "fit/order_statistics.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

run::Iterations iterations(std::size_t count, std::int64_t duration_ns) {
  run::Iterations out;
  for (std::size_t i = 0; i < count; ++i) {
    out.begin_ns.push_back(static_cast<std::int64_t>(i) * 2 * duration_ns);
    out.duration_ns.push_back(duration_ns);
    out.observed.push_back(static_cast<std::uint8_t>(i % 2));
    out.warmup.push_back(0);
    out.cpu_time_ns.push_back(duration_ns);
    out.steal_ns.push_back(run::kMissing);
    out.involuntary_switches.push_back(0);
    out.page_faults.push_back(0);
  }
  return out;
}

TEST(MarkDisturbed, QuietIterationsStay) {
  auto rows = iterations(20, 1'000'000);
  EXPECT_TRUE(mark_disturbed(rows, 1, 0.01));
  EXPECT_EQ(rows.disturbed, std::vector<std::uint8_t>(20, 0));
}

TEST(MarkDisturbed, MarksTimeWithoutTheProcessorAndStolenWindows) {
  auto rows = iterations(20, 1'000'000);
  rows.cpu_time_ns[3] = 900'000;
  rows.steal_ns[5] = 0;
  rows.steal_ns[9] = 10'000'000;
  EXPECT_TRUE(mark_disturbed(rows, 1, 0.01));
  std::vector<std::uint8_t> expected(20, 0);
  for (const int i : {3, 6, 7, 8, 9}) expected[static_cast<std::size_t>(i)] = 1;
  EXPECT_EQ(rows.disturbed, expected);
}

// Two clocks disagree by their noise; the same size below zero shows how much.
TEST(MarkDisturbed, ToleratesTheNoiseOfItsClocks) {
  auto rows = iterations(40, 20'000);
  for (std::size_t i = 0; i < 40; ++i) rows.cpu_time_ns[i] += i % 2 == 0 ? 900 : -900;
  rows.cpu_time_ns[7] -= 8'000;
  EXPECT_TRUE(mark_disturbed(rows, 1, 0.01));
  EXPECT_EQ(std::count(rows.disturbed.begin(), rows.disturbed.end(), 1), 1);
  EXPECT_EQ(rows.disturbed[7], 1);
}

TEST(MarkDisturbed, SlownessAloneIsNoReason) {
  auto rows = iterations(20, 1'000'000);
  rows.duration_ns[4] = rows.cpu_time_ns[4] = 9'000'000;
  EXPECT_TRUE(mark_disturbed(rows, 1, 0.01));
  EXPECT_EQ(rows.disturbed[4], 0);
}

TEST(MarkDisturbed, ABusyMachineIsReportedNotFiltered) {
  auto rows = iterations(20, 1'000'000);
  for (std::size_t i = 0; i < 15; ++i) rows.cpu_time_ns[i] = 500'000;
  EXPECT_FALSE(mark_disturbed(rows, 1, 0.01));
  EXPECT_EQ(rows.disturbed, std::vector<std::uint8_t>(20, 0));
}

// Two launches of a long program: without the only observed one there would be no phases at all.
TEST(MarkDisturbed, LeavesSomeOfEachKind) {
  auto rows = iterations(2, 1'000'000'000);
  rows.cpu_time_ns[1] = 900'000'000;
  EXPECT_FALSE(mark_disturbed(rows, 1, 0.01));
  EXPECT_EQ(rows.disturbed, std::vector<std::uint8_t>(2, 0));
  auto warm = iterations(8, 1'000'000);
  for (const std::size_t i : {0, 1, 2, 3}) warm.warmup[i] = 1;
  for (const std::size_t i : {5, 7}) warm.cpu_time_ns[i] = 500'000;
  EXPECT_FALSE(mark_disturbed(warm, 1, 0.01));
  EXPECT_EQ(warm.disturbed, std::vector<std::uint8_t>(8, 0));
}

TEST(StateSampler, CountsProcessorTime) {
  StateSampler sampler;
  sampler.begin();
  volatile double sink = 0;
  for (int i = 0; i < 2'000'000; ++i) sink = sink + 1;
  sampler.end();
  EXPECT_GT(sampler.difference(Nanoseconds{0}).cpu_time_ns, 100'000);
}

// The interval must cover the true median at its stated rate: neither less, nor nearly always.
TEST(MedianInterval, CoversAtItsRate) {
  for (const std::size_t n : {10U, 25U, 40U, 200U}) {
    int covered = 0;
    constexpr int kTrials = 4000;
    for (int trial = 0; trial < kTrials; ++trial) {
      Random random(static_cast<std::uint64_t>(trial), n);
      std::vector<double> values(n);
      for (auto& value : values) value = std::exp(random.normal());
      const auto interval = median_interval(values);
      if (*interval.low <= 1 && 1 <= *interval.high) ++covered;
    }
    EXPECT_GT(covered, kTrials * 0.94) << n;
    EXPECT_LT(covered, kTrials * 0.99) << n;
  }
  EXPECT_FALSE(median_interval(std::vector<double>{1, 2, 3, 4, 5}).low.has_value());
}

}  // namespace
}  // namespace neurolens::capture
