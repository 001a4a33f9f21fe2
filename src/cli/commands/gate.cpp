#include "neurolens/gate/gate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builtin.hpp"
#include "common.hpp"
#include "live.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

std::string gate_text(const gate::GateResult& result, std::size_t width) {
  const auto spell = [](const std::optional<double>& ratio) {
    return ratio ? fmt::format("{:.3f}x", *ratio) : std::string("-");
  };
  report::Table table;
  table.add_column("subject", report::Align::left, true);
  for (const char* title : {"ratio", "low", "high", "limit"})
    table.add_column(title, report::Align::right);
  table.add_column("outcome", report::Align::left);
  table.add_column("why", report::Align::left);
  for (const auto& row : result.rows)
    table.add_row({printable(row.subject), spell(row.ratio), spell(row.ratio_low),
                   spell(row.ratio_high), fmt::format("{:.3f}x", row.limit),
                   std::string(gate::to_string(row.outcome)), row.reason});
  std::string out =
      fmt::format("gate: {}\n\n{}", gate::to_string(result.outcome), table.text(width));
  if (!result.certificate.empty()) out += "\nself-test: " + result.certificate + "\n";
  return out;
}

class Gate final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "gate"; }
  [[nodiscard]] std::string summary() const override {
    return "exit status for CI: 1 when a Run is slower than its baseline allows";
  }
  void declare(Options& options) override {
    options.positional("candidate", candidate_, "The Run to judge (a model with --live)");
    options.value("--baseline", "RUN", baseline_,
                  "What to hold it against: a file, @baseline:NAME, an id (a model with --live)");
    options.value("--max-regression", "RATIO", max_regression_,
                  "Slow-down allowed, such as 5% (default: 5%)");
    options.value("--config", "FILE", config_, "A policy (YAML); see docs/guides/comparing.md");
    options.flag("--live", live_, "Measure both sides now; a regression is confirmed once more");
    declare_live(options, request_);
    options.flag("--force", force_, "Compare even other hardware, inputs or models");
    options.value("--md", "FILE", markdown_, "Also write Markdown to FILE");
    options.value("--junit", "FILE", junit_, "Also write JUnit XML to FILE");
    options.flag("--json", json_, "One JSON document on stdout");
    options.value("--store", "PATH", store_, "Folder of the store that Runs are named in");
    options.example("neurolens gate --baseline main.run.json branch.run.json --max-regression 5%");
  }
  Result<int> run(Context& context) override {
    gate::Policy policy;
    if (config_) {
      NEUROLENS_ASSIGN(const auto text, context.files.read(*config_));
      auto parsed = gate::parse_policy(text);
      if (!parsed.ok()) return std::move(parsed).error().at(*config_);
      policy = std::move(parsed).value();
    }
    if (max_regression_) {
      NEUROLENS_ASSIGN(const double limit, gate::parse_ratio(*max_regression_, "--max-regression"));
      if (policy.metrics.empty()) policy.metrics.emplace_back();
      for (auto& rule : policy.metrics) rule.max_regression = limit;
    }
    const bool live = live_ || !request_.programs.empty();
    NEUROLENS_ASSIGN(const auto result,
                     live ? judge_live(context, policy) : judge_stored(context, policy));
    if (markdown_) NEUROLENS_TRY(context.files.write_atomic(*markdown_, gate::to_markdown(result)));
    if (junit_) NEUROLENS_TRY(context.files.write_atomic(*junit_, gate::to_junit(result)));
    context.terminal.out(json_ ? gate::to_json(result)
                               : gate_text(result, context.terminal.width()));
    return gate::exit_status(policy, result.outcome);
  }

 private:
  Result<gate::GateResult> judge_stored(Context& context, const gate::Policy& policy) {
    if (!baseline_ || !candidate_)
      return Error{Errc::bad_request, "A candidate and --baseline are needed.", "gate"};
    NEUROLENS_ASSIGN(const auto candidate, load_run(context, *candidate_, store_));
    NEUROLENS_ASSIGN(const auto baseline, load_run(context, *baseline_, store_, &candidate));
    auto compared = analyze::compare(baseline, candidate, {.force = force_});
    if (!compared.ok()) return std::move(compared).error().at(*baseline_ + " and " + *candidate_);
    return gate::judge(policy, *compared);
  }

  Result<gate::GateResult> judge_live(Context& context, const gate::Policy& policy) {
    for (const auto& model : {baseline_, candidate_}) {
      if (model) request_.models.push_back(*model);
    }
    request_.ops = !policy.ops.empty() ||
                   std::any_of(policy.metrics.begin(), policy.metrics.end(), [](const auto& rule) {
                     return rule.metric == "flops" || rule.metric == "bytes";
                   });
    NEUROLENS_ASSIGN(auto sides, live_sides(request_));
    NEUROLENS_ASSIGN(const auto certificate, quoted_certificate(context, request_.certificate));
    NEUROLENS_ASSIGN(const auto setup, calibrate_live(context, sides));
    NEUROLENS_ASSIGN(const auto outcome, measure_live(context, sides, setup));
    gate::GateResult result = gate::judge(policy, outcome.findings);
    if (result.outcome == gate::Outcome::fail) {
      ++sides.seed;
      NEUROLENS_ASSIGN(const auto again, measure_live(context, sides, setup));
      result = gate::confirm(std::move(result), gate::judge(policy, again.findings));
    }
    result.certificate = certificate;
    return result;
  }

  LiveRequest request_;
  std::optional<std::string> baseline_;
  std::optional<std::string> store_;
  std::optional<std::string> candidate_;
  std::optional<std::string> max_regression_;
  std::optional<std::string> config_;
  std::optional<std::string> markdown_;
  std::optional<std::string> junit_;
  bool live_ = false;
  bool force_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_gate() {
  return std::make_unique<Gate>();
}

}  // namespace neurolens::cli
