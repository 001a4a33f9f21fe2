/// \file
/// A valid sample Run for tests of every room: seeded, of any size, the same on every machine.
/// Op i takes about (i + 1) microseconds with log-normal jitter; even iterations are observed (by
/// `observer_ratio` slower), odd ones are not.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::test_support {

/// What make_run() makes.
struct SampleRun {
  std::size_t ops = 6;              ///< Ops in the plan, >= 0.
  std::size_t iterations = 20;      ///< Measured iterations; even ones are observed, odd ones not.
  std::size_t warmup = 2;           ///< Iterations before them, observed as above.
  std::uint64_t seed = 1;           ///< Of the jitter.
  double time_scale = 1.0;          ///< Multiplies every duration: 1.05 plants a 5 % slowdown.
  double jitter_ratio = 0.02;       ///< Relative standard deviation of each duration.
  double observer_ratio = 1.3;      ///< Observed iteration / unobserved iteration.
  bool timeline = true;             ///< With one iteration of events.
  bool profile = false;             ///< With stacks of a sampling profiler.
  bool gpu = false;                 ///< With a GPU, kernels and their counters.
  const char* name = "sample-mlp";  ///< Of the workload.
};

namespace detail {

inline run::Tensor make_tensor(std::string name, std::vector<std::int64_t> shape) {
  return run::Tensor{std::move(name), "f32", std::move(shape)};
}

inline std::string digits(std::uint64_t number, std::size_t width) {
  std::string text(width, '0');
  for (std::size_t i = width; i-- > 0; number /= 10) text[i] = static_cast<char>('0' + number % 10);
  return text;
}

inline void fill_host(run::Run& out, bool gpu) {
  auto& host = out.host;
  host.name = "lab";
  host.architecture = "x86_64";
  host.cpu_model = "Sample CPU 9000";
  host.cpu_vendor = "Sample";
  host.cores_physical = 4;
  host.cores_logical = 8;
  host.cores_used = std::vector<std::int64_t>{0, 1};
  host.caches = {{1, "data", 32768, 4}, {2, "unified", 1048576, 4}, {3, "unified", 33554432, 1}};
  host.memory_bytes = std::int64_t{16} << 30;
  host.simd_level = "avx2";
  host.governor = "performance";
  host.frequency_hz = 3'000'000'000;
  host.frequency_max_hz = 4'000'000'000;
  host.virtualised = false;
  host.os = "Debian GNU/Linux 12";
  host.kernel = "6.1.0";
  if (gpu) {
    host.gpus = {
        {"Sample GPU", std::int64_t{24} << 30, "550.1", "9.0", 1'700'000'000, 2'600'000'000, 80}};
  }
}

inline void fill_workload(run::Run& out, const SampleRun& sample) {
  out.software.backend = "onnxruntime";
  out.software.backend_version = "1.20.0";
  out.software.provider = sample.gpu ? "CUDAExecutionProvider" : "CPUExecutionProvider";
  out.software.precision = "f32";
  out.software.threads = 2;
  out.software.threads_between = 1;
  out.software.optimisation = "all";
  out.workload.kind = "onnx_model";
  out.workload.name = sample.name;
  out.workload.path = std::string(sample.name) + ".onnx";
  out.workload.content_hash = std::string(64, 'a');
  out.workload.size_bytes = 123456;
  out.workload.opsets = {{"", 17}};
  out.workload.producer = "neurolens zoo";
  out.workload.parameters = 30000;
  out.workload.inputs = {make_tensor("input", {8, 64})};
  out.workload.outputs = {make_tensor("output", {8, 10})};
  out.workload.batch_size = 8;
  out.config.command = {"neurolens", "profile", std::string(sample.name) + ".onnx"};
  out.config.method = "observed";
  out.config.warmup_iterations = static_cast<std::int64_t>(sample.warmup);
  out.config.iterations = static_cast<std::int64_t>(sample.iterations);
  out.config.seed = static_cast<std::int64_t>(sample.seed & 0x7fffffff);
  out.config.options = {{"threads", "2"}};
  out.tags = {{"suite", "sample"}};
}

inline run::Op make_op(std::size_t i, const SampleRun& sample, std::int64_t time_ns) {
  static constexpr const char* kTypes[] = {"MatMul", "Add", "Relu", "Softmax"};
  run::Op op;
  op.type = kTypes[i % 4];
  op.name = op.type + "_" + std::to_string(i);
  op.domain = "";
  op.inputs = {make_tensor("t" + std::to_string(i), {8, 64})};
  op.outputs = {make_tensor("t" + std::to_string(i + 1), {8, 64})};
  op.original_nodes = {{"/layer" + std::to_string(i), op.type}};
  op.provider = sample.gpu ? "CUDAExecutionProvider" : "CPUExecutionProvider";
  op.thread = 0;
  op.executions_per_iteration = 1.0;
  op.memory_bytes = 2048;
  op.cost.matrix_flops = i % 4 == 0 ? 2 * 8 * 64 * 64 : 0;
  op.cost.vector_flops = i % 4 == 0 ? 0 : 512;
  op.cost.transcendental_flops = i % 4 == 3 ? 512 : 0;
  op.cost.activation_bytes = 4096;
  op.cost.weight_bytes = i % 4 == 0 ? 16384 : 0;
  op.cost.formula_id = op.type;
  op.estimate = run::Estimate{time_ns, time_ns * 99 / 100, time_ns + time_ns / 100 + 1,
                              time_ns * 13 / 10, "observed"};
  if (sample.gpu) {
    op.kernels = {{"kernel_" + op.type,
                   time_ns * 9 / 10,
                   1,
                   std::vector<std::int64_t>{8, 1, 1},
                   std::vector<std::int64_t>{128, 1, 1},
                   {{"occupancy_ratio", 0.5}, {"l2_hit_ratio", std::nullopt}}}};
  }
  return op;
}

inline void fill_samples(run::Run& out, const SampleRun& sample, const run::Column& base_ns) {
  Random random(sample.seed, 7);
  const auto jittered = [&](double centre) {
    const double value = centre * std::exp(sample.jitter_ratio * random.normal());
    return value < 1 ? std::int64_t{1} : static_cast<std::int64_t>(std::llround(value));
  };
  auto& rows = out.samples.iterations;
  out.samples.op_duration_ns.resize(sample.ops);
  std::int64_t now = 0;
  const std::size_t total = sample.warmup + sample.iterations;
  for (std::size_t i = 0; i < total; ++i) {
    const bool observed = i % 2 == 0;
    std::int64_t duration = 500;
    for (std::size_t op = 0; op < sample.ops; ++op) {
      const double factor = observed ? sample.observer_ratio : 1.0;
      const std::int64_t spent = jittered(static_cast<double>(base_ns[op]) * factor);
      if (observed) out.samples.op_duration_ns[op].push_back(spent);
      duration += spent;
    }
    rows.begin_ns.push_back(now);
    rows.duration_ns.push_back(duration);
    rows.observed.push_back(observed ? 1 : 0);
    rows.warmup.push_back(i < sample.warmup ? 1 : 0);
    rows.disturbed.push_back(0);
    rows.cpu_time_ns.push_back(duration);
    rows.involuntary_switches.push_back(0);
    rows.page_faults.push_back(i == 0 ? 12 : 0);
    now += duration + 1000;
  }
}

inline void fill_timeline(run::Run& out, const run::Column& base_ns) {
  run::Timeline timeline;
  timeline.tracks = {{"main", "thread", 1, 1}};
  std::int64_t now = 0;
  for (std::size_t i = 0; i < out.ops.size(); ++i) {
    timeline.names.push_back(out.ops[i].name);
    timeline.track.push_back(0);
    timeline.name.push_back(static_cast<std::int64_t>(i));
    timeline.op.push_back(static_cast<std::int64_t>(i));
    timeline.begin_ns.push_back(now);
    timeline.duration_ns.push_back(base_ns[i]);
    now += base_ns[i];
  }
  out.timeline = std::move(timeline);
  out.counters = {{"memory", "bytes", {0, 1000, 2000}, {1024.0, 2048.0, 1536.5}}};
}

inline void fill_profile(run::Run& out) {
  run::Profile profile;
  profile.frames = {{"main", "main.cpp", 10, "sample"},
                    {"run_layer", "layer.cpp", 42, "sample"},
                    {"matmul", std::nullopt, std::nullopt, "libblas.so"}};
  profile.stack_parent = {run::kMissing, 0, 1};
  profile.stack_frame = {0, 1, 2};
  profile.sample_stack = {2, 2, 1, 0};
  profile.sample_time_ns = {0, 1'000'000, 2'000'000, 3'000'000};
  profile.sample_weight = {1'000'000, 1'000'000, 1'000'000, 1'000'000};
  profile.sample_thread = {1, 1, 1, 1};
  profile.period_ns = 1'000'000;
  out.profile = std::move(profile);
}

}  // namespace detail

