/// \file
/// SIMD kernels that carry transforms and tridiagonal solves, many lines at a time.
///
/// A work buffer holds `Stage::slots` complex slots; a slot is two vectors of lanes() doubles, and
/// each of the 2 * lanes() numbers belongs to another line. Lines are either rows of memory
/// (gathered through register transposes) or neighbouring columns (copied). Instruction set chosen
/// at run time; results may differ between instruction sets in the last bit, never between thread
/// counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "direct/stage.hpp"

namespace neurolens::pde::kernels {

/// Lines per batch: twice the numbers of a vector, 4 to 16 doubles or 8 to 32 floats.
[[nodiscard]] std::size_t batch_lines();
/// The instruction set in use, such as "AVX3".
[[nodiscard]] const char* target_name();

/// Factors of tridiagonal solves along the row direction, one system per mode: row j has `count[j]`
/// modes of its own in `table[j]`; the others have reached their limit.
struct Factors {
  const double* const* table = nullptr;  ///< Per row, `count[row]` values and 8 settled ones.
  const std::int32_t* count = nullptr;   ///< Multiples of 8, or the whole padded row.
  const double* limit = nullptr;         ///< Readable 8 numbers past the last mode.
  int rows = 0;
  double first_weight = 1;  ///< Of the right-hand side in row 0 and the last row.
  double last_weight = 1;
  /// A periodic last axis: its last row is a border of the system of the others
  /// (direct/border.hpp). Row j before it has `border_count[j]` modes with a weight in `border[j]`,
  /// 8 more readable.
  const double* const* border = nullptr;
  const std::int32_t* border_count = nullptr;
  const double* border_inverse = nullptr;  ///< Per mode, 16 numbers more readable.
  /// Per mode: the sum of weights times right-hand sides so far, then the last row's solution. 16
  /// numbers more readable.
  double* border_value = nullptr;
  bool past_caches = false;  ///< Write eliminated rows past the caches: they are read much later.
  /// Single precision: what boundary values at the two ends of the rows add to mode q of row j is
  /// end_values[side][j] end_modes[side][q], unscaled. A value over h^2 in a row would drown the
  /// rest of it in its own rounding errors. Null: nothing.
  std::array<const double*, 2> end_modes{};
  std::array<const double*, 2> end_values{};
};

/// The same for one row of modes of a plane: the sum of factor[i] modes[i][q].
struct EndTerms {
  int count = 0;
  std::array<double, 4> factor{};
  std::array<const double*, 4> modes{};
};

/// Reads line l = 0..2V-1 from rows[l][0..inputs).
void gather_rows(const Stage& stage, const double* const* rows, double* buffer);
/// Reads line l from source[l + j * stride], l < width; lines beyond are zero.
void gather_columns(const Stage& stage, const double* source, std::ptrdiff_t stride,
                    std::size_t width, double* buffer);
/// The transform itself, in place.
void transform(const Stage& stage, double* buffer);
/// Writes `scale[q]` times output q of line l to rows[l][q], l < lines.
void scatter_rows(const Stage& stage, const double* buffer, const double* scale, std::size_t lines,
                  double* const* rows);
/// Writes output q of line l to target[l + q * stride], l < width.
void scatter_columns(const Stage& stage, const double* buffer, const double* scale,
                     std::size_t width, double* target, std::ptrdiff_t stride);
/// scatter_rows for modes [begin, end), followed by forward elimination down the rows: lines are
/// rows first_row, first_row + 1, ...; `carry` holds the last eliminated row.
void scatter_eliminate(const Stage& stage, const double* buffer, const double* scale,
                       std::size_t lines, double* const* rows, const Factors& factors,
                       int first_row, std::size_t begin, std::size_t end, double* carry);
/// Back substitution up the same rows (carry: the row below, solved), then gather_rows.
void substitute_gather(const Stage& stage, std::size_t lines, double* const* rows,
                       const Factors& factors, int first_row, std::size_t begin, std::size_t end,
                       double* carry, double* buffer);
/// Fills the slots that no input reaches; before substitute_gather.
void clear_unused(const Stage& stage, double* buffer);

/// One row of elimination: row = (row * scale * weight - previous) * factor. previous may be null.
/// `ends` and `carry` are for single precision.
void eliminate_row(std::size_t n, double* row, const double* scale, double weight,
                   const double* previous, const double* factor, const EndTerms* ends = nullptr,
                   double* carry = nullptr);
/// One row of back substitution: row -= factor * next.
void substitute_row(std::size_t n, double* row, const double* next, const double* factor,
                    double* carry = nullptr);

/// out[i] = a * f[i] + b * (f[i-1] + f[i+1] + sum of neighbours[m][i]), i in [0, n): f[-1] and f[n]
/// are read. The right-hand side operator of the fourth-order stencils.
void smooth_row(std::size_t n, const double* f, const double* const* neighbours,
                std::size_t neighbour_count, double a, double b, double* out);

/// The same for floats. Transforms run in single precision, tridiagonal recurrences in double
/// precision: carries, scales and factors are doubles, and a plane's rows leave their unrounded
/// numbers in `carry` for the next plane.
namespace single {
[[nodiscard]] std::size_t batch_lines();
void gather_rows(const StageF32& stage, const float* const* rows, float* buffer);
void gather_columns(const StageF32& stage, const float* source, std::ptrdiff_t stride,
                    std::size_t width, float* buffer);
void transform(const StageF32& stage, float* buffer);
void scatter_rows(const StageF32& stage, const float* buffer, const float* scale, std::size_t lines,
                  float* const* rows);
void scatter_columns(const StageF32& stage, const float* buffer, const float* scale,
                     std::size_t width, float* target, std::ptrdiff_t stride);
void scatter_eliminate(const StageF32& stage, const float* buffer, const double* scale,
                       std::size_t lines, float* const* rows, const Factors& factors, int first_row,
                       std::size_t begin, std::size_t end, double* carry);
void substitute_gather(const StageF32& stage, std::size_t lines, float* const* rows,
                       const Factors& factors, int first_row, std::size_t begin, std::size_t end,
                       double* carry, float* buffer);
void clear_unused(const StageF32& stage, float* buffer);
void eliminate_row(std::size_t n, float* row, const double* scale, double weight,
                   const double* previous, const double* factor, const EndTerms* ends,
                   double* carry);
void substitute_row(std::size_t n, float* row, const double* next, const double* factor,
                    double* carry);
void smooth_row(std::size_t n, const float* f, const float* const* neighbours,
                std::size_t neighbour_count, double a, double b, float* out);
}  // namespace single
using single::clear_unused;
using single::eliminate_row;
using single::gather_columns;
using single::gather_rows;
using single::scatter_columns;
using single::scatter_eliminate;
using single::scatter_rows;
using single::smooth_row;
using single::substitute_gather;
using single::substitute_row;
using single::transform;

template <class T>
[[nodiscard]] std::size_t lines_of() {
  if constexpr (sizeof(T) == sizeof(float))
    return single::batch_lines();
  else
    return batch_lines();
}

}  // namespace neurolens::pde::kernels
