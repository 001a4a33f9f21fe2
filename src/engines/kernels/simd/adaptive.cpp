// The adaptive cell's fused steps. A block of rows goes through product, update and read-out while
// it sits in the first-level cache.
#include "simd/targets.hpp"
//
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

constexpr std::int64_t kBlockElements = 3072;  // 12 KiB of z: beside W (16 KiB) in a 32 KiB cache
constexpr std::int64_t kBackElements = 4096;   // 16 KiB each of q and gathered h
constexpr std::int64_t kMostRows = 64;         // rows of a block when H is small

// Asks for a row that will be needed some rows later: neighbours in the list lie far apart in
// memory.
HWY_INLINE void FetchRow(const float* row, std::int64_t hidden) {
  for (std::int64_t j = 0; j < hidden; j += 16) hwy::Prefetch(row + j);
}
constexpr std::int64_t kAhead = 24;         // rows, going backwards
constexpr std::int64_t kForwardAhead = 48;  // a block: its product reads the rows first

template <bool kWhole>
HWY_INLINE V Get(const float* p, std::int64_t left) {
  return kWhole ? hn::LoadU(D(), p) : LoadPart(p, left);
}

template <bool kWhole>
HWY_INLINE void Put(V v, float* p, std::int64_t left) {
  kWhole ? hn::StoreU(v, D(), p) : StorePart(v, p, left);
}

// z (block rows, packed) -> h', read-outs and, when asked, variances. kWhole: H is whole vectors.
template <bool kWhole, bool kVariance>
void UpdateBlock(const AdaptiveForward<float>& f, std::int64_t r0, std::int64_t count,
                 const float* z, float* read_out) {
  const D d;
  const std::int64_t hidden = f.rows.hidden;
  const V alpha = hn::Set(d, f.alpha);
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t node = f.rows.node[r0 + r];
    const float* HWY_RESTRICT g = f.g + node * hidden;
    const float* HWY_RESTRICT v = f.v + node * hidden;
    const float* HWY_RESTRICT u = f.u + f.rows.stream[r0 + r] * hidden;
    const float* HWY_RESTRICT h = f.rows.h[r0 + r];
    float* HWY_RESTRICT next = f.rows.h_next[r0 + r];
    const V gain = hn::Set(d, f.gain[r0 + r]);
    if (r0 + r + kForwardAhead < f.rows.count) {
      FetchRow(f.rows.h[r0 + r + kForwardAhead], hidden);
      FetchRow(f.rows.h_next[r0 + r + kForwardAhead], hidden);
    }
    V dot = hn::Zero(d), sum = hn::Zero(d), squares = hn::Zero(d);
    for (std::int64_t j = 0; j < hidden; j += kLanes) {
      const std::int64_t left = hidden - j;
      const V view = hn::Mul(Get<kWhole>(g + j, left), Get<kWhole>(u + j, left));
      const V drive = hn::Add(Get<kWhole>(z + r * hidden + j, left), Get<kWhole>(f.b + j, left));
      V x = hn::MulAdd(gain, drive, Get<kWhole>(h + j, left));
      x = Tanh(hn::MulAdd(alpha, view, x));
      Put<kWhole>(x, next + j, left);
      if (!kWhole && left < kLanes)
        x = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(left)), x);
      dot = hn::MulAdd(Get<kWhole>(v + j, left), x, dot);
      if (kVariance) {
        sum = hn::Add(sum, x);
        squares = hn::MulAdd(x, x, squares);
      }
    }
    read_out[r] = Total(dot) + f.beta[node];
    if (kVariance) {
      const float mean = Total(sum) / static_cast<float>(hidden);
      const float var = Total(squares) / static_cast<float>(hidden) - mean * mean;
      f.variance[f.rows.stream[r0 + r] * f.rows.nodes + node] = std::max(var, 0.0f);
    }
  }
}

void AdaptiveForwardSimd(const AdaptiveForward<float>& f) {
  HWY_ALIGN float z[kBlockElements];
  HWY_ALIGN float read_out[kMostRows];
  const std::int64_t hidden = f.rows.hidden;
  const bool whole = hidden % kLanes == 0;
  const auto update = f.variance != nullptr
                          ? (whole ? UpdateBlock<true, true> : UpdateBlock<false, true>)
                          : (whole ? UpdateBlock<true, false> : UpdateBlock<false, false>);
  const std::int64_t block = std::min(kBlockElements / hidden, kMostRows);
  for (std::int64_t r0 = 0; r0 < f.rows.count; r0 += block) {
    const std::int64_t count = std::min(block, f.rows.count - r0);
    Gemm<float> g;
    g.m = count, g.n = hidden, g.k = hidden;
    g.b = f.w, g.ldb = hidden;
    g.c = z, g.ldc = hidden;
    Multiply(g, Rows{nullptr, 0, 1, f.rows.h + r0});
    update(f, r0, count, z, read_out);
    for (std::int64_t r = 0; r < count; r += kLanes) {
      StorePart(Sigmoid(LoadPart(read_out + r, count - r)), read_out + r, count - r);
    }
    for (std::int64_t r = 0; r < count; ++r) {
      f.activity[f.rows.stream[r0 + r] * f.rows.nodes + f.rows.node[r0 + r]] = read_out[r];
    }
  }
}

