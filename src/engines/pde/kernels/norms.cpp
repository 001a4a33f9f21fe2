#include "kernels/norms.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norms.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const double* from) {
  return hn::LoadU(d, from);
}
template <class D>
HWY_INLINE hn::Vec<D> load_double(D d, const float* from) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), from));
}

template <class D>
struct NormSums {
  hn::Vec<D> residual, rhs, sum, magnitude;
  hn::Vec<D> broken;  // NaN once a residual was no finite number: maxima forget it

  HWY_INLINE void begin() { residual = rhs = sum = magnitude = broken = hn::Zero(D()); }

  template <class T>
  HWY_INLINE void take(const PointSum<T>& points, const double* right, std::size_t i) {
    const D d;
    const hn::Vec<D> b = hn::LoadU(d, right + i);
    hn::Vec<D> rest = b;
    for (std::size_t r = 0; r < points.count; ++r) {
      const T* row = points.rows[r] + i;
      rest = hn::NegMulAdd(hn::Set(d, points.centre[r]), load_double(d, row), rest);
      if (points.side[r] == 0) continue;
      const hn::Vec<D> ends = hn::Add(load_double(d, row - 1), load_double(d, row + 1));
      rest = hn::NegMulAdd(hn::Set(d, points.side[r]), ends, rest);
    }
    residual = hn::Max(residual, hn::Abs(rest));
    broken = hn::MulAdd(rest, hn::Zero(d), broken);
    const hn::Vec<D> size = hn::Abs(b);
    rhs = hn::Max(rhs, size);
    sum = hn::Add(sum, b);
    magnitude = hn::Add(magnitude, size);
  }
  HWY_INLINE void give(RowNorms& out) const {
    const D d;
    double most = hn::GetLane(hn::MaxOfLanes(d, residual));
    if (!(hn::GetLane(hn::SumOfLanes(d, broken)) == 0))
      most = std::numeric_limits<double>::infinity();
    const double right = hn::GetLane(hn::MaxOfLanes(d, rhs));
    out.residual = most > out.residual ? most : out.residual;
    out.rhs = right > out.rhs ? right : out.rhs;
    out.sum += hn::GetLane(hn::SumOfLanes(d, sum));
    out.magnitude += hn::GetLane(hn::SumOfLanes(d, magnitude));
  }
};

template <class T>
HWY_INLINE RowNorms norms_of(std::size_t first, std::size_t last, const PointSum<T>& points,
                             const double* right) {
  using Wide = hn::ScalableTag<double>;
  const std::size_t lanes = hn::Lanes(Wide());
  RowNorms out;
  NormSums<Wide> wide;
  wide.begin();
  std::size_t i = first;
  for (; i + lanes <= last; i += lanes) wide.take(points, right, i);
  wide.give(out);
  NormSums<hn::CappedTag<double, 1>> single;
  single.begin();
  for (; i < last; ++i) single.take(points, right, i);
  single.give(out);
  return out;
}

HWY_NOINLINE RowNorms norms_row_f64(std::size_t first, std::size_t last,
                                    const PointSum<double>& points, const double* right) {
  return norms_of(first, last, points, right);
}
HWY_NOINLINE RowNorms norms_row_f32(std::size_t first, std::size_t last,
                                    const PointSum<float>& points, const double* right) {
  return norms_of(first, last, points, right);
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::pde::kernels {

HWY_EXPORT(norms_row_f64);
HWY_EXPORT(norms_row_f32);

RowNorms norms_row(std::size_t first, std::size_t last, const PointSum<double>& sum,
                   const double* rhs) {
  return HWY_DYNAMIC_DISPATCH(norms_row_f64)(first, last, sum, rhs);
}
RowNorms norms_row(std::size_t first, std::size_t last, const PointSum<float>& sum,
                   const double* rhs) {
  return HWY_DYNAMIC_DISPATCH(norms_row_f32)(first, last, sum, rhs);
}

}  // namespace neurolens::pde::kernels
#endif
