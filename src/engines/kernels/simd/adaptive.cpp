// The adaptive cell's fused steps. A block of rows goes through product, update and read-out while
// it sits in the first-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/adaptive.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "hwy/cache_control.h"
#include "simd/gemm-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

constexpr std::int64_t kBlockElements = 3072;  // 12 KiB of z: 8 tiles of 6 rows of 64
constexpr std::int64_t kBackElements = 2048;   // 8 KiB of q
constexpr std::int64_t kMostRows = 64;         // rows of a block when H is small
constexpr int kGroup = kTileVectors;           // vectors of a row that go through together

// Rows lie far apart in memory, so each is asked for some rows before its turn.
constexpr std::int64_t kAhead = 8;
HWY_INLINE void FetchVector(const float* p, std::int64_t offset) {
  if (offset % 16 == 0) hwy::Prefetch(p + offset);
}
// Keeps an address in a register; otherwise the compiler makes many of one and spills them.
#define NEUROLENS_KEEP(pointer) asm("" : "+r"(pointer))

template <bool kWhole>
HWY_INLINE V Get(const float* p, std::int64_t left) {
  return kWhole ? hn::LoadU(D(), p) : LoadPart(p, left);
}

template <bool kWhole>
HWY_INLINE void Put(V v, float* p, std::int64_t left) {
  kWhole ? hn::StoreU(v, D(), p) : StorePart(v, p, left);
}

// Calls visit(first, end) for every run of rows of one node within [begin, end).
template <class Visit>
HWY_INLINE void EachRun(const std::int32_t* node, std::int64_t begin, std::int64_t end,
                        const Visit& visit) {
  while (begin < end) {
    std::int64_t stop = begin + 1;
    while (stop < end && node[stop] == node[begin]) ++stop;
    visit(begin, stop);
    begin = stop;
  }
}

// Lane sums that are still to be added up, one vector for each row of a block.
struct Partial {
  HWY_ALIGN float dot[kMostRows * kLanes];
  HWY_ALIGN float sum[kMostRows * kLanes];
  HWY_ALIGN float squares[kMostRows * kLanes];
};

// Columns [j, j + NV vectors) of the rows [begin, end), which are one node's: z -> h', and the
// columns' part of the read-out. `row` is the first row's place in its block.
template <int NV, bool kWhole, bool kVariance>
HWY_NOINLINE void UpdateRun(const AdaptiveForward<float>& f, std::int64_t begin, std::int64_t end,
                            std::int64_t row, std::int64_t j, const float* HWY_RESTRICT z,
                            Partial* HWY_RESTRICT partial) {
  const D d;
  const std::int64_t hidden = f.rows.hidden, left = hidden - j;
  const std::int64_t at = f.rows.node[begin] * hidden + j;
  V view[NV], read[NV];
  NEUROLENS_UNROLL
  for (int i = 0; i < NV; ++i) {
    view[i] = hn::Mul(hn::Set(d, f.alpha), Get<kWhole>(f.g + at + i * kLanes, left));
    read[i] = Get<kWhole>(f.v + at + i * kLanes, left);
  }
  for (std::int64_t r = begin; r < end; ++r, ++row) {
    const float* HWY_RESTRICT u = f.u + f.rows.stream[r] * hidden + j;
    const float* HWY_RESTRICT h = f.rows.h[r] + j;
    float* HWY_RESTRICT next = f.rows.h_next[r] + j;
    const float* HWY_RESTRICT zr = z + row * hidden + j;
    const std::int64_t later = std::min(r + kAhead, f.rows.count - 1);
    const float* h_later = f.rows.h[later] + j;
    const float* next_later = f.rows.h_next[later] + j;
    NEUROLENS_KEEP(h);
    NEUROLENS_KEEP(u);
    NEUROLENS_KEEP(zr);
    NEUROLENS_KEEP(next);
    const V gain = hn::Set(d, f.gain[r]);
    V dot = hn::Zero(d), sum = hn::Zero(d), squares = hn::Zero(d);
    if (j > 0) {
      dot = hn::Load(d, partial->dot + row * kLanes);
      if (kVariance) {
        sum = hn::Load(d, partial->sum + row * kLanes);
        squares = hn::Load(d, partial->squares + row * kLanes);
      }
    }
    NEUROLENS_UNROLL
    for (int i = 0; i < NV; ++i) {
      const std::int64_t o = i * kLanes;
      FetchVector(h_later, o);
      FetchVector(next_later, o);
      V x = hn::MulAdd(gain, Get<kWhole>(zr + o, left), Get<kWhole>(h + o, left));
      x = Tanh(hn::MulAdd(view[i], Get<kWhole>(u + o, left), x));
      Put<kWhole>(x, next + o, left);
      dot = hn::MulAdd(read[i], x, dot);  // lanes beyond H hold tanh 0
      if (kVariance) {
        sum = hn::Add(sum, x);
        squares = hn::MulAdd(x, x, squares);
      }
    }
    hn::Store(dot, d, partial->dot + row * kLanes);
    if (kVariance) {
      hn::Store(sum, d, partial->sum + row * kLanes);
      hn::Store(squares, d, partial->squares + row * kLanes);
    }
  }
}

