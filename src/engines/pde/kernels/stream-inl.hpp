// Multigrid passes over streaming rows. Included once per instruction set.
#if defined(NEUROLENS_PDE_STREAM_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STREAM_INL
#undef NEUROLENS_PDE_STREAM_INL
#else
#define NEUROLENS_PDE_STREAM_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "kernels/stream.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<double>;
using Narrow = hn::ScalableTag<float>;
using NarrowHalf = hn::Rebind<float, Wide>;  // as many numbers as a vector of doubles has

HWY_INLINE std::size_t sz(int i) {
  return static_cast<std::size_t>(i);
}
HWY_INLINE std::ptrdiff_t offset(int j, std::size_t stride) {
  return static_cast<std::ptrdiff_t>(j) * static_cast<std::ptrdiff_t>(stride);
}

// ---- single precision rows; all pointers at the first unknown -----------------------------------

struct RelaxRow {
  float *e, *low, *high;  // e of this row and its neighbours
  const float *f, *ax, *ay_low, *ay_high, *inverse;
};

// Lanes of the given parity. A variable start of Iota would be stored lane by lane.
HWY_INLINE hn::Mask<Narrow> lanes_of(int parity) {
  const Narrow d;
  const hn::RebindToSigned<Narrow> di;
  const auto even =
      hn::RebindMask(d, hn::Eq(hn::And(hn::Iota(di, 0), hn::Set(di, 1)), hn::Zero(di)));
  return parity == 0 ? even : hn::Not(even);
}

// Lines that stages to come will read from memory: of every one a cache line is asked for with each
// 16 nodes that a sweep relaxes, so that memory works while the sweep does.
struct Ahead {
  static constexpr int kMost = 4;
  const char* line[kMost];
};
template <int kCount>
HWY_INLINE void ask_for(const Ahead& ahead, std::size_t i) {
  for (int k = 0; k < kCount; ++k) hwy::Prefetch(ahead.line[k] + i * sizeof(float));
}

// First colour from e = 0.
template <int kAhead>
HWY_INLINE void relax_from_zero(std::size_t n, const RelaxRow& row, int parity,
                                const Ahead& ahead) {
  const Narrow d;
  const auto chosen = lanes_of(parity);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    ask_for<kAhead>(ahead, i);
    hn::Store(
        hn::IfThenElseZero(chosen, hn::Mul(hn::Load(d, row.f + i), hn::Load(d, row.inverse + i))),
        d, row.e + i);
  }
}

template <int kAhead>
HWY_INLINE void relax_streamed(std::size_t n, const RelaxRow& row, int parity, float omega,
                               const Ahead& ahead) {
  const Narrow d;
  const auto chosen = lanes_of(parity);
  const auto keep = hn::Set(d, 1 - omega);
  const std::size_t lanes = hn::Lanes(d);
  // The left neighbours of the next vector are loaded before this one is stored: those that matter
  // have the other colour and do not change, and a load that straddles a fresh store waits for it.
  auto left = hn::LoadU(d, row.e - 1);
  for (std::size_t i = 0; i < n; i += lanes) {
    ask_for<kAhead>(ahead, i);
    const auto next_left = hn::LoadU(d, row.e + i + lanes - 1);
    const auto here = hn::Load(d, row.e + i);
    auto sum =
        hn::MulAdd(hn::Load(d, row.ax + i), hn::LoadU(d, row.e + i + 1), hn::Load(d, row.f + i));
    auto other = hn::Mul(hn::LoadU(d, row.ax + i - 1), left);
    sum = hn::MulAdd(hn::Load(d, row.ay_low + i), hn::Load(d, row.low + i), sum);
    other = hn::MulAdd(hn::Load(d, row.ay_high + i), hn::Load(d, row.high + i), other);
    const auto fresh =
        hn::MulAdd(hn::Add(sum, other), hn::Load(d, row.inverse + i), hn::Mul(keep, here));
    hn::Store(hn::IfThenElse(chosen, fresh, here), d, row.e + i);
    left = next_left;
  }
}

