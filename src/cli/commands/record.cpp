#include "neurolens/capture/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/run/run.hpp"
#include "record_report.hpp"

namespace neurolens::cli {
namespace {

/// "5%" or "0.05". A bare number from 1 on is refused: 1 could mean 1 % or everything.
Result<double> parse_threshold(std::string_view text) {
  const Error wrong{Errc::bad_request, "The threshold is a share such as 5% or 0.05.",
                    "--threshold"};
  std::string_view number = text;
  const bool percent = number.ends_with('%');
  if (percent) number.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size() || !(value > 0)) return wrong;
  if (!percent && value >= 1 && value <= 100) {
    return Error{Errc::bad_request,
                 fmt::format("A threshold without % is a fraction below 1: write {}% for {} "
                             "percent.",
                             text, text),
                 "--threshold"};
  }
  if (percent) value /= 100;
  if (value > 1) return wrong;
  return value;
}

class Record final : public Command {
 public:
  [[nodiscard]] std::string name() const override { return "record"; }
  [[nodiscard]] std::string summary() const override {
    return "sample any program: functions, modules, threads, memory";
  }

  void declare(Options& options) override {
    options.rest("command", options_.command, "The program and its arguments, after --");
    options.value("-o,--output", "RUN", output_,
                  "Write a Run; .zst compresses (default: none is written)");
    options.value("--rate", "HZ", rate_, "Samples per second and thread (default: 997)");
    options.value("--pid", "PID", options_.pid, "Attach to a running process instead");
    options.value("--duration", "S", duration_,
                  "Stop sampling after S seconds (default: at the program's end)");
    options.flag("--memory", options_.memory, "Track allocations too, by call stack");
    options.flag("--threads", report_.threads, "Show threads");
    options.flag("--lines", report_.lines, "Show source lines");
    options.value("--function", "NAME", report_.function,
                  "Show callers, callees and lines of this function too");
    options.value("--module", "NAME", report_.module,
                  "Show functions of this executable or shared object only");
    options.choice("--unwind", {"dwarf", "fp"}, unwind_, "How stacks are walked");
    options.value("--threshold", "SHARE", threshold_,
                  "Show functions from this own or cumulative share on: 5% or 0.05");
    options.flag("--json", json_,
                 "One JSON document on stdout, after what the program wrote there");
    options.example("neurolens record -o sleep.run.json -- ls -l /usr/bin");
  }

  Result<int> run(Context& context) override {
    NEUROLENS_ASSIGN(report_.threshold, parse_threshold(threshold_));
    options_.attention = context.attention;
    if (rate_) options_.rate_hz = *rate_;
    if (duration_ && !(*duration_ > 0 && *duration_ < 1e9)) {
      return Error{Errc::out_of_range, "The duration is a positive number of seconds.",
                   "--duration"};
    }
    if (duration_) options_.duration = Nanoseconds{static_cast<std::int64_t>(*duration_ * 1e9)};
    options_.unwind = unwind_ == "fp" ? capture::Unwind::frame_pointers : capture::Unwind::dwarf;
    if (output_) NEUROLENS_TRY(check_writable(context, *output_));
    NEUROLENS_ASSIGN(const capture::Recording recording, capture::record(options_));
    if (output_) {
      const capture::ProgramFacts facts = facts_of(context);
      NEUROLENS_TRY(
          run::write_file(context.files, *output_, capture::to_run(recording, options_, facts)));
    }
    // The program owned stdout: people read our part on stderr.
    if (json_) {
      context.terminal.out(record_json(recording, report_));
    } else {
      context.terminal.err(record_text(recording, report_, output_.value_or("")));
    }
    if (recording.exit_signal) return 128 + *recording.exit_signal;  // as a shell tells it
    return recording.exit_status.value_or(kDone);
  }

 private:
  capture::RecordOptions options_;
  std::optional<std::string> output_;
  std::optional<double> rate_, duration_;
  std::string threshold_ = "5%", unwind_ = "dwarf";
  RecordReport report_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_record() {
  return std::make_unique<Record>();
}

}  // namespace neurolens::cli
