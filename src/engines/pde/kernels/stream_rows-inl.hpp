// Rows of multigrid passes in single precision, and transfers between levels. Included once per
// instruction set.
#if defined(NEUROLENS_PDE_STREAM_ROWS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_STREAM_ROWS_INL
#undef NEUROLENS_PDE_STREAM_ROWS_INL
#else
#define NEUROLENS_PDE_STREAM_ROWS_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>

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

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
