#include "neurolens/exec/flat.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>

#include "neurolens/base/clock.hpp"
#include "neurolens/exec/control.hpp"

namespace neurolens::exec {
namespace {

std::shared_ptr<const Topology> compile(std::uint32_t tasks, const std::vector<Edge>& edges) {
  Result<Topology> topology = Topology::compile(tasks, edges);
  EXPECT_TRUE(topology.ok()) << topology.error();
  return std::make_shared<const Topology>(std::move(topology).value());
}

std::vector<Edge> chain(std::uint32_t tasks) {
  std::vector<Edge> edges;
  for (std::uint32_t t = 1; t < tasks; ++t) edges.push_back({t - 1, t});
  return edges;
}

std::vector<Edge> grid(std::uint32_t side) {
  std::vector<Edge> edges;
  for (std::uint32_t i = 0; i < side * side; ++i) {
    if (i % side + 1 < side) edges.push_back({i, i + 1});
    if (i + side < side * side) edges.push_back({i, i + side});
  }
  return edges;
}

class FlatRuns : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Workers, FlatRuns, ::testing::Values(1u, 2u, 3u, 8u));

TEST_P(FlatRuns, RunsEveryIndependentTaskOnceAndAgain) {
  Executor executor(GetParam());
  std::vector<std::atomic<int>> calls(100'000);
  FlatRun run(compile(100'000, {}), [&](std::uint32_t i) { calls[i].fetch_add(1); });
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(run.run(executor).ok());
    EXPECT_TRUE(run.report().all_done());
    for (const auto& c : calls) ASSERT_EQ(c.load(), round);
  }
}

TEST_P(FlatRuns, RespectsEveryDependencyOfAGrid) {
  constexpr std::uint32_t kSide = 200;
  const std::vector<Edge> edges = grid(kSide);
  Executor executor(GetParam());
  std::atomic<std::uint32_t> clock{0};
  std::vector<std::uint32_t> began(kSide * kSide);
  std::vector<std::uint32_t> ended(kSide * kSide);
  FlatRun run(compile(kSide * kSide, edges), [&](std::uint32_t i) {
    began[i] = clock.fetch_add(1);
    ended[i] = clock.fetch_add(1);
  });
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(run.run(executor).ok());
    for (const Edge& e : edges) ASSERT_LT(ended[e.from], began[e.to]);
  }
}

TEST_P(FlatRuns, AChainOfAHundredThousandNeedsNoStack) {
  Executor executor(GetParam());
  std::uint32_t last = 0;
  FlatRun run(compile(100'000, chain(100'000)), [&](std::uint32_t i) { last = i; });
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_EQ(last, 99'999u);
}

TEST_P(FlatRuns, WideFanInUsesWideCounters) {
  std::vector<Edge> edges;
  for (std::uint32_t i = 0; i < 1000; ++i) edges.push_back({i, 1000});
  Executor executor(GetParam());
  std::atomic<int> before{0};
  int seen = 0;
  FlatRun run(compile(1001, edges), [&](std::uint32_t i) {
    if (i < 1000) before.fetch_add(1);
    if (i == 1000) seen = before.load();
  });
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_EQ(seen, 1000);
}

TEST_P(FlatRuns, AnExceptionFailsItsTaskSkipsDependentsAndSparesTheOthers) {
  // 0 -> 1 -> 2 -> 4, 3 -> 4, 5 alone
  Executor executor(GetParam());
  std::atomic<int> calls{0};
  FlatRun run(compile(6, {{0, 1}, {1, 2}, {2, 4}, {3, 4}}), [&](std::uint32_t i) {
    calls.fetch_add(1);
    if (i == 1) throw std::out_of_range("no such row");
  });
  for (int round = 0; round < 3; ++round) {
    calls = 0;
    ASSERT_TRUE(run.run(executor).ok());
    EXPECT_EQ(calls.load(), 4);
    EXPECT_EQ(run.state(TaskId{1u}), EndState::failed);
    EXPECT_EQ(run.state(TaskId{2u}), EndState::skipped);
    EXPECT_EQ(run.state(TaskId{4u}), EndState::skipped);
    EXPECT_EQ(run.state(TaskId{3u}), EndState::done);
    EXPECT_EQ(run.state(TaskId{5u}), EndState::done);
    ASSERT_NE(run.error(TaskId{1u}), nullptr);
    EXPECT_EQ(run.error(TaskId{1u})->type, "std::out_of_range");
    EXPECT_EQ(run.error(TaskId{1u})->error.message, "no such row");
    EXPECT_EQ(
        run.explain(TaskId{4u}),
        "#4 was skipped because #2 was skipped because #1 failed: std::out_of_range: no such row");
    EXPECT_FALSE(run.status().ok());
    EXPECT_EQ(run.report().count(EndState::skipped), 2u);
  }
}

TEST_P(FlatRuns, FailuresOfIndependentTasksAreStatesToo) {
  Executor executor(GetParam());
  FlatRun run(compile(1000, {}), [](std::uint32_t i) -> Status {
    if (i % 10 == 3) return Error{Errc::no_space, "The disk is full.", {}};
    return {};
  });
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_EQ(run.ended(EndState::failed).size(), 100u);
  EXPECT_EQ(run.error(TaskId{13u})->error.code, Errc::no_space);
  EXPECT_EQ(run.error(TaskId{13u})->error.where, "#13");
}

TEST_P(FlatRuns, RunAnywayEdgesDoNotPassFailureOn) {
  Executor executor(GetParam());
  std::atomic<int> ran{0};
  FlatRun run(compile(3, {{0, 2, EdgeRule::run_anyway}, {1, 2}}), [&](std::uint32_t i) {
    if (i == 0) throw 42;
    if (i == 2) ran.fetch_add(1);
  });
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_EQ(ran.load(), 1);
  EXPECT_EQ(run.error(TaskId{0u})->type, "int");
}

TEST_P(FlatRuns, CancellingEndsWhatHasNotBegun) {
  Executor executor(GetParam());
  Control control;
  RunOptions options;
  options.control = &control;
  FlatRun run(compile(1000, chain(1000)), [&](std::uint32_t i) {
    if (i == 500) control.cancel();
  });
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.report().count(EndState::done), 501u);
  EXPECT_EQ(run.report().count(EndState::cancelled), 499u);
  EXPECT_EQ(control.progress().tasks, 0u);
  control.reset();
  ASSERT_TRUE(run.run(executor, RunOptions{}).ok());
}

TEST_P(FlatRuns, CancellingOneTaskSkipsItsDependents) {
  Executor executor(GetParam());
  Control control;
  RunOptions options;
  options.control = &control;
  control.cancel(TaskId{3u});
  FlatRun run(compile(6, chain(6)), [](std::uint32_t) {});
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.state(TaskId{2u}), EndState::done);
  EXPECT_EQ(run.state(TaskId{3u}), EndState::cancelled);
  EXPECT_EQ(run.state(TaskId{5u}), EndState::skipped);
}