// out = f - A e; `maxima` takes the largest of every lane. `out` has been masked: the fixed node
// behind the row is 0, and what lies farther is zero by itself.
HWY_INLINE void rest_of_row(std::size_t n, const RelaxRow& row, const float* extra, float* out,
                            float* maxima) {
  const Narrow d;
  auto most = hn::Load(d, maxima);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto here = hn::Load(d, row.e + i);
    auto sum = hn::MulAdd(hn::Load(d, row.ax + i), hn::Sub(hn::LoadU(d, row.e + i + 1), here),
                          hn::Load(d, row.f + i));
    auto other = hn::Mul(hn::LoadU(d, row.ax + i - 1), hn::Sub(hn::LoadU(d, row.e + i - 1), here));
    sum = hn::MulAdd(hn::Load(d, row.ay_low + i), hn::Sub(hn::Load(d, row.low + i), here), sum);
    other =
        hn::MulAdd(hn::Load(d, row.ay_high + i), hn::Sub(hn::Load(d, row.high + i), here), other);
    if (extra != nullptr) sum = hn::NegMulAdd(hn::Load(d, extra + i), here, sum);
    sum = hn::Add(sum, other);
    if (i + hn::Lanes(d) > n) sum = hn::IfThenElseZero(hn::FirstN(d, n - i), sum);
    most = hn::Max(most, hn::Abs(sum));
    hn::Store(sum, d, out + i);
  }
  out[n] = 0;
  hn::Store(most, d, maxima);
}

// ---- transfers between levels, rows from node 0 on ----------------------------------------------

// to[i] = from[2i] + (from[2i-1] + from[2i+1]) / 2 for the coarse nodes of a fine row of n nodes.
template <class T>
HWY_INLINE void gather_row(int n_fine, int n_coarse, const T* from, T* to) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, T(0.5));
  const int last = n_fine - 1;
  const std::size_t plain = sz(last % 2 == 0 ? n_coarse : n_coarse - 2);
  // The last vector may go past the row, into padding and rows in flight that nobody reads yet.
  for (std::size_t i = 0; i < plain; i += lanes) {
    hn::Vec<decltype(d)> even, odd, unused, before;
    hn::LoadInterleaved2(d, from + 2 * i, even, odd);
    hn::LoadInterleaved2(d, from + 2 * i - 2, unused, before);
    hn::StoreU(hn::MulAdd(half, hn::Add(before, odd), even), d, to + i);
  }
  if (last % 2 == 0) return;
  to[n_coarse - 2] = from[last - 1] + (last >= 3 ? T(0.5) * from[last - 2] : T(0));
  to[n_coarse - 1] = from[last];  // the last cell is short: its end node is kept
}

template <class T>
HWY_INLINE void add_row(const StreamRows<T>& c, int j, T weight, const T* from) {
  if (j < c.first[1] || j >= c.last[1]) return;
  T* to = c.at + offset(j, c.stride) + c.first[0];
  const T* source = from + c.first[0];
  const std::size_t n = sz(c.last[0] - c.first[0]);
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto w = hn::Set(d, weight);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::Store(hn::MulAdd(w, hn::LoadU(d, source + i), hn::Load(d, to + i)), d, to + i);
  if (i == n) return;
  const auto more = hn::IfThenElseZero(hn::FirstN(d, n - i), hn::LoadU(d, source + i));
  hn::Store(hn::MulAdd(w, more, hn::Load(d, to + i)), d, to + i);
}

// A fine row's share of P^T goes to its coarse row, or in halves to the two beside it.
template <class T>
HWY_INLINE void restrict_streamed(const StreamLevel& l, const StreamRows<T>& c, int j, const T* row,
                                  T* gathered) {
  gather_row(l.n[0], c.n[0], row, gathered);
  if (j % 2 == 0) return add_row(c, j / 2, T(1), gathered);
  if (j == l.n[1] - 1) return add_row(c, c.n[1] - 1, T(1), gathered);
  add_row(c, j / 2, T(0.5), gathered);
  add_row(c, j / 2 + 1, T(0.5), gathered);
}

