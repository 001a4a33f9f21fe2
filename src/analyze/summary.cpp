#include "neurolens/analyze/summary.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "neurolens/analyze/roofline.hpp"
#include "neurolens/run/work.hpp"

namespace neurolens::analyze {
namespace {

/// Durations of settled, undisturbed iterations of one kind.
std::vector<std::int64_t> settled(const run::Iterations& iterations, bool observed) {
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < iterations.duration_ns.size(); ++i) {
    if ((iterations.observed[i] != 0) != observed) continue;
    if (iterations.warmup[i] != 0 || iterations.disturbed[i] != 0) continue;
    kept.push_back(iterations.duration_ns[i]);
  }
  return kept;
}

IterationSummary summarise_iterations(const std::vector<std::int64_t>& durations) {
  IterationSummary s;
  s.count = durations.size();
  s.p50_ns = median(durations);
  s.p95_ns = quantile(durations, 0.95);
  s.min_ns = quantile(durations, 0);
  s.interval = median_interval(durations);
  return s;
}

/// Which rows of an op's column are settled: one flag per observed iteration.
std::vector<bool> usable_observations(const run::Iterations& iterations) {
  std::vector<bool> usable;
  for (std::size_t i = 0; i < iterations.observed.size(); ++i) {
    if (iterations.observed[i] == 0) continue;
    usable.push_back(iterations.warmup[i] == 0 && iterations.disturbed[i] == 0);
  }
  return usable;
}

void usable_samples(const run::Column& column, const std::vector<bool>& usable,
                    std::vector<std::int64_t>& kept) {
  kept.clear();
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (usable[i] && column[i] != run::kMissing) kept.push_back(column[i]);
  }
}

std::optional<std::int64_t> add(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::optional(*a + *b) : std::nullopt;
}

OpSummary summarise_op(const run::Run& run, std::size_t index, const std::vector<bool>& usable) {
  const run::Op& op = run.ops[index];
  OpSummary s;
  s.op = run::OpId(index);
  s.name = op.name;
  s.type = op.type;
  s.flops = run::flops_of(op.cost);
  s.bytes = run::bytes_of(op.cost);
  const bool told = op.estimate && op.estimate->raw_time_ns;
  if (index < run.samples.op_duration_ns.size() && !told) {
    thread_local std::vector<std::int64_t> samples;
    usable_samples(run.samples.op_duration_ns[index], usable, samples);
    s.raw_time_ns = median(samples);
    s.time_ns = s.raw_time_ns.value_or(0);
    if (!op.estimate) s.interval = median_interval(samples);
    if (s.raw_time_ns) s.method = "observed";  // empty: nothing was collected
  }
  if (op.estimate) {
    const run::Estimate& e = *op.estimate;
    s.time_ns = static_cast<double>(e.time_ns);
    s.method = e.method;
    if (e.low_ns && e.high_ns)
      s.interval = {static_cast<double>(*e.low_ns), static_cast<double>(*e.high_ns)};
    if (e.raw_time_ns) s.raw_time_ns = static_cast<double>(*e.raw_time_ns);
  }
  return s;
}

std::vector<TypeSummary> group_by_type(const std::vector<OpSummary>& ops) {
  std::map<std::string, TypeSummary> groups;
  for (const auto& op : ops) {
    auto [entry, added] = groups.try_emplace(op.type);
    TypeSummary& group = entry->second;
    if (added) {
      group.type = op.type;
      group.flops = group.bytes = 0;
    }
    ++group.count;
    group.time_ns += op.time_ns;
    group.share_ratio += op.share_ratio;
    group.flops = add(group.flops, op.flops);
    group.bytes = add(group.bytes, op.bytes);
  }
  std::vector<TypeSummary> types;
  for (auto& [name, group] : groups) types.push_back(std::move(group));
  std::stable_sort(types.begin(), types.end(),
                   [](const auto& a, const auto& b) { return a.time_ns > b.time_ns; });
  return types;
}

/// By time, largest first; ties in plan order. Sorts places instead of the large summaries.
std::vector<OpSummary> longest_first(std::vector<OpSummary> ops) {
  std::vector<std::uint32_t> places(ops.size());
  std::iota(places.begin(), places.end(), 0u);
  std::sort(places.begin(), places.end(), [&](std::uint32_t x, std::uint32_t y) {
    return ops[x].time_ns != ops[y].time_ns ? ops[x].time_ns > ops[y].time_ns : x < y;
  });
  std::vector<OpSummary> sorted;
  sorted.reserve(ops.size());
  for (const auto place : places) sorted.push_back(std::move(ops[place]));
  return sorted;
}

/// Places every op under the machine's roof. Requires shares and iterations to be filled in.
void apply_roofline(const run::Run& run, Summary& summary) {
  const Roofline roof(run);
  double ideal_ns = 0;
  for (auto& op : summary.ops) {
    if (!op.flops || !op.bytes) ++summary.unknown_cost_count;
    const auto point = roof.point(run.ops[op.op.index()], op.time_ns);
    if (!point) continue;
    op.bound = point->bound;
    op.roof_ratio = point->roof_ratio;
    ideal_ns += point->ideal_ns;
  }
  if (roof.usable() && ideal_ns > 0 && summary.unobserved.p50_ns)
    summary.roof_ratio = ideal_ns / *summary.unobserved.p50_ns;
}

}  // namespace

Result<Summary> summarise(const run::Run& run) {
  const run::Iterations& iterations = run.samples.iterations;
  Summary s;
  s.unobserved = summarise_iterations(settled(iterations, false));
  s.observed = summarise_iterations(settled(iterations, true));
  s.warmup_count =
      static_cast<std::size_t>(std::count(iterations.warmup.begin(), iterations.warmup.end(), 1));
  s.disturbed_count = static_cast<std::size_t>(
      std::count(iterations.disturbed.begin(), iterations.disturbed.end(), 1));

  const auto usable = usable_observations(iterations);
  s.ops.reserve(run.ops.size());
  for (std::size_t i = 0; i < run.ops.size(); ++i) s.ops.push_back(summarise_op(run, i, usable));
  s.total_ns = std::accumulate(s.ops.begin(), s.ops.end(), 0.0,
                               [](double sum, const auto& op) { return sum + op.time_ns; });
  if (s.unobserved.count == 0 && s.observed.count == 0 && s.total_ns == 0) {
    return Error{Errc::too_few_samples,
                 "The Run holds no settled iteration and no time of any op; measure longer.", ""};
  }
  for (auto& op : s.ops) op.share_ratio = s.total_ns > 0 ? op.time_ns / s.total_ns : 0;
  s.ops = longest_first(std::move(s.ops));
  s.types = group_by_type(s.ops);

  if (s.unobserved.p50_ns && s.observed.p50_ns && *s.unobserved.p50_ns > 0) {
    s.observed_ratio = *s.observed.p50_ns / *s.unobserved.p50_ns;
  }
  if (s.unobserved.p50_ns && *s.unobserved.p50_ns > 0) {
    s.throughput_per_second =
        static_cast<double>(run.workload.batch_size.value_or(1)) * 1e9 / *s.unobserved.p50_ns;
  }
  apply_roofline(run, s);
  s.flops = s.ops.empty() ? std::nullopt : std::optional<std::int64_t>(0);
  for (const auto& op : s.ops) s.flops = add(s.flops, op.flops);
  return s;
}

}  // namespace neurolens::analyze
