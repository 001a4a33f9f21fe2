/// \file
/// Live comparisons, for `compare --live` and `gate --live`: what to launch, the loop of blocks and
/// looks, and its result as text and JSON.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"
#include "neurolens/analyze/live.hpp"
#include "neurolens/capture/live.hpp"

namespace neurolens::cli {

/// What the user asked for.
struct LiveRequest {
  std::vector<std::string> models;      ///< One (two settings) or two.
  std::vector<std::string> settings_a;  ///< "KEY=VALUE" for options of `neurolens launch`.
  std::vector<std::string> settings_b;
  std::vector<std::string> programs;  ///< CMD_A ::: CMD_B.
  std::optional<double> delta;        ///< Smallest change that counts.
  std::uint64_t seed = 1;
};

struct LiveSides {
  capture::LaunchCommand baseline;
  capture::LaunchCommand candidate;
  std::string baseline_name;
  std::string candidate_name;
  double delta = 0.01;
  double epsilon = 0.02;
  std::uint64_t seed = 1;
};

struct LiveOutcome {
  analyze::LiveSamples samples;
  analyze::LiveVerdict verdict;
};

/// Errors: bad_request, with what is missing.
Result<LiveSides> live_sides(const LiveRequest& request);

/// Measures blocks until a verdict or the last look.
Result<LiveOutcome> measure_live(Context& context, const LiveSides& sides);

[[nodiscard]] std::string live_text(const LiveSides& sides, const LiveOutcome& outcome);
[[nodiscard]] std::string live_json(const LiveSides& sides, const LiveOutcome& outcome);

/// Path of the running program.
[[nodiscard]] std::string own_program();

}  // namespace neurolens::cli