// out[r] = sum of the lanes of row r, for rows rounded up to a multiple of 4: four rows at a time
// through interleaving, which takes less than half of the shuffles of four single sums.
HWY_INLINE void SumRows(const float* HWY_RESTRICT rows, std::int64_t count, float* out) {
  const D d;
  const hn::RepartitionToWide<D> dw;
  for (std::int64_t r = 0; r < count; r += 4, rows += 4 * kLanes) {
    const V a = hn::Load(d, rows), b = hn::Load(d, rows + kLanes);
    const V c = hn::Load(d, rows + 2 * kLanes), e = hn::Load(d, rows + 3 * kLanes);
    // Of every 16 bytes: (a0 + a2, b0 + b2, a1 + a3, b1 + b3), then (a, b, c, e).
    const auto ab = hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
    const auto ce = hn::Add(hn::InterleaveLower(d, c, e), hn::InterleaveUpper(d, c, e));
    const auto wide_ab = hn::BitCast(dw, ab), wide_ce = hn::BitCast(dw, ce);
    const V four = hn::Add(hn::BitCast(d, hn::InterleaveLower(dw, wide_ab, wide_ce)),
                           hn::BitCast(d, hn::InterleaveUpper(dw, wide_ab, wide_ce)));
    HWY_ALIGN float blocks[kLanes];
    hn::Store(four, d, blocks);
    const hn::FixedTag<float, 4> d4;
    auto total = hn::Load(d4, blocks);
    for (std::int64_t l = 4; l < kLanes; l += 4) total = hn::Add(total, hn::Load(d4, blocks + l));
    hn::StoreU(total, d4, out + r);
  }
}

template <bool kVariance>
void UpdateBlock(const AdaptiveForward<float>& f, std::int64_t r0, std::int64_t count,
                 const float* z, Partial* partial) {
  const std::int64_t hidden = f.rows.hidden;
  EachRun(f.rows.node, r0, r0 + count, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t j = 0;
    for (; j + kGroup * kLanes <= hidden; j += kGroup * kLanes)
      UpdateRun<kGroup, true, kVariance>(f, begin, end, begin - r0, j, z, partial);
    for (; j + kLanes <= hidden; j += kLanes)
      UpdateRun<1, true, kVariance>(f, begin, end, begin - r0, j, z, partial);
    if (j < hidden) UpdateRun<1, false, kVariance>(f, begin, end, begin - r0, j, z, partial);
  });
  // SumRows takes four rows at a time.
  for (std::int64_t l = count * kLanes; l < (count + 3) / 4 * 4 * kLanes; ++l)
    partial->dot[l] = partial->sum[l] = partial->squares[l] = 0.0f;
  HWY_ALIGN float read_out[kMostRows];
  SumRows(partial->dot, count, read_out);
  for (std::int64_t r = 0; r < count; ++r) read_out[r] += f.beta[f.rows.node[r0 + r]];
  for (std::int64_t r = 0; r < count; r += kLanes) {
    StorePart(Sigmoid(LoadPart(read_out + r, count - r)), read_out + r, count - r);
  }
  for (std::int64_t r = 0; r < count; ++r) {
    f.activity[f.rows.stream[r0 + r] * f.rows.nodes + f.rows.node[r0 + r]] = read_out[r];
  }
  if (!kVariance) return;
  HWY_ALIGN float sum[kMostRows], squares[kMostRows];
  SumRows(partial->sum, count, sum);
  SumRows(partial->squares, count, squares);
  const float share = 1.0f / static_cast<float>(hidden);
  for (std::int64_t r = 0; r < count; ++r) {
    const float mean = sum[r] * share;
    f.variance[f.rows.stream[r0 + r] * f.rows.nodes + f.rows.node[r0 + r]] =
        std::max(squares[r] * share - mean * mean, 0.0f);
  }
}

