/// \file
/// Eigenvectors of the second difference of an axis whose ends hold u_n + r u = 0, r >= 0.
///
/// Away from the ends they are v_j = cos(j theta - phi), symbol s = 4 sin^2(theta / 2); the row of
/// a Robin end (box.hpp) asks for tan(phi) = (h r + s (1/2 - w)) / sin(theta), and both ends for
/// n theta = m pi + phi_low + phi_high (Dirichlet: phi = pi/2, Neumann: 0). For m = 0 .. n - 2 that
/// has one root each, found by bisection; the one or two modes left, s near 4 or beyond and
/// gathered at the ends, are what is orthogonal to all others. O(n^2) where a general eigensolver
/// takes O(n^3), and each entry to a few ulps, for angles are reduced as integers.
#pragma once

#include <vector>

#include "direct/box.hpp"

namespace neurolens::pde {

/// Rows of `vectors`: orthonormal eigenvectors of W^(1/2) D W^(-1/2), W the weights of the ends.
/// `symbol`: minus the eigenvalues of the second difference, in the same order. False where r < 0.
[[nodiscard]] bool robin_modes(const BoxAxis& axis, std::vector<double>& vectors,
                               std::vector<double>& symbol);

}  // namespace neurolens::pde
