/// \file
/// The verdict on two sides that are being measured in interleaved blocks, with a control that must
/// not differ from the baseline riding along; and how many blocks it takes.
///
/// Method: three looks, after a quarter, half and all of the planned blocks (10, 20 and 40 unless
/// the spread asks for more), with the alphas of sequential_alpha(); measuring stops early only on
/// a verdict. When the control (the baseline measured a second time in each block) looks changed,
/// the machine misleads and every verdict is inconclusive.
///
/// Planning: the interval of n blocks whose differences have standard deviation s is about z s /
/// sqrt(.955 n) to each side (.955: efficiency of the signed rank at the normal distribution), so
/// finding an effect e beyond delta with probability p takes n = ((z_alpha + z_p) s / (ln(1 + e) -
/// ln(1 + delta)))^2 / .955.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "neurolens/analyze/align.hpp"
#include "neurolens/analyze/verdict.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// One value per block and side, in one unit, all > 0; equal lengths.
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

inline constexpr std::int64_t kUsualBlocks = 40;
inline constexpr std::int64_t kMostLiveBlocks = 160;

/// Judges what was measured so far. Between looks the verdict is inconclusive. Pure.
/// Requires: equal lengths, values > 0; delta, epsilon as in VerdictOptions; planned >= 40, a
/// multiple of 4.
[[nodiscard]] LiveVerdict judge_live(const LiveSamples& samples, double delta, double epsilon,
                                     std::int64_t planned = kUsualBlocks);

/// Standard deviation of ln(b / a) over pairs, from the mean difference between all of them (Gini):
/// nearly as efficient as the usual one, and one outlier counts once. nullopt for fewer than 3
/// pairs.
[[nodiscard]] std::optional<double> spread_of(std::span<const double> a, std::span<const double> b);

/// The part of that spread which belongs to the processes themselves (addresses, pages): what two
/// readings of the same processes have in common. Standard deviation of one process; 0 where noise
/// hides it. Each span: one value per block. nullopt for fewer than 4 blocks.
[[nodiscard]] std::optional<double> process_spread_of(std::span<const double> a_first,
                                                      std::span<const double> b_first,
                                                      std::span<const double> a_second,
                                                      std::span<const double> b_second);

/// How many blocks to measure.
struct LivePlan {
  std::int64_t blocks = kUsualBlocks;  ///< At most; a multiple of 4.
  /// Blocks that would find `effect` in 90 of 100 cases; above `blocks` it is out of reach here.
  std::int64_t needed = kUsualBlocks;
};

/// `spread`: standard deviation of a block's log ratio; effect > delta > 0. Pure.
[[nodiscard]] LivePlan plan_live(double spread, double delta, double effect);

/// Times of the ops of one side, block by block: [block][op], ns.
using OpBlocks = std::vector<std::vector<double>>;

/// What one group of ops did.
struct LiveOp {
  OpGroup group;
  std::string name;  ///< Of the longest op of the baseline (of the candidate when added).
  std::string type;
  double baseline_ns = 0;  ///< Median over blocks; 0 when added.
  double candidate_ns = 0;
  PairedVerdict judged;          ///< Groups with ops on both sides.
  bool control_flagged = false;  ///< The control moved: no verdict.
  bool discovered = false;       ///< Survived Benjamini-Hochberg.
};

/// Judges every group of ops, by the time that they won or lost, most first. `baseline`,
/// `candidate`, `control` have one list per block with a value per op of the plans in `a` and `b`
/// (control as a). alpha .01 per side; a verdict also needs Benjamini-Hochberg at q. Errors:
/// bad_request when a block's list does not fit its plan.
[[nodiscard]] Result<std::vector<LiveOp>> judge_live_ops(const run::Run& a, const run::Run& b,
                                                         const OpBlocks& baseline,
                                                         const OpBlocks& candidate,
                                                         const OpBlocks& control, double delta,
                                                         double epsilon, double q = 0.05);

}  // namespace neurolens::analyze
