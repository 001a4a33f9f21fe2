/// \file
/// The verdict on two sides that are being measured in interleaved blocks, with a control that must
/// not differ from the baseline riding along.
///
/// Method: looks after 10, 20 and 40 blocks with the alphas of sequential_alpha(); measuring stops
/// early only on a verdict. When the control (the baseline measured a second time in each block)
/// looks changed, the machine misleads and every verdict is inconclusive.
#pragma once

#include <vector>

#include "neurolens/analyze/verdict.hpp"

namespace neurolens::analyze {

/// One value per block and side, ns, all > 0; equal lengths.
struct LiveSamples {
  std::vector<double> baseline;
  std::vector<double> candidate;
  std::vector<double> control;  ///< Empty: measured without control.
};

/// Where a live comparison stands.
struct LiveVerdict {
  PairedVerdict judged;
  PairedVerdict control;
  bool control_flagged = false;
  bool look = false;      ///< A look was due after this many blocks.
  bool finished = false;  ///< A verdict, or the last look.
};

inline constexpr int kMostLiveBlocks = 40;

/// Judges what was measured so far. Between looks the verdict is inconclusive. Pure.
/// Requires: equal lengths, values > 0; delta, epsilon as in VerdictOptions.
[[nodiscard]] LiveVerdict judge_live(const LiveSamples& samples, double delta, double epsilon);

}  // namespace neurolens::analyze
