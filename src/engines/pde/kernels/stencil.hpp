/// \file
/// Row kernels of the variable-coefficient 3-, 5- and 7-point stencil on padded arrays.
/// A row starts at an aligned address and may be read and written in whole vectors past its end
/// (padding). The operator is sum over faces of a (u_here - u_there) + e u; `diagonal` is the sum
/// of its faces plus e, and `inverse` its reciprocal, both 0 where u is fixed at 0.
#pragma once

#include <cstddef>

namespace neurolens::pde::kernels {

/// One row of u and of the operator; neighbours of missing axes are null.
template <class T>
struct StencilRow {
  T* u;
  const T* f;
  const T* inverse;
  const T* diagonal;
  const T* ax;                ///< ax[i] joins i and i + 1; ax[-1] is read.
  const T *ay_low, *ay_high;  ///< To the rows below and above in y.
  const T *u_y_low, *u_y_high;
  const T *az_low, *az_high;
  const T *u_z_low, *u_z_high;
};

/// All rows of a level without periodic axes: pointers to node (0, 0, 0) of padded arrays.
template <class T>
struct StencilGrid {
  T* u;
  const T *f, *inverse, *diagonal;
  const T *ax, *ay, *az;  ///< Null for missing axes.
  int n[3];
  std::size_t row_stride, plane_stride;
};

/// Rows of the next coarser level of a 2-D grid of which both axes are coarsened.
template <class T>
struct CoarseRows {
  T* at;  ///< Node (0, 0).
  int n[2];
  std::size_t row_stride;
};

/// A red-black sweep in one pass over memory: nodes with i + j + k + first even, then the others.
void relax_sweep(const StencilGrid<float>& grid, int first);
void relax_sweep(const StencilGrid<double>& grid, int first);
/// `sweeps` such sweeps in 2-D, and behind them in the same pass coarse += P^T (f - A u), P
/// bilinear. `row` has room for a padded row of the grid, zero around the nodes.
void relax_and_restrict(const StencilGrid<float>& grid, int sweeps, float* row,
                        const CoarseRows<float>& coarse);
/// u += P coarse, and behind it in the same pass `sweeps` sweeps; 2-D. `row` as above.
void prolong_and_relax(const StencilGrid<float>& grid, int sweeps, float* row,
                       const CoarseRows<float>& coarse);

/// A row of u += scale z, r -= scale A z; `z` holds the vector in its u pointers and `a` the
/// operator. narrow = r * narrow_scale. Returns max |r|.
double correct_row(std::size_t n, const StencilRow<double>& a, const StencilRow<float>& z,
                   double scale, double narrow_scale, double* u, double* r, float* narrow);

/// u[i] = (f + sum a u_there) * inverse for i of parity `parity` (0: even), i < n rounded up to
/// vectors.
void relax_row(std::size_t n, const StencilRow<float>& row, int parity);
void relax_row(std::size_t n, const StencilRow<double>& row, int parity);
/// out = f - A u, zero at fixed points.
void residual_row(std::size_t n, const StencilRow<float>& row, float* out);
void residual_row(std::size_t n, const StencilRow<double>& row, double* out);
/// out = A u (f is not read), zero at fixed points; returns sum u * out.
double apply_row(std::size_t n, const StencilRow<double>& row, double* out);

/// coarse[i] += weight * (fine[2i] + (fine[2i-1] + fine[2i+1]) / 2), i < n_coarse.
void restrict_row(std::size_t n_coarse, const float* fine, float weight, float* coarse);
void restrict_row(std::size_t n_coarse, const double* fine, double weight, double* coarse);
/// fine[2i] += t[i], fine[2i+1] += (t[i] + t[i+1]) / 2 for 2i, 2i+1 < n_fine.
void prolong_row(std::size_t n_fine, const float* t, float* fine);
void prolong_row(std::size_t n_fine, const double* t, double* fine);

/// Conjugate gradient's vector work on a row: x += alpha p, r -= alpha q; returns max |r|.
double update_row(std::size_t n, double alpha, const double* p, const double* q, double* x,
                  double* r);
/// out = scale * r.
void narrow_row(std::size_t n, const double* r, double scale, float* out);
void narrow_row(std::size_t n, const double* r, double scale, double* out);
/// p = z * scale + beta p.
void direction_row(std::size_t n, const float* z, double scale, double beta, double* p);
void direction_row(std::size_t n, const double* z, double scale, double beta, double* p);
/// sum r z and sum q z.
void two_dots_row(std::size_t n, const double* r, const double* q, const float* z, double* rz,
                  double* qz);
void two_dots_row(std::size_t n, const double* r, const double* q, const double* z, double* rz,
                  double* qz);

}  // namespace neurolens::pde::kernels
