#include "neurolens/exec/graph.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/file_system.hpp"
#include "neurolens/exec/checkpoint.hpp"
#include "neurolens/exec/control.hpp"

namespace neurolens::exec {
namespace {

CompiledGraph compile(Graph&& graph) {
  Result<CompiledGraph> compiled = std::move(graph).compile();
  EXPECT_TRUE(compiled.ok()) << compiled.error();
  return std::move(compiled).value();
}

struct Setting {
  Mode mode;
  std::uint32_t workers;
};
std::string name_of(const ::testing::TestParamInfo<Setting>& info) {
  return std::string(to_string(info.param.mode)) + std::to_string(info.param.workers);
}

// Everything that one API promises for all modes.
class Graphs : public ::testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    options.mode = GetParam().mode;
    options.shared_bytes = Bytes{16 << 20};
  }
  Executor executor{GetParam().workers};
  RunOptions options;
};
INSTANTIATE_TEST_SUITE_P(Modes, Graphs,
                         ::testing::Values(Setting{Mode::serial, 1}, Setting{Mode::threads, 1},
                                           Setting{Mode::threads, 2}, Setting{Mode::threads, 3},
                                           Setting{Mode::threads, 8}, Setting{Mode::processes, 1},
                                           Setting{Mode::processes, 3}, Setting{Mode::async, 1}),
                         name_of);

TEST_P(Graphs, ResultsReachDependentsByType) {
  Graph graph;
  const auto n = graph.input<int>("n");
  const auto ones = graph.add(
      "ones", [](int count) { return std::vector<double>(count, 1.0); }, n);
  const auto sum = graph.add(
      "sum", [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); },
      ones);
  const auto text = graph.add(
      "text",
      [](double s, int count) {
        return std::to_string(static_cast<int>(s)) + "/" + std::to_string(count);
      },
      sum, n);
  GraphRun run(compile(std::move(graph)));
  EXPECT_FALSE(run.run(executor, options).ok()) << "the input has no value";
  for (const int count : {3, 7}) {
    run.set(n, count);
    ASSERT_TRUE(run.run(executor, options).ok());
    ASSERT_TRUE(run.value(text).ok()) << run.value(text).error();
    EXPECT_EQ(**run.value(text), std::to_string(count) + "/" + std::to_string(count));
    EXPECT_EQ(run.find(ones), nullptr) << "freed after its last reader";
  }
}

TEST_P(Graphs, ErrorsKeepTypeMessagePathAndCauses) {
  Graph graph;
  const auto bad = graph.add("bad", []() -> int { throw std::invalid_argument("not a number"); });
  const auto next = graph.add(
      "next", [](int x) { return x + 1; }, bad);
  const auto last = graph.add(
      "last", [](int x) { return x + 1; }, next);
  const auto other = graph.add("other", [] { return 5; });
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.state(bad.task), EndState::failed);
  EXPECT_EQ(run.state(last.task), EndState::skipped);
  EXPECT_EQ(*run.find(other), 5);
  ASSERT_NE(run.error(bad.task), nullptr);
  EXPECT_EQ(run.error(bad.task)->type, "std::invalid_argument");
  EXPECT_EQ(run.error(bad.task)->error.where, "bad");
  EXPECT_EQ(
      run.value(last).error().message,
      "last was skipped because next was skipped because bad failed: std::invalid_argument: not a "
      "number.");
}

TEST_P(Graphs, FallbackMaybeAndAfterAnyEnd) {
  Graph graph;
  const auto bad = graph.add("bad", []() -> Result<int> {
    return Error{Errc::no_space, "Full.", {}};
  });
  const auto good = graph.add("good", [] { return 2; });
  const auto filled =
      graph.add([](int a, int b) { return a + b; }, fallback(bad, 40), fallback(good, 100));
  const auto asked = graph.add(
      [](const Ended<int>& a, const Ended<int>& b) {
        return std::string(to_string(a.state)) +
               (a.error != nullptr ? ":" + a.error->error.message : "") + "," +
               std::to_string(*b.value);
      },
      maybe(bad), maybe(good));
  const auto cleaned = graph.add([] { return 1; }, after_any_end(bad));
  const auto skipped = graph.add([] { return 1; }, after(bad));
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(*run.find(filled), 42);
  EXPECT_EQ(*run.find(asked), "failed:Full.,2");
  EXPECT_EQ(*run.find(cleaned), 1);
  EXPECT_EQ(run.state(skipped.task), EndState::skipped);
}

