#include <charconv>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/report/render.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {
namespace {

class Summary final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "summary"; }
  [[nodiscard]] std::string summary() const override {
    return "read one Run: total time, and the ops ranked by time";
  }
  void declare(Options& options) override {
    options.positional(
        "run", path_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    options.value("--top", "K|all", top_, "Rows of the ranking");
    options.choice("--by", {"op", "type"}, by_, "Rank single ops or types of ops");
    options.flag("--json", json_, "One JSON document on stdout (all ops unless --top is given)");
    options.example("neurolens summary resnet50.run.json --top 20");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const auto top, parse_top(top_, json_));
    NEUROLENS_ASSIGN(const auto loaded, load_summary(context, path_));
    const auto by = by_ == "type" ? report::GroupBy::type : report::GroupBy::op;
    if (json_) {
      context.terminal.out(report::summary_json(loaded.run, loaded.summary, top, by));
    } else {
      context.terminal.out(
          report::summary_text(loaded.run, loaded.summary,
                               text_options(context, top, by, path_, loaded.run, loaded.summary)));
    }
    return kDone;
  }

 private:
  std::string path_;
  std::string by_ = "op";
  std::optional<std::string> top_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_summary() {
  return std::make_unique<Summary>();
}

}  // namespace neurolens::cli
