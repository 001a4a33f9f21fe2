/// \file
/// Ops that do the same work take about the same time: what each of them shows says something of
/// the others. Pure function.
#pragma once

#include <span>
#include <vector>

namespace neurolens::capture {

/// What is known of an op: a time and its standard error, both in ns.
struct OpBelief {
  double time_ns = 0;
  double error_ns = 0;  ///< >= 0; 0 is taken as the clock's step.
};

/// Times of ops of like work, each moved towards their common time by as much as its own error
/// allows (empirical Bayes, normal errors e_i, spread T of the true times among themselves by
/// Paule and Mandel, J. Res. NBS 87 (1982) 377):
///   m = sum w_i t_i / sum w_i,  w_i = 1 / (e_i^2 + T^2),  sum w_i (t_i - m)^2 = n - 1,
///   t_i' = m + (t_i - m) T^2 / (e_i^2 + T^2).
/// So ops that differ by more than their errors stay apart. One that lies further from the median
/// than any of n such ops would by chance (95 %) is of another kind, keeps its time and is not
/// used. Errors are not made smaller: part of them is common to all. Fewer than 3 ops stay as they
/// are.
[[nodiscard]] std::vector<double> times_of_like_ops(std::span<const OpBelief> ops);

/// T of the above: what the true times of like ops differ by, as far as their errors do not explain
/// it. 0 for fewer than 3 ops.
[[nodiscard]] double spread_of_like_ops(std::span<const OpBelief> ops);

}  // namespace neurolens::capture
