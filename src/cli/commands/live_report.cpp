#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "live.hpp"
#include "neurolens/analyze/statistics.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

void write_judged(json::Writer& w, const char* key, const analyze::PairedVerdict& judged) {
  w.key(key).begin_object().member("verdict", analyze::to_string(judged.verdict));
  w.member("ratio", judged.ratio).member("ratio_low", judged.ratio_low);
  w.member("ratio_high", judged.ratio_high).member("p_value", judged.p_value);
  w.member("blocks", judged.blocks).member("detectable_ratio", judged.detectable_ratio);
  w.member("blocks_to_settle", judged.blocks_to_settle).end_object();
}

void write_ops(json::Writer& w, const std::vector<analyze::LiveOp>& ops,
               std::optional<std::size_t> top) {
  w.key("ops").begin_array();
  for (std::size_t i = 0; i < ops.size() && i < top.value_or(ops.size()); ++i) {
    const auto& op = ops[i];
    w.begin_object().member("name", op.name).member("type", op.type);
    w.member("alignment", analyze::to_string(op.group.kind));
    w.member("baseline_ns",
             op.group.baseline.empty() ? std::nullopt : std::optional(op.baseline_ns));
    w.member("candidate_ns",
             op.group.candidate.empty() ? std::nullopt : std::optional(op.candidate_ns));
    w.member("discovered", op.discovered).member("control_flagged", op.control_flagged);
    write_judged(w, "judged", op.judged);
    w.end_object();
  }
  w.end_array();
}

std::string op_table(const std::vector<analyze::LiveOp>& ops, std::size_t shown,
                     std::size_t width) {
  report::Table table;
  table.add_column("op", report::Align::left, true);
  table.add_column("type", report::Align::left);
  table.add_column("alignment", report::Align::left);
  for (const char* title : {"before", "after", "ratio"})
    table.add_column(title, report::Align::right);
  table.add_column("verdict", report::Align::left);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& op = ops[i];
    const bool both = !op.group.baseline.empty() && !op.group.candidate.empty();
    table.add_row({printable(op.name), printable(op.type),
                   std::string(analyze::to_string(op.group.kind)),
                   op.group.baseline.empty() ? "-" : report::format_time(op.baseline_ns),
                   op.group.candidate.empty() ? "-" : report::format_time(op.candidate_ns),
                   both ? report::ratio_text(op.judged) : "-",
                   both ? std::string(analyze::to_string(op.judged.verdict)) : "-"});
  }
  return table.text(width);
}

std::string setup_text(const LiveSides& sides, const LiveSetup& setup, std::int64_t blocks) {
  std::string out =
      fmt::format("{} interleaved blocks of {}; changes below {:.3g} % do not count\n", blocks,
                  setup.runner == capture::Runner::fresh ? "fresh launches"
                                                         : "resident processes that take turns",
                  100 * sides.delta);
  if (!setup.spread()) return out;
  std::vector<std::string> facts;
  if (setup.fresh_spread)
    facts.push_back(fmt::format("{:.2f} % with fresh launches", 100 * *setup.fresh_spread));
  if (setup.resident_spread)
    facts.push_back(fmt::format("{:.2f} % with resident ones", 100 * *setup.resident_spread));
  out += fmt::format("a block's ratio varies by {}", fmt::join(facts, ", "));
  if (setup.process_spread)
    out += fmt::format("; one process differs from another of the same program by {:.2f} %",
                       100 * *setup.process_spread);
  out += '\n';
  if (setup.plan.needed > setup.plan.blocks)
    out += fmt::format(
        "finding +{:.3g} % in 90 of 100 cases would take {} blocks here; {} are measured at most\n",
        100 * sides.detect, setup.plan.needed, setup.plan.blocks);
  return out;
}

}  // namespace

std::string live_text(const LiveSides& sides, const LiveOutcome& outcome, std::size_t width,
                      std::optional<std::size_t> top) {
  const auto& judged = outcome.findings.total.judged;
  std::string out = fmt::format("{} -> {}\n", sides.baseline_name, sides.candidate_name);
  out += fmt::format("{}: {}   {} -> {} per {}\n", analyze::to_string(judged.verdict),
                     report::ratio_text(judged),
                     report::format_time(analyze::median_of(outcome.samples.baseline)),
                     report::format_time(analyze::median_of(outcome.samples.candidate)),
                     sides.baseline.reports_samples ? "iteration (best of a launch)" : "launch");
  out += setup_text(sides, outcome.setup, judged.blocks);
  if (judged.detectable_ratio)
    out += fmt::format("smallest slow-down that these data could show: {:.3f}x",
                       *judged.detectable_ratio);
  if (judged.blocks_to_settle)
    out += fmt::format("; about {} blocks would settle it", *judged.blocks_to_settle);
  out += fmt::format("\ncontrol (the baseline against itself): {}{}\n",
                     report::ratio_text(outcome.findings.total.control),
                     outcome.findings.total.control_flagged
                         ? " looks changed, so no verdict is given: the machine is not steady"
                         : "");
  out += fmt::format("p95 {}; peak memory {}\n", report::ratio_text(outcome.findings.p95),
                     report::ratio_text(outcome.findings.peak_memory));
  if (!outcome.certificate.empty()) out += "self-test: " + outcome.certificate + "\n";
  for (const auto& note : outcome.notes) out += note + "\n";
  const auto& ops = outcome.findings.ops;
  if (!ops.empty())
    out += "\n" + op_table(ops, std::min(ops.size(), top.value_or(ops.size())), width);
  return out;
}

std::string live_json(const LiveSides& sides, const LiveOutcome& outcome,
                      std::optional<std::size_t> top) {
  const auto& findings = outcome.findings;
  const auto& setup = outcome.setup;
  json::Writer w({2});
  w.begin_object().member("interleaved", true).member("delta_ratio", sides.delta);
  w.member("baseline", sides.baseline_name).member("candidate", sides.candidate_name);
  write_judged(w, "total", findings.total.judged);
  write_judged(w, "control", findings.total.control);
  w.member("control_flagged", findings.total.control_flagged);
  write_judged(w, "p95", findings.p95);
  write_judged(w, "peak_memory", findings.peak_memory);
  w.member("flops_ratio", findings.flops_ratio).member("bytes_ratio", findings.bytes_ratio);
  w.key("setup").begin_object().member("runner", capture::to_string(setup.runner));
  w.member("fresh_spread_ratio", setup.fresh_spread);
  w.member("resident_spread_ratio", setup.resident_spread);
  w.member("process_spread_ratio", setup.process_spread);
  w.member("planned_blocks", setup.plan.blocks);
  w.member("needed_blocks", setup.spread() ? std::optional(setup.plan.needed) : std::nullopt);
  w.member("detect_ratio", sides.detect).end_object();
  write_ops(w, findings.ops, top);
  w.key("certificate");
  outcome.certificate.empty() ? w.null() : w.value(outcome.certificate);
  w.key("notes").begin_array();
  for (const auto& note : outcome.notes) w.value(note);
  w.end_array();
  w.key("baseline_ns").numbers(outcome.samples.baseline);
  w.key("candidate_ns").numbers(outcome.samples.candidate);
  w.key("control_ns").numbers(outcome.samples.control).end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::cli
