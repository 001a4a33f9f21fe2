#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "live.hpp"
#include "neurolens/analyze/compare.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {
namespace {

class Compare final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "compare"; }
  [[nodiscard]] std::string summary() const override {
    return "align two Runs and judge what changed, with intervals";
  }
  void declare(Options& options) override {
    options.positional("baseline", baseline_, "The Run to compare with (a model with --live)");
    options.positional("candidate", candidate_, "The Run to judge (a model with --live)");
    options.flag("--live", live_, "Measure both sides now, in interleaved fresh launches");
    options.values("--a", "KEY=VALUE", request_.settings_a,
                   "Live: a setting of the baseline, such as opt=none; may be repeated");
    options.values("--b", "KEY=VALUE", request_.settings_b, "Live: the same for the candidate");
    options.value("--delta", "RATIO", request_.delta,
                  "Live: smallest change that counts (default: 0.01, programs 0.03)");
    options.value("--seed", "N", seed_, "Live: order of launches (default: 1)");
    options.rest("CMD_A ::: CMD_B", request_.programs, "Live: two programs, timed as a whole");
    options.value("--top", "K|all", top_, "Rows of the table, most time moved first");
    options.value("--margin", "RATIO", margin_,
                  "Change that two launches can show by luck (default: 0.10)");
    options.flag("--force", force_, "Compare even other hardware, inputs or models");
    options.value("--md", "FILE", markdown_, "Also write Markdown to FILE");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens compare before.run.json after.run.json");
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
    NEUROLENS_ASSIGN(const auto sides, live_sides(request_));
    NEUROLENS_ASSIGN(const auto outcome, measure_live(context, sides));
    context.terminal.out(json_ ? live_json(sides, outcome) : live_text(sides, outcome));
    return kDone;
  }

  Result<int> compare_stored(Context& context, const std::string& baseline_path,
                             const std::string& candidate_path) {
    NEUROLENS_ASSIGN(const auto top, parse_top(top_, json_));
    NEUROLENS_ASSIGN(const auto baseline, run::read_file(context.files, baseline_path));
    NEUROLENS_ASSIGN(const auto candidate, run::read_file(context.files, candidate_path));
    analyze::CompareOptions options;
    options.margin = margin_.value_or(options.margin);
    options.force = force_;
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
  std::optional<std::string> candidate_;
  std::optional<std::int64_t> seed_;
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
