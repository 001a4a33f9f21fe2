#include "kernels/stencil.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stencil.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/stencil-inl.hpp"

#if HWY_ONCE
namespace neurolens::pde::kernels {

HWY_EXPORT(apply_row_impl);
double apply_row(std::size_t n, const StencilRow<double>& row, double* out) {
  return HWY_DYNAMIC_DISPATCH(apply_row_impl)(n, row, out);
}
HWY_EXPORT(update_row_impl);
double update_row(std::size_t n, double alpha, const double* p, const double* q, double* x,
                  double* r) {
  return HWY_DYNAMIC_DISPATCH(update_row_impl)(n, alpha, p, q, x, r);
}

HWY_EXPORT(relax_sweep_f32_impl);
HWY_EXPORT(relax_sweep_f64_impl);
HWY_EXPORT(relax_and_restrict_impl);
HWY_EXPORT(prolong_and_relax_impl);
void relax_sweep(const StencilGrid<float>& grid, int first) {
  HWY_DYNAMIC_DISPATCH(relax_sweep_f32_impl)(grid, first);
}
void relax_sweep(const StencilGrid<double>& grid, int first) {
  HWY_DYNAMIC_DISPATCH(relax_sweep_f64_impl)(grid, first);
}
void relax_and_restrict(const StencilGrid<float>& grid, int sweeps, float* row,
                        const CoarseRows<float>& coarse) {
  HWY_DYNAMIC_DISPATCH(relax_and_restrict_impl)(grid, sweeps, row, coarse);
}
void prolong_and_relax(const StencilGrid<float>& grid, int sweeps, float* row,
                       const CoarseRows<float>& coarse) {
  HWY_DYNAMIC_DISPATCH(prolong_and_relax_impl)(grid, sweeps, row, coarse);
}
HWY_EXPORT(correct_row_impl);
double correct_row(std::size_t n, const StencilRow<double>& a, const StencilRow<float>& z,
                   double scale, double narrow_scale, double* u, double* r, float* narrow) {
  return HWY_DYNAMIC_DISPATCH(correct_row_impl)(n, a, z, scale, narrow_scale, u, r, narrow);
}

HWY_EXPORT(relax_f32_impl);
HWY_EXPORT(residual_f32_impl);
HWY_EXPORT(restrict_f32_impl);
HWY_EXPORT(prolong_f32_impl);
HWY_EXPORT(narrow_f32_impl);
HWY_EXPORT(direction_f32_impl);
HWY_EXPORT(two_dots_f32_impl);
void relax_row(std::size_t n, const StencilRow<float>& row, int parity) {
  HWY_DYNAMIC_DISPATCH(relax_f32_impl)(n, row, parity);
}
void residual_row(std::size_t n, const StencilRow<float>& row, float* out) {
  HWY_DYNAMIC_DISPATCH(residual_f32_impl)(n, row, out);
}
void restrict_row(std::size_t n_coarse, const float* fine, float weight, float* coarse) {
  HWY_DYNAMIC_DISPATCH(restrict_f32_impl)(n_coarse, fine, weight, coarse);
}
void prolong_row(std::size_t n_fine, const float* t, float* fine) {
  HWY_DYNAMIC_DISPATCH(prolong_f32_impl)(n_fine, t, fine);
}
void narrow_row(std::size_t n, const double* r, double scale, float* out) {
  HWY_DYNAMIC_DISPATCH(narrow_f32_impl)(n, r, scale, out);
}
void direction_row(std::size_t n, const float* z, double scale, double beta, double* p) {
  HWY_DYNAMIC_DISPATCH(direction_f32_impl)(n, z, scale, beta, p);
}
void two_dots_row(std::size_t n, const double* r, const double* q, const float* z, double* rz,
                  double* qz) {
  HWY_DYNAMIC_DISPATCH(two_dots_f32_impl)(n, r, q, z, rz, qz);
}

HWY_EXPORT(relax_f64_impl);
HWY_EXPORT(residual_f64_impl);
HWY_EXPORT(restrict_f64_impl);
HWY_EXPORT(prolong_f64_impl);
HWY_EXPORT(narrow_f64_impl);
HWY_EXPORT(direction_f64_impl);
HWY_EXPORT(two_dots_f64_impl);
void relax_row(std::size_t n, const StencilRow<double>& row, int parity) {
  HWY_DYNAMIC_DISPATCH(relax_f64_impl)(n, row, parity);
}
void residual_row(std::size_t n, const StencilRow<double>& row, double* out) {
  HWY_DYNAMIC_DISPATCH(residual_f64_impl)(n, row, out);
}
void restrict_row(std::size_t n_coarse, const double* fine, double weight, double* coarse) {
  HWY_DYNAMIC_DISPATCH(restrict_f64_impl)(n_coarse, fine, weight, coarse);
}
void prolong_row(std::size_t n_fine, const double* t, double* fine) {
  HWY_DYNAMIC_DISPATCH(prolong_f64_impl)(n_fine, t, fine);
}
void narrow_row(std::size_t n, const double* r, double scale, double* out) {
  HWY_DYNAMIC_DISPATCH(narrow_f64_impl)(n, r, scale, out);
}
void direction_row(std::size_t n, const double* z, double scale, double beta, double* p) {
  HWY_DYNAMIC_DISPATCH(direction_f64_impl)(n, z, scale, beta, p);
}
void two_dots_row(std::size_t n, const double* r, const double* q, const double* z, double* rz,
                  double* qz) {
  HWY_DYNAMIC_DISPATCH(two_dots_f64_impl)(n, r, q, z, rz, qz);
}

}  // namespace neurolens::pde::kernels
#endif
