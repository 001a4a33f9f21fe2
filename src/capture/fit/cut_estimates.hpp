/// \file
/// From latencies of prefixes to times of the gaps between them. Pure functions.
///
/// Every prefix is loaded several times, because where a session's memory happens to lie changes
/// its latency by some tenths of a percent: more than the ops of interest take, and the same in
/// every iteration of that session. One loading of all prefixes is a batch; the spread between
/// batches is therefore the error of a level, and no constant is chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fit/belief.hpp"

namespace neurolens::capture {

/// Latency of each prefix with its standard error.
struct Levels {
  std::vector<double> time_ns;
  std::vector<double> error_ns;
  double common_error_ns = 0;  ///< Standard error of a constant that all of them share.
};

/// One loading of all prefixes.
struct Batch {
  std::vector<double> time_ns;  ///< Latency of each prefix.
  double padding = 0;           ///< How much was added to all of them; see onnx::CutOptions.
};

/// Means over batches, after what a batch has in common is taken out: drift, and from 8 prefixes on
/// also a constant. The constant that stays is the one that a straight line over the paddings
/// has at 0. The error is the spread between batches, averaged over neighbouring prefixes, by the
/// root of their number. Requires >= 2 batches of equal size.
[[nodiscard]] Levels levels_of(const std::vector<Batch>& batches);

/// Time of a gap with its 95 % interval.
struct GapTime {
  double time_ns = 0;
  double low_ns = 0;
  double high_ns = 0;
  /// Of what is known about the gap, the part that the cuts told, in [0, 1]; 1 without other
  /// knowledge.
  double cut_share = 1;
};

/// Gap i lies between levels i and i + 1. Levels made non-decreasing (weighted by their errors);
/// intervals by parametric bootstrap.
[[nodiscard]] std::vector<GapTime> gaps_by_cuts(const Levels& levels, std::uint64_t seed);

/// The most probable gaps given normal errors of levels and of what is known of gaps besides: a
/// tridiagonal system for the levels, O(n). When beliefs and cuts disagree by more than their
/// errors allow, the beliefs are the ones that are wrong: their errors grow until the disagreement
/// is plausible, all together and one by one. Times are >= 0.
[[nodiscard]] std::vector<GapTime> gaps_by_both(const Levels& levels,
                                                const std::vector<Belief>& beliefs);

}  // namespace neurolens::capture