TEST_P(FlatRuns, FailFastCancelsTheRest) {
  Executor executor(GetParam());
  RunOptions options;
  options.fail_fast = true;
  FlatRun run(compile(200, chain(200)), [](std::uint32_t i) {
    if (i == 9) throw std::runtime_error("x");
  });
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.report().count(EndState::failed), 1u);
  EXPECT_EQ(run.report().count(EndState::cancelled), 190u);
  options.deterministic = true;
  EXPECT_FALSE(run.run(executor, options).ok());
}

TEST_P(FlatRuns, TimesGiveWorkSpanAndTheCriticalPath) {
  Executor executor(GetParam());
  RunOptions options;
  options.record_times = true;
  // 0 -> 1 -> 3 is long, 0 -> 2 -> 3 is short: by more than a preemption can add
  FlatRun run(compile(4, {{0, 1}, {0, 2}, {1, 3}, {2, 3}}), [](std::uint32_t i) {
    const std::int64_t until = system_clock().now().count + (i == 1 ? 60'000'000 : 100'000);
    while (system_clock().now().count < until) {
    }
  });
  ASSERT_TRUE(run.run(executor, options).ok());
  const RunReport& report = run.report();
  EXPECT_EQ(report.critical_path, (std::vector<TaskId>{TaskId{0u}, TaskId{1u}, TaskId{3u}}));
  EXPECT_GE(report.work.count, 60'300'000);
  EXPECT_GE(report.work, report.span);
  EXPECT_GE(report.span.count, 60'200'000);
}

TEST_P(FlatRuns, RandomNumbersBelongToTheTask) {
  Executor executor(GetParam());
  std::vector<std::uint64_t> drawn(1000);
  FlatRun run(compile(1000, {}),
              [&](TaskContext& context) { drawn[context.task().index()] = context.random()(); });
  RunOptions options;
  options.seed = 7;
  ASSERT_TRUE(run.run(executor, options).ok());
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(drawn[i], Random(7, i)());
}

TEST(FlatRun, ARunStartedByATaskOfTheSameExecutorIsCarriedOutInPlace) {
  Executor executor(2);
  std::atomic<int> inner_calls{0};
  FlatRun outer(compile(4, {}), [&](std::uint32_t) {
    FlatRun inner(compile(10, {}), [&](std::uint32_t) { inner_calls.fetch_add(1); });
    if (!inner.run(executor).ok()) throw std::runtime_error("inner");
  });
  ASSERT_TRUE(outer.run(executor).ok());
  EXPECT_TRUE(outer.report().all_done());
  EXPECT_EQ(inner_calls.load(), 40);
}

TEST(FlatRun, AnEmptyGraphIsDoneAtOnce) {
  Executor executor(2);
  FlatRun run(compile(0, {}), [](std::uint32_t) {});
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_TRUE(run.report().all_done());
}

TEST(FlatRun, PauseHoldsTasksBackUntilResume) {
  Executor executor(2);
  std::atomic<int> calls{0};
  FlatRun run(compile(50, chain(50)), [&](std::uint32_t) { calls.fetch_add(1); });
  Control control;
  control.pause();
  RunOptions options;
  options.control = &control;
  Running running(run, executor, options);
  EXPECT_FALSE(running.wait(Nanoseconds{20'000'000}).has_value());
  EXPECT_EQ(calls.load(), 0);
  EXPECT_EQ(control.progress().left, 50u);
  control.resume();
  EXPECT_TRUE(running.wait().ok());
  EXPECT_EQ(calls.load(), 50);
}

TEST(FlatRun, TheCallersTokenAndTheRunsDeadlineEndARun) {
  Executor executor(2);
  CancelToken token;
  FlatRun run(compile(2, {{0, 1}}), [&](TaskContext& context) {
    if (context.task().value == 0) {
      token.cancel();
      while (!context.cancelled()) {
      }
    }
  });
  RunOptions options;
  options.attention.cancel = &token;
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.state(TaskId{1u}), EndState::cancelled);

  FlatRun slow(compile(2, {{0, 1}}), [&](TaskContext& context) {
    while (!context.cancelled()) {
    }
  });
  RunOptions limited;
  limited.deadline = Nanoseconds{5'000'000};
  ASSERT_TRUE(slow.run(executor, limited).ok());
  EXPECT_EQ(slow.state(TaskId{1u}), EndState::cancelled);
}