void AdaptiveForwardSimd(const AdaptiveForward<float>& f) {
  HWY_ALIGN float z[std::max<std::int64_t>(kBlockElements, 2048)];
  Partial partial;
  const std::int64_t hidden = f.rows.hidden;
  const auto update = f.variance != nullptr ? UpdateBlock<true> : UpdateBlock<false>;
  const std::int64_t block = std::clamp<std::int64_t>(kBlockElements / hidden, 1, kMostRows);
  for (std::int64_t r0 = 0; r0 < f.rows.count; r0 += block) {
    const std::int64_t count = std::min(block, f.rows.count - r0);
    Gemm<float> g;
    g.m = count, g.n = hidden, g.k = hidden;
    g.b = f.w, g.ldb = hidden;
    g.c = z, g.ldc = hidden, g.bias = f.b;
    Multiply<Left::pointers>(g, Rows{nullptr, 0, 1, f.rows.h + r0});
    update(f, r0, count, z, &partial);
  }
}

// Columns [j, j + NV vectors) of q, and of all sums but dw, for rows [begin, end) of one node.
template <int NV, bool kWhole, bool kCarry>
HWY_NOINLINE void GradientRun(const AdaptiveBackward<float>& f, std::int64_t begin,
                              std::int64_t end, std::int64_t j, const float* HWY_RESTRICT da,
                              float* HWY_RESTRICT q) {
  const D d;
  const std::int64_t hidden = f.rows.hidden, left = hidden - j;
  const std::int64_t at = f.rows.node[begin] * hidden + j;
  const V one = hn::Set(d, 1.0f), alpha = hn::Set(d, f.alpha);
  V v[NV], g[NV], dv[NV], dg[NV], db[NV];
  NEUROLENS_UNROLL
  for (int i = 0; i < NV; ++i) {
    const std::int64_t o = i * kLanes;
    v[i] = Get<kWhole>(f.v + at + o, left);
    g[i] = Get<kWhole>(f.g + at + o, left);
    dv[i] = Get<kWhole>(f.dv + at + o, left);
    db[i] = Get<kWhole>(f.db_phase + j + o, left);
    dg[i] = hn::Zero(d);
  }
  for (std::int64_t r = begin; r < end; ++r, ++da, q += hidden) {
    const float* HWY_RESTRICT next = f.rows.h_next[r] + j;
    const float* HWY_RESTRICT u = f.u + f.rows.stream[r] * hidden + j;
    float* HWY_RESTRICT du = f.du + f.rows.stream[r] * hidden + j;
    float* HWY_RESTRICT carry = kCarry ? f.carry[r] + j : nullptr;
    float* HWY_RESTRICT out = q + j;
    const std::int64_t later = std::min(r + kAhead, f.rows.count - 1);
    const float* h_later = f.rows.h[later] + j;
    const float* next_later = f.rows.h_next[later] + j;
    NEUROLENS_KEEP(next);
    NEUROLENS_KEEP(u);
    NEUROLENS_KEEP(du);
    NEUROLENS_KEEP(out);
    const V a = hn::Set(d, *da);
    NEUROLENS_UNROLL
    for (int i = 0; i < NV; ++i) {
      const std::int64_t o = i * kLanes;
      FetchVector(h_later, o);
      FetchVector(next_later, o);
      const V x = Get<kWhole>(next + o, left);
      V gh = kCarry ? hn::MulAdd(a, v[i], Get<kWhole>(carry + o, left)) : hn::Mul(a, v[i]);
      gh = hn::Mul(gh, hn::NegMulAdd(x, x, one));
      if (kCarry) Put<kWhole>(gh, carry + o, left);
      Put<kWhole>(gh, out + o, left);
      dv[i] = hn::MulAdd(a, x, dv[i]);
      dg[i] = hn::MulAdd(gh, Get<kWhole>(u + o, left), dg[i]);
      db[i] = hn::Add(db[i], gh);
      Put<kWhole>(hn::MulAdd(gh, g[i], Get<kWhole>(du + o, left)), du + o, left);
    }
  }
  NEUROLENS_UNROLL
  for (int i = 0; i < NV; ++i) {
    const std::int64_t o = i * kLanes;
    Put<kWhole>(dv[i], f.dv + at + o, left);
    Put<kWhole>(db[i], f.db_phase + j + o, left);
    Put<kWhole>(hn::MulAdd(alpha, dg[i], Get<kWhole>(f.dg + at + o, left)), f.dg + at + o, left);
  }
}

