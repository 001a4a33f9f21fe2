// Complex lane vectors, the numbers of a slot. Included once per instruction set.
#if defined(NEUROLENS_PDE_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_LANES_INL
#undef NEUROLENS_PDE_LANES_INL
#else
#define NEUROLENS_PDE_LANES_INL
#endif

#include <hwy/highway.h>

#include <cstddef>

#include "direct/stage.hpp"

// What the including file makes: kernels of this kind of number in this namespace.
#ifndef NEUROLENS_PDE_REAL
#define NEUROLENS_PDE_REAL double
#define NEUROLENS_PDE_LANES kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Real = NEUROLENS_PDE_REAL;
using Stage = BasicStage<Real>;
using FftPass = BasicFftPass<Real>;
using CyclicProduct = BasicCyclicProduct<Real>;
using PrimeButterfly = BasicPrimeButterfly<Real>;

using D = hn::ScalableTag<Real>;
using V = hn::Vec<D>;
constexpr std::size_t kLanes = hn::MaxLanes(D());
constexpr std::size_t kSlot = 2 * kLanes;  // numbers per complex slot

struct C {
  V re, im;
};

HWY_INLINE C load_c(const Real* at) {
  const D d;
  return {hn::Load(d, at), hn::Load(d, at + kLanes)};
}
HWY_INLINE void store_c(const C& c, Real* at) {
  const D d;
  hn::Store(c.re, d, at);
  hn::Store(c.im, d, at + kLanes);
}
HWY_INLINE C operator+(const C& a, const C& b) {
  return {hn::Add(a.re, b.re), hn::Add(a.im, b.im)};
}
HWY_INLINE C operator-(const C& a, const C& b) {
  return {hn::Sub(a.re, b.re), hn::Sub(a.im, b.im)};
}
// a - i b and a + i b.
HWY_INLINE C minus_i(const C& a, const C& b) {
  return {hn::Add(a.re, b.im), hn::Sub(a.im, b.re)};
}
HWY_INLINE C plus_i(const C& a, const C& b) {
  return {hn::Sub(a.re, b.im), hn::Add(a.im, b.re)};
}
// x (c - i s)
HWY_INLINE C turn(const C& x, const Real* cs) {
  const D d;
  const V c = hn::Set(d, cs[0]);
  const V s = hn::Set(d, cs[1]);
  return {hn::MulAdd(x.im, s, hn::Mul(x.re, c)), hn::NegMulAdd(x.re, s, hn::Mul(x.im, c))};
}
HWY_INLINE C turn_back(const C& x, const Real* cs) {
  const D d;
  const V c = hn::Set(d, cs[0]);
  const V s = hn::Set(d, cs[1]);
  return {hn::NegMulAdd(x.im, s, hn::Mul(x.re, c)), hn::MulAdd(x.re, s, hn::Mul(x.im, c))};
}
HWY_INLINE C times(const C& x, V f) {
  return {hn::Mul(x.re, f), hn::Mul(x.im, f)};
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