TEST_P(Graphs, ConditionsChooseBranches) {
  Graph graph;
  const auto yes = graph.add([] { return true; });
  const auto no = graph.add([] { return false; });
  const auto taken = graph.add([] { return 1; }, when(yes));
  const auto left = graph.add(
      "left", [] { return 2; }, when(no));
  const auto joined = graph.add([](int a, int b) { return 10 * a + b; }, taken, fallback(left, 7));
  const auto behind = graph.add(
      "behind", [](int x) { return x; }, left);
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(*run.find(joined), 17);
  EXPECT_EQ(run.explain(behind.task),
            "behind was skipped because left was skipped: its condition was false");
}

TEST_P(Graphs, MapSpreadsOverAResult) {
  Graph graph;
  const auto n = graph.input<int>("n");
  const auto numbers = graph.add(
      [](int count) {
        std::vector<int> v(static_cast<std::size_t>(count));
        std::iota(v.begin(), v.end(), 0);
        return v;
      },
      n);
  const auto squares = graph.map(
      "squares",
      [](int x) {
        if (x == 666) throw std::runtime_error("evil");
        return static_cast<long>(x) * x;
      },
      numbers);
  const auto sum = graph.add(
      [](const std::vector<long>& v) { return std::accumulate(v.begin(), v.end(), 0L); }, squares);
  GraphRun run(compile(std::move(graph)));
  for (const int count : {0, 1, 100}) {
    run.set(n, count);
    ASSERT_TRUE(run.run(executor, options).ok());
    ASSERT_TRUE(run.value(sum).ok()) << run.value(sum).error();
    EXPECT_EQ(**run.value(sum), static_cast<long>(count) * (count - 1) * (2 * count - 1) / 6);
  }
  run.set(n, 1000);
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.state(sum.task), EndState::skipped);
  EXPECT_EQ(run.error(squares.task)->error.message, "Element 666: evil");
}

TEST_P(Graphs, ReductionsAreTheSameBitsEverywhere) {
  Graph graph;
  std::vector<Handle<double>> parts;
  for (int i = 0; i < 37; ++i) {
    parts.push_back(
        graph.add([i](TaskContext& context) { return context.random().uniform() / (i + 1); }));
  }
  const auto total = graph.reduce(parts, [](double a, double b) { return a + b; });
  const auto all = graph.add(
      [](const Gathered<double>& v) {
        double s = 0;
        for (std::size_t i = 0; i < v.size(); ++i) s += v[i] * static_cast<double>(i);
        return s;
      },
      gather(parts));
  options.deterministic = true;
  options.seed = 11;
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor, options).ok());
  std::vector<double> level;
  for (std::uint32_t i = 0; i < 37; ++i) level.push_back(Random(11, i).uniform() / (i + 1));
  double weighted = 0;
  for (std::size_t i = 0; i < 37; ++i) weighted += level[i] * static_cast<double>(i);
  while (level.size() > 1) {
    std::vector<double> next;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(level[i] + level[i + 1]);
    if (level.size() % 2 == 1) next.push_back(level.back());
    level = next;
  }
  EXPECT_EQ(*run.find(total), level.front());
  EXPECT_EQ(*run.find(all), weighted);
}

