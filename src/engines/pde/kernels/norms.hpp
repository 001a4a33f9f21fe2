/// \file
/// Residuals along a row of points, in double precision for either kind of field.
#pragma once

#include <cstddef>

namespace neurolens::pde::kernels {

/// The sum of `count` rows: centre[r] times the number at a point and side[r] times its two
/// neighbours along x.
template <class T>
struct PointSum {
  static constexpr std::size_t kMost = 9;
  const T* rows[kMost] = {};
  double centre[kMost] = {};
  double side[kMost] = {};
  std::size_t count = 0;
};

struct RowNorms {
  double residual = 0;   ///< max |rhs - sum|; infinite when one is no finite number.
  double rhs = 0;        ///< max |rhs|.
  double sum = 0;        ///< Of rhs.
  double magnitude = 0;  ///< Sum of |rhs|.
};

/// Points first <= i < last; rhs[i] belongs to point i. Reads rows from first - 1 to last.
RowNorms norms_row(std::size_t first, std::size_t last, const PointSum<double>& sum,
                   const double* rhs);
RowNorms norms_row(std::size_t first, std::size_t last, const PointSum<float>& sum,
                   const double* rhs);

}  // namespace neurolens::pde::kernels
