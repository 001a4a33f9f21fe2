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

// sum a u_there at i..i+lanes, `left` being u there - 1
template <class T>
HWY_INLINE Vector<T> pull(const StencilRow<T>& row, std::size_t i, Vector<T> left) {
  const Tag<T> d;
  Vector<T> sum = hn::Mul(hn::Load(d, row.ax + i), hn::LoadU(d, row.u + i + 1));
  sum = hn::MulAdd(hn::LoadU(d, row.ax + i - 1), left, sum);
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
HWY_INLINE Vector<T> pull(const StencilRow<T>& row, std::size_t i) {
  return pull(row, i, hn::LoadU(Tag<T>(), row.u + i - 1));
}

template <class T>
HWY_INLINE void relax_any(std::size_t n, const StencilRow<T>& row, int parity) {
  const Tag<T> d;
  const hn::RebindToSigned<Tag<T>> di;
  // A variable start of Iota would be stored lane by lane.
  const auto even =
      hn::RebindMask(d, hn::Eq(hn::And(hn::Iota(di, 0), hn::Set(di, 1)), hn::Zero(di)));
  const auto chosen = parity == 0 ? even : hn::Not(even);
  const std::size_t lanes = hn::Lanes(d);
  // The left neighbours of the next vector are loaded before this one is stored: those that matter
  // have the other colour and do not change, and a load that straddles a fresh store waits for it.
  Vector<T> left = hn::LoadU(d, row.u - 1);
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto next_left = hn::LoadU(d, row.u + i + lanes - 1);
    const auto fresh =
        hn::Mul(hn::Add(hn::Load(d, row.f + i), pull(row, i, left)), hn::Load(d, row.inverse + i));
    hn::Store(hn::IfThenElse(chosen, fresh, hn::Load(d, row.u + i)), d, row.u + i);
    left = next_left;
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
HWY_INLINE StencilRow<T> row_of(const StencilGrid<T>& g, std::size_t j, std::size_t k) {
  const std::size_t here = j * g.row_stride + k * g.plane_stride;
  StencilRow<T> r{};
  r.u = g.u + here;
  r.f = g.f + here;
  r.inverse = g.inverse + here;
  r.diagonal = g.diagonal + here;
  r.ax = g.ax + here;
  if (g.ay != nullptr) {
    r.ay_low = g.ay + here - g.row_stride;
    r.ay_high = g.ay + here;
    r.u_y_low = r.u - g.row_stride;
    r.u_y_high = r.u + g.row_stride;
  }
  if (g.az != nullptr) {
    r.az_low = g.az + here - g.plane_stride;
    r.az_high = g.az + here;
    r.u_z_low = r.u - g.plane_stride;
    r.u_z_high = r.u + g.plane_stride;
  }
  return r;
}

// The second colour follows one row (one plane in 3-D) behind the first.
template <class T>
HWY_INLINE void sweep_any(const StencilGrid<T>& g, int first) {
  const auto n0 = static_cast<std::size_t>(g.n[0]);
  const auto n1 = static_cast<std::size_t>(g.n[1]);
  const std::size_t rows = n1 * static_cast<std::size_t>(g.n[2]);
  const std::size_t lag = g.az != nullptr ? n1 : 1;
  const auto relax = [&](std::size_t r, int colour) {
    const std::size_t j = r % n1;
    const std::size_t k = r / n1;
    relax_any(n0, row_of(g, j, k), static_cast<int>((j + k) % 2 + colour) % 2);
  };
  for (std::size_t r = 0; r < rows + lag; ++r) {
    if (r < rows) relax(r, first);
    if (r >= lag) relax(r - lag, 1 - first);
  }
}
void relax_sweep_f32_impl(const StencilGrid<float>& grid, int first) {
  sweep_any(grid, first);
}
void relax_sweep_f64_impl(const StencilGrid<double>& grid, int first) {
  sweep_any(grid, first);
}

// coarse[i] += weight * (fine[2i] + (fine[2i-1] + fine[2i+1]) / 2)
template <class T>
HWY_INLINE void gather_pairs(std::size_t n_coarse, const T* fine, T weight, T* coarse) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, T(0.5));
  const auto w = hn::Set(d, weight);
  std::size_t i = 0;
  for (; i + lanes <= n_coarse; i += lanes) {
    Vector<T> even, odd, unused, before;
    hn::LoadInterleaved2(d, fine + 2 * i, even, odd);
    hn::LoadInterleaved2(d, fine + 2 * i - 2, unused, before);
    const auto sum = hn::MulAdd(half, hn::Add(before, odd), even);
    hn::StoreU(hn::MulAdd(w, sum, hn::LoadU(d, coarse + i)), d, coarse + i);
  }
  for (; i < n_coarse; ++i)
    coarse[i] +=
        weight *
        (fine[2 * i] + T(0.5) * (fine[static_cast<std::ptrdiff_t>(2 * i) - 1] + fine[2 * i + 1]));
}