// Row j of e += P coarse e; `line` has room for a coarse row.
HWY_INLINE void prolong_streamed(const StreamLevel& l, const StreamRows<const float>& c, int j,
                                 float* line) {
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, 0.5F);
  const std::size_t n = sz(c.n[0]);
  const float* from = c.at + offset(j / 2, c.stride);
  if (j % 2 != 0) {
    if (j == l.n[1] - 1) {
      from = c.at + offset(c.n[1] - 1, c.stride);
    } else {
      const float* next = from + c.stride;
      for (std::size_t i = 0; i < n; i += lanes)
        hn::StoreU(hn::Mul(half, hn::Add(hn::LoadU(d, from + i), hn::LoadU(d, next + i))), d,
                   line + i);
      from = line;
    }
  }
  float* e = l.e + offset(j, l.stride);
  const int last = l.n[0] - 1;
  const std::size_t pairs = sz(last / 2);
  std::size_t i = 0;
  for (; i + lanes <= pairs; i += lanes) {
    const auto here = hn::LoadU(d, from + i);
    const auto there = hn::LoadU(d, from + i + 1);
    hn::Vec<Narrow> even, odd;
    hn::LoadInterleaved2(d, e + 2 * i, even, odd);
    hn::StoreInterleaved2(hn::Add(even, here), hn::MulAdd(half, hn::Add(here, there), odd), d,
                          e + 2 * i);
  }
  for (; i < pairs; ++i) {
    e[2 * i] += from[i];
    e[2 * i + 1] += 0.5F * (from[i] + from[i + 1]);
  }
  if (last % 2 == 0) {
    e[last] += from[last / 2];
  } else {
    e[last - 1] += from[n - 2];
    e[last] += from[n - 1];
  }
  e[l.last[0]] = 0;  // fixed, or not there
}

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

// ---- passes -------------------------------------------------------------------------------------

HWY_INLINE RelaxRow relax_row_of(const StreamLevel& l, int j) {
  const std::ptrdiff_t at = offset(j, l.stride) + l.first[0];
  float* e = l.e + at;
  return {e,
          e - l.stride,
          e + l.stride,
          l.f + at,
          l.narrow_ax + at,
          l.narrow_ay + at - l.stride,
          l.narrow_ay + at,
          l.inverse + at};
}

// Nodes with i + j + colour even are relaxed.
HWY_INLINE int parity_of(const StreamLevel& l, int j, int colour) {
  return (l.first[0] + j + colour) % 2;
}

// Rows between the first stage and the first half-sweep. A stage whose rows are stored from node 0
// on, off the alignment that the next stage loads with, stays one row farther ahead: loads that
// straddle stores on their way wait for them.
HWY_INLINE int lead_of(const StreamPass& p) {
  switch (p.source) {
    case StreamSource::exact:
      return 2;
    case StreamSource::renewed:
      return 3;
    case StreamSource::given:
      break;
  }
  return p.coarse_e.at != nullptr ? 2 : 0;
}

// What the next row of a pass will read first, spread over the half-sweeps of this one.
class NextRow {
 public:
  explicit NextRow(const StreamPass& p) : pass_(p) {}
  HWY_INLINE void look(int t, int lead) {
    count_ = 0;
    if (t + 1 >= pass_.level.last[1]) return;
    const StreamLevel& l = pass_.level;
    const auto row = [&](const auto* at, int j) { return at + offset(j, l.stride) + l.first[0]; };
    const int smoothed = t + 1 - lead;
    const int narrow = pass_.source == StreamSource::renewed ? t - 1 : smoothed;
    add(row(l.e, pass_.source == StreamSource::exact ? smoothed : t + 1));
    add(row(l.narrow_ax, narrow));
    add(row(l.narrow_ay, narrow));
    add(row(l.inverse, smoothed));
    add(row(l.f, pass_.source == StreamSource::exact ? t : narrow));
    if (pass_.source == StreamSource::given) return;
    const bool exact = pass_.source == StreamSource::exact;
    if (!exact || pass_.start != StreamStart::cubic)
      add_wide(pass_.x + offset(exact ? t + 1 : t, pass_.x_stride) + l.first[0]);
    if (!exact) return;
    add_wide(row(l.ax, t));
    add_wide(row(l.ay, t));
    if (pass_.plain != nullptr) add_wide(pass_.plain + offset(t, pass_.plain_stride) + l.first[0]);
  }
  // Those for half-sweep h of `halves`.
  HWY_INLINE int share(int h, int halves, Ahead& ahead) const {
    const int begin = count_ * h / halves;
    const int end = count_ * (h + 1) / halves;
    for (int k = begin; k < end; ++k) ahead.line[k - begin] = line_[k];
    return end - begin;
  }

