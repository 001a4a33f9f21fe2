/// \file
/// The verdict on two sides measured in interleaved blocks.
///
/// Method: block k gives one statistic per side, s_Ak and s_Bk (minimum of a launch for
/// processor-bound work, median for latency), both measured in random order within the block. d_k =
/// ln s_Bk - ln s_Ak goes through hodges_lehmann(); the ratio is exp of its estimate. With delta
/// the smallest change of interest and eps the bound of "the same": regressed when the interval
/// lies above ln(1 + delta), improved when it lies below -ln(1 + delta), equivalent when it lies
/// within +-ln(1 + eps), otherwise inconclusive. Exchanging the sides exchanges the verdicts and
/// inverts every ratio exactly. Fewer than kFewestBlocks blocks: inconclusive, always.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::analyze {

/// What the data say about candidate against baseline.
enum class Verdict { regressed, improved, equivalent, inconclusive };

/// "regressed", "improved", "equivalent", "inconclusive".
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

inline constexpr int kFewestBlocks = 7;

/// How a verdict is reached.
struct VerdictOptions {
  /// Error probability per side of the interval, in (0, 0.25].
  double alpha = 0.01;
  /// Smallest change that counts, as a ratio - 1; > 0. Raise it to the layout floor of the machine.
  double delta = 0.01;
  /// Half-width of "the same", as a ratio - 1; >= delta makes sense.
  double epsilon = 0.02;
};

/// All ratios are candidate / baseline: for a duration, above 1 is slower.
struct PairedVerdict {
  Verdict verdict = Verdict::inconclusive;
  double ratio = 1;
  std::optional<double> ratio_low;  ///< nullopt with too few blocks for an interval.
  std::optional<double> ratio_high;
  std::optional<double> p_value;  ///< Two-sided, of "no change".
  std::int64_t blocks = 0;
  /// The smallest regression that data of this spread could have shown (with probability 1/2).
  std::optional<double> detectable_ratio;
  /// Blocks after which a change of the size seen would be settled, for an inconclusive verdict.
  std::optional<std::int64_t> blocks_to_settle;
};

/// Judges `baseline[k]` against `candidate[k]`, in any unit, all > 0.
/// Errors: bad_request when the lengths differ or there is no block; out_of_range for a value not >
/// 0 or an option outside its range. Pure.
[[nodiscard]] Result<PairedVerdict> judge_pairs(std::span<const double> baseline,
                                                std::span<const double> candidate,
                                                const VerdictOptions& options = {});

/// Judges differences of logarithms directly.
[[nodiscard]] PairedVerdict judge_log_ratios(std::span<const double> log_ratios,
                                             const VerdictOptions& options = {});

/// Sequential looks: after a quarter, half and all of the `planned` blocks with alpha split .004,
/// .003, .003; stops early only on a verdict. The alpha of the look that has `blocks` blocks;
/// nullopt when no look is due.
[[nodiscard]] std::optional<double> sequential_alpha(std::int64_t blocks,
                                                     std::int64_t planned = 40);

}  // namespace neurolens::analyze
