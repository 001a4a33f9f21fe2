/// \file
/// What the streamed solvers share in planning their levels.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "multigrid/level.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// Where the nodes of an axis lie on each level, in intervals of the finest.
using AxisPositions = std::vector<std::vector<double>>;
/// Of the finest level.
[[nodiscard]] AxisPositions finest_positions(int points);

/// `coarse`, h and positions of the level below `finer`; false when an axis of x does not coarsen.
[[nodiscard]] bool next_level(const Network& finer, std::array<double, 3>& h,
                              std::span<AxisPositions> x, Network& coarse);

/// Lagrange weights of up to `points` coarse nodes (even) for each fine one; near the ends, and
/// where the last coarse cell is short, these are not the regular ones.
struct LineInterpolation {
  std::vector<std::int32_t> start;  ///< First coarse node.
  std::vector<double> weight;       ///< `points` each, 0 behind those that exist.
  int regular = 0;                  ///< Coarse nodes before it have regular weights.
};
[[nodiscard]] LineInterpolation interpolate_line(const std::vector<double>& fine,
                                                 const std::vector<double>& coarse, int points);

}  // namespace neurolens::pde