TEST_P(Graphs, RetriesUntilItWorksAndTellsTheAttempt) {
  Graph graph;
  Policy policy;
  policy.retry.times = 3;
  policy.retry.delay = Nanoseconds{1'000'000};
  const auto third = graph.add(TaskSpec("third", policy), [](TaskContext& context) {
    if (context.attempt() < 3) throw std::runtime_error("not yet");
    return context.attempt();
  });
  const auto never =
      graph.add(TaskSpec("never", policy), []() -> int { throw std::runtime_error("no"); });
  policy.retry.only_if = [](const TaskError& e) { return e.type == "std::logic_error"; };
  const auto once =
      graph.add(TaskSpec("once", policy), []() -> int { throw std::runtime_error("no"); });
  const auto next = graph.add([](std::uint32_t x) { return x; }, third);
  GraphRun run(compile(std::move(graph)));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run.run(executor, options).ok());
    EXPECT_EQ(*run.find(next), 3u);
    EXPECT_EQ(run.error(never.task)->attempts, 4u);
    EXPECT_EQ(run.error(once.task)->attempts, 1u);
    EXPECT_EQ(run.error(third.task), nullptr);
  }
}

TEST_P(Graphs, DeadlinesEndTasks) {
  Graph graph;
  Policy policy;
  policy.deadline = Nanoseconds{15'000'000};
  const auto slow = graph.add(TaskSpec("slow", policy), [](TaskContext& context) {
    while (!context.cancelled()) {
    }
    return 1;
  });
  policy.deadline = Nanoseconds{60'000'000'000};  // far off, however slowly a process starts
  const auto quick = graph.add(TaskSpec("quick", policy), [] { return 2; });
  const auto behind = graph.add([](int x) { return x; }, slow);
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.state(slow.task), EndState::timed_out);
  EXPECT_EQ(run.state(behind.task), EndState::skipped);
  ASSERT_NE(run.find(quick), nullptr);
  EXPECT_EQ(*run.find(quick), 2);
  EXPECT_EQ(run.error(slow.task)->error.code, Errc::timed_out);
}

TEST_P(Graphs, UnknownTokensAreRefusedBeforeAnythingRuns) {
  Graph graph;
  Policy policy;
  policy.tokens = {{"gpus", 1}};
  std::atomic<int> calls{0};
  graph.add(TaskSpec("train", policy), [&] { calls.fetch_add(1); });
  GraphRun run(compile(std::move(graph)));
  options.tokens = {{"gpu", 1}};
  const Status status = run.run(executor, options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::not_found);
  EXPECT_EQ(status.error().where, "train");
  EXPECT_NE(status.error().message.find("Did you mean \"gpu\""), std::string::npos)
      << status.error();
  EXPECT_EQ(calls.load(), 0);
}

TEST_P(Graphs, CoroutinesWaitAndYieldValues) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  Graph graph;
  const auto read_end = pipes[0];
  const auto write_end = pipes[1];
  const auto sent =
      graph.add("send", [write_end] { return static_cast<int>(write(write_end, "x", 1)); });
  const auto inner = [](int x) -> Async<int> {
    co_await sleep_for(Nanoseconds{1'000'000});
    co_return x * 2;
  };
  const auto received = graph.add(
      "receive",
      [read_end, inner](int n) -> Async<int> {
        co_await readable(read_end);
        char c = 0;
        const auto count = read(read_end, &c, 1);
        co_return co_await inner(static_cast<int>(count) + n);
      },
      sent);
  const auto thrown = graph.add("thrown", []() -> Async<int> {
    co_await sleep_for(Nanoseconds{500'000});
    throw std::runtime_error("late");
  });
  GraphRun run(compile(std::move(graph)));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run.run(executor, options).ok());
    ASSERT_TRUE(run.value(received).ok()) << run.value(received).error();
    EXPECT_EQ(**run.value(received), 4);
    EXPECT_EQ(run.error(thrown.task)->error.message, "late");
  }
  close(pipes[0]);
  close(pipes[1]);
}

