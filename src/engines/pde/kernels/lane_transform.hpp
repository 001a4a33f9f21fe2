/// \file
/// SIMD kernels that carry transforms and tridiagonal solves, many lines at a time.
///
/// A work buffer holds `Stage::slots` complex slots; a slot is two vectors of lanes() doubles, and
/// each of the 2 * lanes() numbers belongs to another line. Lines are either rows of memory
/// (gathered through register transposes) or neighbouring columns (copied). Instruction set chosen
/// at run time; results may differ between instruction sets in the last bit, never between thread
/// counts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "direct/stage.hpp"

namespace neurolens::pde::kernels {

/// Lines per batch: twice the doubles of a vector, 4 to 16.
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
  bool past_caches = false;  ///< Write eliminated rows past the caches: they are read much later.
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
void eliminate_row(std::size_t n, double* row, const double* scale, double weight,
                   const double* previous, const double* factor);
/// One row of back substitution: row -= factor * next.
void substitute_row(std::size_t n, double* row, const double* next, const double* factor);

/// out[i] = a * f[i] + b * (f[i-1] + f[i+1] + sum of neighbours[m][i]), i in [0, n): f[-1] and f[n]
/// are read. The right-hand side operator of the fourth-order stencils.
void smooth_row(std::size_t n, const double* f, const double* const* neighbours,
                std::size_t neighbour_count, double a, double b, double* out);

}  // namespace neurolens::pde::kernels
