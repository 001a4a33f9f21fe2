/// \file
/// What rules can see: facts about the whole Run, computed once, and about each op.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "neurolens/analyze/insights.hpp"
#include "neurolens/analyze/roofline.hpp"

namespace neurolens::analyze {

using Maybe = std::optional<double>;

/// Facts about one op that need its neighbours or its kernels. Index: OpId.
struct OpFacts {
  Maybe compute_ns;  ///< Ideal time of its arithmetic alone.
  Maybe ideal_ns;
  Maybe intensity;
  Maybe flops_per_second;
  Maybe bytes_per_second;
  std::uint32_t chain_length = 0;  ///< Element-wise ops behind it that read nothing else of weight.
  double chain_ns = 0;             ///< Their time.
  std::string chain_text;          ///< "Conv > Mul > Add".
  bool undoes_producer = false;    ///< A conversion that turns back what its only input did.
  std::string producer_name;       ///< Of the first producer; empty: none.
  std::string duplicate_of;        ///< Earlier op with equal type, attributes and inputs.
  bool constant = false;           ///< Reads nothing that depends on the input.
  Maybe kernel_ns;
  Maybe launches;
  Maybe blocks;  ///< Of the kernel that takes longest.
  Maybe occupancy, warp_efficiency, l2_hit, dram_share;
};

/// Facts about the Run as a whole.
struct RunFacts {
  Maybe time_ns, p95_ns, min_ns, spread_ratio, tail_ratio;
  Maybe first_ratio, first_ns, warmup_share, drift_ratio;
  double iterations = 0;
  Maybe disturbed_ratio, steal_ratio, switches, faults, cpu_threads, frequency_hz;
  double ops = 0, tiny_count = 0, tiny_ns = 0;
  double layout_ns = 0, layout_count = 0, cast_ns = 0, cast_count = 0, copy_ns = 0, copy_count = 0;
  double quantise_ns = 0, quantise_count = 0, overhead_ns = 0, overhead_count = 0;
  double data_ns = 0, optimizer_ns = 0, unknown_cost_ns = 0, constant_ns = 0, constant_count = 0;
  double compute_bound_ns = 0, weight_bound_ns = 0, memory_bound_ns = 0;
  Maybe top_share;
  std::string top_name;
  Maybe between_ops_ns;
  Maybe device_idle_ratio, device_window_ns, transfer_ns, kernel_ns, launches, mean_kernel_ns;
  Maybe parallelism;
  Maybe memory_growth_bytes, memory_growth_ratio, memory_used_ratio;
  Maybe cores_used;
};

/// One look of one rule. Pointers may be null where the scope has nothing of the kind.
struct Scene {
  const InsightInput* input = nullptr;
  const RunFacts* facts = nullptr;
  const OpSummary* op = nullptr;
  const OpFacts* op_facts = nullptr;
  const OpChange* change = nullptr;
};

/// Everything that is computed once per Run.
struct Surroundings {
  RunFacts run;
  std::vector<OpFacts> ops;
};
[[nodiscard]] Surroundings survey(const InsightInput& input);

/// Parts of survey().
void survey_graph(const InsightInput& input, Surroundings& out);
void survey_iterations(const run::Run& run, RunFacts& out);
void survey_timeline(const run::Run& run, RunFacts& out);

}  // namespace neurolens::analyze
