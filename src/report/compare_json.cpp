#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/report/compare.hpp"

namespace neurolens::report {
namespace {

void write_judged(json::Writer& w, const analyze::PairedVerdict& judged) {
  w.member("verdict", analyze::to_string(judged.verdict));
  w.member("ratio", judged.blocks > 0 ? std::optional(judged.ratio) : std::nullopt);
  w.member("ratio_low", judged.ratio_low).member("ratio_high", judged.ratio_high);
  w.member("p_value", judged.p_value).member("blocks", judged.blocks);
  w.member("detectable_ratio", judged.detectable_ratio);
  w.member("blocks_to_settle", judged.blocks_to_settle);
}

void write_ids(json::Writer& w, const char* key, const std::vector<run::OpId>& ops) {
  std::vector<std::int64_t> ids;
  for (const auto op : ops) ids.push_back(op.value);
  w.key(key).numbers(ids);
}

void write_op(json::Writer& w, const analyze::OpChange& op) {
  w.begin_object().member("name", op.name).member("type", op.type);
  w.member("alignment", analyze::to_string(op.group.kind));
  write_ids(w, "baseline_ops", op.group.baseline);
  write_ids(w, "candidate_ops", op.group.candidate);
  w.member("baseline_time_ns", op.time.baseline).member("candidate_time_ns", op.time.candidate);
  write_judged(w, op.time.judged);
  w.member("discovered", op.discovered);
  w.member("flops_ratio", op.flops_ratio).member("bytes_ratio", op.bytes_ratio).end_object();
}

void write_side(json::Writer& w, const char* key, const run::Run& run, const std::string& path) {
  w.key(key).begin_object();
  w.member("path", path).member("run_id", run.run_id).member("workload", run.workload.name);
  w.member("created_at", run.created_at).member("host", run.host.name);
  w.member("cpu_model", run.host.cpu_model).end_object();
}

void write_alignment(json::Writer& w, const analyze::Comparison& c) {
  std::uint64_t counts[6] = {};
  for (const auto& group : c.alignment.groups) ++counts[static_cast<std::size_t>(group.kind)];
  w.key("alignment").begin_object().member("method", c.alignment.method);
  for (std::size_t i = 0; i < 6; ++i)
    w.member(std::string(analyze::to_string(static_cast<analyze::GroupKind>(i))) + "_count",
             counts[i]);
  w.member("baseline_covered_ratio", c.baseline_covered_ratio);
  w.member("candidate_covered_ratio", c.candidate_covered_ratio).end_object();
}

}  // namespace

std::string comparison_json(const ComparisonView& view, std::optional<std::size_t> top) {
  const auto& c = view.comparison;
  json::Writer w({2});
  w.begin_object().member("interleaved", false).member("margin_ratio", c.margin);
  w.key("total").begin_object();
  write_judged(w, c.total.judged);
  w.member("baseline_p50_ns", c.total.baseline).member("candidate_p50_ns", c.total.candidate);
  w.member("baseline_p95_ns", c.tail.baseline).member("candidate_p95_ns", c.tail.candidate);
  w.member("memory_ratio", c.memory_ratio).member("flops_ratio", c.flops_ratio);
  w.member("bytes_ratio", c.bytes_ratio).end_object();
  w.key("ops").begin_array();
  const std::size_t shown = std::min(c.ops.size(), top.value_or(c.ops.size()));
  for (std::size_t i = 0; i < shown; ++i) write_op(w, c.ops[i]);
  w.end_array();
  write_alignment(w, c);
  w.key("hosts").begin_object();
  write_side(w, "baseline", view.baseline, view.baseline_path);
  write_side(w, "candidate", view.candidate, view.candidate_path);
  w.key("differences").begin_array();
  for (const auto& d : c.differences) {
    w.begin_object().member("field", d.field).member("baseline", d.baseline);
    w.member("candidate", d.candidate).member("blocking", d.blocking).end_object();
  }
  w.end_array().end_object();
  w.key("notes").begin_array();
  for (const auto& note : c.notes) w.value(note);
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::report
