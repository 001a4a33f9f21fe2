#include "neurolens/capture/peaks.hpp"

#include <fmt/format.h>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

std::string value_cell(const capture::Peak& peak, double value) {
  if (peak.unit == "ops_per_second") return fmt::format("{:.0f} Gop/s", value * 1e-9);
  return report::format_rate(value, peak.unit == "flops_per_second");
}

std::string as_text(const capture::Peaks& peaks, std::size_t width) {
  report::Table table;
  table.add_column("ceiling", report::Align::left);
  table.add_column("median", report::Align::right);
  table.add_column("smallest", report::Align::right);
  table.add_column("largest", report::Align::right);
  table.add_column("clock", report::Align::right);
  for (const auto& peak : peaks.peaks) {
    table.add_row({peak.name, value_cell(peak, peak.value), value_cell(peak, peak.low),
                   value_cell(peak, peak.high),
                   fmt::format("{:.2f} GHz", static_cast<double>(peak.clock_hz) * 1e-9)});
  }
  return fmt::format("{}, {} thread{} for \"all\"\n\n", printable(peaks.cpu_model), peaks.threads,
                     peaks.threads == 1 ? "" : "s") +
         table.text(width);
}

class PeaksCommand final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "peaks"; }
  [[nodiscard]] std::string summary() const override {
    return "measure this machine's compute and bandwidth ceilings";
  }
  void declare(Options& options) override {
    options.value("-o,--output", "FILE", output_,
                  "Where to write them (default: this machine's cache, used by `profile`)");
    options.value("--rounds", "N", rounds_, "Rounds per figure (default: 7)");
    options.value("--round-ms", "MS", round_ms_, "Length of a round (default: 20)");
    options.value("--memory-mib", "MIB", memory_mib_,
                  "Most memory for the arrays (default: a quarter of the machine's)");
    options.value("--threads", "N", threads_,
                  "Threads of the \"all\" figures (default: all usable)");
    options.value("--only", "TEXT", only_,
                  "Only ceilings with this in their name, such as fma or dram; needs -o");
    options.flag("--json", json_, "One JSON document on stdout");
    options.example("neurolens peaks");
  }
  Result<int> run(Context& context) override {
    const capture::Host host = capture::read_host();
    capture::PeaksOptions peaks_options;
    peaks_options.rounds = static_cast<int>(rounds_.value_or(peaks_options.rounds));
    peaks_options.round_ms = static_cast<int>(round_ms_.value_or(peaks_options.round_ms));
    if (memory_mib_) peaks_options.most_memory = Bytes{*memory_mib_ << 20};
    peaks_options.threads = static_cast<int>(threads_.value_or(0));
    if (only_ && !output_) {
      return Error{Errc::bad_request,
                   "What `profile` uses must be complete; name a file of its own with -o.",
                   "--only"};
    }
    peaks_options.only = only_.value_or("");
    const std::string path = output_.value_or(capture::peaks_cache_path(host.facts));
    NEUROLENS_ASSIGN(const auto peaks,
                     capture::measure_peaks(host.facts, peaks_options, context.attention));
    if (!output_) NEUROLENS_TRY(context.files.make_directories(parent_path(path)));
    NEUROLENS_TRY(context.files.write_atomic(path, capture::to_json(peaks)));
    context.terminal.out(json_ ? capture::to_json(peaks)
                               : as_text(peaks, context.terminal.width()));
    context.terminal.err(fmt::format("wrote {}\n", printable(path)));
    return kDone;
  }

 private:
  std::optional<std::string> output_;
  std::optional<std::string> only_;
  std::optional<std::int64_t> rounds_;
  std::optional<std::int64_t> round_ms_;
  std::optional<std::int64_t> memory_mib_;
  std::optional<std::int64_t> threads_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_peaks() {
  return std::make_unique<PeaksCommand>();
}

}  // namespace neurolens::cli
