// Bodies of evolve.hpp. Included once per instruction set.
#if defined(NEUROLENS_PDE_EVOLVE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_EVOLVE_INL
#undef NEUROLENS_PDE_EVOLVE_INL
#else
#define NEUROLENS_PDE_EVOLVE_INL
#endif

#include <hwy/highway.h>

#include "kernels/evolve.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// body(tag, i) with the widest vectors that fit, then narrower ones, down to single numbers: a
// number is the same however wide the vector was.
template <class Body>
HWY_INLINE void sweep(std::size_t first, std::size_t last, const Body& body) {
  const hn::ScalableTag<double> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = first;
  for (; i + lanes <= last; i += lanes) body(d, i);
  for (; i < last; ++i) body(hn::CappedTag<double, 1>(), i);
}

template <int kAxes, bool kFaces>
HWY_INLINE void diffuse(std::size_t first, std::size_t last, const NeighbourRows& rows,
                        const Conductances& a, const double* source, double* out) {
  sweep(first, last, [&](auto d, std::size_t i) HWY_ATTR {
    const auto here = hn::LoadU(d, rows.u + i);
    const auto west = hn::Sub(hn::LoadU(d, rows.u + i - 1), here);
    const auto east = hn::Sub(hn::LoadU(d, rows.u + i + 1), here);
    auto sum = hn::LoadU(d, source + i);
    if constexpr (kFaces) {
      sum = hn::MulAdd(hn::LoadU(d, a.x + i - 1), west, sum);
      sum = hn::MulAdd(hn::LoadU(d, a.x + i), east, sum);
    } else {
      sum = hn::MulAdd(hn::Set(d, a.constant[0]), hn::Add(west, east), sum);
    }
    for (int axis = 0; axis < kAxes; ++axis) {
      const auto low = hn::Sub(hn::LoadU(d, rows.low[axis] + i), here);
      const auto high = hn::Sub(hn::LoadU(d, rows.high[axis] + i), here);
      if constexpr (kFaces) {
        sum = hn::MulAdd(hn::LoadU(d, a.low[axis] + i), low, sum);
        sum = hn::MulAdd(hn::LoadU(d, a.high[axis] + i), high, sum);
      } else {
        sum = hn::MulAdd(hn::Set(d, a.constant[axis + 1]), hn::Add(low, high), sum);
      }
    }
    hn::StoreU(sum, d, out + i);
  });
}

template <int kAxes>
HWY_INLINE void diffuse_axes(std::size_t first, std::size_t last, const NeighbourRows& rows,
                             const Conductances& a, const double* source, double* out) {
  if (a.x != nullptr)
    diffuse<kAxes, true>(first, last, rows, a, source, out);
  else
    diffuse<kAxes, false>(first, last, rows, a, source, out);
}

HWY_NOINLINE void diffuse_row_impl(std::size_t first, std::size_t last, const NeighbourRows& rows,
                                   const Conductances& a, const double* source, double* out) {
  if (rows.axes == 0) diffuse_axes<0>(first, last, rows, a, source, out);
  if (rows.axes == 1) diffuse_axes<1>(first, last, rows, a, source, out);
  if (rows.axes == 2) diffuse_axes<2>(first, last, rows, a, source, out);
}

template <int kAxes, bool kNonlinear>
HWY_INLINE void transport(std::size_t first, std::size_t last, const NeighbourRows& rows,
                          const double* velocity, double* out) {
  sweep(first, last, [&](auto d, std::size_t i) HWY_ATTR {
    auto sum = hn::Mul(hn::Set(d, velocity[0]),
                       hn::Sub(hn::LoadU(d, rows.u + i + 1), hn::LoadU(d, rows.u + i - 1)));
    for (int axis = 0; axis < kAxes; ++axis)
      sum = hn::MulAdd(hn::Set(d, velocity[axis + 1]),
                       hn::Sub(hn::LoadU(d, rows.high[axis] + i), hn::LoadU(d, rows.low[axis] + i)),
                       sum);
    if constexpr (kNonlinear) sum = hn::Mul(sum, hn::LoadU(d, rows.u + i));
    hn::StoreU(hn::Sub(hn::LoadU(d, out + i), sum), d, out + i);
  });
}

template <int kAxes>
HWY_INLINE void transport_axes(std::size_t first, std::size_t last, const NeighbourRows& rows,
                               const double* velocity, bool nonlinear, double* out) {
  if (nonlinear)
    transport<kAxes, true>(first, last, rows, velocity, out);
  else
    transport<kAxes, false>(first, last, rows, velocity, out);
}

HWY_NOINLINE void transport_row_impl(std::size_t first, std::size_t last, const NeighbourRows& rows,
                                     const double* velocity, bool nonlinear, double* out) {
  if (rows.axes == 0) transport_axes<0>(first, last, rows, velocity, nonlinear, out);
  if (rows.axes == 1) transport_axes<1>(first, last, rows, velocity, nonlinear, out);
  if (rows.axes == 2) transport_axes<2>(first, last, rows, velocity, nonlinear, out);
}

template <std::size_t kTerms>
HWY_INLINE double combine_terms(std::size_t n, const Term* terms, double* out) {
  const hn::ScalableTag<double> wide;
  auto most = hn::Zero(wide);
  double most_single = 0;
  const std::size_t lanes = hn::Lanes(wide);
  const auto sum_at = [&](auto d, std::size_t i) HWY_ATTR {
    auto sum = hn::Mul(hn::Set(d, terms[0].factor), hn::LoadU(d, terms[0].values + i));
    for (std::size_t k = 1; k < kTerms; ++k)
      sum = hn::MulAdd(hn::Set(d, terms[k].factor), hn::LoadU(d, terms[k].values + i), sum);
    return sum;
  };
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto sum = sum_at(wide, i);
    hn::StoreU(sum, wide, out + i);
    const auto size = hn::Abs(sum);
    most = hn::IfThenElse(hn::Gt(size, most), size, most);
  }
  const hn::CappedTag<double, 1> one;
  for (; i < n; ++i) {
    const auto sum = sum_at(one, i);
    hn::StoreU(sum, one, out + i);
    const double size = hn::GetLane(hn::Abs(sum));
    if (size > most_single) most_single = size;
  }
  const double most_wide = hn::GetLane(hn::MaxOfLanes(wide, most));
  return most_wide > most_single ? most_wide : most_single;
}

HWY_NOINLINE double combine_impl(std::size_t n, const Term* terms, std::size_t count, double* out) {
  switch (count) {
    case 1:
      return combine_terms<1>(n, terms, out);
    case 2:
      return combine_terms<2>(n, terms, out);
    case 3:
      return combine_terms<3>(n, terms, out);
    case 4:
      return combine_terms<4>(n, terms, out);
    default:
      return combine_terms<5>(n, terms, out);
  }
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
