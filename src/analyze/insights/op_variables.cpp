// op.* and features.*: one op of the plan. In scope delta a single candidate op stands behind them
// only when the group has exactly one.
#include "variables.hpp"

namespace neurolens::analyze {
namespace {

const run::Op& row(const Scene& s) {
  return s.input->run.ops[s.op->op.index()];
}

std::optional<std::string> dtype_of(const std::vector<run::Tensor>& tensors) {
  for (const auto& tensor : tensors) {
    if (tensor.dtype) return tensor.dtype;
  }
  return {};
}

RuleValue first_dtype(const std::vector<run::Tensor>& tensors) {
  for (const auto& tensor : tensors) {
    if (tensor.dtype) return std::string_view(*tensor.dtype);
  }
  return {};
}

RuleValue interval_ratio(const Scene& s) {
  if (!s.op->interval || !(s.op->time_ns > 0)) return {};
  return (s.op->interval->high - s.op->interval->low) / s.op->time_ns;
}

RuleValue waves(const Scene& s) {
  const auto& gpus = s.input->run.host.gpus;
  if (gpus.empty() || !gpus[0].multiprocessors || !s.op_facts->blocks) return {};
  return part_of(*s.op_facts->blocks, static_cast<double>(*gpus[0].multiprocessors));
}

using T = RuleType;

// One row a name; see Variable.
// clang-format off
const Variable kTable[] = {
    {"op.name", kInOp, T::text, "text", "op", [](const Scene& s) -> RuleValue { return std::string_view(s.op->name); }},
    {"op.type", kInOp, T::text, "text", "type", [](const Scene& s) -> RuleValue { return std::string_view(s.op->type); }},
    {"op.phase", kInOp, T::text, "text", "phase", [](const Scene& s) -> RuleValue { return std::string_view(row(s).phase); }},
    {"op.provider", kInOp, T::text, "text", "provider", [](const Scene& s) { return value_of(row(s).provider); }},
    {"op.method", kInOp, T::text, "text", "how its time was found", [](const Scene& s) -> RuleValue { return std::string_view(s.op->method); }},
    {"op.bound", kInOp, T::text, "text", "what limits it", [](const Scene& s) { return value_of(s.op->bound); }},
    {"op.memory_bound", kInOp, T::boolean, "none", "limited by memory", [](const Scene& s) -> RuleValue {
       if (!s.op->bound) return {};
       return *s.op->bound == "DRAM" || s.op->bound->starts_with("L"); }},
    {"op.input_dtype", kInOp, T::text, "text", "type of its first input", [](const Scene& s) { return first_dtype(row(s).inputs); }},
    {"op.output_dtype", kInOp, T::text, "text", "type of its first output", [](const Scene& s) { return first_dtype(row(s).outputs); }},
    {"op.changes_dtype", kInOp, T::boolean, "none", "output type differs from input type", [](const Scene& s) -> RuleValue {
       const auto in = dtype_of(row(s).inputs);
       const auto out = dtype_of(row(s).outputs);
       if (!in || !out) return {};
       return *in != *out; }},
    {"op.time_ns", kInOp, T::number, "ns", "time", [](const Scene& s) -> RuleValue { return s.op->time_ns; }},
    {"op.raw_ns", kInOp, T::number, "ns", "time by the backend's profiler", [](const Scene& s) { return value_of(s.op->raw_time_ns); }},
    {"op.interval_ratio", kInOp, T::number, "ratio", "width of its interval", interval_ratio},
    {"op.share_ratio", kInOp, T::number, "ratio", "share of op time", [](const Scene& s) -> RuleValue { return s.op->share_ratio; }},
    {"op.flops", kInOp, T::number, "count", "floating-point operations", [](const Scene& s) { return value_of(s.op->flops); }},
    {"op.bytes", kInOp, T::number, "bytes", "minimum traffic", [](const Scene& s) { return value_of(s.op->bytes); }},
    {"op.activation_bytes", kInOp, T::number, "bytes", "minimum traffic of activations", [](const Scene& s) { return value_of(row(s).cost.activation_bytes); }},
    {"op.weight_bytes", kInOp, T::number, "bytes", "minimum traffic of weights", [](const Scene& s) { return value_of(row(s).cost.weight_bytes); }},
    {"op.memory_bytes", kInOp, T::number, "bytes", "memory of its outputs", [](const Scene& s) { return value_of(row(s).memory_bytes); }},
    {"op.intensity", kInOp, T::number, "flops_per_byte", "arithmetic intensity", [](const Scene& s) { return value_of(s.op_facts->intensity); }},
    {"op.ideal_ns", kInOp, T::number, "ns", "time at its roof", [](const Scene& s) { return value_of(s.op_facts->ideal_ns); }},
    {"op.compute_ns", kInOp, T::number, "ns", "time of its arithmetic at the roof", [](const Scene& s) { return value_of(s.op_facts->compute_ns); }},
    {"op.roof_ratio", kInOp, T::number, "ratio", "share of its roof", [](const Scene& s) { return value_of(s.op->roof_ratio); }},
    {"op.flops_per_second", kInOp, T::number, "flops_per_second", "arithmetic rate", [](const Scene& s) { return value_of(s.op_facts->flops_per_second); }},
    {"op.bytes_per_second", kInOp, T::number, "bytes_per_second", "memory rate", [](const Scene& s) { return value_of(s.op_facts->bytes_per_second); }},
    {"op.executions", kInOp, T::number, "count", "executions per iteration", [](const Scene& s) { return value_of(row(s).executions_per_iteration); }},
    {"op.chain_length", kInOp, T::number, "count", "element-wise ops that follow it alone", [](const Scene& s) -> RuleValue { return double(s.op_facts->chain_length); }},
    {"op.chain_ns", kInOp, T::number, "ns", "their time", [](const Scene& s) -> RuleValue { return s.op_facts->chain_ns; }},
    {"op.chain", kInOp, T::text, "text", "chain", [](const Scene& s) -> RuleValue { return std::string_view(s.op_facts->chain_text); }},
    {"op.undoes_producer", kInOp, T::boolean, "none", "turns back what its producer did", [](const Scene& s) -> RuleValue { return s.op_facts->undoes_producer; }},
    {"op.producer", kInOp, T::text, "text", "its producer", [](const Scene& s) -> RuleValue { return s.op_facts->producer_name.empty() ? RuleValue() : RuleValue(std::string_view(s.op_facts->producer_name)); }},
    {"op.duplicate_of", kInOp, T::text, "text", "equal op before it", [](const Scene& s) -> RuleValue { return s.op_facts->duplicate_of.empty() ? RuleValue() : RuleValue(std::string_view(s.op_facts->duplicate_of)); }},
    {"op.constant", kInOp, T::boolean, "none", "depends on no input", [](const Scene& s) -> RuleValue { return s.op_facts->constant; }},
    {"op.kernel_ns", kInOp, T::number, "ns", "time of its kernels", [](const Scene& s) { return value_of(s.op_facts->kernel_ns); }},
    {"op.launches", kInOp, T::number, "count", "kernel launches per iteration", [](const Scene& s) { return value_of(s.op_facts->launches); }},
    {"op.blocks", kInOp, T::number, "count", "thread blocks of its longest kernel", [](const Scene& s) { return value_of(s.op_facts->blocks); }},
    {"op.waves", kInOp, T::number, "factor", "thread blocks per multiprocessor", waves},
    {"features.occupancy_ratio", kInOp, T::number, "ratio", "occupancy", [](const Scene& s) { return value_of(s.op_facts->occupancy); }},
    {"features.warp_efficiency_ratio", kInOp, T::number, "ratio", "active lanes of a warp", [](const Scene& s) { return value_of(s.op_facts->warp_efficiency); }},
    {"features.l2_hit_ratio", kInOp, T::number, "ratio", "hits in L2", [](const Scene& s) { return value_of(s.op_facts->l2_hit); }},
    {"features.dram_share_ratio", kInOp, T::number, "ratio", "share of DRAM bandwidth", [](const Scene& s) { return value_of(s.op_facts->dram_share); }},
};
// clang-format on

}  // namespace

std::span<const Variable> op_variables() {
  return kTable;
}

}  // namespace neurolens::analyze
