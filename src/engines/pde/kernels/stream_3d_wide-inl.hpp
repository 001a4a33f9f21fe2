// The stages of a 3-D multigrid pass that know x, in double precision. Included once per
// instruction set.
#if defined(NEUROLENS_PDE_STREAM_3D_WIDE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STREAM_3D_WIDE_INL
#undef NEUROLENS_PDE_STREAM_3D_WIDE_INL
#else
#define NEUROLENS_PDE_STREAM_3D_WIDE_INL
#endif

#include <algorithm>

#include "kernels/stream_3d-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::planes::HWY_NAMESPACE {

// x += unit (e + P coarse e), rows [j0, j1) of plane k; e keeps the sum where `store` says so.
template <bool store>
HWY_INLINE void correct_rows(const PlanePass& p, int k, int j0, int j1,
                             const PlaneScratch& scratch) {
  const PlaneLevel& l = p.level;
  const Wide d;
  const NarrowHalf df;
  const std::size_t lanes = hn::Lanes(d);
  const auto unit = hn::Set(d, p.unit);
  const std::size_t n = sz(l.m[0]);
  for (int j = j0; j < j1; ++j) {
    const std::ptrdiff_t at = row_at(l, j, k);
    const float* more = p.coarse_e.at == nullptr ? nullptr : prolong_row(p, j, k, scratch);
    float* e = l.e + at;
    double* x = l.x + at;
    for (std::size_t i = 0; i < n; i += lanes) {
      auto value = hn::Load(df, e + i);
      if (more != nullptr) value = hn::Add(value, hn::Load(df, more + i));
      if (i + lanes > n) value = hn::IfThenElseZero(hn::FirstN(df, n - i), value);
      if (store) hn::Store(value, df, e + i);
      hn::Store(hn::MulAdd(unit, hn::PromoteTo(d, value), hn::Load(d, x + i)), d, x + i);
    }
  }
}

// to = w[0] from + w[1] (row after) ... for `count` numbers.
HWY_INLINE void weigh_rows(std::size_t count, const double* w, const double* from,
                           std::size_t stride, double* to) {
  const Wide d;
  const auto w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]), w2 = hn::Set(d, w[2]);
  const auto w3 = hn::Set(d, w[3]), w4 = hn::Set(d, w[4]), w5 = hn::Set(d, w[5]);
  for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
    const double* at = from + i;
    auto sum = hn::Mul(w0, hn::LoadU(d, at));
    auto other = hn::Mul(w1, hn::LoadU(d, at + stride));
    sum = hn::MulAdd(w2, hn::LoadU(d, at + 2 * stride), sum);
    other = hn::MulAdd(w3, hn::LoadU(d, at + 3 * stride), other);
    sum = hn::MulAdd(w4, hn::LoadU(d, at + 4 * stride), sum);
    other = hn::MulAdd(w5, hn::LoadU(d, at + 5 * stride), other);
    hn::StoreU(hn::Add(sum, other), d, to + i);
  }
}

// The only point that counts, or -1.
HWY_INLINE int alone(const double* w) {
  for (int i = 0; i < kQuintic; ++i)
    if (w[i] == 1) return i;
  return -1;
}

// to = interpolation along x, from node 0 on.
HWY_INLINE void interpolate_row(const PlaneAxis& a, const double* from, double* to) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  const auto inner = hn::Set(d, 150.0 / 256);
  const auto middle = hn::Set(d, -25.0 / 256);
  const auto outer = hn::Set(d, 3.0 / 256);
  const auto plain = [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const double* w = a.quintic.weight + kQuintic * i;
      const double* c = from + a.quintic.start[i];
      double sum = 0;
      for (int s = 0; s < kQuintic; ++s) sum += w[s] * c[s];
      to[i] = sum;
    }
  };
  plain(0, std::min(4, a.n));
  std::size_t q = 2;
  for (; q + lanes <= sz(std::max(2, a.quintic.regular)); q += lanes) {
    const double* at = from + q;
    const auto here = hn::LoadU(d, at);
    auto sum = hn::Mul(inner, hn::Add(here, hn::LoadU(d, at + 1)));
    sum = hn::MulAdd(middle, hn::Add(hn::LoadU(d, at - 1), hn::LoadU(d, at + 2)), sum);
    sum = hn::MulAdd(outer, hn::Add(hn::LoadU(d, at - 2), hn::LoadU(d, at + 3)), sum);
    hn::StoreInterleaved2(here, sum, d, to + 2 * q);
  }
  plain(static_cast<int>(2 * q), a.n);
}

