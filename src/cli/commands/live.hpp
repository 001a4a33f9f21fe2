/// \file
/// Live comparisons, for `compare --live` and `gate --live`: what to launch, the choice of a
/// runner, the loop of blocks and looks, and its result as text and JSON.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/analyze/live.hpp"
#include "neurolens/capture/live.hpp"
#include "neurolens/gate/certificate.hpp"
#include "neurolens/gate/gate.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::cli {

/// What the user asked for.
struct LiveRequest {
  std::vector<std::string> models;      ///< One (two settings) or two.
  std::vector<std::string> settings_a;  ///< "KEY=VALUE" for options of `neurolens launch`.
  std::vector<std::string> settings_b;
  std::vector<std::string> programs;       ///< CMD_A ::: CMD_B.
  std::optional<double> delta;             ///< Smallest change that counts.
  std::optional<double> detect;            ///< Change to find in 90 of 100 cases.
  std::string runner = "auto";             ///< "auto", "fresh" or "resident".
  std::optional<std::string> certificate;  ///< Of the self-test.
  bool ops = false;                        ///< Times per op too.
  std::uint64_t seed = 1;
};

/// Declares the options that fill `request`, the same for every command.
void declare_live(Options& options, LiveRequest& request);

struct LiveSides {
  capture::LaunchCommand baseline;
  capture::LaunchCommand candidate;
  std::string baseline_name;
  std::string candidate_name;
  double delta = 0.01;
  double epsilon = 0.02;
  double detect = 0.05;
  std::optional<capture::Runner> runner;  ///< nullopt: calibrate.
  bool ops = false;
  std::uint64_t seed = 1;
};

/// How a comparison is measured.
struct LiveSetup {
  capture::Runner runner = capture::Runner::fresh;
  std::optional<double> fresh_spread;  ///< Of a block's log ratio; nullopt: not calibrated.
  std::optional<double> resident_spread;
  /// Of one process against another of the same program; nullopt for whole launches.
  std::optional<double> process_spread;
  /// Of the runner that was chosen.
  [[nodiscard]] std::optional<double> spread() const {
    return runner == capture::Runner::fresh ? fresh_spread : resident_spread;
  }
  analyze::LivePlan plan;
};

struct LiveOutcome {
  LiveSetup setup;
  analyze::LiveSamples samples;  ///< ns.
  gate::LiveFindings findings;
  std::string certificate;         ///< To quote; empty when there is none for this machine.
  std::vector<std::string> notes;  ///< What limits the answer.
};

/// Errors: bad_request, with what is missing.
Result<LiveSides> live_sides(const LiveRequest& request);

/// Measures the baseline against itself in some blocks of each runner that is possible (one where
/// it is asked for, where times per op are, and for programs), takes the steadier one for the time
/// it costs, and plans as many blocks as its spread asks for. Where a block takes seconds, nothing
/// is calibrated and the usual number is measured.
Result<LiveSetup> calibrate_live(Context& context, const LiveSides& sides);

/// Measures blocks until a verdict or the last look.
Result<LiveOutcome> measure_live(Context& context, const LiveSides& sides, const LiveSetup& setup);

/// Where self-tests of this machine leave their certificate when not told otherwise.
[[nodiscard]] std::string certificate_cache_path();
/// The sentence to quote from `path` (absent: the cache, where none is no error). Empty when it is
/// of another machine.
Result<std::string> quoted_certificate(Context& context, const std::optional<std::string>& path);

[[nodiscard]] std::string live_text(const LiveSides& sides, const LiveOutcome& outcome,
                                    std::size_t width, std::optional<std::size_t> top);
[[nodiscard]] std::string live_json(const LiveSides& sides, const LiveOutcome& outcome,
                                    std::optional<std::size_t> top);

/// Path of the running program.
[[nodiscard]] std::string own_program();

}  // namespace neurolens::cli