/// A Run that passes run::validate(). Same options, same Run, to the last bit of its text.
inline run::Run make_run(const SampleRun& sample = {}) {
  run::Run out;
  out.run_id = "00000000-0000-4000-8000-" + detail::digits(sample.seed, 12);
  out.created_at = "2026-01-31T12:00:00.000Z";
  out.neurolens_version = "0.1.0";
  detail::fill_host(out, sample.gpu);
  detail::fill_workload(out, sample);
  run::Column base_ns;
  for (std::size_t i = 0; i < sample.ops; ++i) {
    base_ns.push_back(std::llround(static_cast<double>(i + 1) * 1000.0 * sample.time_scale));
    out.ops.push_back(detail::make_op(i, sample, base_ns.back()));
  }
  detail::fill_samples(out, sample, base_ns);
  if (sample.timeline) detail::fill_timeline(out, base_ns);
  if (sample.profile) detail::fill_profile(out);
  out.overhead.observed_ratio = sample.observer_ratio;
  out.overhead.ledger = {{"op", 250.0, 240.0, 260.0, static_cast<double>(sample.ops)}};
  out.overhead.events_lost = 0;
  out.memory = {std::int64_t{50} << 20, std::int64_t{80} << 20, std::nullopt};
  out.ceilings = {{"fma_f32_1t", "flops_per_second", 6.4e10, 6.3e10, 6.5e10},
                  {"triad_dram_all", "bytes_per_second", 2.0e10, std::nullopt, std::nullopt}};
  out.notes = {"This is a sample, not a measurement."};
  return out;
}

}  // namespace neurolens::test_support
