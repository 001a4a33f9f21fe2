// Cost per empty task: the executor against oneTBB's flow graph and task groups, in one process,
// rounds interleaved. See METHOD.md.
#include <fmt/core.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "neurolens/base/clock.hpp"
#include "neurolens/base/random.hpp"
#include "neurolens/exec/flat.hpp"
#include "neurolens/exec/graph.hpp"

#ifdef NEUROLENS_HAVE_TBB
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#endif

namespace {

using namespace neurolens;
using exec::Edge;

struct Workload {
  std::string name;
  std::uint32_t tasks;
  std::vector<Edge> edges;
  double target_ns;
};

std::vector<Workload> workloads() {
  std::vector<Workload> all;
  all.push_back({"independent 1e6", 1'000'000, {}, 10});
  {
    std::vector<Edge> e;
    for (std::uint32_t i = 1; i < 100'000; ++i) e.push_back({i - 1, i});
    all.push_back({"chain 1e5", 100'000, std::move(e), 5});
  }
  {
    const std::uint32_t n = (1u << 20) - 1;
    std::vector<Edge> e;
    for (std::uint32_t i = 1; i < n; ++i) e.push_back({(i - 1) / 2, i});
    all.push_back({"binary tree 2^20", n, std::move(e), 10});
  }
  {
    const std::uint32_t n = 200'000;
    Random random(1);
    std::vector<Edge> e;
    for (std::uint32_t i = 1; i < n; ++i) {
      const auto count = std::min<std::uint64_t>(i, 1 + random.below(7));  // 4 on average
      for (std::uint64_t k = 0; k < count; ++k) {
        e.push_back({static_cast<std::uint32_t>(random.below(i)), i});
      }
    }
    all.push_back({"random DAG 2e5", n, std::move(e), 50});
  }
  {
    const std::uint32_t side = 1000;
    std::vector<Edge> e;
    for (std::uint32_t i = 0; i < side * side; ++i) {
      if (i % side + 1 < side) e.push_back({i, i + 1});
      if (i + side < side * side) e.push_back({i, i + side});
    }
    all.push_back({"wavefront 1000^2", side * side, std::move(e), 25});
  }
  return all;
}

double seconds(const std::function<void()>& body) {
  const Nanoseconds begin = system_clock().now();
  body();
  return static_cast<double>((system_clock().now() - begin).count) * 1e-9;
}

std::size_t heap_in_use() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// One contender: how to run once, and what it holds.
struct Contender {
  std::string name;
  std::function<void()> run;
  double bytes_per_task = 0;
  std::vector<double> ns;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

#ifdef NEUROLENS_HAVE_TBB
using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;

struct FlowGraph {
  tbb::flow::graph graph;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::uint32_t> roots;

  explicit FlowGraph(const Workload& w) {
    nodes.reserve(w.tasks);
    for (std::uint32_t i = 0; i < w.tasks; ++i) {
      nodes.push_back(std::make_unique<Node>(graph, [](const tbb::flow::continue_msg&) {}));
    }
    std::vector<bool> waits(w.tasks, false);
    for (const Edge& e : w.edges) {
      tbb::flow::make_edge(*nodes[e.from], *nodes[e.to]);
      waits[e.to] = true;
    }
    for (std::uint32_t i = 0; i < w.tasks; ++i) {
      if (!waits[i]) roots.push_back(i);
    }
  }
  void run() {
    for (const std::uint32_t r : roots) nodes[r]->try_put(tbb::flow::continue_msg());
    graph.wait_for_all();
  }
};

// What a careful user of task groups writes by hand: counters, and a task per ready successor.
struct TaskGroups {
  const Workload& workload;
  std::vector<std::vector<std::uint32_t>> successors;
  std::vector<std::atomic<std::uint32_t>> left;
  std::vector<std::uint32_t> counts;
  tbb::task_group group;

  explicit TaskGroups(const Workload& w)
      : workload(w), successors(w.tasks), left(w.tasks), counts(w.tasks) {
    for (const Edge& e : w.edges) {
      successors[e.from].push_back(e.to);
      ++counts[e.to];
    }
  }
  void execute(std::uint32_t task) {
    for (const std::uint32_t s : successors[task]) {
      if (left[s].fetch_sub(1) == 1) group.run([this, s] { execute(s); });
    }
  }
  void run() {
    for (std::uint32_t i = 0; i < workload.tasks; ++i)
      left[i].store(counts[i], std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < workload.tasks; ++i) {
      if (counts[i] == 0) group.run([this, i] { execute(i); });
    }
    group.wait();
  }
};
#endif

void empty_task(std::uint32_t) {}

exec::GraphRun make_typed(const Workload& w) {
  exec::Graph graph;
  std::vector<exec::Handle<void>> handles;
  handles.reserve(w.tasks);
  for (std::uint32_t i = 0; i < w.tasks; ++i) handles.push_back(graph.add([] {}));
  for (const Edge& e : w.edges) graph.precede(handles[e.from], handles[e.to]);
  return exec::GraphRun(std::move(graph).compile().value());
}

void compare(const Workload& w, std::uint32_t workers, int rounds) {
  exec::Executor executor(workers);
  std::vector<Contender> all;
  const auto measured = [&](std::string name, auto make) {
    malloc_trim(0);
    const std::size_t before = heap_in_use();
    std::function<void()> run = make();
    run();
    const auto bytes = static_cast<double>(heap_in_use() - before) / w.tasks;
    all.push_back({std::move(name), std::move(run), bytes, {}});
  };
  measured("flat", [&] {
    auto topology =
        std::make_shared<const exec::Topology>(exec::Topology::compile(w.tasks, w.edges).value());
    auto run = std::make_shared<exec::FlatRun<void (*)(std::uint32_t)>>(topology, &empty_task);
    return [run, &executor] {
      if (!run->run(executor).ok() || !run->report().all_done()) std::abort();
    };
  });
  measured("typed", [&] {
    auto run = std::make_shared<exec::GraphRun>(make_typed(w));
    return [run, &executor] {
      if (!run->run(executor).ok() || !run->report().all_done()) std::abort();
    };
  });
#ifdef NEUROLENS_HAVE_TBB
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers);
  auto arena = std::make_shared<tbb::task_arena>(static_cast<int>(workers));
  measured("flow", [&] {
    std::shared_ptr<FlowGraph> graph;
    arena->execute([&] { graph = std::make_shared<FlowGraph>(w); });
    return [graph, arena] { arena->execute([&] { graph->run(); }); };
  });
  measured("group", [&] {
    auto groups = std::make_shared<TaskGroups>(w);
    return [groups, arena] { arena->execute([&] { groups->run(); }); };
  });
#endif
  for (int round = 0; round < rounds; ++round) {
    for (Contender& c : all) c.ns.push_back(seconds(c.run) * 1e9 / w.tasks);
  }
  fmt::print("{:<17} {:>2} ", w.name, workers);
  for (const Contender& c : all)
    fmt::print("  {:>6.1f} ns {:>4.0f} B", median(c.ns), c.bytes_per_task);
  if (all.size() > 2) {
    const double best_peer = std::min(median(all[2].ns), median(all[3].ns));
    fmt::print("  {:>5.1f}x {:>5.1f}x", median(all[2].ns) / median(all[0].ns),
               best_peer / median(all[0].ns));
  }
  fmt::print("  target {:.0f}{}\n", w.target_ns,
             workers == 1 ? (median(all[0].ns) <= w.target_ns ? " met" : " MISSED") : "");
  std::fflush(stdout);
}

void latency() {
  exec::Executor executor(2);
  auto one = std::make_shared<const exec::Topology>(exec::Topology::compile(1, {}).value());
  std::int64_t begun = 0;
  exec::FlatRun run(one, [&](std::uint32_t) { begun = system_clock().now().count; });
  std::vector<double> ns;
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));  // long enough to be asleep
    const std::int64_t asked = system_clock().now().count;
    if (!run.run(executor).ok()) std::abort();
    ns.push_back(static_cast<double>(begun - asked));
  }
  fmt::print("from idle to running, one task: median {:.0f} ns (target 10000)\n", median(ns));

  // Two tasks that each wait for the other to begin: the second needs a sleeping thread.
  auto two = std::make_shared<const exec::Topology>(exec::Topology::compile(2, {}).value());
  std::atomic<int> there{0};
  std::atomic<std::int64_t> second{0};
  exec::FlatRun meeting(two, [&](std::uint32_t) {
    if (there.fetch_add(1) == 1) second.store(system_clock().now().count);
    while (there.load() < 2) std::this_thread::yield();
  });
  ns.clear();
  for (int i = 0; i < 200; ++i) {
    there = 0;
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    const std::int64_t asked = system_clock().now().count;
    if (!meeting.run(executor).ok()) std::abort();
    ns.push_back(static_cast<double>(second.load() - asked));
  }
  fmt::print("from idle to running on a sleeping thread: median {:.0f} ns\n", median(ns));

  const auto cpu_ns = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000'000LL +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto before = cpu_ns();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  fmt::print("CPU used in one idle second: {:.3f} ms\n",
             static_cast<double>(cpu_ns() - before) * 1e-6);
}

void ten_million() {
  const std::uint32_t n = 10'000'000;
  exec::Executor executor(1);
  exec::Graph graph;
  exec::Handle<void> last = graph.add([] {});
  for (std::uint32_t i = 1; i < n; ++i) {
    const exec::Handle<void> next = graph.add([] {});
    graph.precede(last, next);
    last = next;
  }
  exec::GraphRun run(std::move(graph).compile().value());
  const double s = seconds([&] {
    if (!run.run(executor).ok()) std::abort();
  });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "ten million typed tasks in a chain: {:.1f} ns a task, peak memory of the process {:.0f} "
      "MB\n",
      s * 1e9 / n, static_cast<double>(usage.ru_maxrss) / 1024.0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "all";
  if (what == "memory" || what == "all") ten_million();
  if (what == "latency" || what == "all") latency();
  if (what == "speed" || what == "all") {
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    fmt::print("{:<17} {:>2}   {:<16}{:<16}{:<17}{:<17}{}\n", "ns, bytes per task", "W", "flat",
               "typed", "TBB flow graph", "TBB task group", "flow/flat best/flat");
    for (const Workload& w : workloads()) {
      for (const std::uint32_t workers : {1u, 2u}) compare(w, workers, rounds);
    }
  }
  return 0;
}
