// The stages of a 3-D multigrid pass in single precision, and transfers between levels. Included
// once per instruction set.
#if defined(NEUROLENS_PDE_STREAM_3D_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STREAM_3D_INL
#undef NEUROLENS_PDE_STREAM_3D_INL
#else
#define NEUROLENS_PDE_STREAM_3D_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <utility>

#include "kernels/stream_3d.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::planes::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<double>;
using Narrow = hn::ScalableTag<float>;
using NarrowHalf = hn::Rebind<float, Wide>;  // as many numbers as a vector of doubles has

HWY_INLINE std::size_t sz(int i) {
  return static_cast<std::size_t>(i);
}
HWY_INLINE std::ptrdiff_t offset(int i, std::size_t stride) {
  return static_cast<std::ptrdiff_t>(i) * static_cast<std::ptrdiff_t>(stride);
}
HWY_INLINE std::ptrdiff_t row_at(const PlaneLevel& l, int j, int k) {
  return offset(k, l.plane) + offset(j, l.stride);
}

// Lanes of even numbers. A variable start of Iota would be stored lane by lane.
template <class D>
HWY_INLINE hn::Mask<D> even_lanes(D d) {
  const hn::RebindToSigned<D> di;
  return hn::RebindMask(d, hn::Eq(hn::And(hn::Iota(di, 0), hn::Set(di, 1)), hn::Zero(di)));
}

// The larger of |value| and `most`, compared as whole numbers: what is not a number is larger than
// any number and stays, where a maximum of floats would lose it.
template <class V>
HWY_INLINE V larger(V most, V value) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<hn::DFromV<V>> di;
  return hn::BitCast(d, hn::Max(hn::BitCast(di, most), hn::BitCast(di, hn::Abs(value))));
}
template <class V>
HWY_INLINE double largest_lane(V most) {
  const hn::DFromV<V> d;
  const hn::RebindToSigned<hn::DFromV<V>> di;
  const auto largest = hn::MaxOfLanes(di, hn::BitCast(di, most));
  return static_cast<double>(hn::GetLane(hn::BitCast(d, largest)));
}

// ---- smoothing: nodes with i + j + k + colour even, rows [j0, j1) of plane k --------------------

HWY_INLINE void relax_from_zero(const PlaneLevel& l, int k, int j0, int j1) {
  const Narrow d;
  const auto even = even_lanes(d);
  const auto odd = hn::Not(even);
  const std::size_t n = sz(l.m[0]);
  for (int j = j0; j < j1; ++j) {
    const std::ptrdiff_t at = row_at(l, j, k);
    const auto chosen = (j + k) % 2 == 0 ? even : odd;
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
      const auto value = hn::Mul(hn::Load(d, l.f + at + i), hn::Load(d, l.inverse + at + i));
      hn::Store(hn::IfThenElseZero(chosen, value), d, l.e + at + i);
    }
  }
}

HWY_INLINE void relax_rows(const PlaneLevel& l, int k, int j0, int j1, int colour, float omega) {
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  const auto even = even_lanes(d);
  const auto odd = hn::Not(even);
  const auto keep = hn::Set(d, 1 - omega);
  const std::size_t n = sz(l.m[0]);
  for (int j = j0; j < j1; ++j) {
    const std::ptrdiff_t at = row_at(l, j, k);
    const auto chosen = (j + k + colour) % 2 == 0 ? even : odd;
    float* e = l.e + at;
    const float* low = e - l.stride;
    const float* high = e + l.stride;
    const float* below = e - l.plane;
    const float* above = e + l.plane;
    const float* ax = l.narrow_ax + at;
    const float* ay = l.narrow_ay + at;
    const float* ay_low = ay - l.stride;
    const float* az = l.narrow_az + at;
    const float* az_low = az - l.plane;
    const float* f = l.f + at;
    const float* inverse = l.inverse + at;
    // The left neighbours of the next vector are loaded before this one is stored: those that
    // matter have the other colour, and a load that straddles a fresh store waits for it.
    auto left = hn::LoadU(d, e - 1);
    for (std::size_t i = 0; i < n; i += lanes) {
      const auto next_left = hn::LoadU(d, e + i + lanes - 1);
      const auto here = hn::Load(d, e + i);
      auto sum = hn::MulAdd(hn::Load(d, ax + i), hn::LoadU(d, e + i + 1), hn::Load(d, f + i));
      auto other = hn::Mul(hn::LoadU(d, ax + i - 1), left);
      sum = hn::MulAdd(hn::Load(d, ay_low + i), hn::Load(d, low + i), sum);
      other = hn::MulAdd(hn::Load(d, ay + i), hn::Load(d, high + i), other);
      sum = hn::MulAdd(hn::Load(d, az_low + i), hn::Load(d, below + i), sum);
      other = hn::MulAdd(hn::Load(d, az + i), hn::Load(d, above + i), other);
      const auto fresh =
          hn::MulAdd(hn::Add(sum, other), hn::Load(d, inverse + i), hn::Mul(keep, here));
      hn::Store(hn::IfThenElse(chosen, fresh, here), d, e + i);
      left = next_left;
    }
  }
}

