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

#include "kernels/stream_wide-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {

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

// Rows that a stage works on in the part of the level that a pass has; see StreamPart. Depths:
// corrections 0, residuals 1, half-sweeps from 2 on, what is left behind them.
struct RowRange {
  int begin, end;
  [[nodiscard]] bool has(int j) const { return j >= begin && j < end; }
};
HWY_INLINE RowRange rows_at(const StreamPass& p, int depth) {
  const int low = p.level.first[1];
  const int high = p.level.last[1];
  switch (p.part) {
    case StreamPart::band:
      return {p.begin == low ? low : p.begin + depth, p.end == high ? high : p.end - depth};
    case StreamPart::seam:
      return {p.begin - depth, p.begin + depth};
    case StreamPart::whole:
      break;
  }
  return {low, high};
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
    const int end = std::min(count_ * (h + 1) / halves, begin + Ahead::kMost);
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

// Of every stage of a pass, found once.
struct Stages {
  explicit Stages(const StreamPass& p)
      : own(rows_at(p, 0)),
        inner(rows_at(p, 1)),
        x(own),
        sweep(rows_at(p, 2)),
        rest(rows_at(p, 2 + 2 * p.sweeps)) {
    const RowRange deeper = rows_at(p, 3);
    step = {deeper.begin - sweep.begin, deeper.end - sweep.end};
    if (p.part == StreamPart::seam) {
      x = {p.begin - 2, p.begin + 2};
      ++rest.end;  // the first row of the band above again, for the coarse row that is the seam's
      return;
    }
    if (own.begin == p.level.first[1]) --x.begin;
    if (own.end == p.level.last[1]) ++x.end;
  }
  [[nodiscard]] bool relaxes(int h, int j) const {
    return j >= sweep.begin + h * step.begin && j < sweep.end + h * step.end;
  }
  RowRange own, inner;
  RowRange x;  ///< Where rows of x are brought from: own ones and those beside residuals.
  RowRange sweep, rest;
  RowRange step;  ///< From one half-sweep to the next.
};

// The stages before smoothing: corrections run ahead, residuals follow.
template <bool kPlain>
HWY_INLINE void open_rows(const StreamPass& p, const Stages& stages, int t, Maxima& most) {
  const StreamLevel& l = p.level;
  const int low = l.first[1];
  const int high = l.last[1];
  const RowRange own = kPlain ? RowRange{low, high} : stages.own;
  const RowRange inner = kPlain ? RowRange{low, high} : stages.inner;
  const RowRange x = kPlain ? RowRange{low - 1, high + 1} : stages.x;
  const std::size_t n = sz(l.last[0] - l.first[0]);
  if (p.source == StreamSource::exact) {
    if (x.has(t)) bring_x(p, t);
    if (inner.has(t - 1)) take_residual(p, t - 1, most.exact);
    return;
  }
  if (p.coarse_e.at != nullptr && own.has(t)) prolong_streamed(l, p.coarse_e, t, p.rings.gathered);
  if (p.source != StreamSource::renewed) return;
  if (own.has(t - 1)) add_to_x(p, t - 1, nullptr);
  if (!inner.has(t - 2)) return;
  const std::ptrdiff_t at = offset(t - 2, l.stride) + l.first[0];
  rest_of_row(n, relax_row_of(l, t - 2), l.narrow_extra == nullptr ? nullptr : l.narrow_extra + at,
              l.f + at, most.renewed);
}

// The stages behind smoothing at row j: what is left of it, and the row before to the next level.
HWY_INLINE void close_rows(const StreamPass& p, const RowRange& rows, int j, Maxima& most) {
  const StreamLevel& l = p.level;
  const auto rest = [&](int row) { return p.rings.rest + sz(row & 1) * l.stride; };
  if (rows.has(j - 1)) restrict_streamed(l, p.coarse_f, j - 1, rest(j - 1), p.rings.gathered);
  if (!rows.has(j)) return;
  const std::ptrdiff_t at = offset(j, l.stride) + l.first[0];
  rest_of_row(sz(l.last[0] - l.first[0]), relax_row_of(l, j),
              l.narrow_extra == nullptr ? nullptr : l.narrow_extra + at, rest(j) + l.first[0],
              most.rest);
}

// kPlain: over a whole level within the caches, where every instruction beside the rows counts.
template <bool kPlain>
HWY_NOINLINE StreamResidual pass_over(const StreamPass& p) {
  const int halves = 2 * p.sweeps;
  const int lead = lead_of(p);
  Maxima most;
  NextRow next(p);
  const bool looking = !kPlain && is_far(p.level);
  const RowRange whole{p.level.first[1], p.level.last[1]};
  const Stages stages(p);
  const int begin = p.source == StreamSource::exact || p.part == StreamPart::seam
                        ? stages.x.begin
                        : stages.own.begin;
  const int end = p.sweeps == 0 ? stages.x.end : stages.rest.end + lead + halves + 1;
  for (int t = begin; t < end; ++t) {
    open_rows<kPlain>(p, stages, t, most);
    if (p.sweeps == 0) continue;
    if (looking) next.look(t, lead);
    for (int h = 0; h < halves; ++h) {
      const int j = t - lead - h;
      if (kPlain) {
        if (whole.has(j)) relax_row<0>(p, j, h, {});
        continue;
      }
      if (!stages.relaxes(h, j)) continue;
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
    if (p.coarse_f.at != nullptr)
      close_rows(p, kPlain ? whole : stages.rest, t - lead - halves, most);
  }
  const Wide d;
  const Narrow df;
  const auto largest = [&](const float* lanes) HWY_ATTR {
    return static_cast<double>(hn::GetLane(hn::MaxOfLanes(df, hn::Load(df, lanes)))) / p.scale;
  };
  const double exact = hn::GetLane(hn::MaxOfLanes(d, hn::Load(d, most.exact)));
  return {p.source == StreamSource::exact ? exact : largest(most.renewed), largest(most.rest)};
}

// A part adds to the coarse rows that it alone adds to, in the order of the whole: the first row
// above a seam is odd and lies between one of the seam's and one of the band's.
HWY_NOINLINE StreamPass with_coarse_rows(const StreamPass& pass) {
  StreamPass p = pass;
  const int first_above = stream_first_coarse(p.begin, p.sweeps);
  if (p.part == StreamPart::seam) {
    p.coarse_f.last[1] = std::min(p.coarse_f.last[1], first_above);
    p.start = StreamStart::keep;
  } else if (p.part == StreamPart::band && p.begin > p.level.first[1]) {
    p.coarse_f.first[1] = std::max(p.coarse_f.first[1], first_above);
  }
  return p;
}

StreamResidual stream_pass_impl(const StreamPass& p) {
  if (p.part == StreamPart::whole && !is_far(p.level)) return pass_over<true>(p);
  const StreamResidual residual = pass_over<false>(with_coarse_rows(p));
  hwy::FlushStream();  // of store_past
  return residual;
}

void stream_apply_impl(const StreamPass& p) {
  const RowRange rows = rows_at(p, 0);
  for (int j = rows.begin; j < rows.end; ++j) bring_x(p, j);
}

double stream_restrict_impl(const StreamPass& p, const StreamRows<double>& coarse) {
  const StreamLevel& l = p.level;
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  auto most = hn::Zero(d);
  double* row = p.rings.b + l.first[0];
  const std::size_t n = sz(l.last[0] - l.first[0]);
  RowRange rows{l.first[1], l.last[1]};
  StreamRows<double> own = coarse;
  if (p.part == StreamPart::band) {  // of coarse rows
    own.first[1] = std::max(own.first[1], p.begin);
    own.last[1] = std::min(own.last[1], p.end);
    rows.begin = std::max(rows.begin, 2 * p.begin - 1);
    if (p.end < coarse.n[1]) rows.end = std::min(rows.end, 2 * p.end);
  }
  for (int j = rows.begin; j < rows.end; ++j) {
    const RightRow right = p.right(p.owner, j, p.rings.b);
    const double* b = right.at + l.first[0];
    const auto factor = hn::Set(d, right.factor);
    for (std::size_t i = 0; i < n; i += lanes) {
      auto value = hn::Mul(factor, hn::LoadU(d, b + i));
      if (i + lanes > n) value = hn::IfThenElseZero(hn::FirstN(d, n - i), value);
      most = hn::Max(most, hn::Abs(value));
      hn::Store(value, d, row + i);
    }
    restrict_streamed(l, own, j, p.rings.b, p.rings.line);
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