// fine[2i] += t[i], fine[2i+1] += (t[i] + t[i+1]) / 2 for the first `pairs` pairs.
template <class T>
HWY_INLINE void spread_pairs(std::size_t pairs, const T* t, T* fine) {
  const Tag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, T(0.5));
  std::size_t i = 0;
  for (; i + lanes <= pairs; i += lanes) {
    const auto here = hn::LoadU(d, t + i);
    const auto there = hn::LoadU(d, t + i + 1);
    Vector<T> even, odd;
    hn::LoadInterleaved2(d, fine + 2 * i, even, odd);
    hn::StoreInterleaved2(hn::Add(even, here), hn::MulAdd(half, hn::Add(here, there), odd), d,
                          fine + 2 * i);
  }
  for (; i < pairs; ++i) {
    fine[2 * i] += t[i];
    fine[2 * i + 1] += T(0.5) * (t[i] + t[i + 1]);
  }
}

// A row of residuals goes to its coarse row, or in halves to the two beside it.
template <class T>
HWY_INLINE void restrict_line(const StencilGrid<T>& g, const CoarseRows<T>& c, std::size_t j,
                              const T* r) {
  const int last = g.n[0] - 1;
  const auto n = static_cast<std::size_t>(c.n[0]);
  const auto add = [&](std::size_t cj, T weight) {
    T* t = c.at + cj * c.row_stride;
    if (last % 2 == 0) {
      gather_pairs(n, r, weight, t);
      return;
    }
    gather_pairs(n - 2, r, weight, t);  // the last cell is short: its end node is kept
    t[n - 2] += weight * (r[last - 1] + (last >= 3 ? T(0.5) * r[last - 2] : T(0)));
    t[n - 1] += weight * r[last];
  };
  if (j % 2 == 0) return add(j / 2, T(1));
  if (static_cast<int>(j) == g.n[1] - 1) return add(static_cast<std::size_t>(c.n[1]) - 1, T(1));
  add(j / 2, T(0.5));
  add(j / 2 + 1, T(0.5));
}

// Half-sweeps follow each other one row apart: half h at row j needs half h - 1 at row j + 1.
template <class T>
HWY_INLINE void relax_behind(const StencilGrid<T>& g, std::size_t j, std::size_t lead, int sweeps) {
  const auto n1 = static_cast<std::size_t>(g.n[1]);
  const auto halves = 2 * static_cast<std::size_t>(sweeps);
  for (std::size_t h = 0; h < halves && h + lead <= j; ++h) {
    const std::size_t at = j - h - lead;
    if (at < n1) relax_any(static_cast<std::size_t>(g.n[0]), row_of(g, at, 0), (at + h) % 2 != 0);
  }
}

void relax_and_restrict_impl(const StencilGrid<float>& g, int sweeps, float* row,
                             const CoarseRows<float>& coarse) {
  const auto n0 = static_cast<std::size_t>(g.n[0]);
  const auto n1 = static_cast<std::size_t>(g.n[1]);
  const auto halves = 2 * static_cast<std::size_t>(sweeps);
  for (std::size_t j = 0; j < n1 + halves; ++j) {
    relax_behind(g, j, 0, sweeps);
    if (j < halves) continue;
    residual_any(n0, row_of(g, j - halves, 0), row);
    restrict_line(g, coarse, j - halves, row);
  }
}