// out = f - A e for one row, 0 behind its nodes; returns the largest of every lane and `most`.
HWY_INLINE hn::Vec<Narrow> rest_of_row(const PlaneLevel& l, std::ptrdiff_t at, float* out,
                                       hn::Vec<Narrow> most) {
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = sz(l.m[0]);
  const float* e = l.e + at;
  const float* low = e - l.stride;
  const float* high = e + l.stride;
  const float* below = e - l.plane;
  const float* above = e + l.plane;
  const float* ax = l.narrow_ax + at;
  const float* ay = l.narrow_ay + at;
  const float* ay_low = ay - l.stride;
  const float* az = l.narrow_az + at;
  const float* az_low = az - l.plane;
  const float* f = l.f + at;
  const float* extra = l.narrow_extra == nullptr ? nullptr : l.narrow_extra + at;
  for (std::size_t i = 0; i < n; i += lanes) {
    const auto here = hn::Load(d, e + i);
    auto sum =
        hn::MulAdd(hn::Load(d, ax + i), hn::Sub(hn::LoadU(d, e + i + 1), here), hn::Load(d, f + i));
    auto other = hn::Mul(hn::LoadU(d, ax + i - 1), hn::Sub(hn::LoadU(d, e + i - 1), here));
    sum = hn::MulAdd(hn::Load(d, ay_low + i), hn::Sub(hn::Load(d, low + i), here), sum);
    other = hn::MulAdd(hn::Load(d, ay + i), hn::Sub(hn::Load(d, high + i), here), other);
    sum = hn::MulAdd(hn::Load(d, az_low + i), hn::Sub(hn::Load(d, below + i), here), sum);
    other = hn::MulAdd(hn::Load(d, az + i), hn::Sub(hn::Load(d, above + i), here), other);
    if (extra != nullptr) sum = hn::NegMulAdd(hn::Load(d, extra + i), here, sum);
    sum = hn::Add(sum, other);
    if (i + lanes > n) sum = hn::IfThenElseZero(hn::FirstN(d, n - i), sum);
    most = larger(most, sum);
    hn::Store(sum, d, out + i);
  }
  return most;
}

// ---- to the next coarser level ------------------------------------------------------------------

// What a node adds to coarse nodes along one axis: at most two.
struct Share {
  int node;  // among coarse unknowns; may be none of them
  float weight;
  bool fresh;  // first to come there
};
struct Shares {
  Share share[2];
  int count;
};
HWY_INLINE Shares shares_of(const PlaneAxis& a, int unknown) {
  const int node = unknown + a.first;
  const int half = node / 2;
  if (node % 2 == 0) return {{{half - a.first, 1, node == 0}, {}}, 1};
  if (node == a.n - 1) return {{{a.coarse_n - 1 - a.first, 1, true}, {}}, 1};
  return {{{half - a.first, 0.5F, false}, {half + 1 - a.first, 0.5F, true}}, 2};
}

// Whether the axis ends in an unknown that is kept beside its neighbour.
HWY_INLINE bool short_end(const PlaneAxis& a, int m) {
  return a.n % 2 == 0 && a.first + m == a.n;
}

