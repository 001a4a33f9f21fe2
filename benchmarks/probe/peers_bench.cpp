// Cost of one recorded scope: neurolens, its floor, and a well-known library, in one run; on one
// thread and on two. probe_peers_bench [--quick] [Google Benchmark's options].
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"
#ifdef NEUROLENS_HAVE_MICROPROFILE
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <microprofile.h>
#pragma GCC diagnostic pop
#endif

namespace {

namespace probe = neurolens::probe;

constexpr int kBatch = 10'000;

// Every candidate runs batches of the same length under a manual timer, so that a peer's work
// between frames can stay outside the measured time (to its advantage).
template <class Body, class Between>
void measure(benchmark::State& state, Body body, Between between) {
  double total = 0;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kBatch; ++i) {
      body();
      benchmark::ClobberMemory();
    }
    const auto end = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(end - begin).count();
    state.SetIterationTime(seconds);
    total += seconds;
    between();
  }
  state.counters["ns_per_scope"] = {
      total * 1e9 / (static_cast<double>(state.iterations()) * kBatch),
      benchmark::Counter::kAvgThreads};
}

void empty_loop(benchmark::State& state) {
  measure(
      state, [] {}, [] {});
}
void two_readings(benchmark::State& state) {
  measure(
      state,
      [] {
        benchmark::DoNotOptimize(probe::hot::ticks(1));
        benchmark::ClobberMemory();
        benchmark::DoNotOptimize(probe::hot::ticks(1));
      },
      [] {});
}
void neurolens_off(benchmark::State& state) {
  measure(
      state, [] { NEUROLENS_SCOPE("work"); }, [] {});
}
void neurolens_on(benchmark::State& state, probe::Keep keep) {
  probe::SessionOptions options;
  options.path = "/tmp/neurolens_peers." + std::to_string(getpid());
  options.keep = keep;
  const bool first = state.thread_index() == 0;  // the loop begins and ends with a barrier
  if (first && !probe::start(options).ok()) state.SkipWithError("cannot record into /tmp");
  measure(
      state, [] { NEUROLENS_SCOPE("work"); }, [] {});
  if (!first) return;
  const auto report = probe::stop();
  state.counters["lost"] = report.ok() ? static_cast<double>(report->lost) : -1;
  unlink(options.path.c_str());
}
#ifdef NEUROLENS_HAVE_MICROPROFILE
void microprofile_on(benchmark::State& state) {
  static const bool prepared = [] {
    MicroProfileOnThreadCreate("main");
    MicroProfileSetEnableAllGroups(1);
    return true;
  }();
  benchmark::DoNotOptimize(prepared);
  MicroProfileFlip(nullptr);
  measure(
      state, [] { MICROPROFILE_SCOPEI("bench", "work", 0xff00ff00); },
      [] { MicroProfileFlip(nullptr); });
}
#endif

void add_all(bool quick) {
  const auto add = [quick](const char* name, auto body, int threads) {
    auto* b = benchmark::RegisterBenchmark(name, body)->UseManualTime()->Threads(threads);
    b->Iterations(quick ? 3 : 1000)->Repetitions(quick ? 1 : 7)->ReportAggregatesOnly(!quick);
  };
  for (const int threads : {1, 2}) {
    add("empty_loop", &empty_loop, threads);
    add("two_readings", &two_readings, threads);
    add("neurolens_off", &neurolens_off, threads);
    add(
        "neurolens_stream",
        [](benchmark::State& state) { neurolens_on(state, probe::Keep::everything); }, threads);
    add(
        "neurolens_ring", [](benchmark::State& state) { neurolens_on(state, probe::Keep::newest); },
        threads);
  }
#ifdef NEUROLENS_HAVE_MICROPROFILE
  add("microprofile", &microprofile_on, 1);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  if (quick) {
    ++argv;
    --argc;
  }
  add_all(quick);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
