// run.* and host.*: the Run as a whole, visible in every scope.
#include "variables.hpp"

namespace neurolens::analyze {
namespace {

using T = RuleType;

const run::Run& run_of(const Scene& s) {
  return s.input->run;
}

/// Share of the time of all ops.
RuleValue share(const Scene& s, double time_ns) {
  return part_of(time_ns, s.input->summary.total_ns);
}

RuleValue threads_per_core(const Scene& s) {
  const auto& software = run_of(s).software;
  if (!software.threads || !s.facts->cores_used) return {};
  const auto between = software.threads_between.value_or(1);
  return part_of(static_cast<double>(*software.threads * (between > 0 ? between : 1)),
                 *s.facts->cores_used);
}

RuleValue threads_busy(const Scene& s) {
  const auto threads = run_of(s).software.threads;
  if (!threads || !s.facts->cpu_threads) return {};
  return part_of(*s.facts->cpu_threads, static_cast<double>(*threads));
}

RuleValue frequency_ratio(const Scene& s) {
  const auto most = run_of(s).host.frequency_max_hz;
  if (!most || !s.facts->frequency_hz) return {};
  return part_of(*s.facts->frequency_hz, static_cast<double>(*most));
}

RuleValue phases(const Scene& s) {
  for (const auto& op : run_of(s).ops) {
    if (op.phase != "forward") return true;
  }
  return false;
}

// One row a name; see Variable.
// clang-format off
const Variable kTable[] = {
    {"run.workload", kEverywhere, T::text, "text", "workload", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).workload.name); }},
    {"run.path", kEverywhere, T::text, "text", "file of the Run", [](const Scene& s) -> RuleValue { return std::string_view(s.input->run_path); }},
    {"run.model_path", kEverywhere, T::text, "text", "file of the model", [](const Scene& s) { return value_of(run_of(s).workload.path); }},
    {"run.kind", kEverywhere, T::text, "text", "kind of workload", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).workload.kind); }},
    {"run.backend", kEverywhere, T::text, "text", "backend", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).software.backend); }},
    {"run.provider", kEverywhere, T::text, "text", "execution provider", [](const Scene& s) { return value_of(run_of(s).software.provider); }},
    {"run.precision", kEverywhere, T::text, "text", "precision", [](const Scene& s) { return value_of(run_of(s).software.precision); }},
    {"run.optimisation", kEverywhere, T::text, "text", "graph optimisation", [](const Scene& s) { return value_of(run_of(s).software.optimisation); }},
    {"run.status", kEverywhere, T::text, "text", "status", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).status); }},
    {"run.status_reason", kEverywhere, T::text, "text", "why it is partial", [](const Scene& s) { return value_of(run_of(s).status_reason); }},
    {"run.integrity", kEverywhere, T::text, "text", "integrity", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).overhead.integrity); }},
    {"run.threads", kEverywhere, T::number, "count", "threads within an op", [](const Scene& s) { return value_of(run_of(s).software.threads); }},
    {"run.threads_between", kEverywhere, T::number, "count", "threads between ops", [](const Scene& s) { return value_of(run_of(s).software.threads_between); }},
    {"run.batch_size", kEverywhere, T::number, "count", "batch size", [](const Scene& s) { return value_of(run_of(s).workload.batch_size); }},
    {"run.time_ns", kEverywhere, T::number, "ns", "time of an iteration", [](const Scene& s) { return value_of(s.facts->time_ns); }},
    {"run.p95_ns", kEverywhere, T::number, "ns", "95th percentile", [](const Scene& s) { return value_of(s.facts->p95_ns); }},
    {"run.tail_ratio", kEverywhere, T::number, "factor", "95th percentile over median", [](const Scene& s) { return value_of(s.facts->tail_ratio); }},
    {"run.spread_ratio", kEverywhere, T::number, "ratio", "width of the interval", [](const Scene& s) { return value_of(s.facts->spread_ratio); }},
    {"run.iterations", kEverywhere, T::number, "count", "settled iterations", [](const Scene& s) -> RuleValue { return s.facts->iterations; }},
    {"run.first_ns", kEverywhere, T::number, "ns", "first iteration", [](const Scene& s) { return value_of(s.facts->first_ns); }},
    {"run.first_ratio", kEverywhere, T::number, "factor", "first iteration over median", [](const Scene& s) { return value_of(s.facts->first_ratio); }},
    {"run.warmup_share_ratio", kEverywhere, T::number, "ratio", "warm-up's share of the measurement", [](const Scene& s) { return value_of(s.facts->warmup_share); }},
    {"run.drift_ratio", kEverywhere, T::number, "factor", "last quarter over first quarter", [](const Scene& s) { return value_of(s.facts->drift_ratio); }},
    {"run.disturbed_ratio", kEverywhere, T::number, "ratio", "disturbed iterations", [](const Scene& s) { return value_of(s.facts->disturbed_ratio); }},
    {"run.steal_ratio", kEverywhere, T::number, "ratio", "time stolen by other machines", [](const Scene& s) { return value_of(s.facts->steal_ratio); }},
    {"run.switches_per_iteration", kEverywhere, T::number, "count", "involuntary context switches per iteration", [](const Scene& s) { return value_of(s.facts->switches); }},
    {"run.page_faults_per_iteration", kEverywhere, T::number, "count", "page faults per iteration", [](const Scene& s) { return value_of(s.facts->faults); }},
    {"run.frequency_ratio", kEverywhere, T::number, "ratio", "clock over its maximum", frequency_ratio},
    {"run.busy_threads", kEverywhere, T::number, "count", "processors kept busy", [](const Scene& s) { return value_of(s.facts->cpu_threads); }},
    {"run.threads_busy_ratio", kEverywhere, T::number, "ratio", "busy processors per thread", threads_busy},
    {"run.threads_per_core", kEverywhere, T::number, "factor", "threads per usable core", threads_per_core},
    {"run.observed_ratio", kEverywhere, T::number, "factor", "observed over unobserved time", [](const Scene& s) { return value_of(s.input->summary.observed_ratio); }},
    {"run.events_lost", kEverywhere, T::number, "count", "events lost", [](const Scene& s) { return value_of(run_of(s).overhead.events_lost); }},
    {"run.ops", kEverywhere, T::number, "count", "ops", [](const Scene& s) -> RuleValue { return s.facts->ops; }},
    {"run.ops_ns", kEverywhere, T::number, "ns", "time of all ops", [](const Scene& s) -> RuleValue { return s.input->summary.total_ns; }},
    {"run.between_ops_ns", kEverywhere, T::number, "ns", "time outside ops", [](const Scene& s) { return value_of(s.facts->between_ops_ns); }},
    {"run.flops_per_second", kEverywhere, T::number, "flops_per_second", "arithmetic rate", [](const Scene& s) -> RuleValue {
       const auto& flops = s.input->summary.flops;
       if (!flops || !s.facts->time_ns) return {};
       return part_of(static_cast<double>(*flops) * 1e9, *s.facts->time_ns); }},
    {"run.roof_ratio", kEverywhere, T::number, "ratio", "share of this machine's roof", [](const Scene& s) { return value_of(s.input->summary.roof_ratio); }},
    {"run.has_ceilings", kEverywhere, T::boolean, "none", "ceilings were measured", [](const Scene& s) -> RuleValue { return !run_of(s).ceilings.empty(); }},
    {"run.has_phases", kEverywhere, T::boolean, "none", "has phases of training", phases},
    {"run.tiny_count", kEverywhere, T::number, "count", "ops below 10 us", [](const Scene& s) -> RuleValue { return s.facts->tiny_count; }},
    {"run.tiny_ns", kEverywhere, T::number, "ns", "their time", [](const Scene& s) -> RuleValue { return s.facts->tiny_ns; }},
    {"run.tiny_share_ratio", kEverywhere, T::number, "ratio", "their share", [](const Scene& s) { return share(s, s.facts->tiny_ns); }},
    {"run.overhead_count", kEverywhere, T::number, "count", "ops bound by dispatch", [](const Scene& s) -> RuleValue { return s.facts->overhead_count; }},
    {"run.overhead_share_ratio", kEverywhere, T::number, "ratio", "share of ops bound by dispatch", [](const Scene& s) { return share(s, s.facts->overhead_ns); }},
    {"run.layout_count", kEverywhere, T::number, "count", "layout conversions", [](const Scene& s) -> RuleValue { return s.facts->layout_count; }},
    {"run.layout_ns", kEverywhere, T::number, "ns", "time of layout conversions", [](const Scene& s) -> RuleValue { return s.facts->layout_ns; }},
    {"run.layout_share_ratio", kEverywhere, T::number, "ratio", "share of layout conversions", [](const Scene& s) { return share(s, s.facts->layout_ns); }},
    {"run.cast_count", kEverywhere, T::number, "count", "type conversions", [](const Scene& s) -> RuleValue { return s.facts->cast_count; }},
    {"run.cast_ns", kEverywhere, T::number, "ns", "time of type conversions", [](const Scene& s) -> RuleValue { return s.facts->cast_ns; }},
    {"run.cast_share_ratio", kEverywhere, T::number, "ratio", "share of type conversions", [](const Scene& s) { return share(s, s.facts->cast_ns); }},
    {"run.copy_count", kEverywhere, T::number, "count", "copies", [](const Scene& s) -> RuleValue { return s.facts->copy_count; }},
    {"run.copy_ns", kEverywhere, T::number, "ns", "time of copies", [](const Scene& s) -> RuleValue { return s.facts->copy_ns; }},
    {"run.copy_share_ratio", kEverywhere, T::number, "ratio", "share of copies", [](const Scene& s) { return share(s, s.facts->copy_ns); }},
    {"run.quantise_count", kEverywhere, T::number, "count", "quantisation steps", [](const Scene& s) -> RuleValue { return s.facts->quantise_count; }},
    {"run.quantise_ns", kEverywhere, T::number, "ns", "time of quantisation steps", [](const Scene& s) -> RuleValue { return s.facts->quantise_ns; }},
    {"run.quantise_share_ratio", kEverywhere, T::number, "ratio", "share of quantisation steps", [](const Scene& s) { return share(s, s.facts->quantise_ns); }},
    {"run.constant_count", kEverywhere, T::number, "count", "ops that depend on no input", [](const Scene& s) -> RuleValue { return s.facts->constant_count; }},
    {"run.constant_ns", kEverywhere, T::number, "ns", "their time", [](const Scene& s) -> RuleValue { return s.facts->constant_ns; }},
    {"run.data_ns", kEverywhere, T::number, "ns", "time of loading data", [](const Scene& s) -> RuleValue { return s.facts->data_ns; }},
    {"run.data_share_ratio", kEverywhere, T::number, "ratio", "share of loading data", [](const Scene& s) { return share(s, s.facts->data_ns); }},
    {"run.optimizer_ns", kEverywhere, T::number, "ns", "time of the optimizer", [](const Scene& s) -> RuleValue { return s.facts->optimizer_ns; }},
    {"run.optimizer_share_ratio", kEverywhere, T::number, "ratio", "share of the optimizer", [](const Scene& s) { return share(s, s.facts->optimizer_ns); }},
    {"run.unknown_cost_count", kEverywhere, T::number, "count", "ops of unknown cost", [](const Scene& s) -> RuleValue { return double(s.input->summary.unknown_cost_count); }},
    {"run.unknown_cost_share_ratio", kEverywhere, T::number, "ratio", "share of ops of unknown cost", [](const Scene& s) { return share(s, s.facts->unknown_cost_ns); }},
    {"run.compute_bound_ns", kEverywhere, T::number, "ns", "time of ops bound by arithmetic", [](const Scene& s) -> RuleValue { return s.facts->compute_bound_ns; }},
    {"run.compute_bound_share_ratio", kEverywhere, T::number, "ratio", "share of ops bound by arithmetic", [](const Scene& s) { return share(s, s.facts->compute_bound_ns); }},
    {"run.memory_bound_share_ratio", kEverywhere, T::number, "ratio", "share of ops bound by memory", [](const Scene& s) { return share(s, s.facts->memory_bound_ns); }},
    {"run.weight_bound_ns", kEverywhere, T::number, "ns", "time of ops that wait for weights", [](const Scene& s) -> RuleValue { return s.facts->weight_bound_ns; }},
    {"run.weight_bound_share_ratio", kEverywhere, T::number, "ratio", "share of ops that wait for weights", [](const Scene& s) { return share(s, s.facts->weight_bound_ns); }},
    {"run.top_share_ratio", kEverywhere, T::number, "ratio", "share of the longest op", [](const Scene& s) { return value_of(s.facts->top_share); }},
    {"run.top_name", kEverywhere, T::text, "text", "the longest op", [](const Scene& s) -> RuleValue { return s.facts->top_name.empty() ? RuleValue() : RuleValue(std::string_view(s.facts->top_name)); }},
    {"run.parallelism", kEverywhere, T::number, "factor", "time of all ops over the critical path", [](const Scene& s) { return value_of(s.facts->parallelism); }},
    {"run.launches", kEverywhere, T::number, "count", "kernel launches per iteration", [](const Scene& s) { return value_of(s.facts->launches); }},
    {"run.kernel_ns", kEverywhere, T::number, "ns", "time of kernels", [](const Scene& s) { return value_of(s.facts->kernel_ns); }},
    {"run.mean_kernel_ns", kEverywhere, T::number, "ns", "mean kernel", [](const Scene& s) { return value_of(s.facts->mean_kernel_ns); }},
    {"run.device_idle_ratio", kEverywhere, T::number, "ratio", "device idle", [](const Scene& s) { return value_of(s.facts->device_idle_ratio); }},
    {"run.device_window_ns", kEverywhere, T::number, "ns", "window of the timeline", [](const Scene& s) { return value_of(s.facts->device_window_ns); }},
    {"run.transfer_ns", kEverywhere, T::number, "ns", "time of transfers", [](const Scene& s) { return value_of(s.facts->transfer_ns); }},
    {"run.transfer_share_ratio", kEverywhere, T::number, "ratio", "share of transfers", [](const Scene& s) -> RuleValue {
       if (!s.facts->transfer_ns || !s.facts->device_window_ns) return {};
       return part_of(*s.facts->transfer_ns, *s.facts->device_window_ns); }},
    {"run.memory_growth_bytes", kEverywhere, T::number, "bytes", "growth of memory", [](const Scene& s) { return value_of(s.facts->memory_growth_bytes); }},
    {"run.memory_growth_ratio", kEverywhere, T::number, "ratio", "growth of memory", [](const Scene& s) { return value_of(s.facts->memory_growth_ratio); }},
    {"run.memory_peak_bytes", kEverywhere, T::number, "bytes", "peak of the process", [](const Scene& s) { return value_of(run_of(s).memory.host_peak_bytes); }},
    {"run.memory_used_ratio", kEverywhere, T::number, "ratio", "peak over the machine's memory", [](const Scene& s) { return value_of(s.facts->memory_used_ratio); }},
    {"host.cpu_model", kEverywhere, T::text, "text", "processor", [](const Scene& s) -> RuleValue { return std::string_view(run_of(s).host.cpu_model); }},
    {"host.simd_level", kEverywhere, T::text, "text", "vector level", [](const Scene& s) { return value_of(run_of(s).host.simd_level); }},
    {"host.governor", kEverywhere, T::text, "text", "frequency governor", [](const Scene& s) { return value_of(run_of(s).host.governor); }},
    {"host.cores_physical", kEverywhere, T::number, "count", "physical cores", [](const Scene& s) { return value_of(run_of(s).host.cores_physical); }},
    {"host.cores_logical", kEverywhere, T::number, "count", "logical cores", [](const Scene& s) -> RuleValue { return double(run_of(s).host.cores_logical); }},
    {"host.cores_used", kEverywhere, T::number, "count", "cores that may be used", [](const Scene& s) { return value_of(s.facts->cores_used); }},
    {"host.memory_bytes", kEverywhere, T::number, "bytes", "memory of the machine", [](const Scene& s) { return value_of(run_of(s).host.memory_bytes); }},
    {"host.virtualised", kEverywhere, T::boolean, "none", "virtual machine", [](const Scene& s) -> RuleValue {
       const auto flag = run_of(s).host.virtualised;
       return flag ? RuleValue(*flag) : RuleValue(); }},
    {"host.gpus", kEverywhere, T::number, "count", "GPUs", [](const Scene& s) -> RuleValue { return double(run_of(s).host.gpus.size()); }},
    {"host.gpu_model", kEverywhere, T::text, "text", "GPU", [](const Scene& s) -> RuleValue {
       return run_of(s).host.gpus.empty() ? RuleValue() : RuleValue(std::string_view(run_of(s).host.gpus[0].model)); }},
};
// clang-format on

}  // namespace

std::span<const Variable> run_variables() {
  return kTable;
}

}  // namespace neurolens::analyze
