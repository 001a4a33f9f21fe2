// Row kernels of the variable-coefficient stencil. Included once per instruction set.
#if defined(NEUROLENS_PDE_STENCIL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STENCIL_INL
#undef NEUROLENS_PDE_STENCIL_INL
#else
#define NEUROLENS_PDE_STENCIL_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/stencil.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
using Vector = hn::Vec<Tag<T>>;

// sum a u_there at i..i+lanes
template <class T>
HWY_INLINE Vector<T> pull(const StencilRow<T>& row, std::size_t i) {
  const Tag<T> d;
  Vector<T> sum = hn::Mul(hn::Load(d, row.ax + i), hn::LoadU(d, row.u + i + 1));
  sum = hn::MulAdd(hn::LoadU(d, row.ax + i - 1), hn::LoadU(d, row.u + i - 1), sum);
  if (row.ay_low != nullptr) {
    sum = hn::MulAdd(hn::Load(d, row.ay_low + i), hn::Load(d, row.u_y_low + i), sum);
    sum = hn::MulAdd(hn::Load(d, row.ay_high + i), hn::Load(d, row.u_y_high + i), sum);
  }
  if (row.az_low != nullptr) {
    sum = hn::MulAdd(hn::Load(d, row.az_low + i), hn::Load(d, row.u_z_low + i), sum);
    sum = hn::MulAdd(hn::Load(d, row.az_high + i), hn::Load(d, row.u_z_high + i), sum);
  }
  return sum;
}

template <class T>
HWY_INLINE void relax_any(std::size_t n, const StencilRow<T>& row, int parity) {
  const Tag<T> d;
  const hn::RebindToSigned<Tag<T>> di;
  const auto even = hn::Eq(hn::And(hn::Iota(di, parity), hn::Set(di, 1)), hn::Zero(di));
  const auto chosen = hn::RebindMask(d, even);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto fresh =
        hn::Mul(hn::Add(hn::Load(d, row.f + i), pull(row, i)), hn::Load(d, row.inverse + i));
    hn::Store(hn::IfThenElse(chosen, fresh, hn::Load(d, row.u + i)), d, row.u + i);
  }
}
void relax_f32_impl(std::size_t n, const StencilRow<float>& row, int parity) {
  relax_any(n, row, parity);
}
void relax_f64_impl(std::size_t n, const StencilRow<double>& row, int parity) {
  relax_any(n, row, parity);
}

template <class T>
HWY_INLINE void residual_any(std::size_t n, const StencilRow<T>& row, T* out) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto diagonal = hn::Load(d, row.diagonal + i);
    const auto sum = hn::Add(hn::Load(d, row.f + i), pull(row, i));
    const auto r = hn::NegMulAdd(diagonal, hn::Load(d, row.u + i), sum);
    hn::Store(hn::IfThenElseZero(hn::Ne(diagonal, hn::Zero(d)), r), d, out + i);
  }
}
void residual_f32_impl(std::size_t n, const StencilRow<float>& row, float* out) {
  residual_any(n, row, out);
}
void residual_f64_impl(std::size_t n, const StencilRow<double>& row, double* out) {
  residual_any(n, row, out);
}

double apply_row_impl(std::size_t n, const StencilRow<double>& row, double* out) {
  const Tag<double> d;
  const std::size_t lanes = hn::Lanes(d);
  auto dot = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto diagonal = hn::Load(d, row.diagonal + i);
    const auto u = hn::Load(d, row.u + i);
    const auto value =
        hn::IfThenElseZero(hn::Ne(diagonal, hn::Zero(d)), hn::MulSub(diagonal, u, pull(row, i)));
    hn::Store(value, d, out + i);
    dot = hn::MulAdd(value, u, dot);
  }
  return hn::GetLane(hn::SumOfLanes(d, dot));
}

