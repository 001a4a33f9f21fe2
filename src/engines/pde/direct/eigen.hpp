/// \file
/// Eigenvectors of a symmetric tridiagonal matrix, for bases without a fast transform (Robin ends).
#pragma once

#include <vector>

namespace neurolens::pde {

/// Implicit QL (Bowdler, Martin, Reinsch, Wilkinson 1968). `diagonal` of n numbers becomes the
/// eigenvalues, ascending; off[i] couples i and i+1. Returns the row-major matrix whose row k is
/// eigenvector k, of unit length. O(n^3). An empty result means no convergence.
[[nodiscard]] std::vector<double> symmetric_tridiagonal_eigenvectors(std::vector<double>& diagonal,
                                                                     std::vector<double> off);

}  // namespace neurolens::pde
