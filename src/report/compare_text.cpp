#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::report {
namespace {

std::string painted(analyze::Verdict verdict, const std::string& text, bool colour) {
  if (!colour) return text;
  if (verdict == analyze::Verdict::regressed) return "\x1b[1;31m" + text + "\x1b[0m";
  if (verdict == analyze::Verdict::improved) return "\x1b[1;32m" + text + "\x1b[0m";
  return "\x1b[1m" + text + "\x1b[0m";
}

std::string cell(const Scale& scale, const std::optional<double>& value, double largest) {
  return value ? format_in(scale, *value, largest) : "-";
}

/// More work, or the same work more slowly?
std::string reason(const analyze::OpChange& op) {
  if (op.flops_ratio && std::abs(*op.flops_ratio - 1) > 0.01)
    return fmt::format("work {:.3g}x", *op.flops_ratio);
  if (op.bytes_ratio && std::abs(*op.bytes_ratio - 1) > 0.01)
    return fmt::format("bytes {:.3g}x", *op.bytes_ratio);
  return op.flops_ratio && op.bytes_ratio ? "same work" : "-";
}

std::string kind_cell(const analyze::OpGroup& group) {
  const auto kind = analyze::to_string(group.kind);
  if (group.baseline.size() <= 1 && group.candidate.size() <= 1) return std::string(kind);
  return fmt::format("{} {}:{}", kind, group.baseline.size(), group.candidate.size());
}

Table op_table(const analyze::Comparison& c, std::size_t shown) {
  double largest = 0;
  for (std::size_t i = 0; i < shown; ++i) {
    largest = std::max(
        {largest, c.ops[i].time.baseline.value_or(0), c.ops[i].time.candidate.value_or(0)});
  }
  const Scale scale = time_scale(largest);
  Table table;
  table.add_column("", Align::right);
  table.add_column("op", Align::left, true);
  table.add_column("type", Align::left);
  table.add_column("alignment", Align::left);
  table.add_column(fmt::format("before {}", scale.unit), Align::right);
  table.add_column(fmt::format("after {}", scale.unit), Align::right);
  table.add_column("ratio", Align::right);
  table.add_column("98 %", Align::right);
  table.add_column("verdict", Align::left);
  table.add_column("work", Align::left);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& op = c.ops[i];
    const bool both = !op.group.baseline.empty() && !op.group.candidate.empty();
    const auto& j = op.time.judged;
    table.add_row(
        {std::to_string(i + 1), printable(op.name), printable(op.type), kind_cell(op.group),
         cell(scale, op.time.baseline, largest), cell(scale, op.time.candidate, largest),
         both && j.blocks > 0 ? fmt::format("{:.3f}x", j.ratio) : "-",
         j.ratio_low ? fmt::format("[{:.3f}, {:.3f}]", *j.ratio_low, *j.ratio_high) : "-",
         both ? std::string(analyze::to_string(j.verdict)) : "-", both ? reason(op) : "-"});
  }
  return table;
}

std::string alignment_sentence(const analyze::Comparison& c) {
  std::size_t counts[6] = {};
  for (const auto& group : c.alignment.groups) ++counts[static_cast<std::size_t>(group.kind)];
  std::string text = fmt::format("aligned by {}: {} matched", c.alignment.method, counts[0]);
  for (std::size_t i = 1; i < 6; ++i) {
    if (counts[i] > 0)
      text +=
          fmt::format(", {} {}", counts[i], analyze::to_string(static_cast<analyze::GroupKind>(i)));
  }
  return text + fmt::format("; they cover {:.1f} % and {:.1f} % of op time",
                            100 * c.baseline_covered_ratio, 100 * c.candidate_covered_ratio);
}

std::string headline(const analyze::Comparison& c) {
  std::string text =
      fmt::format("{}: {}", analyze::to_string(c.total.judged.verdict), ratio_text(c.total.judged));
  if (c.total.baseline && c.total.candidate)
    text += fmt::format("   {} -> {} per iteration", format_time(*c.total.baseline),
                        format_time(*c.total.candidate));
  return text;
}

std::string detectable(const analyze::PairedVerdict& judged) {
  std::string text;
  if (judged.detectable_ratio)
    text = fmt::format("smallest slow-down that these data could show: {:.3f}x",
                       *judged.detectable_ratio);
  if (judged.blocks_to_settle)
    text += fmt::format("; about {} blocks would settle it", *judged.blocks_to_settle);
  return text;
}

}  // namespace

std::string ratio_text(const analyze::PairedVerdict& judged) {
  std::string text = fmt::format("{:.3f}x", judged.ratio);
  if (judged.ratio_low)
    text += fmt::format("  [{:.3f}, {:.3f}]", *judged.ratio_low, *judged.ratio_high);
  return text;
}

std::string comparison_text(const ComparisonView& view, std::size_t width,
                            std::optional<std::size_t> top, bool colour) {
  const auto& c = view.comparison;
  std::string out = fmt::format("{} ({}) -> {} ({})\n", printable(view.baseline_path),
                                describe_workload(view.baseline), printable(view.candidate_path),
                                describe_workload(view.candidate));
  out += painted(c.total.judged.verdict, headline(c), colour) + "\n";
  if (const auto line = detectable(c.total.judged); !line.empty()) out += line + "\n";
  out += alignment_sentence(c) + "\n";
  const std::size_t shown = std::min(c.ops.size(), top.value_or(c.ops.size()));
  if (shown > 0) out += "\n" + op_table(c, shown).text(width);
  if (shown < c.ops.size())
    out += fmt::format("   {} more    neurolens compare {} {} --top all\n", c.ops.size() - shown,
                       printable(view.baseline_path), printable(view.candidate_path));
  if (!c.differences.empty()) {
    out += "\nwhat differs\n";
    for (const auto& d : c.differences)
      out +=
          fmt::format("  {}: {} -> {}\n", d.field, printable(d.baseline), printable(d.candidate));
  }
  out += "\nhow sure\n";
  for (const auto& note : c.notes) out += "  " + printable(note) + "\n";
  return out;
}

std::string comparison_markdown(const ComparisonView& view, std::size_t top) {
  const auto& c = view.comparison;
  std::string out = fmt::format("# {}\n\n`{}` against `{}`\n\n", headline(c),
                                printable(view.candidate_path), printable(view.baseline_path));
  if (const auto line = detectable(c.total.judged); !line.empty()) out += line + "  \n";
  out += alignment_sentence(c) + "\n\n";
  const std::size_t shown = std::min(c.ops.size(), top);
  if (shown > 0) out += op_table(c, shown).markdown();
  if (!c.differences.empty()) {
    Table table;
    table.add_column("what differs", Align::left);
    table.add_column("baseline", Align::left);
    table.add_column("candidate", Align::left);
    for (const auto& d : c.differences)
      table.add_row({d.field, printable(d.baseline), printable(d.candidate)});
    out += "\n" + table.markdown();
  }
  out += "\n";
  for (const auto& note : c.notes) out += "- " + printable(note) + "\n";
  return out;
}

}  // namespace neurolens::report
