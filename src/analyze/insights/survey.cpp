#include <algorithm>
#include <array>
#include <string_view>

#include "scene.hpp"

namespace neurolens::analyze {
namespace {

/// Ops shorter than this are dispatch rather than work.
constexpr double kTinyNs = 10'000;

template <std::size_t N>
bool is_one_of(std::string_view type, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), type) != words.end();
}

bool is_layout(std::string_view type) {
  static constexpr std::array<std::string_view, 5> kTypes{
      "Transpose", "ReorderInput", "ReorderOutput", "DepthToSpace", "SpaceToDepth"};
  return is_one_of(type, kTypes) || type.starts_with("Reorder") || type.starts_with("Reformat");
}

bool is_cast(std::string_view type) {
  return type == "Cast" || type == "CastLike" || type == "to";
}

bool is_quantise(std::string_view type) {
  static constexpr std::array<std::string_view, 3> kTypes{"QuantizeLinear", "DequantizeLinear",
                                                          "DynamicQuantizeLinear"};
  return is_one_of(type, kTypes);
}

bool is_copy(std::string_view type) {
  static constexpr std::array<std::string_view, 14> kTypes{
      "Concat",  "Slice",     "Split",   "Pad",      "Expand",       "Tile",           "Reshape",
      "Squeeze", "Unsqueeze", "Flatten", "Identity", "MemcpyToHost", "MemcpyFromHost", "Copy"};
  return is_one_of(type, kTypes);
}

Maybe counter(const run::Op& op, const char* name) {
  double sum = 0;
  double weight = 0;
  for (const auto& kernel : op.kernels) {
    const auto found = kernel.counters.find(name);
    if (found == kernel.counters.end() || !found->second || !kernel.time_ns) return {};
    sum += *found->second * static_cast<double>(*kernel.time_ns);
    weight += static_cast<double>(*kernel.time_ns);
  }
  return weight > 0 ? Maybe(sum / weight) : Maybe();
}

void take_kernels(const run::Op& op, OpFacts& facts) {
  if (op.kernels.empty()) return;
  facts.occupancy = counter(op, "occupancy_ratio");
  facts.warp_efficiency = counter(op, "warp_efficiency_ratio");
  facts.l2_hit = counter(op, "l2_hit_ratio");
  facts.dram_share = counter(op, "dram_share_ratio");
  double time = 0;
  double launches = 0;
  std::int64_t longest = -1;
  for (const auto& kernel : op.kernels) {
    time += static_cast<double>(kernel.time_ns.value_or(0));
    launches += static_cast<double>(kernel.launches.value_or(1));
    if (kernel.time_ns.value_or(0) <= longest || !kernel.grid) continue;
    longest = kernel.time_ns.value_or(0);
    double blocks = 1;
    for (const auto size : *kernel.grid) blocks *= static_cast<double>(size);
    facts.blocks = blocks;
  }
  facts.kernel_ns = time;
  facts.launches = launches;
}

void take_roof(const run::Run& run, const Roofline& roof, const OpSummary& op, OpFacts& facts) {
  const run::Op& row = run.ops[op.op.index()];
  const auto point = roof.point(row, op.time_ns);
  if (!point) {
    if (op.flops && op.bytes && *op.bytes > 0)
      facts.intensity = static_cast<double>(*op.flops) / static_cast<double>(*op.bytes);
    return;
  }
  facts.ideal_ns = point->ideal_ns;
  facts.intensity = point->intensity;
  facts.flops_per_second = point->flops_per_second;
  facts.bytes_per_second = point->bytes_per_second;
  run::Op arithmetic = {};
  arithmetic.inputs = row.inputs;
  arithmetic.cost = row.cost;
  arithmetic.cost.activation_bytes = 0;
  arithmetic.cost.weight_bytes = 0;
  if (const auto alone = roof.point(arithmetic, op.time_ns)) facts.compute_ns = alone->ideal_ns;
}

