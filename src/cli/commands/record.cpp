#include "neurolens/capture/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "builtin.hpp"
#include "common.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/report/table.hpp"
#include "neurolens/run/run.hpp"

namespace neurolens::cli {
namespace {

using capture::FunctionCost;
using capture::SampledProfile;

/// "5%", "5" (percent) or "0.05": shares above 1 are percent. nullopt: no number in (0, 100].
std::optional<double> parse_threshold(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (percent || value > 1) value /= 100;
  if (!(value > 0 && value <= 1)) return std::nullopt;
  return value;
}

std::string percent(const capture::Share& s) {
  return fmt::format("{:5.1f} % [{:.1f}, {:.1f}]", 100 * s.value, 100 * s.low, 100 * s.high);
}

std::string shorten(const std::string& name, std::size_t most) {
  const std::string text = printable(name);
  return text.size() <= most ? text : text.substr(0, most - 3) + "...";
}

std::string text_report(const capture::Recording& r, double threshold, bool threads,
                        const std::string& path) {
  const SampledProfile& p = r.profile;
  std::string text = fmt::format(
      "{} samples by {} at {} Hz over {:.2f} s; {:.2f} s of processor time\n", p.samples.size(),
      p.clock, shortest(p.rate_hz), static_cast<double>(p.duration.count) / 1e9,
      static_cast<double>(p.cpu_time.count) / 1e9);
  if (p.lost > 0) text += fmt::format("{} records were lost\n", p.lost);
  if (p.truncated > 0) text += fmt::format("{} stacks end early\n", p.truncated);
  text += fmt::format("\n{:<24}{:<24}{}\n", "own", "cumulative", "function");
  for (const FunctionCost& c : capture::bottlenecks(p, threshold)) {
    const auto& f = p.functions[c.function.index()];
    text += fmt::format("{:<24}{:<24}{}{}\n", percent(c.own), percent(c.cumulative),
                        shorten(f.name, 90), f.kernel ? " [kernel]" : "");
  }
  text += fmt::format("\n{:<24}{}\n", "own", "module");
  for (const auto& m : capture::module_costs(p)) {
    if (m.share.value >= threshold)
      text += fmt::format("{:<24}{}\n", percent(m.share), printable(m.name));
  }
  if (threads) {
    text += fmt::format("\n{:<24}{}\n", "own", "thread");
    for (const auto& t : capture::thread_costs(p)) {
      text += fmt::format("{:<24}{}\n", percent(t.share), printable(t.name));
    }
  }
  if (r.memory) {
    const auto& m = *r.memory;
    const auto bytes = [](Bytes b) { return report::format_bytes(static_cast<double>(b.count)); };
    text += fmt::format("\n{} allocations of {}, {} at the peak, {} never released\n",
                        m.allocations, bytes(m.allocated), bytes(m.peak), bytes(m.live_at_exit));
    constexpr std::size_t kSites = 10;
    for (std::size_t i = 0; i < std::min(kSites, m.sites.size()); ++i) {
      const auto& s = m.sites[i];
      const std::string inner = s.stack.empty() ? "?" : m.functions[s.stack.back().index()].name;
      text += fmt::format("{:>12}  {:>9} allocations  {:>12} leaked  {}\n", bytes(s.allocated),
                          s.allocations, bytes(s.live), shorten(inner, 80));
    }
  }
  if (!path.empty()) text += fmt::format("\nRun: {}\n", printable(path));
  return text;
}

void put_share(json::Writer& w, std::string_view name, const capture::Share& s) {
  w.key(name).begin_object().member("value", s.value).member("low", s.low).member("high", s.high);
  w.end_object();
}

void put_costs(json::Writer& w, std::string_view name,
               const std::vector<capture::NamedCost>& costs) {
  w.key(name).begin_array();
  for (const auto& c : costs) {
    w.begin_object().member("name", c.name).member("samples", c.samples);
    put_share(w, "own_ratio", c.share);
    w.end_object();
  }
  w.end_array();
}

std::string json_report(const capture::Recording& r, double threshold) {
  const SampledProfile& p = r.profile;
  json::Writer w({2});
  w.begin_object();
  w.member("samples", static_cast<std::uint64_t>(p.samples.size())).member("clock", p.clock);
  w.member("rate_hz", p.rate_hz)
      .member("duration_ns", p.duration)
      .member("cpu_time_ns", p.cpu_time);
  w.member("lost", p.lost).member("truncated", p.truncated);
  w.key("exit_status");
  r.exit_status ? w.value(*r.exit_status) : w.null();
  w.key("exit_signal");
  r.exit_signal ? w.value(*r.exit_signal) : w.null();
  w.key("functions").begin_array();
  for (const FunctionCost& c : capture::bottlenecks(p, threshold)) {
    const auto& f = p.functions[c.function.index()];
    w.begin_object().member("name", f.name).member("module", p.modules[f.module.index()].path);
    w.member("own_samples", c.own_samples).member("cumulative_samples", c.cumulative_samples);
    put_share(w, "own_ratio", c.own);
    put_share(w, "cumulative_ratio", c.cumulative);
    w.member("own_time_ns", c.own_time).member("cumulative_time_ns", c.cumulative_time);
    w.end_object();
  }
  w.end_array();
  put_costs(w, "modules", capture::module_costs(p));
  put_costs(w, "threads", capture::thread_costs(p));
  w.key("memory");
  if (!r.memory) {
    w.null();
  } else {
    const auto& m = *r.memory;
    w.begin_object().member("allocations", m.allocations).member("releases", m.releases);
    w.member("allocated_bytes", m.allocated).member("peak_bytes", m.peak);
    w.member("live_at_exit_bytes", m.live_at_exit).end_object();
  }
  w.end_object();
  return std::move(w).take() + "\n";
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
    options.flag("--threads", threads_, "Show threads");
    options.choice("--unwind", {"dwarf", "fp"}, unwind_, "How stacks are walked");
    options.value("--threshold", "SHARE", threshold_,
                  "Show functions from this own or cumulative share on (default: 5%)");
    options.flag("--json", json_,
                 "One JSON document on stdout, after what the program wrote there");
    options.example("neurolens record -o sleep.run.json -- ls -l /usr/bin");
  }

