// Vector exp, tanh, sigmoid. Included once per target.
// Method: Cody-Waite reduction x = n ln2 + r, |r| <= ln2/2; expm1(r) = r + r^2 q(r) with a degree-4
// polynomial fitted (iteratively reweighted least squares on Chebyshev nodes) to 3.2e-9.
// tanh x = x P(x^2) / Q(x^2), both of degree 4, fitted the same way to 6e-9; the coefficients were
// then moved by units in the last place to the least error in float arithmetic, 2.3e-7. Without
// fused multiply-adds that would not hold: there tanh x = E/(E+2), E = expm1(2x). Both keep
// relative accuracy near zero.
#if defined(NEUROLENS_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_KERNELS_MATH_INL_H_
#undef NEUROLENS_KERNELS_MATH_INL_H_
#else
#define NEUROLENS_KERNELS_MATH_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "neurolens/engines/kernels/kernels.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(D()));

// A vector from the first `count` elements; the rest is `fill`. Never reads beyond `count`.
HWY_INLINE V LoadPart(const float* p, std::int64_t count, float fill = 0.0f) {
  const D d;
  if (HWY_LIKELY(count >= kLanes)) return hn::LoadU(d, p);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3  // masked lanes cannot fault there
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
  return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), hn::Set(d, fill));
#else
  HWY_ALIGN float buffer[kLanes];
  for (std::int64_t i = 0; i < kLanes; ++i) buffer[i] = i < count ? p[i] : fill;
  return hn::Load(d, buffer);
#endif
}

HWY_INLINE void StorePart(V v, float* p, std::int64_t count) {
  const D d;
  if (HWY_LIKELY(count >= kLanes)) return hn::StoreU(v, d, p);
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
#else
  HWY_ALIGN float buffer[kLanes];
  hn::Store(v, d, buffer);
  std::memcpy(p, buffer, static_cast<std::size_t>(count) * sizeof(float));
#endif
}

// 1/x to about 1 ulp.
HWY_INLINE V Reciprocal(V x) {
#if HWY_ARCH_X86
  const V y = hn::ApproximateReciprocal(x);
  return hn::MulAdd(y, hn::NegMulAdd(x, y, hn::Set(D(), 1.0f)), y);
#else
  return hn::Div(hn::Set(D(), 1.0f), x);
#endif
}

// expm1(r) for |r| <= ln2/2.
HWY_INLINE V ExpM1Core(V r) {
  const D d;
  V q = hn::MulAdd(r, hn::Set(d, 0.00139505998f), hn::Set(d, 0.00836895406f));
  q = hn::MulAdd(r, q, hn::Set(d, 0.0416662060f));
  q = hn::MulAdd(r, q, hn::Set(d, 0.166665182f));
  q = hn::MulAdd(r, q, hn::Set(d, 0.5f));
  return hn::MulAdd(hn::Mul(r, r), q, r);
}

// 2^n from n + 1.5 * 2^23, the sum that rounds n to an integer and leaves it in the low bits.
HWY_INLINE V PowerOfTwo(V shifted) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const auto n = hn::ShiftLeft<23>(hn::BitCast(du, shifted));
  return hn::BitCast(d, hn::Add(n, hn::Set(du, 0x3F800000u)));
}

constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23

HWY_INLINE V Exp(V x) {
  const D d;
  x = hn::Min(hn::Max(x, hn::Set(d, -87.0f)), hn::Set(d, 88.0f));
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504088896341f), hn::Set(d, kRounder));
  const V n = hn::Sub(shifted, hn::Set(d, kRounder));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145751953125f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860682030941723e-6f), r);
  const V scale = PowerOfTwo(shifted);
  return hn::MulAdd(scale, ExpM1Core(r), scale);
}

// num / den to about 1 ulp, den in [1, 2^60].
HWY_INLINE V Quotient(V num, V den) {
#if HWY_ARCH_X86
  const V y = hn::ApproximateReciprocal(den);
  const V q = hn::Mul(num, y);
  return hn::MulAdd(hn::NegMulAdd(den, q, num), y, q);
#else
  return hn::Div(num, den);
#endif
}

#if HWY_NATIVE_FMA
// The smaller of |x| and `most`, with the sign of x.
HWY_INLINE V ClampSymmetric(V x, float most) {
  const D d;
#if HWY_TARGET == HWY_AVX3
  return V{_mm512_range_ps(x.raw, _mm512_set1_ps(most), 2)};
#else
  return hn::Min(hn::Max(x, hn::Set(d, -most)), hn::Set(d, most));
#endif
}

