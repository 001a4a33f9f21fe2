/// \file
/// What the Poisson benchmark's solvers share: the problem, the clock and the row they report.
/// One process runs one solver on one grid, so peak memory can be told apart. See METHOD.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace neurolens::pde_bench {

/// div(a grad u) = f on the unit square or cube, u = 0 on the boundary, second order, unknowns at
/// interior points, x fastest. a = 1, or 1 + x y at points with harmonic means on faces.
struct Problem {
  int dimensions = 2;
  int points = 3;         ///< Per side, boundary included.
  int m = 1;              ///< Unknowns per side: points - 2.
  bool variable = false;  ///< a = 1 + x y.
  std::vector<double> f;

  Problem(int dimensions, int points, bool variable);
  [[nodiscard]] std::size_t unknowns() const { return f.size(); }
  [[nodiscard]] double h() const { return 1.0 / (points - 1); }
  /// a / h^2 on the face between point i (0 to points - 1 per axis) and its neighbour along `axis`.
  [[nodiscard]] double face(std::array<int, 3> i, int axis, int direction) const;
  /// The number of unknown i; i counts points, the boundary included.
  [[nodiscard]] std::size_t index(std::array<int, 3> i) const;
  [[nodiscard]] bool inside(std::array<int, 3> i) const;
  /// Calls body(point) for every unknown in order.
  void each(const std::function<void(std::array<int, 3>)>& body) const;
  /// max |f - A u| / max |f|, by this file's own arithmetic.
  [[nodiscard]] double residual(const std::vector<double>& u) const;
};

/// What a solver did. Seconds are those of one solve from f to u.
struct Outcome {
  double best_s = 0, median_s = 0;
  std::size_t solves = 0;
  double setup_s = 0;  ///< Plan, factor or hierarchy, made once.
  double residual = 0;
  double loss = 0;  ///< Single precision: max |u - u64| / max |u64| of the same source in f64.
  int iterations = 0;
  std::string details;
  std::int64_t peak_bytes = 0;  ///< Of the process when the solves ended, where it grows later.
};

/// Most memory that this process has held so far.
std::int64_t peak_bytes();

/// Times `body`: at least three calls after one that is not counted, and at least `least_s` of
/// them.
void time_solves(Outcome& outcome, const std::function<void()>& body, double least_s = 0.3);
/// Seconds that `body` takes once.
double seconds_of(const std::function<void()>& body);

// Empty: this build does not have the peer.
std::optional<Outcome> run_direct(const Problem& p, int order, int threads);
std::optional<Outcome> run_multigrid(const Problem& p, int threads);
/// The same from and to arrays in single precision.
std::optional<Outcome> run_direct_f32(const Problem& p);
std::optional<Outcome> run_multigrid_f32(const Problem& p);
std::optional<Outcome> run_fftw(const Problem& p);
/// `first` counts the factorisation as part of each solve.
std::optional<Outcome> run_cholmod(const Problem& p, bool first);
std::optional<Outcome> run_pfmg(const Problem& p);
std::optional<Outcome> run_boomeramg(const Problem& p);

}  // namespace neurolens::pde_bench
