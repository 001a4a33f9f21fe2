#include "neurolens/analyze/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/peaks.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {
namespace {

class FingerprintCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "fingerprint"; }
  [[nodiscard]] std::string summary() const override {
    return "what a Run's ops are and how they perform, without names; and how similar two are";
  }
  void declare(Options& options) override {
    options.positional("run", path_, "The Run (run.json or run.json.zst)");
    options.value("--peaks", "FILE", peaks_, "Ceilings of the machine, for the share of the roof");
    options.value("-o,--output", "FP", output_, "Write the fingerprint (JSON) to FP");
    options.value("--against", "RUN", against_, "Also say how similar this Run is");
    options.flag("--json", json_, "The fingerprint on stdout");
    options.example("neurolens fingerprint a.run.json --against b.run.json");
  }
  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(const auto run, load(context, path_));
    auto taken = analyze::take_fingerprint(run);
    if (!taken.ok()) return std::move(taken).error().at(path_);
    const auto null = analyze::null_similarities(run);
    const std::string document = analyze::to_json(*taken, run, null);
    if (output_) NEUROLENS_TRY(context.files.write_atomic(*output_, document));
    if (json_) {
      context.terminal.out(document);
      return kDone;
    }
    context.terminal.out(fmt::format("{}: {} ops, graph {}\n", printable(run.workload.name),
                                     taken->ops.size(), taken->graph_hash.substr(0, 16)));
    if (!null.empty())
      context.terminal.out(
          fmt::format("halves of this Run are {:.3f} similar, 95 in 100 above {:.3f}\n",
                      null[null.size() / 2], null[null.size() / 20]));
    if (against_) {
      NEUROLENS_ASSIGN(const auto other, load(context, *against_));
      auto theirs = analyze::take_fingerprint(other);
      if (!theirs.ok()) return std::move(theirs).error().at(*against_);
      const double value = analyze::similarity(*taken, *theirs);
      context.terminal.out(
          fmt::format("{}: similarity {:.3f}; graph {}\n", printable(*against_), value,
                      taken->graph_hash == theirs->graph_hash ? "the same" : "another"));
      if (!null.empty()) {
        const auto below = std::lower_bound(null.begin(), null.end(), value) - null.begin();
        context.terminal.out(
            fmt::format("this close or closer in {} of {} comparisons of the Run with itself\n",
                        std::ssize(null) - below, null.size()));
      }
    }
    return kDone;
  }

 private:
  Result<run::Run> load(Context& context, const std::string& path) {
    NEUROLENS_ASSIGN(run::Run run, run::read_file(context.files, path));
    if (peaks_) {
      NEUROLENS_ASSIGN(const auto text, context.files.read(*peaks_));
      auto peaks = capture::peaks_from_json(text);
      if (!peaks.ok()) return std::move(peaks).error().at(*peaks_);
      run.ceilings = capture::ceilings_of(*peaks);
    }
    return run;
  }

  std::string path_;
  std::optional<std::string> peaks_;
  std::optional<std::string> output_;
  std::optional<std::string> against_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_fingerprint() {
  return std::make_unique<FingerprintCommand>();
}

}  // namespace neurolens::cli
