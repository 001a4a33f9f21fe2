/// \file
/// Precomputed Thomas factors of many tridiagonal systems with constant coefficients, one per mode:
///   u_{j-1} + d u_j + u_{j+1} = g_j,  m_j = 1 / (d - m_{j-1}).
/// Along the rows m_j settles to a fixed point, sooner for higher modes. From there on the limit is
/// used for every row, so that the table costs about 50 N numbers instead of N^2 and the sweeps
/// read almost nothing beside the data.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/lane_transform.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// The factors of `modes` systems of `rows` equations each. Rows 0 and last may have their own
/// diagonal.
class FactorTable {
 public:
  /// `diagonal[q]`, and the first and last row's; arrays of `modes` numbers. Entries of `pinned`
  /// (an index or -1) get a last factor of 0: that system is singular and its last unknown is set
  /// to 0. Returns false when a pivot is not safely away from zero.
  bool build(std::size_t modes, int rows, const double* diagonal, const double* first,
             const double* last, std::ptrdiff_t pinned);
  [[nodiscard]] kernels::Factors view() const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::vector<double>> rows_;
  std::vector<const double*> table_;
  std::vector<std::int32_t> count_;
  AlignedVector<double> limit_;
};

}  // namespace neurolens::pde
