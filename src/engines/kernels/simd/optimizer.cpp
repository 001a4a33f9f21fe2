// Optimizer steps of the simd backend: one pass over parameters, gradients and moments.
#include "simd/targets.hpp"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/optimizer.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "simd/math-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

// sqrt(x) for x >= 0 to about 1 ulp; hardware square roots would take half of the step.
HWY_INLINE V Root(V x) {
#if HWY_ARCH_X86
  const D d;
  x = hn::Max(x, hn::Set(d, 1e-36f));
  V y = hn::ApproximateReciprocalSqrt(x);
  const V half = hn::Mul(hn::Set(d, 0.5f), hn::Mul(x, y));
  y = hn::MulAdd(y, hn::NegMulAdd(half, y, hn::Set(d, 0.5f)), y);
  return hn::Mul(x, y);
#else
  return hn::Sqrt(x);
#endif
}

void AdamSimd(const Adam<float>& a) {
  const D d;
  const V b1 = hn::Set(d, a.beta1), b2 = hn::Set(d, a.beta2);
  const V c1 = hn::Set(d, 1.0f - a.beta1), c2 = hn::Set(d, 1.0f - a.beta2);
  const V scale = hn::Set(d, a.gradient_scale), keep = hn::Set(d, 1.0f - a.decay);
  const V step = hn::Set(d, a.step_size), epsilon = hn::Set(d, a.epsilon);
  const V correction = hn::Set(d, 1.0f / a.sqrt_correction2);
  for (std::int64_t i = 0; i < a.n; i += kLanes) {
    const std::int64_t left = a.n - i;
    const V g = hn::Mul(LoadPart(a.g + i, left), scale);
    const V m = hn::MulAdd(b1, LoadPart(a.m + i, left), hn::Mul(c1, g));
    const V v = hn::MulAdd(b2, LoadPart(a.v + i, left), hn::Mul(c2, hn::Mul(g, g)));
    const V root = hn::MulAdd(Root(v), correction, epsilon);
    const V move = hn::Mul(hn::Mul(step, m), Reciprocal(root));
    StorePart(m, a.m + i, left);
    StorePart(v, a.v + i, left);
    StorePart(hn::Sub(hn::Mul(LoadPart(a.p + i, left), keep), move), a.p + i, left);
  }
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
