#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "headline.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/findings.hpp"
#include "neurolens/report/render.hpp"
#include "ranking.hpp"

namespace neurolens::report {
namespace {

constexpr std::size_t kTopOps = 20;

std::string or_dash(const std::optional<std::string>& text) {
  return text ? printable(*text) : "-";
}

std::string or_dash(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

std::string tensor_list(const std::vector<run::Tensor>& tensors) {
  std::vector<std::string> texts;
  for (const auto& t : tensors) {
    texts.push_back(fmt::format("{} {} {}", or_dash(t.name), or_dash(t.dtype),
                                t.shape ? shape_text(*t.shape) : "-"));
  }
  return texts.empty() ? "-" : join(texts, ", ");
}

std::string certainty(const run::Run& run, const analyze::Summary& summary) {
  Table table;
  table.add_column("iterations", Align::left);
  table.add_column("count", Align::right);
  table.add_column("median", Align::right);
  table.add_column("95 %", Align::right);
  table.add_column("p95", Align::right);
  const auto row = [&](std::string name, const analyze::IterationSummary& s) {
    if (!s.p50_ns) {
      table.add_row({std::move(name), std::to_string(s.count), "-", "-", "-"});
      return;
    }
    const Scale scale = time_scale(*s.p50_ns);
    table.add_row(
        {std::move(name), std::to_string(s.count), format_time(*s.p50_ns),
         interval_cell(s.interval, scale.divisor, *s.p50_ns) + " " + std::string(scale.unit),
         format_time(*s.p95_ns)});
  };
  row("without observer", summary.unobserved);
  row("with observer", summary.observed);
  std::string out = table.markdown() + "\n";
  out +=
      fmt::format("{} warm-up and {} disturbed iterations are kept in the Run and left out here. ",
                  summary.warmup_count, summary.disturbed_count);
  out += fmt::format("Integrity of the measurement: {}.\n", run.overhead.integrity);
  for (const auto& reason : run.overhead.reasons) out += "- " + markdown_text(reason) + "\n";
  return out;
}

/// What the model achieves, and what bounds it; empty without ceilings.
std::string roofline(const analyze::Summary& summary) {
  if (!summary.roof_ratio || !summary.flops || !summary.unobserved.p50_ns) return {};
  std::map<std::string, std::pair<std::size_t, double>> bounds;
  for (const auto& op : summary.ops) {
    auto& [count, time] = bounds[op.bound.value_or("not known")];
    ++count;
    time += op.time_ns;
  }
  Table table;
  table.add_column("bound by", Align::left);
  table.add_column("ops", Align::right);
  table.add_column("time", Align::right);
  for (const auto& [bound, sum] : bounds)
    table.add_row({bound, std::to_string(sum.first), format_time(sum.second)});
  const auto flops = static_cast<double>(*summary.flops);
  return fmt::format(
             "\n## Under this machine's roof\n\n{} GFLOP at {}: {:.0f} % of what the roof "
             "allows.\n\n",
             format_number(flops * 1e-9),
             format_rate(flops * 1e9 / *summary.unobserved.p50_ns, true),
             100 * *summary.roof_ratio) +
         table.markdown();
}

std::string setting(const run::Run& run) {
  Table table;
  table.add_column("what", Align::left);
  table.add_column("value", Align::left);
  table.add_row(
      {"workload", fmt::format("{} ({})", printable(run.workload.name), run.workload.kind)});
  table.add_row({"content", or_dash(run.workload.content_hash)});
  table.add_row({"inputs", tensor_list(run.workload.inputs)});
  table.add_row({"backend", fmt::format("{} {}", printable(run.software.backend),
                                        or_dash(run.software.backend_version))});
  table.add_row({"provider", or_dash(run.software.provider)});
  table.add_row({"precision", or_dash(run.software.precision)});
  table.add_row({"threads", or_dash(run.software.threads)});
  table.add_row({"optimisation", or_dash(run.software.optimisation)});
  table.add_row({"processor", fmt::format("{}, {} logical cores, {}", printable(run.host.cpu_model),
                                          run.host.cores_logical, or_dash(run.host.simd_level))});
  table.add_row({"memory", run.host.memory_bytes
                               ? format_bytes(static_cast<double>(*run.host.memory_bytes))
                               : "-"});
  table.add_row(
      {"system", fmt::format("{}, {}", printable(run.host.os), printable(run.host.kernel))});
  for (const auto& gpu : run.host.gpus) table.add_row({"GPU", printable(gpu.model)});
  table.add_row({"peak memory of the process",
                 run.memory.host_peak_bytes
                     ? format_bytes(static_cast<double>(*run.memory.host_peak_bytes))
                     : "-"});
  table.add_row({"when", run.created_at});
  table.add_row({"run", run.run_id});
  return table.markdown();
}

std::string gain_cell(const analyze::Insight& insight) {
  if (!insight.gain_ns) return "-";
  std::string text = format_time(*insight.gain_ns);
  if (insight.gain_ratio) text += fmt::format(" ({})", format_share(*insight.gain_ratio));
  return text;
}

std::string insight_section(const Findings& findings) {
  if (findings.insights.empty()) return "No rule found anything to do.\n";
  std::string out;
  for (std::size_t i = 0; i < findings.insights.size(); ++i) {
    const auto& insight = findings.insights[i];
    out += fmt::format("{}. **{}**", i + 1, markdown_text(insight.title));
    if (insight.gain_ns) out += fmt::format(" - save up to {}", gain_cell(insight));
    out += fmt::format("  \n   {}  \n", markdown_text(insight.message));
    if (!insight.suggestions.empty())
      out += fmt::format("   Try: {}  \n", markdown_text(join(insight.suggestions, " ")));
    if (!insight.next_step.empty())
      out += fmt::format("   Next: {}  \n", markdown_text(insight.next_step));
    out += fmt::format("   {} confidence{}{}; rule {}\n", analyze::to_string(insight.confidence),
                       insight.confidence_reason.empty() ? "" : ": ",
                       markdown_text(insight.confidence_reason), insight.rule);
  }
  return out;
}

std::string comparison_section(const Findings& findings) {
  const ComparisonView view{*findings.baseline, *findings.run, *findings.comparison,
                            findings.baseline_path, findings.run_path};
  constexpr std::size_t kRows = 20;
  std::string text = comparison_markdown(view, kRows);
  return "\n## Against the baseline\n\n" + text.substr(2);  // its title becomes the first line
}

}  // namespace

std::string findings_markdown(const Findings& findings) {
  const run::Run& run = *findings.run;
  const analyze::Summary& summary = findings.summary;
  std::string out = fmt::format("# {}\n\n", markdown_text(describe_workload(run)));
  if (const auto sentence = iteration_sentence(run, summary))
    out += fmt::format("**{}**", *sentence);
  for (const auto& piece : rate_sentences(run, summary)) out += " · " + piece;
  out += "\n\n" + join(trust_sentences(run, summary), "; ") + ".\n";

  out += "\n## What to do\n\n" + insight_section(findings);
  out += "\n## Where the time goes\n\n";
  const std::size_t shown = std::min(kTopOps, summary.ops.size());
  out += ranking(summary, GroupBy::op, shown).markdown();
  if (shown < summary.ops.size()) {
    double left = 0;
    for (std::size_t i = shown; i < summary.ops.size(); ++i) left += summary.ops[i].time_ns;
    out += fmt::format("\n{} more ops take {}.\n", summary.ops.size() - shown, format_time(left));
  }
  out += "\n### By type\n\n" + ranking(summary, GroupBy::type, summary.types.size()).markdown();
  out += roofline(summary);
  out += "\n## How sure\n\n" + certainty(run, summary);
  if (findings.comparison) out += comparison_section(findings);
  out += "\n## What was measured\n\n" + setting(run);
  if (!run.config.command.empty())
    out += fmt::format("\nAgain with:\n\n    {}\n", printable(join(run.config.command, " ")));
  if (const auto sentences = unknowns(findings); !sentences.empty()) {
    out += "\n## What is not known\n\n";
    for (const auto& note : sentences) out += "- " + markdown_text(note) + "\n";
  }
  out += fmt::format("\nThe Run: {} (neurolens {}).\n",
                     findings.run_path.empty() ? run.run_id : markdown_text(findings.run_path),
                     markdown_text(run.neurolens_version));
  return out;
}

}  // namespace neurolens::report
