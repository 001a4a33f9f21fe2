/// \file
/// One direction of a trigonometric transform of any length, as tables of either kind of number.
///
/// Method. Two real rows travel as one complex row, so a sequence with the symmetry of its boundary
/// (odd for Dirichlet, even for Neumann) is a complex sequence z of period L = 2N with
/// z(-j) = sigma z(j). Its positions are split by residue modulo p, a divisor chosen per length.
/// Residues r and -r carry the same numbers, so only about p/2 ordinary complex FFTs of length M =
/// L/p are needed, and a final butterfly of p points joins them, using
///   Y_-r(k) = sigma Y_r(-k)   (Y_r: the part of the sum over positions of residue r).
/// Nothing is divided by a small sine and there is no recurrence, so the error stays at the level
/// of an FFT. A large prime factor of N becomes p: its butterfly is a dense product at the speed of
/// FMA units, p/2 multiply-adds per number, or about half of that where p - 1 has small factors
/// (direct/cyclic.hpp). Half-integer
/// positions (psi) and frequencies (phi) give the quarter-wave kinds.
#pragma once

#include <cstdint>
#include <vector>

#include "direct/cyclic.hpp"

namespace neurolens::pde {

/// What a direction's two ends look like to a transform.
enum class AxisKind : std::uint8_t {
  dirichlet_dirichlet,
  neumann_neumann,
  dirichlet_neumann,
  neumann_dirichlet,
  periodic,
  dense  ///< An explicit basis: Robin ends.
};

/// One pass of the inner FFT: `radix` blocks of `length` become one of radix * length.
template <class T>
struct BasicFftPass {
  int radix = 0;
  int length = 0;
  bool twiddled = true;
  std::vector<T> twiddle;  ///< [length][radix - 1][cos, sin] of 2 pi q (k + phi) / (radix length).
  std::vector<T> dense;    ///< Generic odd radix: [h][h][cos, sin].
  BasicPrimeButterfly<T> prime;  ///< Instead, where it splits.
};

/// The tables of one transform. Slots are complex lane vectors of the work buffer.
template <class T>
struct BasicStage {
  int inputs = 0;
  int outputs = 0;
  int slots = 0;  ///< Complex slots of the numbers; see buffer_slots().

  // A dense transform replaces everything below when `matrix` is not empty.
  std::vector<T> matrix;  ///< Row-major outputs x inputs; with `folded`, see build_dense.
  bool folded = false;    ///< Rows of equal parity share the folded halves of the input.
  /// A sine transform of prime length: the odd sums of this butterfly twice, of the difference of
  /// the halves for even frequencies and of their alternating sum for odd ones.
  bool prime_sine = false;

  int p = 1;           ///< Points of the joining butterfly; 1: none (periodic).
  int fft_length = 0;  ///< M.
  int selfs = 0;       ///< Residues that are their own partner, placed first.
  int pairs = 0;
  T eta = 1;  ///< Sign between the halves of the butterfly.
  T sigma = 1;
  bool self_twiddled = false;
  std::vector<BasicFftPass<T>> passes;
  std::vector<std::int32_t> slot_a, slot_b;  ///< Where input j goes; slot_b -1: one place only.
  std::vector<T> sign_a, sign_b;
  std::vector<std::int32_t> zero_slots;
  struct JoinColumn {
    std::int32_t k = 0, partner = 0;
  };
  std::vector<JoinColumn> columns;
  std::vector<T> join_twiddle;   ///< [column][selfs + pairs][cos, sin].
  std::vector<T> join_dense;     ///< [p/2 + 1][pairs][cos, sin].
  BasicPrimeButterfly<T> prime;  ///< Instead, where p splits; also that of prime_sine.

  std::vector<std::int32_t> out_slot;
  std::vector<T> out_sign;
  bool swapped = false;         ///< Odd symmetry: the first row is in the imaginary part.
  bool periodic_split = false;  ///< Separate the two rows' spectra after the FFT.
  bool periodic_merge = false;  ///< Join them before the FFT, and exchange parts around it.
  std::vector<std::int32_t> natural_slot;  ///< Periodic: slot of input k (digit-reversed).
};
using FftPass = BasicFftPass<double>;
using Stage = BasicStage<double>;
using StageF32 = BasicStage<float>;

/// The same tables, each number rounded once.
[[nodiscard]] StageF32 narrow(const Stage& stage);

/// The forward (to modes) or inverse transform of a direction with `intervals` N >= 2 intervals,
/// scaled so that inverse(forward(x)) = scale_of(kind, N) * x. Kind must not be dense.
[[nodiscard]] Stage make_stage(AxisKind kind, int intervals, bool inverse);

/// Slots of the work buffer, those beyond Stage::slots included.
[[nodiscard]] int buffer_slots(const Stage& stage);

/// A transform by an explicit row-major matrix.
[[nodiscard]] Stage make_dense_stage(std::vector<double> matrix, int outputs, int inputs);

/// inverse(forward(x)) / x: 2N, or N when periodic.
[[nodiscard]] double scale_of(AxisKind kind, int intervals);

/// Unknowns of a direction: N-1, N+1, N or N.
[[nodiscard]] int unknowns_of(AxisKind kind, int intervals);

/// 4 sin^2 of half the angle of mode q: minus the eigenvalue of the second difference.
[[nodiscard]] double mode_symbol(AxisKind kind, int intervals, int q);

/// Estimated vector operations per number of a transform, for choosing directions.
[[nodiscard]] double stage_cost(AxisKind kind, int intervals);

}  // namespace neurolens::pde
