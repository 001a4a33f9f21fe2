/// \file
/// The Run: one measurement of one workload on one host. The one noun in the middle; see
/// ARCHITECTURE.md.
///
/// These are plain values. A Run that came from read() or passed validate() keeps every rule named
/// here; a Run under construction may break them. An empty optional means "not collected" and is
/// written as null: never 0, never guessed. Times are integer nanoseconds, sizes integer bytes; the
/// unit is in the serialised key. Within one Run all begin times share one origin: the start of the
/// measurement.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/base/strong_id.hpp"

namespace neurolens::run {

/// Version of the schema that this program writes. Readers take every 1.x up to this and version 0.
inline constexpr const char* kSchemaVersion = "1.0.0";

/// A missing entry of an integer column (null in the file).
inline constexpr std::int64_t kMissing = std::numeric_limits<std::int64_t>::min();

using OpId = StrongId<struct OpTag>;        ///< Index into Run::ops.
using TrackId = StrongId<struct TrackTag>;  ///< Index into Timeline::tracks.
using NameId = StrongId<struct NameTag>;    ///< Index into Timeline::names.
using FrameId = StrongId<struct FrameTag>;  ///< Index into Profile::frames.
using StackId = StrongId<struct StackTag>;  ///< Index into Profile::stacks.

/// A column of integers, one per row; kMissing marks a missing entry.
using Column = std::vector<std::int64_t>;

// --- Where it ran ---

/// One level of cache.
struct Cache {
  std::int64_t level = 0;                 ///< 1, 2, 3...
  std::string type;                       ///< "data", "instruction" or "unified".
  std::int64_t size_bytes = 0;            ///< Of one instance.
  std::optional<std::int64_t> instances;  ///< How many of them the machine has.
};

/// One accelerator.
struct Gpu {
  std::string model;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::string> driver;
  std::optional<std::string> compute_capability;  ///< "9.0".
  std::optional<std::int64_t> clock_hz;
  std::optional<std::int64_t> memory_clock_hz;
  std::optional<std::int64_t> multiprocessors;
};

/// Facts about the machine. A machine without a GPU is a full citizen: the list is empty.
struct Host {
  std::optional<std::string> name;
  std::string architecture;  ///< "x86_64".
  std::string cpu_model;
  std::optional<std::string> cpu_vendor;
  std::optional<std::int64_t> cores_physical;
  std::int64_t cores_logical = 0;                       ///< >= 1.
  std::optional<std::vector<std::int64_t>> cores_used;  ///< Ids the workload was allowed to run on.
  std::vector<Cache> caches;
  std::optional<std::int64_t> memory_bytes;
  std::optional<std::string> simd_level;  ///< Widest usable: "sse4", "avx2", "avx512", ...
  std::optional<std::string> governor;
  std::optional<std::int64_t> frequency_hz;  ///< At the start of the measurement.
  std::optional<std::int64_t> frequency_max_hz;
  std::optional<bool> virtualised;
  std::optional<std::string> hypervisor;
  std::string os;      ///< "Debian GNU/Linux 12".
  std::string kernel;  ///< "6.1.0".
  std::vector<Gpu> gpus;
};

/// What executed the workload.
struct Software {
  std::string backend;  ///< "onnxruntime", "libtorch", "process", "neurolens"...
  std::optional<std::string> backend_version;
  std::optional<std::string> provider;  ///< Execution provider or device: "CPUExecutionProvider".
  /// "f64", "tf32", "f32", "f16", "bf16", "f8", "int8", "int4" or "mixed".
  std::optional<std::string> precision;
  std::optional<std::int64_t> threads;          ///< Within an op.
  std::optional<std::int64_t> threads_between;  ///< Between ops.
  std::optional<std::string> optimisation;      ///< "none", "basic", "extended", "all".
  std::optional<std::string> build;             ///< Build flags known, free text.
  std::optional<std::string> library_hash;      ///< SHA-256 of the backend library.
};

// --- What ran ---

/// Name, element type and shape of a tensor. Scalars have an empty shape; unknown is null.
struct Tensor {
  std::optional<std::string> name;
  std::optional<std::string> dtype;  ///< "f32", "f16", "bf16", "i64", "u8", "bool", "string", ...
  std::optional<std::vector<std::int64_t>> shape;
};

/// The model or program that ran.
struct Workload {
  std::string kind;  ///< "onnx_model", "program", "engine", "imported".
  std::string name;
  std::optional<std::string> path;          ///< As the user named it.
  std::optional<std::string> content_hash;  ///< SHA-256 of the model or program file.
  std::optional<std::int64_t> size_bytes;
  std::map<std::string, std::int64_t> opsets;  ///< Domain ("" is ai.onnx) -> version.
  std::optional<std::string> producer;
  std::optional<std::int64_t> parameters;  ///< Trainable numbers (elements of initialisers).
  std::vector<Tensor> inputs;              ///< With the shapes actually used.
  std::vector<Tensor> outputs;
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> sequence_length;
};

/// How the measurement was set up.
struct Config {
  std::vector<std::string> command;   ///< Reproduces the Run: program and arguments.
  std::optional<std::string> method;  ///< "observed", "corrected", "cut", "auto", "sampled".
  std::optional<std::int64_t> warmup_iterations;
  std::optional<std::int64_t>
      iterations;  ///< Asked for; null: until the interval is narrow enough.
  std::optional<std::int64_t> time_limit_ns;
  std::optional<std::int64_t> seed;
  std::map<std::string, std::string> options;  ///< Everything else that was chosen, as text.
};

/// A node of the graph before optimisation.
struct OriginalNode {
  std::string name;
  std::optional<std::string> type;
};

/// Work of one op by formula; see docs/reference/op_costs.md.
struct Cost {
  std::optional<std::int64_t> matrix_flops;  ///< Multiply-add counts 2.
  std::optional<std::int64_t> vector_flops;
  std::optional<std::int64_t> transcendental_flops;  ///< Number of exp, tanh, erf... evaluations.
  std::optional<std::int64_t> activation_bytes;      ///< Minimum traffic: each tensor once.
  std::optional<std::int64_t> weight_bytes;
  std::optional<std::string> formula_id;
};

/// A kernel beneath an op (GPU), with what its counters said.
struct Kernel {
  std::string name;
  std::optional<std::int64_t> time_ns;   ///< Median per iteration.
  std::optional<std::int64_t> launches;  ///< Per iteration.
  std::optional<std::vector<std::int64_t>> grid;
  std::optional<std::vector<std::int64_t>> block;
  std::map<std::string, std::optional<double>>
      counters;  ///< "occupancy_ratio", "l2_hit_ratio", ...
};

/// The time that an op takes per iteration, as far as the Run's author could tell.
struct Estimate {
  std::int64_t time_ns = 0;            ///< Best estimate, >= 0.
  std::optional<std::int64_t> low_ns;  ///< 95 % interval; low <= time <= high.
  std::optional<std::int64_t> high_ns;
  std::optional<std::int64_t>
      raw_time_ns;     ///< As the backend's own profiler says, observer included.
  std::string method;  ///< "observed", "corrected", "cut", "sampled".
};

/// One op instance of the executed plan.
struct Op {
  std::string name;
  std::string type;                   ///< "Conv", "FusedMatMul", a function's name for programs.
  std::optional<std::string> domain;  ///< "" is ai.onnx.
  std::string phase = "forward";      ///< "forward", "backward", "optimizer", "data", "other".
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::optional<std::string>
      attributes_hash;  ///< SHA-256 of the attributes in canonical order, no names.
  std::vector<OriginalNode>
      original_nodes;  ///< What it stands for in the graph as the user wrote it.
  std::optional<std::string> provider;
  std::optional<std::int64_t> thread;
  std::optional<std::int64_t> stream;
  std::optional<double> executions_per_iteration;  ///< 1 for straight-line graphs.
  std::optional<std::int64_t> memory_bytes;        ///< Requested for its outputs.
  Cost cost;
  std::optional<Estimate> estimate;
  std::vector<Kernel> kernels;
};

// --- What was measured ---

/// Whole iterations in the order they ran. All columns have the same length.
struct Iterations {
  Column begin_ns;
  Column duration_ns;
  std::vector<std::uint8_t> observed;   ///< 1: the backend's profiler or a sampler was on.
  std::vector<std::uint8_t> warmup;     ///< 1: before the measurement settled; kept, not used.
  std::vector<std::uint8_t> disturbed;  ///< 1: taken in a disturbed state; kept, not used.
  // State of the machine beside each iteration; empty when not collected.
  Column cpu_time_ns;
  Column steal_ns;
  Column involuntary_switches;
  Column page_faults;
  Column frequency_hz;
};

/// Everything that was measured once per iteration.
struct Samples {
  Iterations iterations;
  /// Per op (same order as Run::ops; empty when not collected) one value per observed iteration in
  /// the order of those iterations, warm-up included: time inside the op in that iteration,
  /// observer included. A single op's column is empty when that op was not collected.
  std::vector<Column> op_duration_ns;
};

/// A row of the timeline: a thread or a stream.
struct Track {
  std::string name;
  std::string kind;  ///< "thread", "stream", "process", "async".
  std::optional<std::int64_t> process;
  std::optional<std::int64_t> id;  ///< Thread or stream id.
};

/// Begin and end of events. Columns have the same length; sorted by begin within a track.
struct Timeline {
  std::vector<Track> tracks;
  std::vector<std::string> names;  ///< Each name once.
  Column track;                    ///< TrackId per event.
  Column name;                     ///< NameId per event.
  Column op;                       ///< OpId per event; kMissing when it is none.
  Column begin_ns;
  Column duration_ns;  ///< >= 0.
};

/// A quantity over time, such as memory in use.
struct CounterTrack {
  std::string name;
  /// "bytes", "ratio", "count", "hz", "ns", "watts", "celsius", "flops_per_second",
  /// "bytes_per_second" or "unknown".
  std::string unit;
  Column time_ns;
  std::vector<double> value;
};

// Stacks of a sampling profiler.
/// A place in a program.
struct Frame {
  std::string function;
  std::optional<std::string> file;
  std::optional<std::int64_t> line;
  std::optional<std::string> module;  ///< Program or shared object.
};
/// Stacks of a sampling profiler, as a tree of frames and the samples that hit it.
struct Profile {
  std::vector<Frame> frames;
  Column stack_parent;  ///< Per stack: the caller's StackId, smaller than its own; kMissing at the
                        ///< root.
  Column stack_frame;   ///< Per stack: its FrameId.
  Column sample_stack;  ///< Per sample: the innermost StackId.
  Column sample_time_ns;                  ///< Empty when not collected.
  Column sample_weight;                   ///< In `weight_unit`, >= 0.
  Column sample_thread;                   ///< Thread id; empty when not collected.
  std::string weight_unit = "ns";         ///< "ns" or "bytes".
  std::optional<std::int64_t> period_ns;  ///< Time between samples asked for.
};

/// Cost of one observation of one kind, calibrated on this machine.
struct LedgerEntry {
  std::string event;             ///< "op", "run", "scope", ...
  double cost_ns = 0;            ///< Per event.
  std::optional<double> low_ns;  ///< 95 % interval.
  std::optional<double> high_ns;
  std::optional<double> events_per_iteration;
};

/// What the observer did to the measurement.
struct Overhead {
  std::optional<double> observed_ratio;  ///< Median observed / median unobserved iteration.
  std::vector<LedgerEntry> ledger;
  std::optional<std::int64_t> events_lost;
  std::string integrity = "ok";      ///< "ok", "suspect", "broken".
  std::vector<std::string> reasons;  ///< Sentences; empty when integrity is "ok".
};

/// Memory of the measured process.
struct Memory {
  std::optional<std::int64_t> host_before_bytes;
  std::optional<std::int64_t> host_peak_bytes;  ///< Resident set of the process.
  std::optional<std::int64_t> accelerator_peak_bytes;
};

/// Measured ceilings of the machine; see `neurolens peaks`.
struct Ceiling {
  std::string name;  ///< "fma_f32_avx512_1t", "triad_dram_all", ...
  std::string unit;  ///< "flops_per_second" or "bytes_per_second".
  double value = 0;
  std::optional<double> low;
  std::optional<double> high;
};

// --- The artifact ---

/// The artifact: one measurement of one workload on one host.
struct Run {
  std::string run_id;      ///< UUID.
  std::string created_at;  ///< RFC 3339, UTC.
  std::string neurolens_version;
  std::string status = "complete";           ///< "complete" or "partial" (stopped before its end).
  std::optional<std::string> status_reason;  ///< Required of a partial Run.
  Host host;
  Software software;
  Workload workload;
  Config config;
  std::map<std::string, std::string> tags;
  std::vector<Op> ops;
  Samples samples;
  std::optional<Timeline> timeline;
  std::vector<CounterTrack> counters;
  std::optional<Profile> profile;
  Overhead overhead;
  Memory memory;
  std::vector<Ceiling> ceilings;
  std::vector<std::string> notes;  ///< What is not known and why, in sentences.
};

}  // namespace neurolens::run
