#include "live.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "neurolens/base/text.hpp"
#include "neurolens/capture/host.hpp"
#include "neurolens/capture/peaks.hpp"
#include "neurolens/run/run.hpp"
#include "neurolens/run/work.hpp"
#include "neurolens/workloads/workloads.hpp"

namespace neurolens::cli {
namespace {

// Two programs are two layouts: relinking the same source moved times by up to 2.8 %.
constexpr double kProgramDelta = 0.03;
constexpr double kModelDelta = 0.01;
// Times per op come from the backend's profiler, in whole microseconds.
constexpr double kOpDelta = 0.02;
constexpr double kDetect = 0.05;

Result<capture::LaunchCommand> model_command(const std::string& model,
                                             const std::vector<std::string>& settings,
                                             std::string_view option) {
  capture::LaunchCommand command{{own_program(), "launch", model}, true};
  std::map<std::string, std::string> of_engine;
  const bool engine = workloads::is_specification(model);
  for (const auto& text : settings) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
      return Error{
          Errc::bad_request,
          fmt::format("\"{}\" is not of the form KEY=VALUE, such as opt=basic.", printable(text)),
          std::string(option)};
    if (engine) {
      of_engine[text.substr(0, equals)] = text.substr(equals + 1);
      continue;
    }
    command.command.push_back("--" + text.substr(0, equals));
    command.command.push_back(text.substr(equals + 1));
  }
  if (engine) {
    NEUROLENS_ASSIGN(command.command.back(), workloads::with_options(model, of_engine));
    // A mistake in a setting is told here, before anything is launched.
    NEUROLENS_TRY(workloads::make(command.command.back()));
  }
  return command;
}

std::string side_name(const std::string& name, const std::vector<std::string>& settings) {
  std::string text = name;
  for (const auto& setting : settings) text += " " + setting;
  return printable(text);
}

/// Blocks of the baseline against itself with one runner.
struct Pilot {
  double spread = 0;
  double process_spread = 0;
  double seconds_per_block = 0;
};

/// nullopt when one block takes so long that the comparison itself should get the time.
Result<std::optional<Pilot>> pilot(Context& context, const LiveSides& sides,
                                   capture::Runner runner) {
  constexpr int kBlocks = 8;
  constexpr double kSlowBlock = 3;
  Random random(sides.seed, 43);
  std::vector<double> first, even, odd, other, other_even, other_odd;
  const Nanoseconds begin = context.clock.now();
  const auto seconds = [&] {
    return static_cast<double>((context.clock.now() - begin).count) / 1e9;
  };
  for (int k = 0; k < kBlocks; ++k) {
    context.attention.report("choosing a runner", static_cast<double>(k) / kBlocks);
    NEUROLENS_ASSIGN(
        const auto block,
        capture::measure_block(runner, sides.baseline, sides.baseline, random, context.attention));
    // Three processes of one program are two ratios.
    for (const auto* one : {&block.candidate, &block.control}) {
      first.push_back(static_cast<double>(block.baseline.time.count));
      even.push_back(static_cast<double>(block.baseline.even.count));
      odd.push_back(static_cast<double>(block.baseline.odd.count));
      other.push_back(static_cast<double>(one->time.count));
      other_even.push_back(static_cast<double>(one->even.count));
      other_odd.push_back(static_cast<double>(one->odd.count));
    }
    if (k == 0 && seconds() > kSlowBlock) return std::optional<Pilot>();
  }
  return std::optional(
      Pilot{analyze::spread_of(first, other).value_or(0),
            analyze::process_spread_of(even, other_even, odd, other_odd).value_or(0),
            seconds() / kBlocks});
}

/// A folder for the plans of both sides, removed at the end.
class PlanFolder {
 public:
  PlanFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "neurolens_XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~PlanFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  PlanFolder(const PlanFolder&) = delete;
  PlanFolder& operator=(const PlanFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The plan of a side, from a launch of its own.
Result<run::Run> plan_of(Context& context, capture::LaunchCommand command,
                         const std::string& folder) {
  if (folder.empty())
    return Error{Errc::io_error, "No temporary folder could be made.", "live comparison"};
  const std::string path = folder + "/plan.run.json";
  command.command.insert(command.command.end(), {"--run", path});
  NEUROLENS_TRY(capture::launch(command));
  return run::read_file(context.files, path);
}

/// nullopt where one is not known or there is nothing to be a multiple of.
std::optional<double> ratio_of(std::optional<double> b, std::optional<double> a) {
  return a && b && *a > 0 ? std::optional(*b / *a) : std::nullopt;
}

/// Everything that was measured, block by block.
struct Collected {
  analyze::LiveSamples time;
  analyze::LiveSamples p95;
  analyze::LiveSamples memory;
  analyze::OpBlocks baseline_ops, candidate_ops, control_ops;

  void take(capture::LiveBlock block) {
    const auto add = [&](analyze::LiveSamples& to, auto of) {
      to.baseline.push_back(static_cast<double>(of(block.baseline).count));
      to.candidate.push_back(static_cast<double>(of(block.candidate).count));
      to.control.push_back(static_cast<double>(of(block.control).count));
    };
    add(time, [](const capture::Launched& l) { return l.time; });
    add(p95, [](const capture::Launched& l) { return l.p95; });
    add(memory, [](const capture::Launched& l) { return l.peak_memory; });
    baseline_ops.push_back(std::move(block.baseline.op_ns));
    candidate_ops.push_back(std::move(block.candidate.op_ns));
    control_ops.push_back(std::move(block.control.op_ns));
  }
};

/// A metric beside the one that is looked at: one alpha, no looks.
analyze::PairedVerdict judge_beside(const analyze::LiveSamples& samples, const LiveSides& sides) {
  const analyze::VerdictOptions options{0.01, sides.delta, sides.epsilon};
  return analyze::judge_pairs(samples.baseline, samples.candidate, options)
      .value_or(analyze::PairedVerdict{});
}

}  // namespace

std::string own_program() {
  std::string path(4096, '\0');
  const auto length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return path.empty() ? "neurolens" : path;
}

void declare_live(Options& options, LiveRequest& request) {
  options.values("--a", "KEY=VALUE", request.settings_a,
                 "Live: a setting of the baseline, such as opt=none; may be repeated");
  options.values("--b", "KEY=VALUE", request.settings_b, "Live: the same for the candidate");
  options.value("--delta", "RATIO", request.delta,
                "Live: smallest change that counts (default: 0.01, programs 0.03)");
  options.value("--detect", "RATIO", request.detect,
                "Live: change that the planned blocks find in 90 of 100 cases (default: 0.05)");
  options.choice("--runner", {"auto", "fresh", "resident"}, request.runner,
                 "Live: processes that follow each other, or stay and take turns");
  options.value("--certificate", "FILE", request.certificate,
                "Live: of `gate selftest`, to quote (default: the one of this machine)");
  options.rest("CMD_A ::: CMD_B", request.programs, "Live: two programs, timed as a whole");
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
  sides.detect = request.detect.value_or(std::max(kDetect, 2 * sides.delta));
  if (!(sides.detect > sides.delta && sides.detect < 100))
    return Error{Errc::out_of_range, "The change to find lies above the one that counts.",
                 "--detect"};
  if (request.runner == "fresh" || programs || request.ops)
    sides.runner = capture::Runner::fresh;
  else if (request.runner == "resident")
    sides.runner = capture::Runner::resident;
  if (request.runner == "resident" && (programs || request.ops))
    return Error{Errc::bad_request,
                 "Programs, and models with --ops, are measured by fresh launches.", "--runner"};
  sides.ops = request.ops;
  if (request.ops) {
    if (programs)
      return Error{Errc::bad_request, "Times per op need models, not programs.", "--ops"};
    sides.baseline.command.emplace_back("--ops");
    sides.candidate.command.emplace_back("--ops");
  }
  return sides;
}

Result<LiveSetup> calibrate_live(Context& context, const LiveSides& sides) {
  LiveSetup setup;
  setup.runner = sides.runner.value_or(capture::Runner::fresh);
  std::optional<Pilot> fresh;
  std::optional<Pilot> resident;
  if (sides.runner != capture::Runner::resident) {
    NEUROLENS_ASSIGN(fresh, pilot(context, sides, capture::Runner::fresh));
    if (!fresh) return setup;
    setup.fresh_spread = fresh->spread;
  }
  if (sides.runner != capture::Runner::fresh) {
    NEUROLENS_ASSIGN(resident, pilot(context, sides, capture::Runner::resident));
    if (!resident) return setup;
    setup.resident_spread = resident->spread;
  }
  // The blocks that a precision takes grow with the square of the spread.
  const auto cost = [](const Pilot& p) { return p.spread * p.spread * p.seconds_per_block; };
  if (fresh && resident && cost(*resident) < cost(*fresh)) setup.runner = capture::Runner::resident;
  const Pilot& chosen = setup.runner == capture::Runner::resident ? *resident : *fresh;
  // Halves of a launch that is timed as a whole do not exist.
  if (sides.baseline.reports_samples) setup.process_spread = chosen.process_spread;
  setup.plan = analyze::plan_live(chosen.spread, sides.delta, sides.detect);
  return setup;
}

Result<LiveOutcome> measure_live(Context& context, const LiveSides& sides, const LiveSetup& setup) {
  LiveOutcome out;
  out.setup = setup;
  Random random(sides.seed, 41);
  Collected all;
  auto& verdict = out.findings.total;
  std::optional<run::Run> plan_a;
  std::optional<run::Run> plan_b;
  if (sides.ops) {
    const PlanFolder folder;
    NEUROLENS_ASSIGN(plan_a, plan_of(context, sides.baseline, folder.path()));
    NEUROLENS_ASSIGN(plan_b, plan_of(context, sides.candidate, folder.path()));
    out.findings.flops_ratio = ratio_of(run::flops_of(*plan_b), run::flops_of(*plan_a));
    out.findings.bytes_ratio = ratio_of(run::bytes_of(*plan_b), run::bytes_of(*plan_a));
  }
  while (!verdict.finished) {
    context.attention.report("measuring blocks", static_cast<double>(all.time.baseline.size()) /
                                                     static_cast<double>(setup.plan.blocks));
    auto block = capture::measure_block(setup.runner, sides.baseline, sides.candidate, random,
                                        context.attention);
    if (!block.ok()) {
      // What was measured until Ctrl-C still says something, but gives no verdict.
      if (block.error().code == Errc::cancelled && !all.time.baseline.empty()) break;
      return std::move(block).error();
    }
    all.take(std::move(block).value());
    verdict = analyze::judge_live(all.time, sides.delta, sides.epsilon, setup.plan.blocks);
  }
  out.findings.p95 = judge_beside(all.p95, sides);
  out.findings.peak_memory = judge_beside(all.memory, sides);
  if (plan_a && plan_b) {
    auto ops = analyze::judge_live_ops(*plan_a, *plan_b, all.baseline_ops, all.candidate_ops,
                                       all.control_ops, kOpDelta, 2 * kOpDelta);
    if (ops.ok()) {
      out.findings.ops = std::move(ops).value();
    } else {
      out.notes.push_back("There are no verdicts per op: " + ops.error().message);
    }
  }
  out.samples = std::move(all.time);
  return out;
}

std::string certificate_cache_path() {
  const auto host = capture::read_host().facts;
  return std::filesystem::path(capture::peaks_cache_path(host))
      .replace_filename("gate-certificate.json");
}

Result<std::string> quoted_certificate(Context& context, const std::optional<std::string>& path) {
  const auto text = context.files.read(path.value_or(certificate_cache_path()));
  if (!text.ok()) return path ? Result<std::string>(text.error()) : std::string();
  auto certificate = gate::parse_certificate(*text);
  if (!certificate.ok())
    return path ? Result<std::string>(std::move(certificate).error().at(*path)) : std::string();
  if (certificate->cpu_model != capture::read_host().facts.cpu_model) return std::string();
  return gate::quote(*certificate);
}

}  // namespace neurolens::cli
