// Micro-benchmarks of the pieces; benchmarks/run measures the whole against peers.
#include <benchmark/benchmark.h>

#include "neurolens/run/run.hpp"

namespace neurolens::run {
namespace {

/// `ops` columns of `iterations` values of six or seven digits.
Run make_columns(std::int64_t ops, std::int64_t iterations) {
  Run run;
  run.run_id = "00000000-0000-4000-8000-000000000000";
  run.created_at = "2026-01-31T12:00:00Z";
  run.neurolens_version = "bench";
  run.host.architecture = run.host.cpu_model = run.host.os = run.host.kernel = "bench";
  run.host.cores_logical = 1;
  run.software.backend = "bench";
  run.workload.kind = "imported";
  run.workload.name = "bench";
  auto& rows = run.samples.iterations;
  for (std::int64_t i = 0; i < iterations; ++i) {
    rows.begin_ns.push_back(i * 1'000'000);
    rows.duration_ns.push_back(900'000 + i % 1009);
  }
  const auto size = static_cast<std::size_t>(iterations);
  rows.observed.assign(size, 1);
  rows.warmup.assign(size, 0);
  rows.disturbed.assign(size, 0);
  for (std::int64_t op = 0; op < ops; ++op) {
    run.ops.emplace_back().type = "MatMul";
    auto& column = run.samples.op_duration_ns.emplace_back();
    for (std::int64_t i = 0; i < iterations; ++i)
      column.push_back(10'000 + (op * 7919 + i * 104'729) % 2'000'000);
  }
  return run;
}

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void BM_Read(benchmark::State& state) {
  const std::string text = to_json(make_columns(state.range(0), state.range(1)));
  for (auto _ : state) benchmark::DoNotOptimize(read(text));
  count_bytes(state, text.size());
}
BENCHMARK(BM_Read)
    ->Args({1000, 1000})
    ->Args({1000, 1})
    ->Args({1, 100000})
    ->Unit(benchmark::kMillisecond);

void BM_Write(benchmark::State& state) {
  const Run run = make_columns(state.range(0), state.range(1));
  const std::size_t size = to_json(run).size();
  for (auto _ : state) benchmark::DoNotOptimize(to_json(run));
  count_bytes(state, size);
}
BENCHMARK(BM_Write)->Args({1000, 1000})->Unit(benchmark::kMillisecond);

void BM_Validate(benchmark::State& state) {
  const Run run = make_columns(state.range(0), state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(validate(run));
  count_bytes(state, to_json(run).size());
}
BENCHMARK(BM_Validate)->Args({1000, 1000})->Unit(benchmark::kMillisecond);

void BM_ContentHash(benchmark::State& state) {
  const Run run = make_columns(state.range(0), state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(content_hash(run));
  count_bytes(state, to_json(run).size());
}
BENCHMARK(BM_ContentHash)->Args({1000, 1000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace neurolens::run