  Result<int> run(Context& context) override {
    const auto threshold = parse_threshold(threshold_);
    if (!threshold) {
      return Error{Errc::bad_request, "The threshold is a share such as 5% or 0.05.",
                   "--threshold"};
    }
    if (rate_) options_.rate_hz = *rate_;
    if (duration_ && !(*duration_ > 0 && *duration_ < 1e9)) {
      return Error{Errc::out_of_range, "The duration is a positive number of seconds.",
                   "--duration"};
    }
    if (duration_) options_.duration = Nanoseconds{static_cast<std::int64_t>(*duration_ * 1e9)};
    options_.unwind = unwind_ == "fp" ? capture::Unwind::frame_pointers : capture::Unwind::dwarf;
    // An output that cannot be written is found out now, not after minutes of sampling.
    if (output_) {
      NEUROLENS_ASSIGN(const auto probe, context.files.create_atomic(*output_));
    }
    NEUROLENS_ASSIGN(const capture::Recording recording, capture::record(options_));
    if (output_) {
      capture::ProgramFacts facts;
      facts.host = capture::read_host().facts;
      facts.neurolens_version = NEUROLENS_VERSION;
      facts.argv = context.argv;
      NEUROLENS_TRY(
          run::write_file(context.files, *output_, capture::to_run(recording, options_, facts)));
    }
    // The program owned stdout: people read our part on stderr.
    if (json_) {
      context.terminal.out(json_report(recording, *threshold));
    } else {
      context.terminal.err(text_report(recording, *threshold, threads_, output_.value_or("")));
    }
    if (recording.exit_signal) return 128 + *recording.exit_signal;  // as a shell tells it
    return recording.exit_status.value_or(kDone);
  }

 private:
  capture::RecordOptions options_;
  std::optional<std::string> output_;
  std::optional<double> rate_, duration_;
  std::string threshold_ = "5%", unwind_ = "dwarf";
  bool threads_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_record() {
  return std::make_unique<Record>();
}

}  // namespace neurolens::cli
