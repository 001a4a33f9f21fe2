/// \file
/// How errors fall when grids become finer.
#pragma once

#include <optional>

#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// One row of a convergence table.
struct ConvergenceRow {
  Grid grid;
  double error_max = 0;
  std::optional<double> order;  ///< log2 of the error's fall from the row before.
  Nanoseconds time;             ///< Of the solve.
};

}  // namespace neurolens::pde
