#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "live.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

std::string value_text(const analyze::MetricChange& metric, const std::optional<double>& value) {
  if (!value) return "not collected";
  return metric.unit == "ns" ? report::format_time(*value)
                             : fmt::format("{:.0f} {}", *value, metric.unit);
}

std::string metric_text(const analyze::MetricChange& metric) {
  const auto& change = metric.change;
  std::string out = fmt::format("{} {}: {}", metric.name, analyze::to_string(change.judged.verdict),
                                report::ratio_text(change.judged));
  if (change.baseline || change.candidate)
    out += fmt::format("   {} -> {}", value_text(metric, change.baseline),
                       value_text(metric, change.candidate));
  return out + "\n" + metric.basis + "\n";
}

std::string metric_json(const analyze::MetricChange& metric, bool interleaved) {
  const auto& judged = metric.change.judged;
  json::Writer w({2});
  w.begin_object().member("interleaved", interleaved).key("metric").begin_object();
  w.member("name", metric.name).member("unit", metric.unit);
  w.member("baseline", metric.change.baseline).member("candidate", metric.change.candidate);
  w.member("verdict", analyze::to_string(judged.verdict)).member("ratio", judged.ratio);
  w.member("ratio_low", judged.ratio_low).member("ratio_high", judged.ratio_high);
  w.member("p_value", judged.p_value).member("blocks", judged.blocks);
  w.member("detectable_ratio", judged.detectable_ratio);
  w.member("blocks_to_settle", judged.blocks_to_settle).member("basis", metric.basis);
  w.end_object().end_object();
  return std::move(w).take() + "\n";
}

/// A metric of a live comparison; sides' own values are not kept for all of them.
analyze::MetricChange live_metric(const gate::LiveFindings& findings, const std::string& name) {
  analyze::MetricChange out{name, "ns", {}, "Interleaved blocks, each with launches of its own."};
  if (name == "total_time") out.change.judged = findings.total.judged;
  if (name == "p95_time") out.change.judged = findings.p95;
  if (name == "peak_memory") {
    out.unit = "bytes";
    out.change.judged = findings.peak_memory;
  }
  if (name == "flops" || name == "bytes") {
    out.unit = name;
    out.basis = "Counted from the plans, so any difference is one.";
    const auto& ratio = name == "flops" ? findings.flops_ratio : findings.bytes_ratio;
    auto& judged = out.change.judged;
    judged.ratio = ratio.value_or(1);
    if (ratio)
      judged.verdict = *ratio > 1   ? analyze::Verdict::regressed
                       : *ratio < 1 ? analyze::Verdict::improved
                                    : analyze::Verdict::equivalent;
  }
  return out;
}

class Compare final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "compare"; }
  [[nodiscard]] std::string summary() const override {
    return "align two Runs and judge what changed, with intervals";
  }
  void declare(Options& options) override {
    options.positional(
        "baseline", baseline_,
        "The Run to compare with: a file, @baseline:NAME, an id (a model with --live)");
    options.positional("candidate", candidate_, "The Run to judge (a model with --live)");
    options.flag("--live", live_, "Measure both sides now, in interleaved blocks");
    declare_live(options, request_);
    options.flag("--ops", request_.ops,
                 "Live: verdicts per op too, by the backend's profiler in every second iteration");
    options.value("--seed", "N", seed_, "Live: order of launches (default: 1)");
    options.value("--top", "K|all", top_, "Rows of the table, most time moved first");
    options.choice(
        "--metric",
        [] {
          auto names = analyze::metric_names();
          names.emplace_back("all");
          return names;
        }(),
        metric_, "Judge this one alone (default: all)");
    options.value("--margin", "RATIO", margin_,
                  "Change that two launches can show by luck (default: 0.10)");
    options.flag("--force", force_, "Compare even other hardware, inputs or models");
    options.value("--md", "FILE", markdown_, "Also write Markdown to FILE");
    options.flag("--json", json_, "One JSON document on stdout");
    options.value("--store", "PATH", store_, "Folder of the store that Runs are named in");
    options.example("neurolens compare before.run.json after.run.json");
    options.example("neurolens compare @baseline:main after.run.json");
    options.example("neurolens compare --live model.onnx --a opt=none --b opt=all");
  }
  Result<int> run(Context& context) override {
    if (live_ || !request_.programs.empty()) return run_live(context);
    if (!baseline_ || !candidate_)
      return Error{Errc::bad_request, "Two Runs are needed, or --live.", "compare"};
    return compare_stored(context, *baseline_, *candidate_);
  }

 private:
  Result<int> run_live(Context& context) {
    if (baseline_) request_.models.push_back(*baseline_);
    if (candidate_) request_.models.push_back(*candidate_);
    NEUROLENS_ASSIGN(request_.seed, seed_from(seed_));
    request_.ops = request_.ops || metric_ == "flops" || metric_ == "bytes";
    NEUROLENS_ASSIGN(const auto sides, live_sides(request_));
    NEUROLENS_ASSIGN(const auto top, parse_top(top_, json_));
    NEUROLENS_ASSIGN(const auto certificate, quoted_certificate(context, request_.certificate));
    NEUROLENS_ASSIGN(const auto setup, calibrate_live(context, sides));
    NEUROLENS_ASSIGN(auto outcome, measure_live(context, sides, setup));
    outcome.certificate = certificate;
    if (metric_ != "all") {
      const auto metric = live_metric(outcome.findings, metric_);
      context.terminal.out(json_ ? metric_json(metric, true) : metric_text(metric));
      return kDone;
    }
    context.terminal.out(json_ ? live_json(sides, outcome, top)
                               : live_text(sides, outcome, context.terminal.width(), top));
    return kDone;
  }

  Result<int> compare_stored(Context& context, const std::string& baseline_path,
                             const std::string& candidate_path) {
    NEUROLENS_ASSIGN(const auto top, parse_top(top_, json_));
    NEUROLENS_ASSIGN(const auto candidate, load_run(context, candidate_path, store_));
    NEUROLENS_ASSIGN(const auto baseline, load_run(context, baseline_path, store_, &candidate));
    analyze::CompareOptions options;
    options.margin = margin_.value_or(options.margin);
    options.force = force_;
    if (metric_ != "all") {
      auto metric = analyze::compare_metric(baseline, candidate, metric_, options);
      if (!metric.ok())
        return std::move(metric).error().at(baseline_path + " and " + candidate_path);
      context.terminal.out(json_ ? metric_json(*metric, false) : metric_text(*metric));
      return kDone;
    }
    auto comparison = analyze::compare(baseline, candidate, options);
    if (!comparison.ok())
      return std::move(comparison).error().at(baseline_path + " and " + candidate_path);
    const report::ComparisonView view{baseline, candidate, *comparison, baseline_path,
                                      candidate_path};
    if (markdown_) {
      constexpr std::size_t kRows = 50;
      NEUROLENS_TRY(
          context.files.write_atomic(*markdown_, report::comparison_markdown(view, kRows)));
    }
    context.terminal.out(json_ ? report::comparison_json(view, top)
                               : report::comparison_text(view, context.terminal.width(), top,
                                                         context.terminal.colour()));
    return kDone;
  }

  LiveRequest request_;
  std::optional<std::string> baseline_;
  std::optional<std::string> store_;
  std::optional<std::string> candidate_;
  std::optional<std::int64_t> seed_;
  std::string metric_ = "all";
  bool live_ = false;
  std::optional<std::string> top_;
  std::optional<double> margin_;
  std::optional<std::string> markdown_;
  bool force_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_compare() {
  return std::make_unique<Compare>();
}

}  // namespace neurolens::cli
