#include <fmt/format.h>

#include <algorithm>

#include "builtin.hpp"
#include "export_bundle.hpp"
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
    return "write a Run in the format of another tool, or as a bundle with a manifest";
  }
  void declare(Options& options) override {
    options.positional(
        "run", run_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    for (std::size_t i = 0; i < std::size(kFormats); ++i)
      options.value(kFormats[i].option, "FILE", targets_[i], kFormats[i].help);
    options.value("--bundle", "FILE", bundle_, "Write a ZIP file with a manifest of hashes");
    options.value("--with", "PARTS", request_.with,
                  "What else goes into the bundle: report,fingerprint,baseline");
    options.value("--baseline", "RUN", request_.baseline,
                  "The baseline to put in (default: the store's, of the same model and settings)");
    options.value("--verify", "FILE", verify_, "Check a bundle instead; exit status 1 when wrong");
    options.value("--unpack", "DIR", unpack_, "With --verify: unpack it there when it is right");
    options.value("--store", "PATH", request_.store, "Folder of the store");
    options.flag("--json", json_, "With --verify: what is in it as one JSON document");
    options.example("neurolens export resnet50.run.json --perfetto resnet50.pftrace");
    options.example("neurolens export @latest --bundle run.zip --with report,fingerprint");
  }

  Result<int> run(Context& context) override {
    const bool formats = std::any_of(std::begin(targets_), std::end(targets_),
                                     [](const auto& target) { return target.has_value(); });
    if (verify_) {
      if (run_ || bundle_ || formats)
        return Error{Errc::bad_request, "Either check a bundle or write files.", "export"};
      return verify_bundle(context, *verify_, unpack_, json_);
    }
    if (!run_) return Error{Errc::bad_request, "Name a Run, or a bundle by --verify.", "export"};
    if (!bundle_ && !formats) {
      return Error{Errc::bad_request,
                   "Nothing to write was named; add --perfetto, --chrome, --speedscope, "
                   "--collapsed, --csv or --bundle with a FILE.",
                   "export"};
    }
    if (formats) NEUROLENS_TRY(write_formats(context));
    if (!bundle_) return kDone;
    request_.run = *run_;
    request_.output = *bundle_;
    return write_bundle(context, request_);
  }

 private:
  Status write_formats(Context& context) const {
    NEUROLENS_ASSIGN(const run::Run loaded, load_run(context, *run_, request_.store));
    for (std::size_t i = 0; i < std::size(kFormats); ++i) {
      if (!targets_[i]) continue;
      auto text = kFormats[i].write(loaded);
      if (!text.ok()) return std::move(text).error().at(*run_);
      NEUROLENS_TRY(context.files.write_atomic(*targets_[i], *text));
      context.terminal.err(fmt::format("wrote {}\n", printable(*targets_[i])));
    }
    return {};
  }

  std::optional<std::string> run_;
  std::optional<std::string> targets_[std::size(kFormats)];
  BundleRequest request_;
  std::optional<std::string> bundle_;
  std::optional<std::string> verify_;
  std::optional<std::string> unpack_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_export() {
  return std::make_unique<Export>();
}

}  // namespace neurolens::cli