HWY_INLINE V Tanh(V x) {
  const D d;
  x = ClampSymmetric(x, 7.9f);
  const V s = hn::Mul(x, x);
  V p = hn::MulAdd(s, hn::Set(d, 3.026947581474815e-08f), hn::Set(d, 4.312245437176898e-05f));
  V q = hn::MulAdd(s, hn::Set(d, 1.6852217186169582e-06f), hn::Set(d, 0.0006698835641145706f));
  p = hn::MulAdd(p, s, hn::Set(d, 0.006999101024121046f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.051203496754169464f));
  p = hn::MulAdd(p, s, hn::Set(d, 0.26288992166519165f));
  q = hn::MulAdd(q, s, hn::Set(d, 0.914275050163269f));
  p = hn::MulAdd(p, s, hn::Set(d, 1.9541553258895874f));
  q = hn::MulAdd(q, s, hn::Set(d, 1.9541553258895874f));
  return Quotient(hn::Mul(x, p), q);
}
#else  // without fused multiply-adds the quotient would lose its last bits
HWY_INLINE V Tanh(V x) {
  const D d;
  x = hn::Min(hn::Max(x, hn::Set(d, -9.02f)), hn::Set(d, 9.02f));
  // One reduction step is enough: where n is large, tanh is flat.
  const V shifted = hn::MulAdd(x, hn::Set(d, 2.88539008177792681f), hn::Set(d, kRounder));
  const V n = hn::Sub(shifted, hn::Set(d, kRounder));
  const V r = hn::NegMulAdd(n, hn::Set(d, 0.693147180559945309f), hn::Add(x, x));
  const V scale = PowerOfTwo(shifted);
  const V e = hn::MulAdd(scale, ExpM1Core(r), hn::Sub(scale, hn::Set(d, 1.0f)));
  return hn::Mul(e, Reciprocal(hn::Add(e, hn::Set(d, 2.0f))));
}
#endif

HWY_INLINE V Sigmoid(V x) {
  const D d;
  return Reciprocal(hn::Add(hn::Set(d, 1.0f), Exp(hn::Neg(x))));
}

// Twice the argument of gelu's tanh: (1 + tanh(z)) / 2 = sigmoid(2 z).
HWY_INLINE V GeluInner(V x) {
  const D d;
  const V cube = hn::Mul(hn::Mul(x, x), x);
  return hn::Mul(hn::Set(d, 2 * 0.7978845608f), hn::MulAdd(hn::Set(d, 0.044715f), cube, x));
}

HWY_INLINE V Apply(Activation kind, V x) {
  const D d;
  switch (kind) {
    case Activation::relu:
      return hn::Max(x, hn::Zero(d));
    case Activation::tanh:
      return Tanh(x);
    case Activation::sigmoid:
      return Sigmoid(x);
    case Activation::gelu:
      return hn::Mul(x, Sigmoid(GeluInner(x)));
    case Activation::silu:
      return hn::Mul(x, Sigmoid(x));
    case Activation::identity:
      break;
  }
  return x;
}

// The derivative from input x and output y.
HWY_INLINE V Slope(Activation kind, V x, V y) {
  const D d;
  const V one = hn::Set(d, 1.0f);
  switch (kind) {
    case Activation::relu:
      return hn::IfThenElseZero(hn::Gt(y, hn::Zero(d)), one);
    case Activation::tanh:
      return hn::NegMulAdd(y, y, one);
    case Activation::sigmoid:
      return hn::Mul(y, hn::Sub(one, y));
    case Activation::gelu: {  // by sigmoid: where tanh is flat, 1 - tanh^2 would lose its digits
      const V s = Sigmoid(GeluInner(x));
      const V inner = hn::Mul(hn::Set(d, 2 * 0.7978845608f),
                              hn::MulAdd(hn::Set(d, 3 * 0.044715f), hn::Mul(x, x), one));
      return hn::MulAdd(hn::Mul(hn::Mul(x, s), hn::Sub(one, s)), inner, s);
    }
    case Activation::silu: {
      const V s = Sigmoid(x);
      return hn::MulAdd(hn::Mul(x, s), hn::Sub(one, s), s);
    }
    case Activation::identity:
      break;
  }
  return one;
}

HWY_INLINE float Total(V v) {
  return hn::GetLane(hn::SumOfLanes(D(), v));
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#endif  // NEUROLENS_KERNELS_MATH_INL_H_
