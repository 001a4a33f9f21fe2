// The comparison with a baseline, and the waterfall from one total to the other.
#include <cmath>
#include <limits>

#include "neurolens/report/render.hpp"
#include "sections.hpp"

namespace neurolens::report {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Steps of the waterfall that are shown one by one.
constexpr std::size_t kSteps = 12;

void write_side(json::Writer& w, std::string_view key, const run::Run& run,
                const std::string& path) {
  w.key(key).begin_object().key("path");
  path.empty() ? w.null() : w.value(path);
  w.member("run_id", run.run_id).member("created_at", run.created_at);
  w.member("subject", describe_workload(run)).end_object();
}

void write_ids(json::Writer& w, const std::vector<run::OpId>& ops) {
  std::vector<std::int64_t> ids;
  for (const auto op : ops) ids.push_back(op.value);
  w.numbers(ids);
}

void write_step(json::Writer& w, std::string_view label, std::string_view kind,
                std::optional<std::int64_t> row, double delta_ns) {
  w.begin_object().member("label", label).member("kind", kind).member("row", row);
  w.member("delta_ns", rounded(delta_ns)).end_object();
}

/// Groups come ranked by the time that they moved, so the first ones are the largest steps.
void write_waterfall(json::Writer& w, const analyze::Comparison& c) {
  w.key("waterfall").begin_array();
  if (c.total.baseline && c.total.candidate) {
    double explained = 0;
    double rest = 0;
    for (std::size_t i = 0; i < c.ops.size(); ++i) {
      const double delta = analyze::lost_ns(c.ops[i]).value_or(0);
      explained += delta;
      if (i < kSteps && delta != 0) {
        write_step(w, c.ops[i].name, analyze::to_string(c.ops[i].group.kind),
                   static_cast<std::int64_t>(i), delta);
      } else {
        rest += delta;
      }
    }
    if (rest != 0) write_step(w, "everything else", "rest", {}, rest);
    const double left = *c.total.candidate - *c.total.baseline - explained;
    write_step(w, "not explained by ops", "unattributed", {}, left);
  }
  w.end_array();
}

void write_groups(json::Writer& w, const analyze::Comparison& c) {
  Coded type, kind, verdict;
  std::vector<double> before, after, ratio, low, high, flops, bytes;
  for (const auto& op : c.ops) {
    const bool both = !op.group.baseline.empty() && !op.group.candidate.empty();
    const bool judged = both && op.time.judged.blocks > 0;
    type.add(op.type);
    kind.add(analyze::to_string(op.group.kind));
    verdict.add(judged ? std::optional(analyze::to_string(op.time.judged.verdict)) : std::nullopt);
    before.push_back(op.time.baseline.value_or(kNone));
    after.push_back(op.time.candidate.value_or(kNone));
    ratio.push_back(judged ? op.time.judged.ratio : kNone);
    low.push_back(op.time.judged.ratio_low.value_or(kNone));
    high.push_back(op.time.judged.ratio_high.value_or(kNone));
    flops.push_back(op.flops_ratio.value_or(kNone));
    bytes.push_back(op.bytes_ratio.value_or(kNone));
  }
  w.key("ops").begin_object().member("count", static_cast<std::uint64_t>(c.ops.size()));
  w.key("name").begin_array();
  for (const auto& op : c.ops) w.value(op.name);
  w.end_array();
  type.write(w, "type");
  kind.write(w, "kind");
  w.key("baseline_ops").begin_array();
  for (const auto& op : c.ops) write_ids(w, op.group.baseline);
  w.end_array().key("candidate_ops").begin_array();
  for (const auto& op : c.ops) write_ids(w, op.group.candidate);
  w.end_array();
  write_numbers(w, "baseline_ns", before);
  write_numbers(w, "candidate_ns", after);
  write_numbers(w, "ratio", ratio);
  write_numbers(w, "ratio_low", low);
  write_numbers(w, "ratio_high", high);
  verdict.write(w, "verdict");
  w.key("discovered").begin_array();
  for (const auto& op : c.ops) w.value(op.discovered);
  w.end_array();
  write_numbers(w, "flops_ratio", flops);
  write_numbers(w, "bytes_ratio", bytes);
  w.end_object();
}

}  // namespace

void write_comparison(json::Writer& w, const Findings& findings) {
  w.key("comparison");
  if (!findings.comparison) {
    w.null();
    return;
  }
  const analyze::Comparison& c = *findings.comparison;
  w.begin_object();
  write_side(w, "baseline", *findings.baseline, findings.baseline_path);
  write_side(w, "candidate", *findings.run, findings.run_path);
  w.key("total");
  write_verdict(w, c.total.judged);
  w.member("baseline_ns", rounded(c.total.baseline))
      .member("candidate_ns", rounded(c.total.candidate));
  w.member("baseline_p95_ns", rounded(c.tail.baseline));
  w.member("candidate_p95_ns", rounded(c.tail.candidate));
  w.member("memory_ratio", rounded(c.memory_ratio)).member("flops_ratio", rounded(c.flops_ratio));
  w.member("bytes_ratio", rounded(c.bytes_ratio)).member("margin_ratio", c.margin);
  w.member("interleaved", false).member("method", c.alignment.method);
  w.member("baseline_covered_ratio", rounded(c.baseline_covered_ratio));
  w.member("candidate_covered_ratio", rounded(c.candidate_covered_ratio));
  write_groups(w, c);
  write_waterfall(w, c);
  w.key("differences").begin_array();
  for (const auto& d : c.differences) {
    w.begin_object().member("field", d.field).member("baseline", d.baseline);
    w.member("candidate", d.candidate).member("blocking", d.blocking).end_object();
  }
  w.end_array().key("notes").begin_array();
  for (const auto& note : c.notes) w.value(note);
  w.end_array().end_object();
}

}  // namespace neurolens::report