TEST(Topology, PrintsTheCycleItself) {
  const std::vector<Edge> edges = {{0, 1}, {1, 2}, {2, 3}, {3, 1}, {3, 4}};
  const Result<Topology> topology = Topology::compile(
      5, edges, [](std::uint32_t t) { return std::string(1, static_cast<char>('a' + t)); });
  ASSERT_FALSE(topology.ok());
  EXPECT_NE(topology.error().message.find(R"("b" -> "c" -> "d" -> "b")"), std::string::npos)
      << topology.error();
}

TEST(Topology, FindsACycleOfAHundredThousandWithoutRecursion) {
  std::vector<Edge> edges = chain(100'000);
  edges.push_back({99'999, 0});
  const Result<Topology> topology = Topology::compile(100'000, edges);
  ASSERT_FALSE(topology.ok());
  EXPECT_NE(topology.error().message.find("99960 more"), std::string::npos) << topology.error();
}

TEST(Topology, LinksAreKeptForChainsAndLeadWhereTheOnlySuccessorIs) {
  // 0 -> 1 -> 2, 2 -> 3 and 2 -> 4 (a fork), 3 -> 5 and 4 -> 5 (a join), 5 -> 6 -> 7 -> 8.
  const Result<Topology> chain = Topology::compile(
      9, std::vector<Edge>{{0, 1}, {1, 2}, {2, 3}, {2, 4}, {3, 5}, {4, 5}, {5, 6}, {6, 7}, {7, 8}});
  ASSERT_TRUE(chain.ok());
  constexpr std::uint32_t kNo = Topology::kNoLink;
  const std::vector<std::uint32_t> wanted{1, 2, kNo, kNo, kNo, 6, 7, 8, kNo};
  EXPECT_EQ(std::vector<std::uint32_t>(chain->links().begin(), chain->links().end()), wanted);
  const Result<Topology> fork =
      Topology::compile(5, std::vector<Edge>{{0, 1}, {0, 2}, {0, 3}, {3, 4}});
  ASSERT_TRUE(fork.ok());
  EXPECT_TRUE(fork->links().empty()) << "few tasks would use them";
}

TEST(Topology, NamesAnEdgeToNowhere) {
  const Result<Topology> topology = Topology::compile(2, std::vector<Edge>{{0, 7}});
  ASSERT_FALSE(topology.ok());
  EXPECT_EQ(topology.error().code, Errc::out_of_range);
}

}  // namespace
}  // namespace neurolens::exec
