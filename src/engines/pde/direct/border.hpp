/// \file
/// Tridiagonal systems with constant coefficients that close on themselves, one per mode:
///   u_{j-1} + d u_j + u_{j+1} = g_j,  j modulo n.
/// The last unknown s = u_{n-1} borders the system T of the others, u = y - s z with T y = g and
/// T z = e_0 + e_{n-2}; T is symmetric, so that the last equation is
///   s = (g_{n-1} - sum z_j g_j) / (d - z_0 - z_{n-2}):
/// the sum is taken while g is eliminated, s z while y is substituted, and data cross memory no
/// more often than for other ends. With d = -(rho + 1 / rho), |rho| <= 1,
///   z_j = -(rho^(j+1) + rho^(n-1-j)) / (1 + rho^n):
/// it falls away from both ends, the faster the higher the mode, and what does not count is left
/// out.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/lane_transform.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

class BorderTable {
 public:
  /// `diagonal[q]` of each mode, at least 2 in size. The last unknown of mode `pinned` (an index or
  /// -1), whose system is singular, is 0.
  void build(std::size_t modes, int rows, const double* diagonal, std::ptrdiff_t pinned);
  [[nodiscard]] bool empty() const { return weights_.empty(); }
  /// Adds the tables to `factors`; `value` is for one solve: zeros, 16 more than modes.
  void add_to(kernels::Factors& factors, AlignedVector<double>& value) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::vector<double>> rows_;  ///< Of the upper half: z is the same from both ends.
  std::vector<const double*> weights_;
  std::vector<std::int32_t> count_;
  AlignedVector<double> inverse_;
};

}  // namespace neurolens::pde
