#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/report/render.hpp"

namespace neurolens::report {
namespace {

void write_iterations(json::Writer& w, std::string_view name, const analyze::IterationSummary& s) {
  w.key(name).begin_object();
  w.member("count", static_cast<std::uint64_t>(s.count));
  w.member("p50_ns", s.p50_ns).member("p95_ns", s.p95_ns).member("min_ns", s.min_ns);
  w.member("p50_low_ns", s.interval ? std::optional(s.interval->low) : std::nullopt);
  w.member("p50_high_ns", s.interval ? std::optional(s.interval->high) : std::nullopt);
  w.end_object();
}

void write_op(json::Writer& w, const run::Run& run, const analyze::OpSummary& op) {
  w.begin_object();
  w.member("index", static_cast<std::uint64_t>(op.op.value))
      .member("name", op.name)
      .member("type", op.type);
  w.member("time_ns", op.time_ns)
      .member("share_ratio", op.share_ratio)
      .member("raw_time_ns", op.raw_time_ns);
  w.member("low_ns", op.interval ? std::optional(op.interval->low) : std::nullopt);
  w.member("high_ns", op.interval ? std::optional(op.interval->high) : std::nullopt);
  w.member("method", op.method).member("flops", op.flops).member("bytes", op.bytes);
  w.member("bound", op.bound).member("roof_ratio", op.roof_ratio);
  w.key("original_nodes").begin_array();
  for (const auto& node : run.ops[op.op.index()].original_nodes) w.value(node.name);
  w.end_array().end_object();
}

void write_type(json::Writer& w, const analyze::TypeSummary& type) {
  w.begin_object()
      .member("type", type.type)
      .member("count", static_cast<std::uint64_t>(type.count));
  w.member("time_ns", type.time_ns).member("share_ratio", type.share_ratio);
  w.member("flops", type.flops).member("bytes", type.bytes).end_object();
}

}  // namespace

std::string summary_json(const run::Run& run, const analyze::Summary& summary,
                         std::optional<std::size_t> top, GroupBy by) {
  json::Writer w({2});
  w.begin_object();
  w.member("run_id", run.run_id).member("workload", run.workload.name).member("status", run.status);
  w.member("total_ns", summary.total_ns);
  w.member("unobserved_p50_ns", summary.unobserved.p50_ns)
      .member("observed_p50_ns", summary.observed.p50_ns);
  w.member("observed_ratio", summary.observed_ratio);
  w.member("throughput_per_second", summary.throughput_per_second);
  w.member("flops", summary.flops).member("roof_ratio", summary.roof_ratio);
  w.member("unknown_cost_count", static_cast<std::uint64_t>(summary.unknown_cost_count));
  write_iterations(w, "unobserved", summary.unobserved);
  write_iterations(w, "observed", summary.observed);
  w.member("warmup_count", static_cast<std::uint64_t>(summary.warmup_count));
  w.member("disturbed_count", static_cast<std::uint64_t>(summary.disturbed_count));
  const auto limit = [&](std::size_t size) { return std::min(size, top.value_or(size)); };
  if (by == GroupBy::op) {
    w.key("ops").begin_array();
    for (std::size_t i = 0; i < limit(summary.ops.size()); ++i) write_op(w, run, summary.ops[i]);
  } else {
    w.key("types").begin_array();
    for (std::size_t i = 0; i < limit(summary.types.size()); ++i) write_type(w, summary.types[i]);
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::report
