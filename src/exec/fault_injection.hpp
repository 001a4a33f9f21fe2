/// \file
/// Random graphs with random faults, and the promises that must hold all the same. For the tests
/// and for the long-running program in benchmarks/exec.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "neurolens/exec/control.hpp"
#include "neurolens/exec/graph.hpp"

namespace neurolens::exec::testing {

enum class Fault : std::uint8_t {
  none,
  throws,
  returns_error,
  hangs,
  cancels_another,
  crashes,
  flaky
};

struct FaultPlan {
  std::uint32_t tasks = 0;
  std::uint64_t seed = 0;
  Mode mode = Mode::threads;
  bool cancel_run = false;  ///< Somewhere in the middle.
};

/// Runs one random graph. Returns what was broken; empty when every promise held.
inline std::string run_with_faults(Executor& executor, const FaultPlan& plan) {
  const bool processes = plan.mode == Mode::processes;
  Random random(plan.seed, 99);
  const auto token = std::make_shared<int>(0);  // a leak shows in its count
  const std::uint32_t n = plan.tasks;
  std::vector<Fault> faults(n, Fault::none);
  std::vector<Edge> edges;
  std::vector<std::atomic<std::uint32_t>> calls(n);
  std::vector<std::atomic<std::uint32_t>> began(n);
  std::vector<std::atomic<std::uint32_t>> ended(n);
  std::atomic<std::uint32_t> clock{1};
  Control control;
  const std::uint32_t killer = plan.cancel_run ? static_cast<std::uint32_t>(random.below(n)) : n;

  Graph graph;
  std::vector<Handle<std::vector<int>>> handles;
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint64_t draw = random.below(1000);
    if (draw < 20)
      faults[i] = Fault::throws;
    else if (draw < 30)
      faults[i] = Fault::returns_error;
    else if (draw < 32)
      faults[i] = Fault::hangs;
    else if (draw < 36)
      faults[i] = Fault::cancels_another;
    else if (draw < 40 && processes)
      faults[i] = Fault::crashes;
    else if (draw < 50)
      faults[i] = Fault::flaky;
    Policy policy;
    if (faults[i] == Fault::hangs) policy.deadline = Nanoseconds{2'000'000};
    if (faults[i] == Fault::flaky) {
      policy.retry.times = 2;
      policy.retry.delay = Nanoseconds{20'000};
    }
    if (random.below(20) == 0) policy.tokens = {{"token", 1 + random.below(2)}};
    if (random.below(50) == 0) policy.priority = static_cast<std::int32_t>(random.below(5)) - 2;
    const auto victim = static_cast<std::uint32_t>(random.below(n));
    std::vector<Handle<std::vector<int>>> reads;
    std::vector<std::uint32_t> anyway;
    const std::uint64_t count = i == 0 ? 0 : random.below(4);
    for (std::uint64_t k = 0; k < count; ++k) {
      // Mostly near neighbours, so that graphs are deep as well as wide.
      const std::uint64_t reach = random.below(3) == 0 ? i : std::min<std::uint64_t>(i, 50);
      const auto from = static_cast<std::uint32_t>(i - 1 - random.below(reach));
      if (random.below(10) == 0) {
        edges.push_back({from, i, EdgeRule::run_anyway});
        anyway.push_back(from);
      } else {
        edges.push_back({from, i, EdgeRule::skip});
        reads.push_back(handles[from]);
      }
    }
    const Fault fault = faults[i];
    handles.push_back(graph.add(
        TaskSpec("", policy),
        [&, i, fault, victim, token, processes](
            TaskContext& context,
            const Gathered<std::vector<int>>& inputs) -> Result<std::vector<int>> {
          if (!processes) {
            calls[i].fetch_add(1);
            began[i].store(clock.fetch_add(1));
          }
          for (std::size_t k = 0; k < inputs.size(); ++k) {
            if (inputs[k].size() != 3)
              throw std::logic_error("an argument was freed or never made");
          }
          if (i == killer) control.cancel();
          switch (fault) {
            case Fault::throws:
              throw std::runtime_error("planted");
            case Fault::returns_error:
              return Error{Errc::io_error, "Planted.", {}};
            case Fault::hangs:
              while (!context.cancelled()) {
              }
              return Error{Errc::cancelled, "It was asked to stop.", {}};
            case Fault::cancels_another:
              control.cancel(TaskId{victim});
              break;
            case Fault::crashes:
              std::raise(SIGKILL);
              break;
            case Fault::flaky:
              if (context.attempt() == 1) throw std::runtime_error("planted, once");
              break;
            case Fault::none:
              break;
          }
          if (!processes) ended[i].store(clock.fetch_add(1));
          return std::vector<int>{static_cast<int>(i), 2, 3};
        },
        gather(std::move(reads))));
    for (const std::uint32_t from : anyway)
      graph.precede(handles[from], handles[i], EdgeRule::run_anyway);
  }
  Result<CompiledGraph> compiled = std::move(graph).compile();
  if (!compiled.ok()) return compiled.error().text();
  {
    GraphRun run(*compiled);
    RunOptions options;
    options.mode = plan.mode;
    options.control = &control;
    options.tokens = {{"token", 2}};
    options.seed = plan.seed;
    options.shared_bytes = Bytes{1 << 20};
    if (Status started = run.run(executor, options); !started.ok()) return started.error().text();
    std::uint64_t sum = 0;
    for (const std::uint64_t count : run.report().ended) sum += count;
    if (sum != n) return fmt::format("{} end states for {} tasks", sum, n);
    for (std::uint32_t i = 0; i < n; ++i) {
      const EndState state = run.state(TaskId{i});
      const std::uint32_t called = calls[i].load();
      if (!processes) {
        if (called > (faults[i] == Fault::flaky ? 3u : 1u))
          return fmt::format("task {} ran {} times", i, called);
        if (state == EndState::done && called == 0)
          return fmt::format("task {} is done but never ran", i);
        if (state == EndState::skipped && called != 0)
          return fmt::format("task {} is skipped but ran", i);
      }
      const bool faulty = faults[i] == Fault::throws || faults[i] == Fault::returns_error ||
                          faults[i] == Fault::crashes;
      if (faulty && state == EndState::done)
        return fmt::format("task {} is done in spite of its fault", i);
      if (faults[i] == Fault::hangs && state == EndState::done)
        return fmt::format("task {} hung and is done", i);
      if (state == EndState::failed && !faulty && faults[i] != Fault::flaky) {
        return fmt::format("task {} failed without a fault: {}", i, run.explain(TaskId{i}));
      }
    }
    for (const Edge& e : edges) {
      const bool well = run.state(TaskId{e.from}) == EndState::done;
      if (!well && e.rule == EdgeRule::skip &&
          (run.state(TaskId{e.to}) == EndState::done || calls[e.to].load() != 0)) {
        return fmt::format("task {} ran although {} did not end well", e.to, e.from);
      }
      if (!processes && well && calls[e.to].load() != 0 &&
          began[e.to].load() < ended[e.from].load()) {
        return fmt::format("task {} began before {} had ended", e.to, e.from);
      }
    }
  }
  compiled = Error{Errc::internal, "", {}};
  if (token.use_count() != 1) return fmt::format("{} closures leaked", token.use_count() - 1);
  return {};
}

}  // namespace neurolens::exec::testing
