// Rows of multigrid passes in double precision: x and its residual. Included once per instruction
// set.
#if defined(NEUROLENS_PDE_STREAM_WIDE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STREAM_WIDE_INL
#undef NEUROLENS_PDE_STREAM_WIDE_INL
#else
#define NEUROLENS_PDE_STREAM_WIDE_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "kernels/stream_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {

// ---- the finest level of a pass, in double precision --------------------------------------------

// to = cubic interpolation along x of the coarse line.
HWY_INLINE void cubic_row(int n_fine, const CubicAxis& axis, const double* from, double* to) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  const auto inner = hn::Set(d, 0.5625);
  const auto outer = hn::Set(d, -0.0625);
  const auto plain = [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const double* w = axis.weight + 4 * i;
      const double* c = from + axis.start[i];
      to[i] = w[0] * c[0] + w[1] * c[1] + w[2] * c[2] + w[3] * c[3];
    }
  };
  plain(0, std::min(2, n_fine));
  std::size_t k = 1;
  for (; k + lanes <= sz(std::max(1, axis.regular)); k += lanes) {
    const auto here = hn::LoadU(d, from + k);
    const auto sum = hn::Mul(inner, hn::Add(here, hn::LoadU(d, from + k + 1)));
    const auto far = hn::Add(hn::LoadU(d, from + k - 1), hn::LoadU(d, from + k + 2));
    hn::StoreInterleaved2(here, hn::MulAdd(outer, far, sum), d, to + 2 * k);
  }
  plain(static_cast<int>(2 * k), n_fine);
}

// Nodes of a level that the caches do not hold.
constexpr std::size_t kFarNodes = 1 << 21;
HWY_INLINE bool is_far(const StreamLevel& l) {
  return l.stride * sz(l.n[1]) >= kFarNodes;
}

// Copies a row that is not read again soon past the caches, which need not read it first.
HWY_INLINE void store_past(std::size_t n, const double* from, double* to) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i < n && reinterpret_cast<std::uintptr_t>(to + i) % (lanes * sizeof(double)) != 0; ++i)
    to[i] = from[i];
  for (; i + lanes <= n; i += lanes) hn::Stream(hn::LoadU(d, from + i), d, to + i);
  for (; i < n; ++i) to[i] = from[i];
}

HWY_INLINE double* ring_x(const StreamPass& p, int j) {
  return p.rings.x + sz((j + kStreamRowsX) % kStreamRowsX) * p.level.stride;
}

// Row j of x += unit e; `copy` gets the row too, unless null.
HWY_INLINE void add_to_x(const StreamPass& p, int j, double* copy) {
  const StreamLevel& l = p.level;
  const Wide d;
  const NarrowHalf df;
  const auto unit = hn::Set(d, p.unit);
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = sz(l.last[0] - l.first[0]);
  double* x = p.x + offset(j, p.x_stride) + l.first[0];
  const float* e = l.e + offset(j, l.stride) + l.first[0];
  if (copy != nullptr) copy += l.first[0];
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto fresh = hn::MulAdd(unit, hn::PromoteTo(d, hn::Load(df, e + i)), hn::LoadU(d, x + i));
    hn::StoreU(fresh, d, x + i);
    if (copy != nullptr) hn::Store(fresh, d, copy + i);
  }
  for (; i < n; ++i) {
    x[i] += p.unit * static_cast<double>(e[i]);
    if (copy != nullptr) copy[i] = x[i];
  }
}

