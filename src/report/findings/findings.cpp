#include "neurolens/report/findings.hpp"
#include "neurolens/base/base64.hpp"

#include <fmt/format.h>

#include <utility>

#include "neurolens/base/compress.hpp"
#include "neurolens/report/table.hpp"
#include "sections.hpp"

namespace neurolens::report {

Result<Findings> make_findings(const run::Run& run, FindingsRequest request) {
  Findings out;
  out.run = &run;
  out.run_path = std::move(request.run_path);
  auto summary = analyze::summarise(run);
  if (!summary.ok()) return std::move(summary).error().at(out.run_path);
  out.summary = std::move(summary).value();
  out.edges = analyze::dataflow(run);
  out.path = analyze::critical_path(run, out.summary, out.edges);
  if (request.baseline != nullptr) {
    out.baseline = request.baseline;
    out.baseline_path = std::move(request.baseline_path);
    auto compared = analyze::compare(*request.baseline, run, request.compare);
    if (!compared.ok())
      return std::move(compared).error().at(out.baseline_path + " and " + out.run_path);
    out.comparison = std::move(compared).value();
  }
  out.history = std::move(request.history);
  const analyze::InsightInput input{run,
                                    out.summary,
                                    out.baseline,
                                    out.comparison ? &*out.comparison : nullptr,
                                    out.run_path.empty() ? "RUN" : out.run_path,
                                    &out.edges};
  out.insights = analyze::find_insights(
      input, request.rules != nullptr ? *request.rules : analyze::RuleSet::builtin());
  return out;
}

std::vector<std::string> unknowns(const Findings& findings) {
  const run::Run& run = *findings.run;
  std::vector<std::string> out = run.notes;
  const auto add = [&](bool missing, std::string sentence) {
    if (missing) out.push_back(std::move(sentence));
  };
  // Functions of a sampled program have no costs, and nobody expects them.
  const bool has_ops = !run.ops.empty() && run.workload.kind != "program";
  add(has_ops && run.ceilings.empty(),
      "How close the ops come to the hardware: the Run carries no ceilings of the machine "
      "(neurolens peaks measures them).");
  add(has_ops && findings.summary.unknown_cost_count > 0,
      fmt::format(
          "The work of {} op{}: their FLOPs or bytes are not known, so they are left out of "
          "the roofline.",
          findings.summary.unknown_cost_count,
          findings.summary.unknown_cost_count == 1 ? "" : "s"));
  add(!findings.summary.unobserved.p50_ns,
      "The time without observer: no unobserved iteration was measured.");
  add(!run.timeline, "When what ran: the Run has no timeline.");
  add(run.counters.empty(), "Memory over time: it was not sampled; only peaks are known.");
  add(has_ops && !findings.path,
      "The critical path: the Run names no tensors between ops, or it has no dataflow.");
  add(!run.host.gpus.empty() && has_ops && run.ops[0].kernels.empty(),
      "What the kernels on the device did: none were recorded.");
  add(run.samples.iterations.frequency_hz.empty() && !run.host.frequency_hz,
      "The clock of the processor: this machine does not tell it.");
  add(findings.comparison && !findings.comparison->total.judged.ratio_low,
      "Whether the change is real: there are too few blocks for an interval.");
  return out;
}

std::string findings_json(const Findings& findings, const FindingsJsonOptions& options) {
  const run::Run& run = *findings.run;
  json::Writer w({0});
  w.begin_object().member("schema_version", "1.0.0");
  w.member("neurolens_version", options.neurolens_version);
  w.key("run").begin_object();
  w.key("path");
  findings.run_path.empty() ? w.null() : w.value(findings.run_path);
  w.member("run_id", run.run_id).member("created_at", run.created_at);
  w.member("status", run.status).member("status_reason", run.status_reason);
  w.member("neurolens_version", run.neurolens_version).end_object();
  write_headline(w, findings);
  write_insights(w, findings);
  write_ops(w, findings);
  write_kernels(w, findings);
  write_timeline(w, run);
  write_roofline(w, findings);
  write_iterations(w, findings);
  write_observer(w, findings);
  write_memory(w, run);
  write_graph(w, findings);
  write_profile(w, run);
  write_comparison(w, findings);
  write_history(w, findings);
  write_measured(w, run);
  w.key("unknown").begin_array();
  for (const auto& sentence : unknowns(findings)) w.value(sentence);
  w.end_array();
  write_explanations(w);
  w.key("embedded_run");
  const std::string_view file =
      options.await_run_file ? options.await_run_file() : options.run_file;
  if (file.empty()) {
    w.null();
  } else {
    const std::string packed = looks_like_zstd(file) ? std::string(file) : zstd_compress(file);
    w.begin_object().member("file_name", run.run_id + ".run.json.zst");
    w.member("media_type", "application/zstd");
    w.member("size_bytes", static_cast<std::uint64_t>(packed.size()));
    w.key("data").raw("\"" + base64_encode(packed) + "\"").end_object();
  }
  w.end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::report
