/// \file
/// The closed forms of heat and wave in the eigenvectors of the operator in space: each mode moves
/// by itself, whatever the time.
#pragma once

#include <array>
#include <vector>

#include "direct/direct_solver.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// Sums over all modes; nothing is normalised.
struct ModeEnergy {
  double start = 0, now = 0;
};

/// Values of the modes lie where those of the grid do: see DirectSolver::expand.
class Modes {
 public:
  /// Of u' = k laplace(u) (heat) or u'' = k laplace(u) (wave). `solver` must outlive this.
  Modes(const DirectSolver& solver, double k);

  /// Modes of the start and of what does not depend on u.
  Field start, forcing;
  Field speed;  ///< Waves: of u' at the start.

  /// u at time t after the start; `rate`, where not null, gets u' (wave: u''). Rows are shared by
  /// the workers.
  void heat(double t, Field& u, Field* rate, Workers& workers) const;
  ModeEnergy wave(double t, Field& u, Field* rate, Workers& workers) const;

 private:
  struct Row {
    std::size_t at = 0;  ///< Of its first mode in the fields.
    std::size_t count = 0;
    double lambda = 0;  ///< The part of the other axes.
    int j = 0, k = 0;
  };
  [[nodiscard]] Row row(std::size_t number) const;
  template <class Visit>
  void each_row(Workers& workers, const Visit& visit) const;

  const Box& box_;
  /// Per axis; a mode has their sum, < 0 only where a Robin face feeds it.
  std::array<std::vector<double>, 3> lambda_;
  std::size_t rows_ = 1;
};

}  // namespace neurolens::pde
