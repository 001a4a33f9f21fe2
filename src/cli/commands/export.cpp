#include <fmt/format.h>

#include "builtin.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/export.hpp"
#include "store.hpp"

namespace neurolens::cli {
namespace {

/// A format, its option and its writer.
struct Format {
  const char* option;
  const char* help;
  Result<std::string> (*write)(const run::Run&);
};
constexpr Format kFormats[] = {
    {"--perfetto", "Write a Perfetto trace (protobuf) to FILE", &report::to_perfetto},
    {"--chrome", "Write Chrome trace-event JSON to FILE", &report::to_chrome},
    {"--speedscope", "Write a speedscope profile to FILE", &report::to_speedscope},
    {"--collapsed", "Write collapsed stacks (for flame graphs) to FILE", &report::to_collapsed},
    {"--csv", "Write one row per op to FILE", &report::to_csv}};

class Export final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "export"; }
  [[nodiscard]] std::string summary() const override {
    return "write a Run in the format of another tool";
  }
  void declare(Options& options) override {
    options.positional(
        "run", path_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    for (std::size_t i = 0; i < std::size(kFormats); ++i)
      options.value(kFormats[i].option, "FILE", targets_[i], kFormats[i].help);
    options.example("neurolens export resnet50.run.json --perfetto resnet50.pftrace");
    options.example("neurolens export app.run.json --speedscope app.speedscope.json");
  }

  Result<int> run(Context& context) override {
    bool any = false;
    for (const auto& target : targets_) any = any || target.has_value();
    if (!any)
      return Error{
          Errc::bad_request,
          "Nothing to write was named; add --perfetto, --chrome, --speedscope, --collapsed or "
          "--csv with a FILE.",
          "export"};
    NEUROLENS_ASSIGN(const run::Run loaded, load_run(context, path_));
    for (std::size_t i = 0; i < std::size(kFormats); ++i) {
      if (!targets_[i]) continue;
      auto text = kFormats[i].write(loaded);
      if (!text.ok()) return std::move(text).error().at(path_);
      NEUROLENS_TRY(context.files.write_atomic(*targets_[i], *text));
      context.terminal.err(fmt::format("wrote {}\n", printable(*targets_[i])));
    }
    return kDone;
  }

 private:
  std::string path_;
  std::optional<std::string> targets_[std::size(kFormats)];
};

}  // namespace

std::unique_ptr<Command> make_export() {
  return std::make_unique<Export>();
}

}  // namespace neurolens::cli
