/// \file
/// What a coarser grid tells of the error (Richardson 1911).
#pragma once

#include <optional>

#include "neurolens/engines/pde/data.hpp"

namespace neurolens::pde {

/// The same box with half the intervals, rounded down. Nothing where an axis has fewer than 8.
[[nodiscard]] std::optional<Grid> coarser(const Grid& grid);

/// The largest error of `fine` that is to be expected when errors fall like h^`order`: from its
/// difference to `coarse`, a solution of the same problem on coarser(grid), at the points of that
/// grid. `fine` is interpolated there by cubics, whose error is of a higher order.
[[nodiscard]] double expected_error(const Field& fine, const Field& coarse, int order);

/// Whether data can be evaluated on another grid: see ScalarData::is_function.
[[nodiscard]] bool all_functions(const Boundary& boundary, int dimensions);

}  // namespace neurolens::pde