template <class T>
HWY_INLINE void restrict_any(std::size_t n_coarse, const T* fine, T weight, T* coarse) {
  for (std::size_t i = 0; i < n_coarse; ++i)
    coarse[i] +=
        weight *
        (fine[2 * i] + T(0.5) * (fine[static_cast<std::ptrdiff_t>(2 * i) - 1] + fine[2 * i + 1]));
}

template <class T>
HWY_INLINE void prolong_any(std::size_t n_fine, const T* t, T* fine) {
  const std::size_t pairs = n_fine / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    fine[2 * i] += t[i];
    fine[2 * i + 1] += T(0.5) * (t[i] + t[i + 1]);
  }
  if (n_fine % 2 != 0) fine[n_fine - 1] += t[pairs];
}

void restrict_f32_impl(std::size_t n, const float* fine, float w, float* coarse) {
  restrict_any(n, fine, w, coarse);
}
void restrict_f64_impl(std::size_t n, const double* fine, double w, double* coarse) {
  restrict_any(n, fine, w, coarse);
}
void prolong_f32_impl(std::size_t n, const float* t, float* fine) {
  prolong_any(n, t, fine);
}
void prolong_f64_impl(std::size_t n, const double* t, double* fine) {
  prolong_any(n, t, fine);
}

double update_row_impl(std::size_t n, double alpha, const double* p, const double* q, double* x,
                       double* r) {
  const Tag<double> d;
  const auto a = hn::Set(d, alpha);
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    hn::Store(hn::MulAdd(a, hn::Load(d, p + i), hn::Load(d, x + i)), d, x + i);
    const auto left = hn::NegMulAdd(a, hn::Load(d, q + i), hn::Load(d, r + i));
    hn::Store(left, d, r + i);
    most = hn::Max(most, hn::Abs(left));
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

template <class T>
HWY_INLINE void narrow_any(std::size_t n, const double* r, double scale, T* out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<T>(r[i] * scale);
}
void narrow_f32_impl(std::size_t n, const double* r, double scale, float* out) {
  narrow_any(n, r, scale, out);
}
void narrow_f64_impl(std::size_t n, const double* r, double scale, double* out) {
  narrow_any(n, r, scale, out);
}

template <class T>
HWY_INLINE void direction_any(std::size_t n, const T* z, double scale, double beta, double* p) {
  for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<double>(z[i]) * scale + beta * p[i];
}
void direction_f32_impl(std::size_t n, const float* z, double scale, double beta, double* p) {
  direction_any(n, z, scale, beta, p);
}
void direction_f64_impl(std::size_t n, const double* z, double scale, double beta, double* p) {
  direction_any(n, z, scale, beta, p);
}

HWY_INLINE Vector<double> widen(const float* z) {
  const Tag<double> d;
  const hn::Rebind<float, Tag<double>> df;
  return hn::PromoteTo(d, hn::LoadU(df, z));
}
HWY_INLINE Vector<double> widen(const double* z) {
  return hn::Load(Tag<double>(), z);
}

template <class T>
HWY_INLINE void two_dots_any(std::size_t n, const double* r, const double* q, const T* z,
                             double* rz, double* qz) {
  const Tag<double> d;
  auto a = hn::Zero(d);
  auto b = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto wide = widen(z + i);
    a = hn::MulAdd(wide, hn::Load(d, r + i), a);
    b = hn::MulAdd(wide, hn::Load(d, q + i), b);
  }
  *rz = hn::GetLane(hn::SumOfLanes(d, a));
  *qz = hn::GetLane(hn::SumOfLanes(d, b));
}
void two_dots_f32_impl(std::size_t n, const double* r, const double* q, const float* z, double* rz,
                       double* qz) {
  two_dots_any(n, r, q, z, rz, qz);
}
void two_dots_f64_impl(std::size_t n, const double* r, const double* q, const double* z, double* rz,
                       double* qz) {
  two_dots_any(n, r, q, z, rz, qz);
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