template <class T>
HWY_INLINE void prolong_line(const StencilGrid<T>& g, const CoarseRows<T>& c, std::size_t j,
                             T* line) {
  const auto n = static_cast<std::size_t>(c.n[0]);
  const T* from = c.at + j / 2 * c.row_stride;
  if (j % 2 != 0) {
    if (static_cast<int>(j) == g.n[1] - 1) {
      from = c.at + static_cast<std::size_t>(c.n[1] - 1) * c.row_stride;
    } else {
      const T* next = from + c.row_stride;
      for (std::size_t i = 0; i < n; ++i) line[i] = T(0.5) * from[i] + T(0.5) * next[i];
      from = line;
    }
  }
  T* u = g.u + j * g.row_stride;
  const int last = g.n[0] - 1;
  spread_pairs(static_cast<std::size_t>(last / 2), from, u);
  if (last % 2 == 0) {
    u[last] += from[last / 2];
  } else {
    u[last - 1] += from[n - 2];
    u[last] += from[n - 1];
  }
}

void prolong_and_relax_impl(const StencilGrid<float>& g, int sweeps, float* row,
                            const CoarseRows<float>& coarse) {
  const auto n1 = static_cast<std::size_t>(g.n[1]);
  for (std::size_t j = 0; j < n1 + 2 * static_cast<std::size_t>(sweeps); ++j) {
    if (j < n1) prolong_line(g, coarse, j, row);
    relax_behind(g, j, 1, sweeps);
  }
}

void restrict_f32_impl(std::size_t n, const float* fine, float w, float* coarse) {
  gather_pairs(n, fine, w, coarse);
}
void restrict_f64_impl(std::size_t n, const double* fine, double w, double* coarse) {
  gather_pairs(n, fine, w, coarse);
}
template <class T>
HWY_INLINE void prolong_any(std::size_t n_fine, const T* t, T* fine) {
  spread_pairs(n_fine / 2, t, fine);
  if (n_fine % 2 != 0) fine[n_fine - 1] += t[n_fine / 2];
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

HWY_INLINE Vector<double> widen_any(const float* z) {
  const Tag<double> d;
  const hn::Rebind<float, Tag<double>> df;
  return hn::PromoteTo(d, hn::LoadU(df, z));
}

double correct_row_impl(std::size_t n, const StencilRow<double>& a, const StencilRow<float>& z,
                        double scale, double narrow_scale, double* u, double* r, float* narrow) {
  const Tag<double> d;
  const hn::Rebind<float, Tag<double>> df;
  const auto s = hn::Set(d, scale);
  const auto ns = hn::Set(d, narrow_scale);
  auto most = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto diagonal = hn::Load(d, a.diagonal + i);
    const auto here = widen_any(z.u + i);
    auto sum = hn::Mul(hn::Load(d, a.ax + i), widen_any(z.u + i + 1));
    sum = hn::MulAdd(hn::LoadU(d, a.ax + i - 1), widen_any(z.u + i - 1), sum);
    if (a.ay_low != nullptr) {
      sum = hn::MulAdd(hn::Load(d, a.ay_low + i), widen_any(z.u_y_low + i), sum);
      sum = hn::MulAdd(hn::Load(d, a.ay_high + i), widen_any(z.u_y_high + i), sum);
    }
    if (a.az_low != nullptr) {
      sum = hn::MulAdd(hn::Load(d, a.az_low + i), widen_any(z.u_z_low + i), sum);
      sum = hn::MulAdd(hn::Load(d, a.az_high + i), widen_any(z.u_z_high + i), sum);
    }
    const auto az =
        hn::IfThenElseZero(hn::Ne(diagonal, hn::Zero(d)), hn::MulSub(diagonal, here, sum));
    const auto left = hn::NegMulAdd(s, az, hn::Load(d, r + i));
    hn::Store(left, d, r + i);
    hn::Store(hn::MulAdd(s, here, hn::Load(d, u + i)), d, u + i);
    hn::StoreU(hn::DemoteTo(df, hn::Mul(left, ns)), df, narrow + i);
    most = hn::Max(most, hn::Abs(left));
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
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
