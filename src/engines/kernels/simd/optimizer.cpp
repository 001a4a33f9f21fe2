// Optimizer steps of the simd backend: one pass over parameters, gradients and moments.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/optimizer.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "simd/math-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

struct AdamFactors {
  V b1, b2, c1, c2, keep, step, epsilon, correction;
  explicit AdamFactors(const Adam<float>& a) {
    const D d;
    const float scale = a.gradient_scale;
    b1 = hn::Set(d, a.beta1), b2 = hn::Set(d, a.beta2);
    c1 = hn::Set(d, (1.0f - a.beta1) * scale);
    c2 = hn::Set(d, (1.0f - a.beta2) * scale * scale);
    keep = hn::Set(d, 1.0f - a.decay), step = hn::Set(d, a.step_size);
    epsilon = hn::Set(d, a.epsilon), correction = hn::Set(d, 1.0f / a.sqrt_correction2);
  }
};

HWY_INLINE V AdamMove(const AdamFactors& f, V g, V& m, V& v) {
  m = hn::MulAdd(f.b1, m, hn::Mul(f.c1, g));
  v = hn::MulAdd(f.b2, v, hn::Mul(f.c2, hn::Mul(g, g)));
  return Quotient(hn::Mul(f.step, m), hn::MulAdd(hn::Sqrt(v), f.correction, f.epsilon));
}

template <bool kDecay>
void AdamLoop(const Adam<float>& a) {
  const D d;
  const AdamFactors f(a);
  const auto move = [&](V p, V step) {
    return kDecay ? hn::MulSub(p, f.keep, step) : hn::Sub(p, step);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= a.n; i += kLanes) {
    V m = hn::LoadU(d, a.m + i), v = hn::LoadU(d, a.v + i);
    const V step = AdamMove(f, hn::LoadU(d, a.g + i), m, v);
    hn::StoreU(m, d, a.m + i);
    hn::StoreU(v, d, a.v + i);
    hn::StoreU(move(hn::LoadU(d, a.p + i), step), d, a.p + i);
  }
  const std::int64_t left = a.n - i;
  if (left == 0) return;
  V m = LoadPart(a.m + i, left), v = LoadPart(a.v + i, left);
  const V step = AdamMove(f, LoadPart(a.g + i, left), m, v);
  StorePart(m, a.m + i, left);
  StorePart(v, a.v + i, left);
  StorePart(move(LoadPart(a.p + i, left), step), a.p + i, left);
}

void AdamSimd(const Adam<float>& a) {
  a.decay != 0.0f ? AdamLoop<true>(a) : AdamLoop<false>(a);
}

void SgdSimd(const Sgd<float>& s) {
  const D d;
  const V scale = hn::Set(d, s.gradient_scale), rate = hn::Set(d, s.learning_rate);
  const V mu = hn::Set(d, s.momentum), keep = hn::Set(d, 1.0f - s.decay);
  for (std::int64_t i = 0; i < s.n; i += kLanes) {
    const std::int64_t left = s.n - i;
    const V g = hn::Mul(LoadPart(s.g + i, left), scale);
    V step = g;
    if (s.velocity != nullptr) {
      const V velocity = hn::MulAdd(mu, LoadPart(s.velocity + i, left), g);
      StorePart(velocity, s.velocity + i, left);
      step = s.nesterov ? hn::MulAdd(mu, velocity, g) : velocity;
    }
    StorePart(hn::NegMulAdd(rate, step, hn::Mul(LoadPart(s.p + i, left), keep)), s.p + i, left);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::kernels {
HWY_EXPORT(AdamSimd);
HWY_EXPORT(SgdSimd);

void fill_optimizer(Kernels<float>& table) {
  table.adam = &HWY_DYNAMIC_DISPATCH(AdamSimd);
  table.sgd = &HWY_DYNAMIC_DISPATCH(SgdSimd);
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