// to[q] = from[node] + (from[node - 1] + from[node + 1]) / 2 for the fine node of coarse node q.
template <class T>
HWY_INLINE void gather_row(const PlaneAxis& a, int m, int coarse_m, const T* from, T* to) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, T(0.5));
  for (std::size_t i = 0; i < sz(coarse_m); i += lanes) {
    hn::Vec<decltype(d)> even, odd, beside, unused;
    hn::LoadInterleaved2(d, from + 2 * i, even, odd);
    if (a.first == 1) {
      hn::LoadInterleaved2(d, from + 2 * i + 2, beside, unused);
      hn::Store(hn::MulAdd(half, hn::Add(even, beside), odd), d, to + i);
    } else {
      hn::LoadInterleaved2(d, from + 2 * i - 2, unused, beside);
      hn::Store(hn::MulAdd(half, hn::Add(odd, beside), even), d, to + i);
    }
  }
  if (!short_end(a, m)) return;
  to[coarse_m - 2] = from[m - 2] + (m >= 3 ? T(0.5) * from[m - 3] : T(0));
  to[coarse_m - 1] = from[m - 1];
}

// The sum here + (before + after) / 2 of gathered rows to coarse row `node` of all planes that have
// a share in it.
template <class T>
HWY_INLINE void give_row(const PlaneArray<T>& c, const Shares& planes, int node, const T* before,
                         const T* here, const T* after) {
  if (node < 0 || node >= c.m[1]) return;
  const hn::ScalableTag<T> d;
  const auto half = hn::Set(d, T(0.5));
  for (int s = 0; s < planes.count; ++s) {
    const Share& share = planes.share[s];
    if (share.node < 0 || share.node >= c.m[2]) continue;
    T* to = c.at + offset(share.node, c.plane) + offset(node, c.stride);
    const auto weight = hn::Set(d, static_cast<T>(share.weight));
    for (std::size_t i = 0; i < sz(c.m[0]); i += hn::Lanes(d)) {
      const auto beside = hn::Add(hn::Load(d, before + i), hn::Load(d, after + i));
      const auto value = hn::Mul(weight, hn::MulAdd(half, beside, hn::Load(d, here + i)));
      hn::Store(share.fresh ? value : hn::Add(value, hn::Load(d, to + i)), d, to + i);
    }
  }
}

// Coarse rows belong to the tile that has their middle row and the one after: tiles therefore end
// before an even node.
HWY_INLINE int whole_pairs(const PlaneAxis& y, int j) {
  return j <= 0 ? 0 : j - (j + y.first) % 2;
}

// Rows [j0, j1) of plane k go to the coarser level. make(j) gives row j with zeros around it; rows
// has three rows and one of zeros.
template <class T, class Make>
HWY_INLINE void restrict_rows(const PlanePass& p, const PlaneArray<T>& c, int k, int j0, int j1,
                              T* const* rows, const Make& make) {
  const PlaneAxis& y = p.axis[1];
  const int* m = p.level.m;
  const Shares planes = shares_of(p.axis[2], k);
  const bool ends_short = short_end(y, m[1]);
  const T* nothing = rows[3];
  const T* before = nothing;
  T *spare = rows[0], *here = rows[1], *after = rows[2];
  const auto gather = [&](int j, T* to)
                          HWY_ATTR { gather_row(p.axis[0], m[0], c.m[0], make(j), to); };
  if (j0 > 0 && j0 < j1) {
    gather(j0 - 1, spare);
    before = spare;
  }
  bool pending = false;
  int node = 0;
  for (int j = j0; j < j1; ++j) {
    node = j + y.first;
    if (node % 2 == 0) {
      gather(j, here);
      pending = true;
      continue;
    }
    gather(j, after);
    if (ends_short && node == y.n - 1) {
      if (pending) give_row(c, planes, node / 2 - y.first, before, here, nothing);
      give_row(c, planes, y.coarse_n - 1 - y.first, nothing, after, nothing);
    } else {
      if (pending) give_row(c, planes, node / 2 - y.first, before, here, after);
      before = after;
      std::swap(after, spare);
    }
    pending = false;
  }
  if (pending) give_row(c, planes, node / 2 - y.first, before, here, nothing);
}