 private:
  HWY_INLINE void add(const void* line) { line_[count_++] = static_cast<const char*>(line); }
  HWY_INLINE void add_wide(const double* row) {
    add(row);
    add(row + sz(pass_.level.last[0] - pass_.level.first[0]) / 2);
  }
  const StreamPass& pass_;
  int count_ = 0;
  const char* line_[16];
};

template <int kAhead>
HWY_INLINE void relax_row(const StreamPass& p, int j, int h, const Ahead& ahead) {
  const StreamLevel& l = p.level;
  const std::size_t n = sz(l.last[0] - l.first[0]);
  if (h == 0 && p.from_zero)
    relax_from_zero<kAhead>(n, relax_row_of(l, j), parity_of(l, j, 0), ahead);
  else
    relax_streamed<kAhead>(n, relax_row_of(l, j), parity_of(l, j, h % 2), p.omega, ahead);
}

struct Maxima {
  alignas(64) double exact[hn::MaxLanes(Wide())] = {};
  alignas(64) float renewed[hn::MaxLanes(Narrow())] = {};
  alignas(64) float rest[hn::MaxLanes(Narrow())] = {};
};

// The stages before smoothing: corrections run ahead, residuals follow.
HWY_INLINE void open_rows(const StreamPass& p, int t, Maxima& most) {
  const StreamLevel& l = p.level;
  const int low = l.first[1];
  const int high = l.last[1];
  const std::size_t n = sz(l.last[0] - l.first[0]);
  if (p.source == StreamSource::exact) {
    if (t <= high) bring_x(p, t);
    if (t > low && t <= high) take_residual(p, t - 1, most.exact);
    return;
  }
  if (p.coarse_e.at != nullptr && t < high) prolong_streamed(l, p.coarse_e, t, p.rings.gathered);
  if (p.source != StreamSource::renewed) return;
  if (t > low && t <= high) add_to_x(p, t - 1, nullptr);
  if (t <= low + 1 || t > high + 1) return;
  const std::ptrdiff_t at = offset(t - 2, l.stride) + l.first[0];
  rest_of_row(n, relax_row_of(l, t - 2), l.narrow_extra == nullptr ? nullptr : l.narrow_extra + at,
              l.f + at, most.renewed);
}

// The stages behind smoothing at row j: what is left of it, and the row before to the next level.
HWY_INLINE void close_rows(const StreamPass& p, int j, Maxima& most) {
  const StreamLevel& l = p.level;
  const auto rest = [&](int row) { return p.rings.rest + sz(row & 1) * l.stride; };
  if (j > l.first[1] && j <= l.last[1])
    restrict_streamed(l, p.coarse_f, j - 1, rest(j - 1), p.rings.gathered);
  if (j < l.first[1] || j >= l.last[1]) return;
  const std::ptrdiff_t at = offset(j, l.stride) + l.first[0];
  rest_of_row(sz(l.last[0] - l.first[0]), relax_row_of(l, j),
              l.narrow_extra == nullptr ? nullptr : l.narrow_extra + at, rest(j) + l.first[0],
              most.rest);
}

