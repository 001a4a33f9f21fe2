#include "live.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "neurolens/analyze/statistics.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/report/compare.hpp"
#include "neurolens/report/table.hpp"

namespace neurolens::cli {
namespace {

// Two programs are two layouts: relinking the same source moved times by up to 2.8 %.
constexpr double kProgramDelta = 0.03;
constexpr double kModelDelta = 0.01;

Result<capture::LaunchCommand> model_command(const std::string& model,
                                             const std::vector<std::string>& settings,
                                             std::string_view option) {
  capture::LaunchCommand command{{own_program(), "launch", model}, true};
  for (const auto& text : settings) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      return Error{
          Errc::bad_request,
          fmt::format("\"{}\" is not of the form KEY=VALUE, such as opt=basic.", printable(text)),
          std::string(option)};
    command.command.push_back("--" + text.substr(0, equals));
    command.command.push_back(text.substr(equals + 1));
  }
  return command;
}

std::string side_name(const std::string& name, const std::vector<std::string>& settings) {
  std::string text = name;
  for (const auto& setting : settings) text += " " + setting;
  return printable(text);
}

double median_of(const std::vector<double>& values) {
  std::vector<std::int64_t> whole;
  for (const double v : values) whole.push_back(static_cast<std::int64_t>(v));
  return analyze::median(whole).value_or(0);
}

void write_judged(json::Writer& w, const char* key, const analyze::PairedVerdict& judged) {
  w.key(key).begin_object().member("verdict", analyze::to_string(judged.verdict));
  w.member("ratio", judged.ratio).member("ratio_low", judged.ratio_low);
  w.member("ratio_high", judged.ratio_high).member("p_value", judged.p_value);
  w.member("blocks", judged.blocks).member("detectable_ratio", judged.detectable_ratio);
  w.member("blocks_to_settle", judged.blocks_to_settle).end_object();
}

}  // namespace

std::string own_program() {
  std::string path(4096, '\0');
  const auto length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return path.empty() ? "neurolens" : path;
}

Result<LiveSides> live_sides(const LiveRequest& request) {
  LiveSides sides;
  sides.seed = request.seed;
  const bool programs = !request.programs.empty();
  if (programs) {
    const auto split = std::find(request.programs.begin(), request.programs.end(), ":::");
    sides.baseline.command.assign(request.programs.begin(), split);
    if (split != request.programs.end())
      sides.candidate.command.assign(split + 1, request.programs.end());
    if (!request.models.empty() || sides.baseline.command.empty() ||
        sides.candidate.command.empty())
      return Error{Errc::bad_request, "Two programs are given as -- CMD_A ::: CMD_B.", "--live"};
    sides.baseline_name = printable(fmt::format("{}", fmt::join(sides.baseline.command, " ")));
    sides.candidate_name = printable(fmt::format("{}", fmt::join(sides.candidate.command, " ")));
  } else {
    if (request.models.empty() ||
        (request.models.size() == 1 && request.settings_a.empty() && request.settings_b.empty()))
      return Error{Errc::bad_request,
                   "Name two models, one model with --a and --b settings, or -- CMD_A ::: CMD_B.",
                   "--live"};
    const std::string& a = request.models.front();
    const std::string& b = request.models.back();
    NEUROLENS_ASSIGN(sides.baseline, model_command(a, request.settings_a, "--a"));
    NEUROLENS_ASSIGN(sides.candidate, model_command(b, request.settings_b, "--b"));
    sides.baseline_name = side_name(a, request.settings_a);
    sides.candidate_name = side_name(b, request.settings_b);
  }
  sides.delta = request.delta.value_or(programs ? kProgramDelta : kModelDelta);
  if (!(sides.delta > 0 && sides.delta < 10))
    return Error{Errc::out_of_range, "The smallest change that counts lies in (0, 10).", "--delta"};
  sides.epsilon = 2 * sides.delta;
  return sides;
}

Result<LiveOutcome> measure_live(Context& context, const LiveSides& sides) {
  LiveOutcome out;
  Random random(sides.seed, 41);
  while (!out.verdict.finished) {
    context.attention.report("measuring blocks", static_cast<double>(out.samples.baseline.size()) /
                                                     analyze::kMostLiveBlocks);
    auto block = capture::measure_block(sides.baseline, sides.candidate, random, context.attention);
    if (!block.ok()) {
      // What was measured until Ctrl-C still says something, but gives no verdict.
      if (block.error().code == Errc::cancelled && !out.samples.baseline.empty()) break;
      return std::move(block).error();
    }
    out.samples.baseline.push_back(static_cast<double>(block->baseline.count));
    out.samples.candidate.push_back(static_cast<double>(block->candidate.count));
    out.samples.control.push_back(static_cast<double>(block->control.count));
    out.verdict = analyze::judge_live(out.samples, sides.delta, sides.epsilon);
  }
  return out;
}

std::string live_text(const LiveSides& sides, const LiveOutcome& outcome) {
  const auto& judged = outcome.verdict.judged;
  std::string out = fmt::format("{} -> {}\n", sides.baseline_name, sides.candidate_name);
  out += fmt::format("{}: {}   {} -> {} per {}\n", analyze::to_string(judged.verdict),
                     report::ratio_text(judged),
                     report::format_time(median_of(outcome.samples.baseline)),
                     report::format_time(median_of(outcome.samples.candidate)),
                     sides.baseline.reports_samples ? "iteration (best of a launch)" : "launch");
  out +=
      fmt::format("{} interleaved blocks of fresh launches; changes below {:.3g} % do not count\n",
                  judged.blocks, 100 * sides.delta);
  if (judged.detectable_ratio)
    out += fmt::format("smallest slow-down that these data could show: {:.3f}x",
                       *judged.detectable_ratio);
  if (judged.blocks_to_settle)
    out += fmt::format("; about {} blocks would settle it", *judged.blocks_to_settle);
  out += fmt::format("\ncontrol (the baseline against itself): {}{}\n",
                     report::ratio_text(outcome.verdict.control),
                     outcome.verdict.control_flagged
                         ? " looks changed, so no verdict is given: the machine is not steady"
                         : "");
  return out;
}

std::string live_json(const LiveSides& sides, const LiveOutcome& outcome) {
  json::Writer w({2});
  w.begin_object().member("interleaved", true).member("delta_ratio", sides.delta);
  w.member("baseline", sides.baseline_name).member("candidate", sides.candidate_name);
  write_judged(w, "total", outcome.verdict.judged);
  write_judged(w, "control", outcome.verdict.control);
  w.member("control_flagged", outcome.verdict.control_flagged);
  w.key("baseline_ns").numbers(outcome.samples.baseline);
  w.key("candidate_ns").numbers(outcome.samples.candidate);
  w.key("control_ns").numbers(outcome.samples.control).end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::cli