void add_op(const run::Run& run, const OpSummary& op, RunFacts& out) {
  const auto tally = [&](bool is, double& time, double& count) {
    if (!is) return;
    time += op.time_ns;
    ++count;
  };
  tally(is_layout(op.type), out.layout_ns, out.layout_count);
  tally(is_cast(op.type), out.cast_ns, out.cast_count);
  tally(is_quantise(op.type), out.quantise_ns, out.quantise_count);
  tally(is_copy(op.type), out.copy_ns, out.copy_count);
  tally(op.time_ns > 0 && op.time_ns < kTinyNs, out.tiny_ns, out.tiny_count);
  tally(op.bound == "overhead", out.overhead_ns, out.overhead_count);
  const run::Op& row = run.ops[op.op.index()];
  if (row.phase == "data") out.data_ns += op.time_ns;
  if (row.phase == "optimizer") out.optimizer_ns += op.time_ns;
  if (!op.flops || !op.bytes) out.unknown_cost_ns += op.time_ns;
  if (!op.bound) return;
  if (*op.bound == "compute") out.compute_bound_ns += op.time_ns;
  const bool memory = *op.bound == "DRAM" || op.bound->starts_with("L");
  if (memory) out.memory_bound_ns += op.time_ns;
  if (memory && row.cost.weight_bytes.value_or(0) > 4 * row.cost.activation_bytes.value_or(0))
    out.weight_bound_ns += op.time_ns;
}

void take_memory(const run::Run& run, RunFacts& out) {
  if (run.memory.host_peak_bytes && run.host.memory_bytes && *run.host.memory_bytes > 0)
    out.memory_used_ratio = static_cast<double>(*run.memory.host_peak_bytes) /
                            static_cast<double>(*run.host.memory_bytes);
  for (const auto& track : run.counters) {
    // The first quarter is where a process legitimately fills its pools.
    const std::size_t quarter = track.value.size() / 4;
    if (track.unit != "bytes" || quarter < 4) continue;
    const auto middle = [&](std::size_t begin) {
      std::vector<double> part(track.value.begin() + static_cast<std::ptrdiff_t>(begin),
                               track.value.begin() + static_cast<std::ptrdiff_t>(begin + quarter));
      std::nth_element(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(quarter / 2),
                       part.end());
      return part[quarter / 2];
    };
    const double parts[] = {middle(quarter), middle(2 * quarter),
                            middle(track.value.size() - quarter)};
    const double growth = parts[2] - parts[0];
    // A leak grows all the time; a single step is a pool that was filled late.
    const bool steady = parts[1] - parts[0] > growth / 5 && parts[2] - parts[1] > growth / 5;
    if (!(parts[0] > 0) || !steady || growth <= out.memory_growth_bytes.value_or(0)) continue;
    out.memory_growth_bytes = growth;
    out.memory_growth_ratio = growth / parts[0];
  }
}

void take_devices(const InsightInput& input, const Surroundings& all, RunFacts& out) {
  double kernel = 0;
  double launches = 0;
  for (const auto& op : all.ops) {
    kernel += op.kernel_ns.value_or(0);
    launches += op.launches.value_or(0);
  }
  if (launches > 0) {
    out.kernel_ns = kernel;
    out.launches = launches;
    out.mean_kernel_ns = kernel / launches;
  }
  const auto& used = input.run.host.cores_used;
  out.cores_used =
      static_cast<double>(used && !used->empty() ? static_cast<std::int64_t>(used->size())
                                                 : input.run.host.cores_logical);
}

}  // namespace

Surroundings survey(const InsightInput& input) {
  Surroundings all;
  all.ops.resize(input.run.ops.size());
  RunFacts& out = all.run;
  const Roofline roof(input.run);
  out.ops = static_cast<double>(input.run.ops.size());
  for (const auto& op : input.summary.ops) {
    OpFacts& facts = all.ops[op.op.index()];
    take_kernels(input.run.ops[op.op.index()], facts);
    take_roof(input.run, roof, op, facts);
    add_op(input.run, op, out);
  }
  const Summary& s = input.summary;
  const IterationSummary& truth = s.unobserved.p50_ns ? s.unobserved : s.observed;
  out.time_ns = truth.p50_ns;
  out.p95_ns = truth.p95_ns;
  out.min_ns = truth.min_ns;
  out.iterations = static_cast<double>(truth.count);
  if (truth.p50_ns && *truth.p50_ns > 0) {
    out.tail_ratio = *truth.p95_ns / *truth.p50_ns;
    if (truth.interval)
      out.spread_ratio = (truth.interval->high - truth.interval->low) / *truth.p50_ns;
    if (s.total_ns > 0) out.between_ops_ns = *truth.p50_ns - s.total_ns;
  }
  if (!s.ops.empty() && s.total_ns > 0) {
    out.top_share = s.ops.front().share_ratio;
    out.top_name = s.ops.front().name;
  }
  survey_iterations(input.run, out);
  survey_timeline(input.run, out);
  survey_graph(input, all);
  take_memory(input.run, out);
  take_devices(input, all, out);
  return all;
}

}  // namespace neurolens::analyze