// ---- from the next coarser level ----------------------------------------------------------------

// The coarse unknowns (or fixed nodes, -1 and m) that a node lies between; equal where it is kept.
struct Between {
  int low, high;
};
HWY_INLINE Between between(const PlaneAxis& a, int unknown) {
  const int node = unknown + a.first;
  if (node % 2 != 0 && node == a.n - 1) return {a.coarse_n - 1 - a.first, a.coarse_n - 1 - a.first};
  return {node / 2 - a.first, (node + 1) / 2 - a.first};
}

// Row (j, k) of P coarse e in scratch.fine; what lies behind its nodes is not zero.
HWY_INLINE const float* prolong_row(const PlanePass& p, int j, int k, const PlaneScratch& scratch) {
  const PlaneArray<const float>& c = p.coarse_e;
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  const Between y = between(p.axis[1], j);
  const Between z = between(p.axis[2], k);
  const float* from = c.at + offset(z.low, c.plane) + offset(y.low, c.stride);
  const std::ptrdiff_t up = offset(z.high - z.low, c.plane);
  const std::ptrdiff_t on = offset(y.high - y.low, c.stride);
  const std::size_t n = sz(c.m[0]);
  if (up != 0 && on != 0) {
    const auto quarter = hn::Set(d, 0.25F);
    for (std::size_t i = 0; i < n; i += lanes) {
      const float* at = from + i;
      const auto here = hn::Add(hn::Load(d, at), hn::Load(d, at + on));
      const auto there = hn::Add(hn::Load(d, at + up), hn::Load(d, at + up + on));
      hn::Store(hn::Mul(quarter, hn::Add(here, there)), d, scratch.line + i);
    }
    from = scratch.line;
  } else if (up != 0 || on != 0) {
    const auto half = hn::Set(d, 0.5F);
    const std::ptrdiff_t step = up + on;
    for (std::size_t i = 0; i < n; i += lanes)
      hn::Store(hn::Mul(half, hn::Add(hn::Load(d, from + i), hn::Load(d, from + i + step))), d,
                scratch.line + i);
    from = scratch.line;
  }
  const auto half = hn::Set(d, 0.5F);
  const std::size_t pairs = (sz(p.level.m[0]) + 1) / 2;
  float* to = scratch.fine;
  if (p.axis[0].first == 1) {
    for (std::size_t i = 0; i < pairs; i += lanes) {
      const auto right = hn::Load(d, from + i);
      const auto left = hn::LoadU(d, from + i - 1);
      hn::StoreInterleaved2(hn::Mul(half, hn::Add(left, right)), right, d, to + 2 * i);
    }
  } else {
    for (std::size_t i = 0; i < pairs; i += lanes) {
      const auto left = hn::Load(d, from + i);
      const auto right = hn::LoadU(d, from + i + 1);
      hn::StoreInterleaved2(left, hn::Mul(half, hn::Add(left, right)), d, to + 2 * i);
    }
  }
  if (short_end(p.axis[0], p.level.m[0])) to[p.level.m[0] - 1] = from[c.m[0] - 1];
  return to;
}

// e += P coarse e, rows [j0, j1) of plane k.
HWY_INLINE void prolong_rows(const PlanePass& p, int k, int j0, int j1,
                             const PlaneScratch& scratch) {
  const PlaneLevel& l = p.level;
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = sz(l.m[0]);
  for (int j = j0; j < j1; ++j) {
    const float* more = prolong_row(p, j, k, scratch);
    float* e = l.e + row_at(l, j, k);
    for (std::size_t i = 0; i < n; i += lanes) {
      auto value = hn::Load(d, more + i);
      if (i + lanes > n) value = hn::IfThenElseZero(hn::FirstN(d, n - i), value);
      hn::Store(hn::Add(hn::Load(d, e + i), value), d, e + i);
    }
  }
}

}  // namespace neurolens::pde::kernels::planes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