TEST(GraphAsync, WaitingOverlapsOnOneThread) {
  Graph graph;
  for (int i = 0; i < 500; ++i) {
    graph.add([]() -> Async<int> {
      co_await sleep_for(Nanoseconds{20'000'000});
      co_return 1;
    });
  }
  Policy policy;
  policy.deadline = Nanoseconds{10'000'000};
  const auto late = graph.add(TaskSpec("late", policy), []() -> Async<int> {
    co_await sleep_for(Nanoseconds{10'000'000'000});
    co_return 1;
  });
  Executor executor(1);
  RunOptions options;
  options.mode = Mode::async;
  GraphRun run(compile(std::move(graph)));
  const Nanoseconds begin = system_clock().now();
  ASSERT_TRUE(run.run(executor, options).ok());
  EXPECT_EQ(run.report().count(EndState::done), 500u);
  EXPECT_EQ(run.state(late.task), EndState::timed_out);
  // One after the other they would take 10 s; the deadline alone stands for 10 s too.
  EXPECT_LT((system_clock().now() - begin).count, 5'000'000'000);
}

TEST(GraphAsync, CancellingEndsSuspendedCoroutines) {
  Graph graph;
  for (int i = 0; i < 10; ++i) {
    graph.add([]() -> Async<void> { co_await sleep_for(Nanoseconds{3'600'000'000'000}); });
  }
  Executor executor(1);
  Control control;
  RunOptions options;
  options.mode = Mode::async;
  options.control = &control;
  GraphRun run(compile(std::move(graph)));
  Running running(run, executor, options);
  EXPECT_FALSE(running.wait(Nanoseconds{10'000'000}).has_value());
  control.cancel(TaskId{3u});
  control.cancel();
  ASSERT_TRUE(running.wait().ok());
  EXPECT_EQ(run.report().count(EndState::cancelled), 10u);
}

TEST(GraphTokens, NeverMoreHoldersThanTokens) {
  Executor executor(8);
  std::atomic<int> holders{0};
  std::atomic<int> most{0};
  Graph graph;
  for (int i = 0; i < 200; ++i) {
    Policy policy;
    policy.tokens = {{"licence", i % 3 == 0 ? 2u : 1u}};
    graph.add(TaskSpec("", policy), [&, i] {
      const int weight = i % 3 == 0 ? 2 : 1;
      const int now = holders.fetch_add(weight) + weight;
      int seen = most.load();
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      holders.fetch_sub(weight);
      if (i % 7 == 0) throw std::runtime_error("gives its tokens back all the same");
    });
  }
  RunOptions options;
  options.tokens = {{"licence", 3}};
  GraphRun run(compile(std::move(graph)));
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(run.run(executor, options).ok());
    EXPECT_LE(most.load(), 3);
    EXPECT_EQ(run.report().count(EndState::failed), 29u);
    EXPECT_EQ(run.report().count(EndState::done), 171u);
  }
}

TEST(GraphPriorities, DecideTheOrderOfOneWorker) {
  Executor executor(1);
  std::vector<int> order;
  Graph graph;
  for (const int priority : {0, -5, 3, 0, 9, -1}) {
    Policy policy;
    policy.priority = priority;
    graph.add(TaskSpec("", policy), [&order, priority] { order.push_back(priority); });
  }
  GraphRun run(compile(std::move(graph)));
  ASSERT_TRUE(run.run(executor).ok());
  EXPECT_EQ(order, (std::vector<int>{9, 3, 0, 0, -1, -5}));
}

TEST(GraphResults, AreFreedAfterTheLastReaderOrKept) {
  struct Counted {
    std::shared_ptr<int> token;
  };
  const auto token = std::make_shared<int>(0);
  Executor executor(2);
  Graph graph;
  const auto first = graph.add([token] { return Counted{token}; });
  const auto kept = graph.add([token] { return Counted{token}; });
  const auto bad_reader = graph.add([token] { return Counted{token}; });
  graph.keep(kept);
  auto last = graph.add([](const Counted&, const Counted&) {}, first, kept);
  graph.add([](const Counted&) { throw 1; }, bad_reader);
  graph.add([token](TaskContext&) { return token.use_count(); }, after(last));
  {
    GraphRun run(compile(std::move(graph)));
    for (int round = 0; round < 3; ++round) {
      ASSERT_TRUE(run.run(executor).ok());
      EXPECT_EQ(run.find(first), nullptr);
      EXPECT_NE(run.find(kept), nullptr);
      EXPECT_NE(run.find(bad_reader), nullptr) << "partial results stay available";
      EXPECT_EQ(run.value(first).error().code, Errc::not_found);
    }
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(GraphBuilding, MistakesNameBothPlaces) {
  Graph graph;
  graph.add("load", [] {});
  graph.add("load", [] {});
  const auto duplicate = std::move(graph).compile();
  ASSERT_FALSE(duplicate.ok());
  EXPECT_EQ(duplicate.error().code, Errc::duplicate_name);
  EXPECT_EQ(duplicate.error().message,
            "Task #0 and task #1 are both called \"load\"; rename one of them.");

  Graph one;
  Graph two;
  const auto foreign = one.add([] { return 1; });
  two.add([](int x) { return x; }, foreign);
  EXPECT_EQ(std::move(two).compile().error().code, Errc::bad_request);

  Graph loop;
  const auto a = loop.add("a", [] { return 1; });
  const auto b = loop.add(
      "b", [](int x) { return x; }, a);
  loop.precede(b, a);
  const auto cycle = std::move(loop).compile();
  EXPECT_NE(cycle.error().message.find(R"("a" -> "b" -> "a")"), std::string::npos) << cycle.error();
}

TEST(GraphBuilding, ScopesPrefixNames) {
  Graph graph;
  const auto stage = [&](const std::string& name) {
    const auto scope = graph.scope(name);
    return graph.add("load", [] { return 1; });
  };
  const auto first = stage("a");
  const auto second = stage("b");
  const CompiledGraph compiled = compile(std::move(graph));
  EXPECT_EQ(compiled.name(first.task), "a/load");
  EXPECT_EQ(compiled.name(second.task), "b/load");
}

TEST(GraphCheckpoint, FinishedTasksAreNotRunAgainUnlessInputsOrCodeChange) {
  const std::string folder =
      ::testing::TempDir() + "neurolens_checkpoint_" + std::to_string(getpid());
  std::atomic<int> calls{0};
  bool broken = true;
  const auto build = [&](const char* version) {
    Graph graph;
    Policy policy;
    policy.code_version = version;
    const auto n = graph.input<int>("n");
    const auto doubled = graph.add(
        TaskSpec("doubled", policy),
        [&](int x) {
          calls.fetch_add(1);
          return std::vector<int>(3, 2 * x);
        },
        n);
    const auto sum = graph.add(
        TaskSpec("sum", policy),
        [&](const std::vector<int>& v) {
          calls.fetch_add(1);
          if (broken) throw std::runtime_error("power cut");
          return v[0] + v[1] + v[2];
        },
        doubled);
    return std::pair(compile(std::move(graph)), std::pair(n, sum));
  };
  const auto go = [&](const char* version, int n) {
    auto store = CheckpointStore::open(system_files(), folder);
    EXPECT_TRUE(store.ok());
    const auto [graph, handles] = build(version);
    GraphRun run(graph);
    run.set(handles.first, n);
    Executor executor(1);
    RunOptions options;
    options.checkpoint = store->get();
    EXPECT_TRUE(run.run(executor, options).ok());
    const int* sum = run.find(handles.second);
    calls = calls.load();
    return sum != nullptr ? *sum : -1;
  };
  EXPECT_EQ(go("1", 5), -1);
  EXPECT_EQ(calls.exchange(0), 2);
  broken = false;
  EXPECT_EQ(go("1", 5), 30);
  EXPECT_EQ(calls.exchange(0), 1) << "only the one that had failed";
  EXPECT_EQ(go("1", 5), 30);
  EXPECT_EQ(calls.exchange(0), 0);
  EXPECT_EQ(go("1", 6), 36);
  EXPECT_EQ(calls.exchange(0), 2);
  EXPECT_EQ(go("2", 6), 36);
  EXPECT_EQ(calls.exchange(0), 2);
  // A damaged entry counts as absent.
  const auto entries = system_files().list(folder);
  ASSERT_TRUE(entries.ok());
  for (const DirectoryEntry& e : *entries) {
    ASSERT_TRUE(system_files().write_atomic(join_path(folder, e.name), "garbage").ok());
  }
  EXPECT_EQ(go("1", 5), 30);
  EXPECT_EQ(calls.exchange(0), 2);
  for (const DirectoryEntry& e : *entries) {
    ASSERT_TRUE(system_files().remove(join_path(folder, e.name)).ok());
  }
  ASSERT_TRUE(system_files().remove(folder).ok());
}

TEST(GraphProcesses, CrashesExitsAndHangsAreEndStatesOfTheirTask) {
  Executor executor(2);
  RunOptions options;
  options.mode = Mode::processes;
  options.shared_bytes = Bytes{1 << 20};
  Graph graph;
  const auto crash = graph.add("crash", []() -> int {
    std::signal(SIGSEGV, SIG_DFL);
    std::raise(SIGSEGV);
    return 0;
  });
  const auto leave = graph.add("leave", []() -> int { _exit(7); });
  Policy policy;
  policy.deadline = Nanoseconds{50'000'000};
  const auto hang = graph.add(TaskSpec("hang", policy), []() -> int {
    for (;;) pause();
  });
  policy = {};
  policy.retry.times = 2;
  const auto lucky = graph.add(TaskSpec("lucky", policy), [](TaskContext& context) -> int {
    if (context.attempt() == 1) _exit(1);
    return 11;
  });
  const auto big = graph.add("big", [] { return std::string(4 << 20, 'x'); });
  std::vector<Handle<int>> fine;
  for (int i = 0; i < 20; ++i) fine.push_back(graph.add([i] { return i + getpid() * 0; }));
  const auto sum = graph.reduce(fine, [](int a, int b) { return a + b; });
  GraphRun run(compile(std::move(graph)));
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(run.run(executor, options).ok());
    EXPECT_EQ(run.state(crash.task), EndState::failed);
    EXPECT_EQ(run.error(crash.task)->signal, SIGSEGV);
    EXPECT_EQ(run.error(leave.task)->error.message, "Its worker process exited with status 7.");
    EXPECT_EQ(run.state(hang.task), EndState::timed_out);
    EXPECT_EQ(*run.find(lucky), 11);
    EXPECT_EQ(run.error(big.task)->error.code, Errc::too_large);
    EXPECT_EQ(*run.find(sum), 190);
  }
}

TEST(GraphProcesses, ResultsWithoutACodecAreRefusedBeforeAnythingRuns) {
  Graph graph;
  graph.add("pointer", [] { return std::make_shared<int>(1); });
  GraphRun run(compile(std::move(graph)));
  Executor executor(1);
  RunOptions options;
  options.mode = Mode::processes;
  const Status status = run.run(executor, options);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::wrong_type);
  EXPECT_EQ(status.error().where, "pointer");
}

TEST(GraphProcesses, CancelKillsWhatRuns) {
  Graph graph;
  graph.add("endless", []() -> int {
    for (;;) pause();
  });
  graph.add("other", [] { return 1; });
  GraphRun run(compile(std::move(graph)));
  Executor executor(1);
  Control control;
  RunOptions options;
  options.mode = Mode::processes;
  options.control = &control;
  Running running(run, executor, options);
  EXPECT_FALSE(running.wait(Nanoseconds{30'000'000}).has_value());
  control.cancel();
  ASSERT_TRUE(running.wait().ok());
  EXPECT_EQ(run.state(TaskId{0u}), EndState::cancelled);
}

}  // namespace
}  // namespace neurolens::exec
