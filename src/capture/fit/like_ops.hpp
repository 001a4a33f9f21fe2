/// \file
/// Ops that do the same work take about the same time: what each of them shows says something of
/// the others. Pure function.
#pragma once

#include <span>
#include <vector>

#include "fit/belief.hpp"

namespace neurolens::capture {

/// Times of ops of like work, each moved towards their common time by as much as its own error
/// allows (empirical Bayes, normal errors e_i, spread T of the true times among themselves by
/// Paule and Mandel, J. Res. NBS 87 (1982) 377):
///   m = sum w_i t_i / sum w_i,  w_i = 1 / (e_i^2 + T^2),  sum w_i (t_i - m)^2 = n - 1,
///   t_i' = m + (t_i - m) T^2 / (e_i^2 + T^2).
/// So ops that differ by more than their errors stay apart. One that lies further from the median
/// than any of n such ops would by chance (95 %) is of another kind, keeps its time and is not
/// used. Errors are >= the clock's step, and not made smaller: part of them is common to all. Fewer
/// than 3 ops stay as they are.
[[nodiscard]] std::vector<double> times_of_like_ops(std::span<const Belief> ops);

/// T of the above: what the true times of like ops differ by, as far as their errors do not explain
/// it. 0 for fewer than 3 ops.
[[nodiscard]] double spread_of_like_ops(std::span<const Belief> ops);

}  // namespace neurolens::capture
