#include "builtin.hpp"
#include "export_bundle.hpp"

namespace neurolens::cli {
namespace {

class Export final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "export"; }
  [[nodiscard]] std::string summary() const override {
    return "hand a Run on: a bundle with a manifest; and check one";
  }
  void declare(Options& options) override {
    options.positional(
        "run", run_,
        "A Run file, or one in the store: @latest, @baseline:NAME, beginning of an id");
    options.value("--bundle", "FILE", bundle_, "Write a ZIP file with a manifest of hashes");
    options.value("--with", "PARTS", request_.with,
                  "What else goes in: report,fingerprint,baseline");
    options.value("--baseline", "RUN", request_.baseline,
                  "The baseline to put in (default: the store's, of the same model and settings)");
    options.value("--verify", "FILE", verify_, "Check a bundle instead; exit status 1 when wrong");
    options.value("--unpack", "DIR", unpack_, "With --verify: unpack it there when it is right");
    options.value("--store", "PATH", request_.store, "Folder of the store");
    options.flag("--json", json_, "With --verify: what is in it as one JSON document");
    options.example("neurolens export @latest --bundle run.zip --with report,fingerprint");
  }
  Result<int> run(Context& context) override {
    if (verify_) {
      if (run_ || bundle_)
        return Error{Errc::bad_request, "Either check a bundle or make one.", "export"};
      return verify_bundle(context, *verify_, unpack_, json_);
    }
    if (!run_) return Error{Errc::bad_request, "Name a Run, or a bundle by --verify.", "export"};
    if (!bundle_)
      return Error{Errc::bad_request, "Nothing to write was named; add --bundle FILE.", "export"};
    request_.run = *run_;
    request_.output = *bundle_;
    return write_bundle(context, request_);
  }

 private:
  BundleRequest request_;
  std::optional<std::string> run_;
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
