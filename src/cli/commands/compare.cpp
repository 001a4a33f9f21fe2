#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
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
    options.positional("baseline", baseline_, "The Run to compare with");
    options.positional("candidate", candidate_, "The Run to judge");
    options.value("--top", "K|all", top_, "Rows of the table, most time moved first");
    options.value("--margin", "RATIO", margin_,
                  "Change that two launches can show by luck (default: 0.10)");
    options.flag("--force", force_, "Compare even other hardware, inputs or models");
    options.value("--md", "FILE", markdown_, "Also write Markdown to FILE");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens compare before.run.json after.run.json");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const auto top, parse_top(top_, json_));
    NEUROLENS_ASSIGN(const auto baseline, run::read_file(context.files, baseline_));
    NEUROLENS_ASSIGN(const auto candidate, run::read_file(context.files, candidate_));
    analyze::CompareOptions options;
    options.margin = margin_.value_or(options.margin);
    options.force = force_;
    auto comparison = analyze::compare(baseline, candidate, options);
    if (!comparison.ok()) return std::move(comparison).error().at(baseline_ + " and " + candidate_);
    const report::ComparisonView view{baseline, candidate, *comparison, baseline_, candidate_};
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

 private:
  std::string baseline_;
  std::string candidate_;
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
