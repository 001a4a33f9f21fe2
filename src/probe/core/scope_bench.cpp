// Cost of one scope against its floor: the empty loop and two raw readings of the counter.
// benchmarks/probe holds the comparison with other instrumentation libraries.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <string>

#include "neurolens/probe/scope.hpp"
#include "neurolens/probe/session.hpp"

namespace neurolens::probe {
namespace {

void empty_loop(benchmark::State& state) {
  for (auto _ : state) benchmark::ClobberMemory();
}
BENCHMARK(empty_loop);

void two_readings(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(hot::ticks(1));
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(hot::ticks(1));
  }
}
BENCHMARK(two_readings);

void scope_off(benchmark::State& state) {
  for (auto _ : state) {
    NEUROLENS_SCOPE("off");
    benchmark::ClobberMemory();
  }
}
BENCHMARK(scope_off);

void scope_on(benchmark::State& state, Keep keep) {
  const std::string path = "/tmp/neurolens_scope_bench." + std::to_string(getpid());
  if (state.thread_index() == 0) {
    SessionOptions options;
    options.path = path;
    options.keep = keep;
    if (!start(options).ok()) state.SkipWithError("cannot record into /tmp");
  }
  for (auto _ : state) {
    NEUROLENS_SCOPE("on");
    benchmark::ClobberMemory();
  }
  if (state.thread_index() == 0) {
    const auto report = stop();
    state.counters["lost"] = report.ok() ? static_cast<double>(report->lost) : -1;
    state.counters["stalls"] = report.ok() ? static_cast<double>(report->stalls) : -1;
    unlink(path.c_str());
  }
}
BENCHMARK_CAPTURE(scope_on, stream, Keep::everything)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK_CAPTURE(scope_on, ring, Keep::newest)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace neurolens::probe
