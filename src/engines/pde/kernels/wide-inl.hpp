// The numbers of a vector in double precision: the vector itself, or two for one of floats.
// Recurrences run in these: in single precision 2 + lambda h^2 loses lambda. Included once per
// instruction set.
#if defined(NEUROLENS_PDE_WIDE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_WIDE_INL
#undef NEUROLENS_PDE_WIDE_INL
#else
#define NEUROLENS_PDE_WIDE_INL
#endif

#include <hwy/highway.h>

#include "kernels/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

using WideD = hn::ScalableTag<double>;
using WideV = hn::Vec<WideD>;
constexpr std::size_t kWideLanes = hn::MaxLanes(WideD());
constexpr std::size_t kParts = kLanes / kWideLanes;

// Whether masked loads and stores exist that cannot fault in lanes that are off. Passing numbers
// through a small array instead costs a stall per vector: a wide load after narrow stores waits.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET <= HWY_AVX3
#define NEUROLENS_PDE_MASKS 1
#else
#define NEUROLENS_PDE_MASKS 0
#endif

template <class T>
HWY_INLINE hn::Vec<hn::ScalableTag<T>> load_part(const T* at, std::size_t count) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t kAll = hn::MaxLanes(hn::ScalableTag<T>());
  if (count == kAll) return hn::LoadU(d, at);
#if NEUROLENS_PDE_MASKS
  return hn::MaskedLoad(hn::FirstN(d, count), d, at);
#else
  HWY_ALIGN T tile[kAll] = {};
  for (std::size_t c = 0; c < count; ++c) tile[c] = at[c];
  return hn::Load(d, tile);
#endif
}

template <class T>
HWY_INLINE void store_part(hn::Vec<hn::ScalableTag<T>> v, std::size_t count, T* at) {
  const hn::ScalableTag<T> d;
  constexpr std::size_t kAll = hn::MaxLanes(hn::ScalableTag<T>());
  if (count == kAll) {
    hn::StoreU(v, d, at);
    return;
  }
#if NEUROLENS_PDE_MASKS
  hn::BlendedStore(v, hn::FirstN(d, count), d, at);
#else
  HWY_ALIGN T tile[kAll];
  hn::Store(v, d, tile);
  for (std::size_t c = 0; c < count; ++c) at[c] = tile[c];
#endif
}
#undef NEUROLENS_PDE_MASKS

template <std::size_t kCount>
struct Parts {
  WideV at[kCount];
};
using Wide = Parts<kParts>;

HWY_INLINE Parts<1> widen(WideV v) {
  return {{v}};
}
HWY_INLINE WideV rounded(const Parts<1>& w) {
  return w.at[0];
}
HWY_INLINE Parts<2> widen(hn::Vec<hn::ScalableTag<float>> v) {
  const WideD d;
  const hn::Half<hn::ScalableTag<float>> half;
  return {{hn::PromoteTo(d, hn::LowerHalf(half, v)), hn::PromoteTo(d, hn::UpperHalf(half, v))}};
}
HWY_INLINE hn::Vec<hn::ScalableTag<float>> rounded(const Parts<2>& w) {
  const hn::ScalableTag<float> d;
  const hn::Half<hn::ScalableTag<float>> half;
  return hn::Combine(d, hn::DemoteTo(half, w.at[1]), hn::DemoteTo(half, w.at[0]));
}

HWY_INLINE Wide times(const Wide& a, const Wide& b) {
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::Mul(a.at[p], b.at[p]);
  return r;
}
HWY_INLINE Wide times(const Wide& a, double b) {
  const WideD d;
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::Mul(a.at[p], hn::Set(d, b));
  return r;
}
HWY_INLINE Wide minus(const Wide& a, const Wide& b) {
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::Sub(a.at[p], b.at[p]);
  return r;
}
// c - a b
HWY_INLINE Wide minus_product(const Wide& a, const Wide& b, const Wide& c) {
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::NegMulAdd(a.at[p], b.at[p], c.at[p]);
  return r;
}
// c + a b
HWY_INLINE Wide plus_product(double a, const Wide& b, const Wide& c) {
  const WideD d;
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::MulAdd(hn::Set(d, a), b.at[p], c.at[p]);
  return r;
}

HWY_INLINE Wide plus_product(const Wide& a, const Wide& b, const Wide& c) {
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) r.at[p] = hn::MulAdd(a.at[p], b.at[p], c.at[p]);
  return r;
}

HWY_INLINE std::size_t in_part(std::size_t count, std::size_t p) {
  const std::size_t before = p * kWideLanes;
  return count <= before ? 0 : (count - before < kWideLanes ? count - before : kWideLanes);
}

// `count` numbers; no others are read.
HWY_INLINE Wide load_wide(const double* at, std::size_t count) {
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p)
    r.at[p] = kParts > 1 && in_part(count, p) == 0
                  ? hn::Zero(WideD())
                  : load_part(at + p * kWideLanes, in_part(count, p));
  return r;
}
// The same, with a vector readable past the last of them.
HWY_INLINE Wide load_ahead(const double* at, std::size_t count) {
  const WideD d;
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p)
    r.at[p] = p > 0 && count <= p * kWideLanes ? hn::Zero(d) : hn::LoadU(d, at + p * kWideLanes);
  return r;
}
HWY_INLINE void store_wide(const Wide& w, std::size_t count, double* at) {
  for (std::size_t p = 0; p < kParts; ++p)
    if (kParts == 1 || in_part(count, p) > 0)
      store_part(w.at[p], in_part(count, p), at + p * kWideLanes);
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
