/// \file
/// How a transform of a given length is cut up: which radices, how many points to join last, or a
/// dense product instead; by a model of vector operations per number.
#pragma once

#include <vector>

#include "direct/stage.hpp"

namespace neurolens::pde {

/// Ends of different kinds: half-integer positions or frequencies.
[[nodiscard]] inline bool is_quarter(AxisKind kind) {
  return kind == AxisKind::dirichlet_neumann || kind == AxisKind::neumann_dirichlet;
}

/// Residues modulo p that are their own partner.
[[nodiscard]] inline int self_count(int p, bool half_position) {
  return p % 2 != 0 ? 1 : (half_position ? 0 : 2);
}

/// Radices of an FFT of length n: eights and fours for the twos, then the odd factors; large ones
/// first.
[[nodiscard]] std::vector<int> radices_of(int n);

/// The divisor p of 2 n, at least 3, that is cheapest to join.
[[nodiscard]] int best_join(int n, bool half_position);

/// Whether a dense product beats the joined transform.
[[nodiscard]] bool prefers_dense(AxisKind kind, int n);

}  // namespace neurolens::pde
