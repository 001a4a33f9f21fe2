#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::cli {
namespace {

class Report final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "report"; }
  [[nodiscard]] std::string summary() const override {
    return "write a report of one Run (Markdown)";
  }
  void declare(Options& options) override {
    options.positional(
        "run", path_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    options.value("--md", "FILE", markdown_, "Write Markdown to FILE (/dev/stdout prints it)");
    options.example("neurolens report resnet50.run.json --md resnet50.md");
  }
  Result<int> run(Context& context) override {
    if (!markdown_) {
      return Error{Errc::bad_request, "Nothing to write was named; add --md FILE.", "report"};
    }
    NEUROLENS_ASSIGN(const auto loaded, load_summary(context, path_));
    NEUROLENS_TRY(context.files.write_atomic(
        *markdown_, report::report_markdown(loaded.run, loaded.summary, path_)));
    context.terminal.err(fmt::format("wrote {}\n", printable(*markdown_)));
    return kDone;
  }

 private:
  std::string path_;
  std::optional<std::string> markdown_;
};

}  // namespace

std::unique_ptr<Command> make_report() {
  return std::make_unique<Report>();
}

}  // namespace neurolens::cli
