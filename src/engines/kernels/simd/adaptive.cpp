// The adaptive cell's fused steps. A block of rows goes through product, update and read-out while
// it sits in the first-level cache.
#include "simd/targets.hpp"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/adaptive.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "simd/gemm-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

constexpr std::int64_t kBlockElements = 2048;  // 8 KiB of z: beside W (16 KiB) in a 32 KiB cache

// z (block rows, packed) -> h', read-outs and, when asked, variances.
void UpdateBlock(const AdaptiveForward<float>& f, std::int64_t r0, std::int64_t count,
                 const float* z, float* read_out) {
  const D d;
  const std::int64_t hidden = f.hidden;
  const V alpha = hn::Set(d, f.alpha);
  for (std::int64_t r = 0; r < count; ++r) {
    const std::int64_t node = f.node[r0 + r];
    const std::int64_t row = node * hidden;
    const V gain = hn::Set(d, f.gain[r0 + r]);
    V dot = hn::Zero(d), sum = hn::Zero(d), squares = hn::Zero(d);
    for (std::int64_t j = 0; j < hidden; j += kLanes) {
      const std::int64_t left = hidden - j;
      const V view =
          hn::Mul(alpha, hn::Mul(LoadPart(f.g + row + j, left), LoadPart(f.u + j, left)));
      V x = hn::MulAdd(gain, LoadPart(z + r * hidden + j, left), LoadPart(f.h + row + j, left));
      x = Tanh(hn::Add(x, view));
      StorePart(x, f.h_next + row + j, left);
      if (left < kLanes) x = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(left)), x);
      dot = hn::MulAdd(LoadPart(f.v + row + j, left), x, dot);
      if (f.variance != nullptr) {
        sum = hn::Add(sum, x);
        squares = hn::MulAdd(x, x, squares);
      }
    }
    read_out[r] = Total(dot) + f.beta[node];
    if (f.variance != nullptr) {
      const float mean = Total(sum) / static_cast<float>(hidden);
      f.variance[node] = std::max(Total(squares) / static_cast<float>(hidden) - mean * mean, 0.0f);
    }
  }
}

void AdaptiveForwardSimd(const AdaptiveForward<float>& f) {
  HWY_ALIGN float z[kBlockElements];
  HWY_ALIGN float read_out[kBlockElements];
  const std::int64_t block = kBlockElements / f.hidden;
  for (std::int64_t r0 = 0; r0 < f.count; r0 += block) {
    const std::int64_t count = std::min(block, f.count - r0);
    Gemm<float> g;
    g.m = count, g.n = f.hidden, g.k = f.hidden;
    g.b = f.w, g.ldb = f.hidden;
    g.c = z, g.ldc = f.hidden;
    g.bias = f.b;
    Multiply(g, Rows{f.h, f.hidden, 1, f.node + r0});
    UpdateBlock(f, r0, count, z, read_out);
    for (std::int64_t r = 0; r < count; r += kLanes) {
      StorePart(Sigmoid(LoadPart(read_out + r, count - r)), read_out + r, count - r);
    }
    for (std::int64_t r = 0; r < count; ++r) f.activity[f.node[r0 + r]] = read_out[r];
  }
}

// q of every row, and every sum but dw.
void GradientRows(const AdaptiveBackward<float>& f) {
  const D d;
  const std::int64_t hidden = f.hidden;
  const V one = hn::Set(d, 1.0f), alpha = hn::Set(d, f.alpha);
  for (std::int64_t r = 0; r < f.count; ++r) {
    const std::int64_t node = f.node[r];
    const std::int64_t row = node * hidden;
    const float a = f.activity[node];
    const float da = f.dactivity[node] * a * (1.0f - a);
    f.dbeta[node] += da;
    const V dav = hn::Set(d, da);
    for (std::int64_t j = 0; j < hidden; j += kLanes) {
      const std::int64_t left = hidden - j;
      const V next = LoadPart(f.h_next + row + j, left);
      V q = hn::Mul(dav, LoadPart(f.v + row + j, left));
      if (f.carry != nullptr) q = hn::Add(q, LoadPart(f.carry + row + j, left));
      q = hn::Mul(q, hn::NegMulAdd(next, next, one));
      if (f.carry != nullptr) StorePart(q, f.carry + row + j, left);
      StorePart(q, f.q + r * hidden + j, left);
      StorePart(hn::MulAdd(dav, next, LoadPart(f.dv + row + j, left)), f.dv + row + j, left);
      const V pull = hn::Mul(alpha, LoadPart(f.u + j, left));
      StorePart(hn::MulAdd(q, pull, LoadPart(f.dg + row + j, left)), f.dg + row + j, left);
      StorePart(hn::Add(q, LoadPart(f.db_phase + j, left)), f.db_phase + j, left);
      StorePart(hn::MulAdd(q, LoadPart(f.g + row + j, left), LoadPart(f.du + j, left)), f.du + j,
                left);
    }
  }
}

void AdaptiveBackwardSimd(const AdaptiveBackward<float>& f) {
  if (f.count == 0) return;
  GradientRows(f);
  Gemm<float> g;
  g.m = f.hidden, g.n = f.hidden;
  g.ldb = f.hidden;
  g.c = f.dw_phase, g.ldc = f.hidden;
  g.accumulate = true;
  if (f.node[f.count - 1] - f.node[0] == f.count - 1) {  // node lists ascend: one solid run
    g.k = f.count;
    g.b = f.q;
    Multiply(g, Rows{f.h + f.node[0] * f.hidden, 1, f.hidden, nullptr});
    return;
  }
  HWY_ALIGN float packed[4 * kBlockElements];
  const std::int64_t block = 4 * kBlockElements / f.hidden;
  for (std::int64_t r0 = 0; r0 < f.count; r0 += block) {
    g.k = std::min(block, f.count - r0);
    for (std::int64_t r = 0; r < g.k; ++r) {
      std::memcpy(packed + r * f.hidden, f.h + f.node[r0 + r] * f.hidden,
                  static_cast<std::size_t>(f.hidden) * sizeof(float));
    }
    g.b = f.q + r0 * f.hidden;
    Multiply(g, Rows{packed, 1, f.hidden, nullptr});
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
  (f.hidden <= kWidest ? simd : reference_kernels<float>().adaptive_forward)(f);
}

void backward_any_width(const AdaptiveBackward<float>& f) {
  static const auto simd = &HWY_DYNAMIC_DISPATCH(AdaptiveBackwardSimd);
  (f.hidden <= kWidest ? simd : reference_kernels<float>().adaptive_backward)(f);
}
}  // namespace

void fill_adaptive(Kernels<float>& table) {
  table.adaptive_forward = forward_any_width;
  table.adaptive_backward = backward_any_width;
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
