#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <thread>
#include <vector>

#include "neurolens/probe/benchmark.hpp"
#include "neurolens/probe/memoize.hpp"
#include "neurolens/probe/profile.hpp"
#include "neurolens/probe/statistics.hpp"
#include "neurolens/probe/workspace.hpp"

namespace neurolens::probe {
namespace {

TEST(Timer, RunsWithTheMonotonicClock) {
  const Timer timer;
  usleep(20'000);
  const std::int64_t ns = timer.elapsed().count;
  EXPECT_GE(ns, 19'900'000);
  EXPECT_LT(ns, 2'000'000'000);
}

TEST(Entry, KnownDurationsGiveKnownStatistics) {
  Entry entry("known");
  for (int i = 1; i <= 101; ++i) entry.add(Nanoseconds{i * 10});
  const Statistics s = entry.statistics();
  EXPECT_EQ(s.count, 101u);
  EXPECT_EQ(s.total.count, 51510);
  EXPECT_EQ(s.mean_ns, 510);
  EXPECT_EQ(s.median_ns, 510);
  EXPECT_EQ(s.p95_ns, 960);
  EXPECT_EQ(s.p99_ns, 1000);
  EXPECT_EQ(s.min.count, 10);
  EXPECT_EQ(s.max.count, 1010);
  EXPECT_TRUE(s.exact_percentiles);
  EXPECT_FALSE(s.memory_mean.has_value());
}

TEST(Entry, ManyDurationsStayWithinTheStatedPrecision) {
  Entry entry("many");
  constexpr int kCount = 200'000;
  for (int i = 1; i <= kCount; ++i) entry.add(Nanoseconds{i * 37});
  const Statistics s = entry.statistics();
  EXPECT_FALSE(s.exact_percentiles);
  EXPECT_NEAR(s.median_ns, 0.5 * kCount * 37, 0.011 * 0.5 * kCount * 37);
  EXPECT_NEAR(s.p95_ns, 0.95 * kCount * 37, 0.011 * 0.95 * kCount * 37);
  EXPECT_NEAR(s.p99_ns, 0.99 * kCount * 37, 0.011 * 0.99 * kCount * 37);
  EXPECT_EQ(s.max.count, std::int64_t{kCount} * 37);
  entry.reset();
  EXPECT_EQ(entry.statistics().count, 0u);
}

TEST(Registry, ThreadsAddWithoutLoss) {
  Registry registry;
  Entry& entry = registry.entry("shared");
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&registry] {
      for (int i = 0; i < 2000; ++i) registry.entry("shared").add(Nanoseconds{5});
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(entry.statistics().count, 32'000u);
  EXPECT_EQ(entry.statistics().total.count, 160'000);
}

TEST(Registry, ReportsToPeopleAndPrograms) {
  Registry registry;
  EXPECT_EQ(registry.report(), "Nothing has been timed yet.\n");
  registry.entry("small \"quoted\"").add(Nanoseconds{1500});
  registry.entry("large").add(Nanoseconds{2'000'000});
  registry.entry("unused");
  const auto all = registry.statistics();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "large");
  EXPECT_NE(registry.report().find("2 ms"), std::string::npos) << registry.report();
  const std::string text = registry.json();
  EXPECT_NE(text.find("\"small \\\"quoted\\\"\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"total_ns\":2000000"), std::string::npos) << text;
  EXPECT_NE(text.find("\"memory_peak_bytes\":null"), std::string::npos) << text;
}

TEST(Profile, CountsEveryCallAlsoThoseThatThrow) {
  Registry registry;
  auto half = profile(
      "half", [](int n) { return n % 2 == 0 ? n / 2 : throw std::runtime_error("odd"); }, {},
      registry);
  EXPECT_EQ(half(8), 4);
  EXPECT_THROW(half(3), std::runtime_error);
  EXPECT_EQ(half.statistics().count, 2u);
  EXPECT_EQ(registry.statistics()[0].name, "half");
}

std::uint64_t spin(std::uint64_t n) {
  std::uint64_t x = n;
  for (std::uint64_t i = 0; i < n; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    do_not_optimize(x);
  }
  return 0;
}

TEST(ComparePerformance, FindsAPlantedFactorOfTwo) {
  BenchmarkOptions options;
  options.sample_time = Nanoseconds{100'000};
  const auto result = compare_performance<std::uint64_t(std::uint64_t)>(
      {{"double", [](std::uint64_t n) { return spin(2 * n); }}, {"single", &spin}}, options,
      std::uint64_t{500});
  ASSERT_TRUE(result.ok()) << result.error();
  const Estimate& s = result->speed_up[1];
  EXPECT_LE(s.low, s.value);
  EXPECT_GE(s.high, s.value);
  EXPECT_NEAR(s.value, 2.0, 0.4);
  EXPECT_EQ(result->winner, 1u);
  EXPECT_NE(result->report().find("fastest"), std::string::npos);
  EXPECT_NE(result->json().find("\"winner\":\"single\""), std::string::npos);
  EXPECT_EQ(result->measurements[0].samples_ns.size(), options.rounds);
}

TEST(ComparePerformance, RefusesFunctionsThatDisagree) {
  const auto result = compare_performance<int(int)>(
      {{"right", [](int n) { return n + 1; }}, {"wrong", [](int n) { return n - 1; }}}, {}, 3);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::check_failed);
  EXPECT_EQ(result.error().where, "wrong");
  BenchmarkOptions loose;
  loose.relative_tolerance = 1e-6;
  loose.sample_time = Nanoseconds{1000};
  EXPECT_TRUE(compare_performance<double(double)>({{"a", [](double x) { return x; }},
                                                   {"b", [](double x) { return x * (1 + 1e-9); }}},
                                                  loose, 3.0)
                  .ok());
  EXPECT_FALSE(compare_performance<int(int)>({}, {}, 3).ok());
}

// The interval is distribution-free: on known samples its order statistics are known.
TEST(Benchmark, IntervalsHoldTheMedianAtTheStatedRate) {
  BenchmarkOptions options;
  options.sample_time = Nanoseconds{1000};
  int call = 0;
  const auto m = benchmark(
      "counted", [&call] { return ++call; }, options);
  ASSERT_TRUE(m.ok());
  std::vector<double> sorted = m->samples_ns;
  std::sort(sorted.begin(), sorted.end());
  // n = 31, 95 %: P(B(31, 1/2) <= 9) = 0.0147, and 0.0354 for 10, so the 10th and the 22nd.
  EXPECT_EQ(m->ns_per_call.value, sorted[15]);
  EXPECT_EQ(m->ns_per_call.low, sorted[9]);
  EXPECT_EQ(m->ns_per_call.high, sorted[21]);
}

TEST(Memoize, RemembersByExactKeyAndCountsEverything) {
  std::atomic<int> calls{0};
  auto square = memoize<std::string(int, std::string)>(
      [&calls](int n, const std::string& s) {
        ++calls;
        return s + std::to_string(n * n);
      },
      Bytes{1 << 20});
  EXPECT_EQ(square(3, "a"), "a9");
  EXPECT_EQ(square(3, "a"), "a9");
  EXPECT_EQ(square(3, "b"), "b9");
  EXPECT_EQ(calls, 2);
  const CacheStatistics s = square.statistics();
  EXPECT_EQ(s.lookups, 3u);
  EXPECT_EQ(s.hits, 1u);
  EXPECT_EQ(s.computed, 2u);
  EXPECT_EQ(s.entries, 2u);
}

struct BadHash {
  std::size_t operator()(int) const { return 7; }
};

TEST(Memoize, CollidingHashesNeverMixAnswers) {
  KeyedCache<int, int, BadHash> cache(Bytes{1 << 20});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 200; ++i) EXPECT_EQ(*cache.get(i, [i] { return i * i; }), i * i);
  }
  EXPECT_EQ(cache.statistics().computed, 200u);
}

TEST(Memoize, StaysBelowItsBytesAndDropsTheOldest) {
  KeyedCache<int, std::vector<char>> cache(Bytes{100'000}, [](int, const std::vector<char>& v) {
    return static_cast<std::int64_t>(v.size());
  });
  for (int i = 0; i < 50; ++i) {
    static_cast<void>(cache.get(i, [] { return std::vector<char>(9000); }));
    static_cast<void>(cache.get(0, [] { return std::vector<char>(9000); }));  // stays fresh
    EXPECT_LE(cache.statistics().held.count, 100'000);
  }
  EXPECT_EQ(cache.statistics().computed, 50u);
  EXPECT_EQ(cache.statistics().evicted, 40u);
  EXPECT_NE(cache.find(0), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
  static_cast<void>(cache.get(1000, [] { return std::vector<char>(200'000); }));
  EXPECT_EQ(cache.statistics().too_large, 1u);
  EXPECT_NE(cache.find(0), nullptr);  // a giant does not empty the cache
}

TEST(Memoize, OneComputationPerKeyHoweverManyAsk) {
  std::atomic<int> calls{0};
  auto slow = memoize<int(int)>([&calls](int n) {
    ++calls;
    usleep(20'000);
    return n + 1;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) threads.emplace_back([&slow] { EXPECT_EQ(slow(41), 42); });
  for (auto& t : threads) t.join();
  EXPECT_EQ(calls, 1);
  const CacheStatistics s = slow.statistics();
  EXPECT_EQ(s.hits + s.waits + s.computed, 16u);
}

TEST(Memoize, FailuresReachEveryWaiterAndAreNotKept) {
  std::atomic<int> calls{0};
  auto flaky = memoize<int(int)>([&calls](int n) {
    usleep(5'000);
    if (calls++ == 0) throw std::runtime_error("first");
    return n;
  });
  EXPECT_THROW(flaky(1), std::runtime_error);
  EXPECT_EQ(flaky(1), 1);
  EXPECT_EQ(flaky(1), 1);
  EXPECT_EQ(calls, 2);
}

TEST(Memoize, RecursionThroughTheCacheWorks) {
  std::function<std::uint64_t(int)> through;
  auto fibonacci = memoize<std::uint64_t(int)>([&through](int n) {
    return n < 2 ? static_cast<std::uint64_t>(n) : through(n - 1) + through(n - 2);
  });
  through = fibonacci;
  EXPECT_EQ(fibonacci(90), 2880067194370816120u);
  EXPECT_EQ(fibonacci.statistics().computed, 91u);
}

TEST(Memoize, WarnsWhenLookingUpCostsMoreThanItSaves) {
  auto trivial = memoize<int(int)>([](int n) { return n + 1; });
  for (int i = 0; i < 20'000; ++i) trivial(i);  // never the same: nothing to save
  EXPECT_FALSE(trivial.statistics().warning.empty());
  auto useful = memoize<int(int)>([](int n) {
    usleep(1000);
    return n;
  });
  for (int i = 0; i < 2000; ++i) useful(i % 4);
  EXPECT_TRUE(useful.statistics().warning.empty());
}

TEST(OperatorCache, AnEvictedPlanLivesOnWithItsUser) {
  OperatorCache<int, std::vector<double>> plans(Bytes{20'000}, [](const std::vector<double>& p) {
    return static_cast<std::int64_t>(p.size() * 8);
  });
  const auto build = [](int n) { return std::vector<double>(1000, n); };
  const auto first = plans.get(1, build);
  for (int i = 2; i < 10; ++i) static_cast<void>(plans.get(i, build));
  EXPECT_GT(plans.statistics().evicted, 0u);
  EXPECT_EQ((*first)[999], 1.0);
}

TEST(Workspace, AlignsReusesAndCountsHeapCalls) {
  Workspace workspace;
  for (int round = 0; round < 5; ++round) {
    const Workspace::Frame frame(workspace);
    for (const std::size_t n : {1u, 3u, 1000u, 77u, 50'000u}) {
      const auto a = workspace.take<double>(n);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % 64, 0u);
      a.front() = a.back() = 1;
    }
  }
  const std::uint64_t warm = workspace.heap_calls();
  {
    const Workspace::Frame frame(workspace);
    const auto a = workspace.take<int>(10);
    {
      const Workspace::Frame inner(workspace);
      static_cast<void>(workspace.take<double>(50'000));
    }
    const auto b = workspace.take<int>(10);
    EXPECT_EQ(b.data(), a.data() + 16);  // the inner frame's room is free again
  }
  EXPECT_EQ(workspace.heap_calls(), warm);
  EXPECT_EQ(workspace.in_use().count, 0);
  EXPECT_GE(workspace.peak().count, (1 + 3 + 1000 + 77 + 50'000) * 8);
}

TEST(InstructionCounter, CountsOrSaysThatItCannot) {
  const InstructionCounter counter;
  const auto before = counter.count();
  if (!before) GTEST_SKIP() << "This machine hides its counters.";
  spin(1000);
  EXPECT_GT(*counter.count(), *before + 1000);
}

}  // namespace
}  // namespace neurolens::probe