// x = interpolation of the coarser x, rows [j0, j1) of plane k.
HWY_INLINE void interpolate_rows(const PlanePass& p, int k, int j0, int j1,
                                 const PlaneScratch& scratch) {
  if (j0 >= j1) return;
  const PlaneLevel& l = p.level;
  const PlaneArray<const double>& c = p.coarse_x;
  const auto& [x, y, z] = p.axis;
  const std::size_t count = sz(x.coarse_n);
  const int low = y.quintic.start[j0 + y.first];
  const int high = y.quintic.start[j1 - 1 + y.first] + kQuintic - 1;
  const double* wz = z.quintic.weight + kQuintic * (k + z.first);
  // From node 0 of every axis on.
  const double* from = c.at - x.first - offset(y.first, c.stride) - offset(z.first, c.plane) +
                       offset(z.quintic.start[k + z.first], c.plane) + offset(low, c.stride);
  if (const int only = alone(wz); only >= 0) {
    from += offset(only, c.plane);
  } else {
    for (int r = low; r <= high; ++r)
      weigh_rows(count, wz, from + offset(r - low, c.stride), c.plane,
                 scratch.lines + offset(r - low, c.stride));
    from = scratch.lines;
  }
  for (int j = j0; j < j1; ++j) {
    const int node = j + y.first;
    const double* w = y.quintic.weight + kQuintic * node;
    const double* row = from + offset(y.quintic.start[node] - low, c.stride);
    if (const int only = alone(w); only >= 0) {
      row += offset(only, c.stride);
    } else {
      weigh_rows(count, w, row, c.stride, scratch.wide_line);
      row = scratch.wide_line;
    }
    double* to = l.x + row_at(l, j, k);
    const double left = to[-1];
    const double right = to[l.m[0]];
    interpolate_row(x, row, to - x.first);
    to[-1] = left;  // fixed values, which interpolation along y and z does not meet
    to[l.m[0]] = right;
  }
}

// max |b - A x| over rows [j0, j1) of plane k. With smoothing f = scale (b - A x), and the first
// colour of e from zero.
HWY_INLINE double residual_rows(const PlanePass& p, int k, int j0, int j1,
                                const PlaneScratch& scratch) {
  const PlaneLevel& l = p.level;
  const Wide d;
  const NarrowHalf df;
  const std::size_t lanes = hn::Lanes(d);
  const auto scale = hn::Set(d, p.scale);
  const auto even = even_lanes(df);
  const auto odd = hn::Not(even);
  const bool smoothing = p.halves > 0;
  const std::size_t n = sz(l.m[0]);
  auto most = hn::Zero(d);
  for (int j = j0; j < j1; ++j) {
    const std::ptrdiff_t at = row_at(l, j, k);
    const RightRow right = p.right(p.owner, j, k, scratch.b);
    const auto factor = hn::Set(d, right.factor);
    const double* b = right.at;
    const double* x = l.x + at;
    const double* low = x - l.stride;
    const double* high = x + l.stride;
    const double* below = x - l.plane;
    const double* above = x + l.plane;
    const double* ax = l.ax + at;
    const double* ay = l.ay + at;
    const double* ay_low = ay - l.stride;
    const double* az = l.az + at;
    const double* az_low = az - l.plane;
    const double* extra = l.extra == nullptr ? nullptr : l.extra + at;
    const auto chosen = (j + k) % 2 == 0 ? even : odd;
    for (std::size_t i = 0; i < n; i += lanes) {
      const auto here = hn::Load(d, x + i);
      auto sum = hn::MulAdd(hn::Load(d, ax + i), hn::Sub(hn::LoadU(d, x + i + 1), here),
                            hn::Mul(factor, hn::LoadU(d, b + i)));
      auto other = hn::Mul(hn::LoadU(d, ax + i - 1), hn::Sub(hn::LoadU(d, x + i - 1), here));
      sum = hn::MulAdd(hn::Load(d, ay_low + i), hn::Sub(hn::Load(d, low + i), here), sum);
      other = hn::MulAdd(hn::Load(d, ay + i), hn::Sub(hn::Load(d, high + i), here), other);
      sum = hn::MulAdd(hn::Load(d, az_low + i), hn::Sub(hn::Load(d, below + i), here), sum);
      other = hn::MulAdd(hn::Load(d, az + i), hn::Sub(hn::Load(d, above + i), here), other);
      if (extra != nullptr) sum = hn::NegMulAdd(hn::Load(d, extra + i), here, sum);
      sum = hn::Add(sum, other);
      if (i + lanes > n) sum = hn::IfThenElseZero(hn::FirstN(d, n - i), sum);
      most = larger(most, sum);
      if (!smoothing) continue;
      const auto f = hn::DemoteTo(df, hn::Mul(sum, scale));
      hn::Store(f, df, l.f + at + i);
      hn::Store(hn::IfThenElseZero(chosen, hn::Mul(f, hn::Load(df, l.inverse + at + i))), df,
                l.e + at + i);
    }
    if (p.out != nullptr)
      std::copy_n(x, n, p.out + offset(j, p.out_stride) + offset(k, p.out_plane));
  }
  return largest_lane(most);
}

}  // namespace neurolens::pde::kernels::planes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
