// Cost of one recorded scope: neurolens, its floor, and a well-known library, in one run.
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
  state.counters["ns_per_scope"] = total * 1e9 / (static_cast<double>(state.iterations()) * kBatch);
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
  if (!probe::start(options).ok()) return state.SkipWithError("cannot record into /tmp");
  measure(
      state, [] { NEUROLENS_SCOPE("work"); }, [] {});
  const auto report = probe::stop();
  state.counters["lost"] = report.ok() ? static_cast<double>(report->lost) : -1;
  unlink(options.path.c_str());
}
BENCHMARK(empty_loop)->UseManualTime()->Iterations(2000)->Repetitions(3);
BENCHMARK(two_readings)->UseManualTime()->Iterations(2000)->Repetitions(3);
BENCHMARK(neurolens_off)->UseManualTime()->Iterations(2000)->Repetitions(3);
BENCHMARK_CAPTURE(neurolens_on, stream, probe::Keep::everything)
    ->UseManualTime()
    ->Iterations(2000)
    ->Repetitions(3);
BENCHMARK_CAPTURE(neurolens_on, ring, probe::Keep::newest)
    ->UseManualTime()
    ->Iterations(2000)
    ->Repetitions(3);

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
BENCHMARK(microprofile_on)->UseManualTime()->Iterations(2000)->Repetitions(3);
#endif

}  // namespace
