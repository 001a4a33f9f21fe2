// Headline, findings, how sure, what was measured.
#include <fmt/format.h>

#include <algorithm>

#include "headline.hpp"
#include "neurolens/base/figures.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/render.hpp"
#include "sections.hpp"

namespace neurolens::report {
namespace {

void write_texts(json::Writer& w, std::string_view key, const std::vector<std::string>& texts) {
  w.key(key).begin_array();
  for (const auto& text : texts) w.value(text);
  w.end_array();
}

void write_evidence(json::Writer& w, const analyze::Evidence& e) {
  // Units of the language that the document shows as plain numbers.
  const bool plain = e.unit == "factor" || e.unit == "hz";
  w.begin_object().member("name", e.name).member("label", e.label).key("value");
  if (const auto* truth = std::get_if<bool>(&e.value)) {
    w.value(*truth);
  } else if (const auto* number = std::get_if<double>(&e.value)) {
    w.value(rounded(*number));
  } else if (const auto* text = std::get_if<std::string>(&e.value)) {
    w.value(*text);
  } else {
    w.null();
  }
  w.member("unit", plain ? std::string_view("none") : std::string_view(e.unit));
  w.member("text", e.text).end_object();
}

void write_insight(json::Writer& w, const analyze::Insight& insight) {
  w.begin_object().member("rule", insight.rule).member("title", insight.title);
  w.member("message", insight.message).member("scope", to_string(insight.scope));
  w.member("severity", to_string(insight.severity));
  w.member("confidence", to_string(insight.confidence));
  w.member("confidence_reason", insight.confidence_reason);
  w.member("gain_ns", rounded(insight.gain_ns)).member("gain_ratio", rounded(insight.gain_ratio));
  std::vector<std::int64_t> ops;
  for (const auto op : insight.ops) ops.push_back(op.value);
  w.key("ops").numbers(ops);
  w.key("evidence").begin_array();
  for (const auto& e : insight.evidence) write_evidence(w, e);
  w.end_array();
  write_texts(w, "suggestions", insight.suggestions);
  w.member("next_step", insight.next_step);
  write_texts(w, "references", insight.references);
  w.end_object();
}

std::string_view unit_of_work(const run::Run& run) {
  return run.workload.kind == "onnx_model" ? "inference" : "iteration";
}

void write_iteration_summary(json::Writer& w, std::string_view key,
                             const analyze::IterationSummary& s) {
  w.key(key).begin_object().member("count", static_cast<std::uint64_t>(s.count));
  w.member("p50_ns", rounded(s.p50_ns));
  w.member("low_ns", s.interval ? std::optional(rounded(s.interval->low)) : std::nullopt);
  w.member("high_ns", s.interval ? std::optional(rounded(s.interval->high)) : std::nullopt);
  w.member("p95_ns", rounded(s.p95_ns)).member("min_ns", rounded(s.min_ns)).end_object();
}

std::vector<std::int64_t> flags(const std::vector<std::uint8_t>& values) {
  return {values.begin(), values.end()};
}

/// Facts with their label; null for what was not collected.
class Facts {
 public:
  Facts(json::Writer& w, std::string_view key) : w_(w) { w_.key(key).begin_array(); }
  ~Facts() { w_.end_array(); }
  Facts(const Facts&) = delete;
  Facts& operator=(const Facts&) = delete;

  void add(std::string_view label, const std::optional<std::string>& value) {
    w_.begin_object().member("label", label).member("value", value).end_object();
  }
  void add(std::string_view label, const std::optional<std::int64_t>& value) {
    add(label, value ? std::optional(std::to_string(*value)) : std::nullopt);
  }
  void bytes(std::string_view label, const std::optional<std::int64_t>& value) {
    add(label, value ? std::optional(format_bytes(static_cast<double>(*value))) : std::nullopt);
  }
  void hertz(std::string_view label, const std::optional<std::int64_t>& value) {
    add(label, value ? std::optional(fmt::format("{:.2f} GHz", static_cast<double>(*value) / 1e9))
                     : std::nullopt);
  }