// q and all sums but dw, for rows [begin, end) of one node; q goes to `q`, packed.
template <bool kWhole>
void GradientRun(const AdaptiveBackward<float>& f, std::int64_t begin, std::int64_t end,
                 const float* da, float* q) {
  const D d;
  const std::int64_t hidden = f.rows.hidden;
  const std::int64_t node = f.rows.node[begin];
  const V one = hn::Set(d, 1.0f), alpha = hn::Set(d, f.alpha);
  for (std::int64_t j = 0; j < hidden; j += kLanes) {
    const std::int64_t left = hidden - j;
    const V v = Get<kWhole>(f.v + node * hidden + j, left);
    const V g = Get<kWhole>(f.g + node * hidden + j, left);
    V dv = Get<kWhole>(f.dv + node * hidden + j, left);
    V db = Get<kWhole>(f.db_phase + j, left);
    V dg = hn::Zero(d);
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t stream = f.rows.stream[r] * hidden + j;
      const V next = Get<kWhole>(f.rows.h_next[r] + j, left);
      const V dav = hn::Set(d, da[r - begin]);
      V gh = hn::Mul(dav, v);
      if (f.carry != nullptr) gh = hn::Add(gh, Get<kWhole>(f.carry[r] + j, left));
      gh = hn::Mul(gh, hn::NegMulAdd(next, next, one));
      if (f.carry != nullptr) Put<kWhole>(gh, f.carry[r] + j, left);
      Put<kWhole>(gh, q + (r - begin) * hidden + j, left);
      dv = hn::MulAdd(dav, next, dv);
      dg = hn::MulAdd(gh, Get<kWhole>(f.u + stream, left), dg);
      db = hn::Add(db, gh);
      Put<kWhole>(hn::MulAdd(gh, g, Get<kWhole>(f.du + stream, left)), f.du + stream, left);
    }
    Put<kWhole>(dv, f.dv + node * hidden + j, left);
    Put<kWhole>(db, f.db_phase + j, left);
    Put<kWhole>(hn::MulAdd(alpha, dg, Get<kWhole>(f.dg + node * hidden + j, left)),
                f.dg + node * hidden + j, left);
  }
}

// Rows [begin, end), at most kMostRows: q into `q`, h into `h`, both packed.
void GradientBlock(const AdaptiveBackward<float>& f, std::int64_t begin, std::int64_t end, float* h,
                   float* q) {
  const std::int64_t hidden = f.rows.hidden;
  const auto run = hidden % kLanes == 0 ? GradientRun<true> : GradientRun<false>;
  float da[kMostRows];
  for (std::int64_t r = begin; r < end;) {
    const std::int32_t node = f.rows.node[r];
    std::int64_t stop = r;
    for (; stop < end && f.rows.node[stop] == node; ++stop) {
      const std::int64_t at = f.rows.stream[stop] * f.rows.nodes + node;
      const float a = f.activity[at];
      da[stop - r] = f.dactivity[at] * a * (1.0f - a);
      f.dbeta[node] += da[stop - r];
      if (stop + kAhead < f.rows.count) {
        FetchRow(f.rows.h[stop + kAhead], hidden);
        FetchRow(f.rows.h_next[stop + kAhead], hidden);
      }
      std::memcpy(h + (stop - begin) * hidden, f.rows.h[stop],
                  static_cast<std::size_t>(hidden) * sizeof(float));
    }
    run(f, r, stop, da, q + (r - begin) * hidden);
    r = stop;
  }
}

void AdaptiveBackwardSimd(const AdaptiveBackward<float>& f) {
  HWY_ALIGN float h[kBackElements];
  HWY_ALIGN float scratch[kBackElements];
  const std::int64_t hidden = f.rows.hidden;
  const std::int64_t block = std::min(kBackElements / hidden, kMostRows);
  for (std::int64_t r0 = 0; r0 < f.rows.count; r0 += block) {
    const std::int64_t count = std::min(block, f.rows.count - r0);
    float* q = f.q != nullptr ? f.q + r0 * hidden : scratch;
    GradientBlock(f, r0, r0 + count, h, q);
    Gemm<float> g;
    g.m = hidden, g.n = hidden, g.k = count;
    g.b = q, g.ldb = hidden;
    g.c = f.dw_phase, g.ldc = hidden;
    g.accumulate = true;
    Multiply(g, Rows{h, 1, hidden, nullptr});
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