// Row j of x comes up to date, in x and in the ring (rows outside the unknowns: ring only).
HWY_INLINE void bring_x(const StreamPass& p, int j) {
  const StreamLevel& l = p.level;
  double* ring = ring_x(p, j);
  const int low = l.first[0];
  const int high = l.last[0];
  if (j < 0 || j >= l.n[1]) {
    std::fill_n(ring, l.n[0], 0.0);
    return;
  }
  double* x = p.x + offset(j, p.x_stride);
  if (j < l.first[1] || j >= l.last[1] || p.start == StreamStart::keep) {
    std::copy_n(x, l.n[0], ring);
    return;
  }
  if (p.start == StreamStart::cubic) {
    const CubicAxis& y = p.cubic[1];
    const double* w = y.weight + 4 * j;
    const double* c = p.coarse_x.at + offset(y.start[j], p.coarse_x.stride);
    const std::size_t s = p.coarse_x.stride;
    const double* line = c;
    if (w[0] == 1) {
      line = c;
    } else if (w[1] == 1) {
      line = c + s;
    } else {
      const Wide d;
      const auto w0 = hn::Set(d, w[0]), w1 = hn::Set(d, w[1]);
      const auto w2 = hn::Set(d, w[2]), w3 = hn::Set(d, w[3]);
      for (std::size_t i = 0; i < sz(p.coarse_x.n[0]); i += hn::Lanes(d)) {
        auto sum = hn::Mul(w0, hn::LoadU(d, c + i));
        sum = hn::MulAdd(w1, hn::LoadU(d, c + s + i), sum);
        sum = hn::MulAdd(w2, hn::LoadU(d, c + 2 * s + i), sum);
        hn::StoreU(hn::MulAdd(w3, hn::LoadU(d, c + 3 * s + i), sum), d, p.rings.line + i);
      }
      line = p.rings.line;
    }
    cubic_row(l.n[0], p.cubic[0], line, ring);
    if (low > 0) ring[0] = x[0];
    if (high < l.n[0]) ring[high] = x[high];
    if (is_far(l))
      store_past(sz(l.n[0]), ring, x);
    else
      std::copy_n(ring, l.n[0], x);
    return;
  }
  if (p.coarse_e.at != nullptr) prolong_streamed(l, p.coarse_e, j, p.rings.gathered);
  add_to_x(p, j, ring);
  if (low > 0) ring[0] = x[0];
  if (high < l.n[0]) ring[high] = x[high];
}

// Row j of f = scale (b - A x).
HWY_INLINE void take_residual(const StreamPass& p, int j, double* maxima) {
  const StreamLevel& l = p.level;
  const int low = l.first[0];
  const std::size_t n = sz(l.last[0] - low);
  const double* x = ring_x(p, j) + low;
  const double* below = ring_x(p, j - 1) + low;
  const double* above = ring_x(p, j + 1) + low;
  const std::ptrdiff_t here = offset(j, l.stride) + low;
  const double* ax = l.ax + here;
  const double* ay = l.ay + here;
  const double* ay_low = ay - l.stride;
  const double* extra = l.extra == nullptr ? nullptr : l.extra + here;
  const RightRow right = p.right(p.owner, j, p.rings.b);
  const double* b = right.at + low;
  float* f = l.f + here;
  const Wide d;
  const NarrowHalf df;
  const std::size_t lanes = hn::Lanes(d);
  const auto scale = hn::Set(d, p.scale);
  const auto factor = hn::Set(d, right.factor);
  auto most = hn::Load(d, maxima);
  const bool smoothing = p.sweeps > 0;
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto xc = hn::Load(d, x + i);
    auto sum = hn::MulAdd(hn::Load(d, ax + i), hn::Sub(hn::LoadU(d, x + i + 1), xc),
                          hn::Mul(factor, hn::LoadU(d, b + i)));
    auto other = hn::Mul(hn::LoadU(d, ax + i - 1), hn::Sub(hn::LoadU(d, x + i - 1), xc));
    sum = hn::MulAdd(hn::Load(d, ay_low + i), hn::Sub(hn::Load(d, below + i), xc), sum);
    other = hn::MulAdd(hn::Load(d, ay + i), hn::Sub(hn::Load(d, above + i), xc), other);
    if (extra != nullptr) sum = hn::NegMulAdd(hn::Load(d, extra + i), xc, sum);
    sum = hn::Add(sum, other);
    if (i + lanes > n) sum = hn::IfThenElseZero(hn::FirstN(d, n - i), sum);
    most = hn::Max(most, hn::Abs(sum));
    if (smoothing) hn::Store(hn::DemoteTo(df, hn::Mul(sum, scale)), df, f + i);
  }
  hn::Store(most, d, maxima);
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