 private:
  json::Writer& w_;
};

std::string tensor_text(const run::Tensor& tensor) {
  return fmt::format("{} {} {}", tensor.name.value_or("-"), tensor.dtype.value_or("-"),
                     tensor.shape ? shape_text(*tensor.shape) : "-");
}

void write_host(json::Writer& w, const run::Host& host) {
  Facts facts(w, "host");
  facts.add("machine", host.name);
  facts.add("processor", std::optional(host.cpu_model));
  facts.add("architecture", std::optional(host.architecture));
  facts.add("physical cores", host.cores_physical);
  facts.add("logical cores", std::optional(host.cores_logical));
  facts.add("cores used", host.cores_used
                              ? std::optional(fmt::format("{}", fmt::join(*host.cores_used, ", ")))
                              : std::nullopt);
  for (const auto& cache : host.caches)
    facts.bytes(fmt::format("L{} {}", cache.level, cache.type), cache.size_bytes);
  facts.bytes("memory", host.memory_bytes);
  facts.add("vector level", host.simd_level);
  facts.add("governor", host.governor);
  facts.hertz("clock", host.frequency_hz);
  facts.hertz("highest clock", host.frequency_max_hz);
  facts.add("virtual machine", host.virtualised
                                   ? std::optional<std::string>(*host.virtualised ? "yes" : "no")
                                   : std::nullopt);
  facts.add("hypervisor", host.hypervisor);
  facts.add("system", std::optional(host.os));
  facts.add("kernel", std::optional(host.kernel));
  for (const auto& gpu : host.gpus) {
    facts.add("GPU", std::optional(gpu.model));
    facts.bytes("GPU memory", gpu.memory_bytes);
    facts.add("GPU driver", gpu.driver);
  }
}

void write_software(json::Writer& w, const run::Software& software) {
  Facts facts(w, "software");
  facts.add("backend", std::optional(software.backend));
  facts.add("version", software.backend_version);
  facts.add("provider", software.provider);
  facts.add("precision", software.precision);
  facts.add("threads within an op", software.threads);
  facts.add("threads between ops", software.threads_between);
  facts.add("graph optimisation", software.optimisation);
  facts.add("build", software.build);
  facts.add("library hash", software.library_hash);
}

void write_workload(json::Writer& w, const run::Workload& workload) {
  Facts facts(w, "workload");
  facts.add("name", std::optional(workload.name));
  facts.add("kind", std::optional(workload.kind));
  facts.add("path", workload.path);
  facts.add("content hash", workload.content_hash);
  facts.bytes("size", workload.size_bytes);
  facts.add("producer", workload.producer);
  facts.add("parameters", workload.parameters);
  facts.add("batch size", workload.batch_size);
  facts.add("sequence length", workload.sequence_length);
  for (const auto& [domain, version] : workload.opsets)
    facts.add("opset " + (domain.empty() ? std::string("ai.onnx") : domain),
              std::optional(version));
  for (const auto& tensor : workload.inputs) facts.add("input", std::optional(tensor_text(tensor)));
  for (const auto& tensor : workload.outputs)
    facts.add("output", std::optional(tensor_text(tensor)));
}

void write_settings(json::Writer& w, const run::Config& config) {
  Facts facts(w, "settings");
  facts.add("method", config.method);
  facts.add("warm-up iterations", config.warmup_iterations);
  facts.add("iterations", config.iterations);
  facts.add("time limit",
            config.time_limit_ns
                ? std::optional(format_time(static_cast<double>(*config.time_limit_ns)))
                : std::nullopt);
  facts.add("seed", config.seed);
  for (const auto& [key, value] : config.options) facts.add(key, std::optional(value));
}

}  // namespace

void write_verdict(json::Writer& w, const analyze::PairedVerdict& judged) {
  w.begin_object().member("verdict", analyze::to_string(judged.verdict));
  w.member("ratio", judged.blocks > 0 ? std::optional(rounded(judged.ratio)) : std::nullopt);
  w.member("ratio_low", rounded(judged.ratio_low)).member("ratio_high", rounded(judged.ratio_high));
  w.member("p_value", rounded(judged.p_value)).member("blocks", judged.blocks);
  w.member("detectable_ratio", rounded(judged.detectable_ratio));
  w.member("blocks_to_settle", judged.blocks_to_settle).end_object();
}

void write_headline(json::Writer& w, const Findings& findings) {
  const run::Run& run = *findings.run;
  const analyze::Summary& s = findings.summary;
  const bool truth = s.unobserved.p50_ns.has_value();
  const analyze::IterationSummary& shown = truth ? s.unobserved : s.observed;
  w.key("headline").begin_object().member("subject", describe_workload(run));
  w.member("sentence", iteration_sentence(run, s).value_or("no iteration was measured"));
  w.member("unit_of_work", unit_of_work(run)).member("time_ns", rounded(shown.p50_ns));
  w.member("low_ns", shown.interval ? std::optional(rounded(shown.interval->low)) : std::nullopt);
  w.member("high_ns", shown.interval ? std::optional(rounded(shown.interval->high)) : std::nullopt);
  w.member("observer_included", !truth);
  w.member("throughput_per_second", rounded(s.throughput_per_second));
  w.member("batch_size", run.workload.batch_size);
  w.member("flops", s.flops);
  const bool rate = s.flops && s.unobserved.p50_ns && *s.unobserved.p50_ns > 0;
  w.member("flops_per_second",
           rate ? std::optional(rounded(static_cast<double>(*s.flops) * 1e9 / *s.unobserved.p50_ns))
                : std::nullopt);
  w.member("roof_ratio", rounded(s.roof_ratio)).member("ops_total_ns", rounded(s.total_ns));
  std::vector<std::string> facts = rate_sentences(run, s);
  for (auto& fact : trust_sentences(run, s)) facts.push_back(std::move(fact));
  write_texts(w, "facts", facts);
  w.key("verdict");
  if (!findings.comparison) {
    w.null().key("verdict_sentence").null().end_object();
    return;
  }
  const auto& judged = findings.comparison->total.judged;
  write_verdict(w, judged);
  w.member("verdict_sentence", fmt::format("{}: {} against {}", analyze::to_string(judged.verdict),
                                           ratio_text(judged), findings.baseline_path));
  w.end_object();
}

void write_insights(json::Writer& w, const Findings& findings) {
  w.key("findings").begin_array();
  for (const auto& insight : findings.insights) write_insight(w, insight);
  w.end_array();
}

void write_iterations(json::Writer& w, const Findings& findings) {
  const run::Iterations& rows = findings.run->samples.iterations;
  w.key("iterations").begin_object();
  w.member("count", static_cast<std::uint64_t>(rows.duration_ns.size()));
  const bool ascending = std::is_sorted(rows.begin_ns.begin(), rows.begin_ns.end());
  ascending ? write_ascending(w, "begin_ns", rows.begin_ns)
            : write_column(w, "begin_ns", rows.begin_ns);
  write_column(w, "duration_ns", rows.duration_ns);
  write_column(w, "observed", flags(rows.observed));
  write_column(w, "warmup", flags(rows.warmup));
  write_column(w, "disturbed", flags(rows.disturbed));
  write_iteration_summary(w, "summary_unobserved", findings.summary.unobserved);
  write_iteration_summary(w, "summary_observed", findings.summary.observed);
  w.member("warmup_count", static_cast<std::uint64_t>(findings.summary.warmup_count));
  w.member("disturbed_count", static_cast<std::uint64_t>(findings.summary.disturbed_count));
  w.member("unit_of_work", unit_of_work(*findings.run)).end_object();
}

void write_observer(json::Writer& w, const Findings& findings) {
  const run::Overhead& overhead = findings.run->overhead;
  w.key("observer").begin_object();
  w.member("observed_ratio",
           rounded(findings.summary.observed_ratio ? findings.summary.observed_ratio
                                                   : overhead.observed_ratio));
  w.member("events_lost", overhead.events_lost).member("integrity", overhead.integrity);
  write_texts(w, "reasons", overhead.reasons);
  w.key("ledger").begin_array();
  for (const auto& entry : overhead.ledger) {
    w.begin_object().member("event", entry.event).member("cost_ns", rounded(entry.cost_ns));
    w.member("low_ns", rounded(entry.low_ns)).member("high_ns", rounded(entry.high_ns));
    w.member("events_per_iteration", rounded(entry.events_per_iteration)).end_object();
  }
  w.end_array().end_object();
}

void write_measured(json::Writer& w, const run::Run& run) {
  w.key("measured").begin_object();
  write_host(w, run.host);
  write_software(w, run.software);
  write_workload(w, run.workload);
  write_settings(w, run.config);
  write_texts(w, "command", run.config.command);
  w.key("tags").begin_object();
  for (const auto& [key, value] : run.tags) w.member(key, value);
  w.end_object().end_object();
}

void write_explanations(json::Writer& w) {
  static constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"headline.time_ns",
       "Median of the settled, undisturbed iterations that ran without the observer; with the "
       "observer where there are no others (observer_included). The interval covers the median "
       "with 95 %, from order statistics, whatever the distribution."},
      {"headline.throughput_per_second", "Batch size divided by the median."},
      {"headline.roof_ratio",
       "Sum of the ideal times of all ops of known cost, divided by the median."},
      {"headline.verdict",
       "Iterations of each Run are cut into up to 20 blocks in the order of time; the logarithms "
       "of the quotients of the k-th blocks go through a Hodges-Lehmann estimate with an exact "
       "signed-rank interval at 98 %. Two stored Runs are two launches: changes within the margin "
       "can be luck."},
      {"ops.time_ns",
       "The best estimate per iteration; `method` says how: observed (median over observed "
       "iterations, observer included), corrected (the cost of observing taken off by the ledger, "
       "constrained to add up to the unobserved time), cut (differences of prefixes of the graph, "
       "unobserved), sampled."},
      {"ops.low_ns", "95 % interval of the time."},
      {"ops.raw_ns", "What the backend's own profiler says, observer included."},
      {"ops.share_ratio", "Time divided by the sum over all ops."},
      {"ops.flops",
       "Matrix and vector FLOPs by formula; a multiply-add counts 2. Transcendental evaluations "
       "are not in it."},
      {"ops.bytes", "Every tensor once: a lower bound of the traffic."},
      {"ops.ideal_ns",
       "max(FLOPs / measured arithmetic ceiling, activation bytes / bandwidth of the smallest "
       "level that holds them + weight bytes / bandwidth of the level that holds all weights)."},
      {"ops.roof_ratio",
       "Ideal time divided by measured time. Above 100 % where data stayed closer than assumed, or "
       "by the error of the ceilings."},
      {"ops.intensity_flops_per_byte",
       "FLOPs divided by minimum bytes: an upper bound of the arithmetic intensity."},
      {"ops.bound",
       "What the ideal time consists of; overhead when a short op takes more than ten times its "
       "ideal time."},
      {"findings.gain_ns",
       "What would be won per iteration if the op reached its ceiling or the waste were gone: an "
       "upper bound."},
      {"findings.confidence",
       "Set by the rule, lowered where the numbers beneath are shaky; the reason says why."},
      {"observer.observed_ratio",
       "Median observed iteration divided by median unobserved iteration, interleaved."},
      {"observer.ledger",
       "Cost of one observation, calibrated on this machine through the real path."},
      {"critical_path.time_ns", "Longest path through the dataflow between ops, by their times."},
      {"comparison.waterfall",
       "Differences of aligned groups of ops; what they do not explain is shown as unattributed."},
      {"history.changes",
       "Max-rank CUSUM with exact critical values, corrected for serial correlation, at the "
       "one-percent level."},
      {"memory.host_peak_bytes",
       "Largest resident set of the process, backend and weights included."}};
  w.key("explanations").begin_array();
  for (const auto& [key, text] : kTexts)
    w.begin_object().member("key", key).member("text", text).end_object();
  w.end_array();
}

}  // namespace neurolens::report