template <bool kLooking>
HWY_NOINLINE StreamResidual pass_over(const StreamPass& p) {
  const StreamLevel& l = p.level;
  const int low = l.first[1];
  const int high = l.last[1];
  const int halves = 2 * p.sweeps;
  const int lead = lead_of(p);
  Maxima most;
  NextRow next(p);
  if (p.source == StreamSource::exact) bring_x(p, low - 1);
  const int end = p.sweeps == 0 ? high + 1 : high + lead + halves + 1;
  for (int t = low; t < end; ++t) {
    open_rows(p, t, most);
    if (p.sweeps == 0) continue;
    if (kLooking) next.look(t, lead);
    for (int h = 0; h < halves; ++h) {
      const int j = t - lead - h;
      if (j < low || j >= high) continue;
      if (!kLooking) {
        relax_row<0>(p, j, h, {});
        continue;
      }
      Ahead ahead;
      switch (next.share(h, halves, ahead)) {
        case 0:
          relax_row<0>(p, j, h, ahead);
          break;
        case 1:
          relax_row<1>(p, j, h, ahead);
          break;
        case 2:
          relax_row<2>(p, j, h, ahead);
          break;
        default:
          relax_row<3>(p, j, h, ahead);
          break;
      }
    }
    if (p.coarse_f.at != nullptr) close_rows(p, t - lead - halves, most);
  }
  const Wide d;
  const Narrow df;
  const auto largest = [&](const float* lanes) HWY_ATTR {
    return static_cast<double>(hn::GetLane(hn::MaxOfLanes(df, hn::Load(df, lanes)))) / p.scale;
  };
  const double exact = hn::GetLane(hn::MaxOfLanes(d, hn::Load(d, most.exact)));
  return {p.source == StreamSource::exact ? exact : largest(most.renewed), largest(most.rest)};
}

StreamResidual stream_pass_impl(const StreamPass& p) {
  const StreamResidual residual =
      is_far(p.level) && p.sweeps > 0 ? pass_over<true>(p) : pass_over<false>(p);
  hwy::FlushStream();  // of store_past
  return residual;
}

void stream_apply_impl(const StreamPass& p) {
  for (int j = p.level.first[1]; j < p.level.last[1]; ++j) bring_x(p, j);
}

double stream_restrict_impl(const StreamPass& p, const StreamRows<double>& coarse) {
  const StreamLevel& l = p.level;
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  auto most = hn::Zero(d);
  double* row = p.rings.b + l.first[0];
  const std::size_t n = sz(l.last[0] - l.first[0]);
  for (int j = l.first[1]; j < l.last[1]; ++j) {
    const RightRow right = p.right(p.owner, j, p.rings.b);
    const double* b = right.at + l.first[0];
    const auto factor = hn::Set(d, right.factor);
    for (std::size_t i = 0; i < n; i += lanes) {
      auto value = hn::Mul(factor, hn::LoadU(d, b + i));
      if (i + lanes > n) value = hn::IfThenElseZero(hn::FirstN(d, n - i), value);
      most = hn::Max(most, hn::Abs(value));
      hn::Store(value, d, row + i);
    }
    restrict_streamed(l, coarse, j, p.rings.b, p.rings.line);
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

// kCount vectors of M in at once: as many sums hide the latency of their multiply-adds.
template <std::size_t kCount>
HWY_INLINE void dense_block(std::size_t n, std::size_t stride, const float* matrix, const float* in,
                            float* out) {
  const Narrow d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<Narrow> sum[kCount];
  for (std::size_t v = 0; v < kCount; ++v) sum[v] = hn::Zero(d);
  for (std::size_t k = 0; k < n; ++k) {
    const auto factor = hn::Set(d, in[k]);
    for (std::size_t v = 0; v < kCount; ++v)
      sum[v] = hn::MulAdd(factor, hn::LoadU(d, matrix + k * stride + v * lanes), sum[v]);
  }
  for (std::size_t v = 0; v < kCount; ++v) hn::StoreU(sum[v], d, out + v * lanes);
}

void stream_dense_impl(std::size_t n, std::size_t stride, const float* matrix, const float* in,
                       float* out) {
  const std::size_t lanes = hn::Lanes(Narrow());
  std::size_t i = 0;
  for (; i + 6 * lanes <= stride; i += 6 * lanes)
    dense_block<6>(n, stride, matrix + i, in, out + i);
  for (; i + 2 * lanes <= stride; i += 2 * lanes)
    dense_block<2>(n, stride, matrix + i, in, out + i);
  for (; i < stride; i += lanes) dense_block<1>(n, stride, matrix + i, in, out + i);
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
