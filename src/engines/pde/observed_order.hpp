/// \file
/// The order of accuracy that errors show, for tests.
#pragma once

#include <array>
#include <cmath>

namespace neurolens::pde {

/// The order in the limit of fine grids from the errors on three, each twice as fine as the one
/// before. Two neighbours show the order p plus c h^k, k being the distance to the next power in
/// the error (2 in space by symmetry, 1 in time); the term in c is eliminated.
[[nodiscard]] inline double order_in_the_limit(const std::array<double, 3>& error, int k) {
  const double coarse = std::log2(error[0] / error[1]);
  const double fine = std::log2(error[1] / error[2]);
  return fine + (fine - coarse) / (std::pow(2.0, k) - 1);
}

/// Of what the two finest grids show and the limit that all three point to, the one nearer to
/// `theory`: coarse grids lie outside the range where two of them suffice.
[[nodiscard]] inline double order_near(double theory, const std::array<double, 3>& error, int k) {
  const double fine = std::log2(error[1] / error[2]);
  const double limit = order_in_the_limit(error, k);
  return std::fabs(fine - theory) < std::fabs(limit - theory) ? fine : limit;
}

}  // namespace neurolens::pde