// Rows [begin, end), at most kMostRows: q into `q`, packed.
template <bool kCarry>
void GradientBlock(const AdaptiveBackward<float>& f, std::int64_t begin, std::int64_t end,
                   float* q) {
  const std::int64_t hidden = f.rows.hidden;
  float da[kMostRows];
  EachRun(f.rows.node, begin, end, [&](std::int64_t first, std::int64_t stop) {
    const std::int32_t node = f.rows.node[first];
    float total = f.dbeta[node];
    for (std::int64_t r = first; r < stop; ++r) {
      const std::int64_t at = f.rows.stream[r] * f.rows.nodes + node;
      const float a = f.activity[at];
      da[r - first] = f.dactivity[at] * a * (1.0f - a);
      total += da[r - first];
    }
    f.dbeta[node] = total;
    float* out = q + (first - begin) * hidden;
    std::int64_t j = 0;
    for (; j + kGroup * kLanes <= hidden; j += kGroup * kLanes)
      GradientRun<kGroup, true, kCarry>(f, first, stop, j, da, out);
    for (; j + kLanes <= hidden; j += kLanes)
      GradientRun<1, true, kCarry>(f, first, stop, j, da, out);
    if (j < hidden) GradientRun<1, false, kCarry>(f, first, stop, j, da, out);
  });
}

void AdaptiveBackwardSimd(const AdaptiveBackward<float>& f) {
  HWY_ALIGN float scratch[kBackElements];
  const std::int64_t hidden = f.rows.hidden;
  const std::int64_t block = std::min(kBackElements / hidden, kMostRows);
  const auto gradient = f.carry != nullptr ? GradientBlock<true> : GradientBlock<false>;
  for (std::int64_t r0 = 0; r0 < f.rows.count; r0 += block) {
    const std::int64_t count = std::min(block, f.rows.count - r0);
    float* q = f.q != nullptr ? f.q + r0 * hidden : scratch;
    gradient(f, r0, r0 + count, q);
    // dw += h^T q; the left factors of an inner step are a row of h, where it lies.
    Gemm<float> g;
    g.m = hidden, g.n = hidden, g.k = count;
    g.b = q, g.ldb = hidden;
    g.c = f.dw_phase, g.ldc = hidden;
    g.accumulate = true;
    Multiply<Left::outer>(g, Rows{nullptr, 0, 0, f.rows.h + r0});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::kernels {
HWY_EXPORT(AdaptiveForwardSimd);
HWY_EXPORT(AdaptiveBackwardSimd);

namespace {
constexpr std::int64_t kWidest = 2048;  // the blocks on the stack hold at least one row

void forward_any_width(const AdaptiveForward<float>& f) {
  static const auto simd = &HWY_DYNAMIC_DISPATCH(AdaptiveForwardSimd);
  (f.rows.hidden <= kWidest ? simd : reference_kernels<float>().adaptive_forward)(f);
}

void backward_any_width(const AdaptiveBackward<float>& f) {
  static const auto simd = &HWY_DYNAMIC_DISPATCH(AdaptiveBackwardSimd);
  (f.rows.hidden <= kWidest ? simd : reference_kernels<float>().adaptive_backward)(f);
}
}  // namespace

void fill_adaptive(Kernels<float>& table) {
  table.adaptive_forward = forward_any_width;
  table.adaptive_backward = backward_any_width;
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
