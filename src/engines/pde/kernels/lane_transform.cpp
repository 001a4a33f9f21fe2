#include "kernels/lane_transform.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/lane_transform.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/row_sweeps-inl.hpp"

#if HWY_ONCE
namespace neurolens::pde::kernels {

#define NEUROLENS_KERNEL(name) HWY_EXPORT(name##_impl)
NEUROLENS_KERNEL(batch_lines);
NEUROLENS_KERNEL(target_name);
NEUROLENS_KERNEL(gather_rows);
NEUROLENS_KERNEL(gather_columns);
NEUROLENS_KERNEL(transform);
NEUROLENS_KERNEL(scatter_rows);
NEUROLENS_KERNEL(scatter_columns);
NEUROLENS_KERNEL(scatter_eliminate);
NEUROLENS_KERNEL(substitute_gather);
NEUROLENS_KERNEL(clear_unused);
NEUROLENS_KERNEL(eliminate_row);
NEUROLENS_KERNEL(substitute_row);
NEUROLENS_KERNEL(smooth_row);
#undef NEUROLENS_KERNEL

std::size_t batch_lines() {
  return HWY_DYNAMIC_DISPATCH(batch_lines_impl)();
}
const char* target_name() {
  return HWY_DYNAMIC_DISPATCH(target_name_impl)();
}
void gather_rows(const Stage& stage, const double* const* rows, double* buffer) {
  HWY_DYNAMIC_DISPATCH(gather_rows_impl)(stage, rows, buffer);
}
void gather_columns(const Stage& stage, const double* source, std::ptrdiff_t stride,
                    std::size_t width, double* buffer) {
  HWY_DYNAMIC_DISPATCH(gather_columns_impl)(stage, source, stride, width, buffer);
}
void transform(const Stage& stage, double* buffer) {
  HWY_DYNAMIC_DISPATCH(transform_impl)(stage, buffer);
}
void scatter_rows(const Stage& stage, const double* buffer, const double* scale, std::size_t lines,
                  double* const* rows) {
  HWY_DYNAMIC_DISPATCH(scatter_rows_impl)(stage, buffer, scale, lines, rows);
}
void scatter_columns(const Stage& stage, const double* buffer, const double* scale,
                     std::size_t width, double* target, std::ptrdiff_t stride) {
  HWY_DYNAMIC_DISPATCH(scatter_columns_impl)(stage, buffer, scale, width, target, stride);
}
void scatter_eliminate(const Stage& stage, const double* buffer, const double* scale,
                       std::size_t lines, double* const* rows, const Factors& factors,
                       int first_row, std::size_t begin, std::size_t end, double* carry) {
  HWY_DYNAMIC_DISPATCH(scatter_eliminate_impl)
  (stage, buffer, scale, lines, rows, factors, first_row, begin, end, carry);
}
void substitute_gather(const Stage& stage, std::size_t lines, double* const* rows,
                       const Factors& factors, int first_row, std::size_t begin, std::size_t end,
                       double* carry, double* buffer) {
  HWY_DYNAMIC_DISPATCH(substitute_gather_impl)
  (stage, lines, rows, factors, first_row, begin, end, carry, buffer);
}
void clear_unused(const Stage& stage, double* buffer) {
  HWY_DYNAMIC_DISPATCH(clear_unused_impl)(stage, buffer);
}
void eliminate_row(std::size_t n, double* row, const double* scale, double weight,
                   const double* previous, const double* factor, const EndTerms* ends,
                   double* carry) {
  HWY_DYNAMIC_DISPATCH(eliminate_row_impl)
  (n, row, scale, weight, previous, factor, ends, carry);
}
void substitute_row(std::size_t n, double* row, const double* next, const double* factor,
                    double* carry) {
  HWY_DYNAMIC_DISPATCH(substitute_row_impl)(n, row, next, factor, carry);
}
void smooth_row(std::size_t n, const double* f, const double* const* neighbours,
                std::size_t neighbour_count, double a, double b, double* out) {
  HWY_DYNAMIC_DISPATCH(smooth_row_impl)(n, f, neighbours, neighbour_count, a, b, out);
}

}  // namespace neurolens::pde::kernels
#endif
