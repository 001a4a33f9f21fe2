/// \file
/// Isotonic regression. Pure function.
#pragma once

#include <span>
#include <vector>

namespace neurolens::capture {

/// The non-decreasing sequence nearest to `values` in weighted least squares (pool adjacent
/// violators). Requires equal sizes and weights > 0. O(n).
[[nodiscard]] std::vector<double> isotonic(std::span<const double> values,
                                           std::span<const double> weights);

}  // namespace neurolens::capture
