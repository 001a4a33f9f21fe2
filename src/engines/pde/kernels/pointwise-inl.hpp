// Bodies of pointwise.hpp. Included once per instruction set.
#if defined(NEUROLENS_PDE_POINTWISE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_POINTWISE_INL
#undef NEUROLENS_PDE_POINTWISE_INL
#else
#define NEUROLENS_PDE_POINTWISE_INL
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstdint>

#include "kernels/pointwise.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PointTag = hn::ScalableTag<double>;
using PointVector = hn::Vec<PointTag>;
constexpr std::size_t kPoints = hn::MaxLanes(PointTag());

// The operand at points i .. i + lanes; `left` of them exist, the rest repeat the last one.
HWY_INLINE PointVector fetch(const Operand& a, std::size_t i, std::size_t left) {
  const PointTag d;
  if (a.uniform) return hn::Set(d, *a.values);
  if (HWY_LIKELY(left >= kPoints)) return hn::LoadU(d, a.values + i);
  HWY_ALIGN double part[kPoints];
  for (std::size_t l = 0; l < kPoints; ++l) part[l] = a.values[i + (l < left ? l : left - 1)];
  return hn::Load(d, part);
}

HWY_INLINE void keep(PointVector v, std::size_t left, double* at) {
  const PointTag d;
  if (HWY_LIKELY(left >= kPoints)) {
    hn::StoreU(v, d, at);
    return;
  }
  HWY_ALIGN double part[kPoints];
  hn::Store(v, d, part);
  for (std::size_t l = 0; l < left; ++l) at[l] = part[l];
}

template <class F>
HWY_INLINE void map_one(std::size_t n, const Operand& a, double* out, const F& f) {
  for (std::size_t i = 0; i < n; i += kPoints) keep(f(fetch(a, i, n - i)), n - i, out + i);
}

template <class F>
HWY_INLINE void map_two(std::size_t n, const Operand& a, const Operand& b, double* out,
                        const F& f) {
  for (std::size_t i = 0; i < n; i += kPoints)
    keep(f(fetch(a, i, n - i), fetch(b, i, n - i)), n - i, out + i);
}

// `vector` where low <= x <= high, `scalar` for other points (and for NaN) one by one.
template <class Vector, class Scalar>
HWY_INLINE void map_ranged(std::size_t n, const Operand& a, double low, double high, double* out,
                           const Vector& vector, const Scalar& scalar) {
  const PointTag d;
  const PointVector lowest = hn::Set(d, low);
  const PointVector highest = hn::Set(d, high);
  for (std::size_t i = 0; i < n; i += kPoints) {
    const PointVector x = fetch(a, i, n - i);
    const auto inside = hn::And(hn::Ge(x, lowest), hn::Le(x, highest));
    if (HWY_LIKELY(hn::AllTrue(d, inside))) {
      keep(vector(x), n - i, out + i);
      continue;
    }
    // The vector form may read anything in place of the others, as long as it is in range.
    HWY_ALIGN double value[kPoints];
    HWY_ALIGN double result[kPoints];
    hn::Store(x, d, value);
    hn::Store(vector(hn::IfThenElse(inside, x, highest)), d, result);
    for (std::size_t l = 0; l < kPoints; ++l)
      if (!(value[l] >= low && value[l] <= high)) result[l] = scalar(value[l]);
    keep(hn::Load(d, result), n - i, out + i);
  }
}

template <class F>
HWY_INLINE void each_one(std::size_t n, const Operand& a, double* out, const F& f) {
  for (std::size_t i = 0; i < n; ++i) out[i] = f(a.values[a.uniform ? 0 : i]);
}
template <class F>
HWY_INLINE void each_two(std::size_t n, const Operand& a, const Operand& b, double* out,
                         const F& f) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = f(a.values[a.uniform ? 0 : i], b.values[b.uniform ? 0 : i]);
}

HWY_INLINE PointVector truth(hn::Mask<PointTag> m) {
  return hn::IfThenElseZero(m, hn::Set(PointTag(), 1.0));
}

constexpr double kAngle = 30000;   // beyond it reduction by four parts of pi loses digits
constexpr double kExponent = 705;  // exp and its relatives, away from overflow and denormals
constexpr double kTiny = 1e-300;   // logarithms of denormals are the library's
constexpr double kHuge = 1e300;
constexpr double kAlmostOne = 1 - 1e-12;

HWY_NOINLINE void exponentials(Op op, std::size_t n, const Operand& a, double* out) {
  const PointTag d;
  switch (op) {
    case Op::exp:
      map_ranged(
          n, a, -kExponent, kExponent, out, [&](PointVector x) { return hn::Exp(d, x); },
          [](double x) { return std::exp(x); });
      break;
    case Op::cosh:
      map_ranged(
          n, a, -kExponent, kExponent, out,
          [&](PointVector x) {
            const PointVector half = hn::Set(d, 0.5);
            const PointVector e = hn::Exp(d, hn::Abs(x));
            return hn::Mul(half, hn::Add(e, hn::Div(hn::Set(d, 1.0), e)));
          },
          [](double x) { return std::cosh(x); });
      break;
    case Op::sinh:
      map_ranged(
          n, a, -kExponent, kExponent, out, [&](PointVector x) { return hn::Sinh(d, x); },
          [](double x) { return std::sinh(x); });
      break;
    default:
      map_ranged(
          n, a, -kExponent, kExponent, out, [&](PointVector x) { return hn::Tanh(d, x); },
          [](double x) { return std::tanh(x); });
      break;
  }
}

HWY_NOINLINE void angles(Op op, std::size_t n, const Operand& a, double* out) {
  const PointTag d;
  switch (op) {
    case Op::sin:
      map_ranged(
          n, a, -kAngle, kAngle, out, [&](PointVector x) { return hn::Sin(d, x); },
          [](double x) { return std::sin(x); });
      break;
    case Op::cos:
      map_ranged(
          n, a, -kAngle, kAngle, out, [&](PointVector x) { return hn::Cos(d, x); },
          [](double x) { return std::cos(x); });
      break;
    case Op::asin:
      map_ranged(
          n, a, -kAlmostOne, kAlmostOne, out, [&](PointVector x) { return hn::Asin(d, x); },
          [](double x) { return std::asin(x); });
      break;
    case Op::acos:
      map_ranged(
          n, a, -kAlmostOne, kAlmostOne, out, [&](PointVector x) { return hn::Acos(d, x); },
          [](double x) { return std::acos(x); });
      break;
    default:
      map_ranged(
          n, a, -kHuge, kHuge, out, [&](PointVector x) { return hn::Atan(d, x); },
          [](double x) { return std::atan(x); });
      break;
  }
}

HWY_NOINLINE void logarithms(Op op, std::size_t n, const Operand& a, double* out) {
  const PointTag d;
  switch (op) {
    case Op::log:
      map_ranged(
          n, a, kTiny, kHuge, out, [&](PointVector x) { return hn::Log(d, x); },
          [](double x) { return std::log(x); });
      break;
    case Op::log10:
      map_ranged(
          n, a, kTiny, kHuge, out, [&](PointVector x) { return hn::Log10(d, x); },
          [](double x) { return std::log10(x); });
      break;
    default:
      map_ranged(
          n, a, kTiny, kHuge, out, [&](PointVector x) { return hn::Log2(d, x); },
          [](double x) { return std::log2(x); });
      break;
  }
}

HWY_NOINLINE void simple_unary(Op op, std::size_t n, const Operand& a, double* out) {
  const PointTag d;
  const PointVector zero = hn::Zero(d);
  const PointVector one = hn::Set(d, 1.0);
  switch (op) {
    case Op::negate:
      map_one(n, a, out, [](PointVector x) { return hn::Neg(x); });
      break;
    case Op::square:
      map_one(n, a, out, [](PointVector x) { return hn::Mul(x, x); });
      break;
    case Op::cube:
      map_one(n, a, out, [](PointVector x) { return hn::Mul(hn::Mul(x, x), x); });
      break;
    case Op::sqrt:
      map_one(n, a, out, [](PointVector x) { return hn::Sqrt(x); });
      break;
    case Op::abs:
      map_one(n, a, out, [](PointVector x) { return hn::Abs(x); });
      break;
    case Op::floor:
      map_one(n, a, out, [](PointVector x) { return hn::Floor(x); });
      break;
    case Op::ceil:
      map_one(n, a, out, [](PointVector x) { return hn::Ceil(x); });
      break;
    case Op::sign:  // of zero and of NaN: themselves
      map_one(n, a, out, [&](PointVector x) {
        return hn::IfThenElse(hn::Gt(x, zero), one,
                              hn::IfThenElse(hn::Lt(x, zero), hn::Neg(one), x));
      });
      break;
    default:
      map_one(n, a, out, [&](PointVector x) { return truth(hn::Ge(x, zero)); });
      break;
  }
}

HWY_NOINLINE void rare_unary(Op op, std::size_t n, const Operand& a, double* out) {
  switch (op) {
    case Op::tan:
      each_one(n, a, out, [](double x) { return std::tan(x); });
      break;
    case Op::cbrt:
      each_one(n, a, out, [](double x) { return std::cbrt(x); });
      break;
    case Op::erf:
      each_one(n, a, out, [](double x) { return std::erf(x); });
      break;
    default:
      each_one(n, a, out, [](double x) { return std::tgamma(x); });
      break;
  }
}

HWY_NOINLINE void arithmetic(Op op, std::size_t n, const Operand& a, const Operand& b,
                             double* out) {
  using P = PointVector;
  switch (op) {
    case Op::add:
      map_two(n, a, b, out, [](P x, P y) { return hn::Add(x, y); });
      break;
    case Op::subtract:
      map_two(n, a, b, out, [](P x, P y) { return hn::Sub(x, y); });
      break;
    case Op::multiply:
      map_two(n, a, b, out, [](P x, P y) { return hn::Mul(x, y); });
      break;
    default:
      map_two(n, a, b, out, [](P x, P y) { return hn::Div(x, y); });
      break;
  }
}

HWY_NOINLINE void comparison(Op op, std::size_t n, const Operand& a, const Operand& b,
                             double* out) {
  using P = PointVector;
  switch (op) {
    case Op::less:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Lt(x, y)); });
      break;
    case Op::less_equal:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Le(x, y)); });
      break;
    case Op::greater:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Gt(x, y)); });
      break;
    case Op::greater_equal:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Ge(x, y)); });
      break;
    case Op::equal:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Eq(x, y)); });
      break;
    default:
      map_two(n, a, b, out, [](P x, P y) { return truth(hn::Ne(x, y)); });
      break;
  }
}

HWY_NOINLINE void rare_binary(Op op, std::size_t n, const Operand& a, const Operand& b,
                              double* out) {
  switch (op) {
    case Op::power:
      each_two(n, a, b, out, [](double x, double y) { return std::pow(x, y); });
      break;
    case Op::atan2:
      each_two(n, a, b, out, [](double x, double y) { return std::atan2(x, y); });
      break;
    case Op::min:
      each_two(n, a, b, out, [](double x, double y) { return std::fmin(x, y); });
      break;
    case Op::max:
      each_two(n, a, b, out, [](double x, double y) { return std::fmax(x, y); });
      break;
    case Op::mod:
      each_two(n, a, b, out, [](double x, double y) { return x - y * std::floor(x / y); });
      break;
    default:
      each_two(n, a, b, out, [](double x, double y) { return std::hypot(x, y); });
      break;
  }
}

HWY_NOINLINE void ternary(Op op, std::size_t n, const Operand& a, const Operand& b,
                          const Operand& c, double* out) {
  const PointTag d;
  for (std::size_t i = 0; i < n; i += kPoints) {
    const std::size_t left = n - i;
    const PointVector x = fetch(a, i, left);
    const PointVector y = fetch(b, i, left);
    const PointVector z = fetch(c, i, left);
    if (op == Op::select) {
      keep(hn::IfThenElse(hn::Ne(x, hn::Zero(d)), y, z), left, out + i);
      continue;
    }
    // As fmin(fmax(x, y), z): a NaN gives way to the other operand.
    const PointVector low = hn::IfThenElse(hn::Or(hn::Ge(x, y), hn::Ne(y, y)), x, y);
    keep(hn::IfThenElse(hn::Or(hn::Le(low, z), hn::Ne(z, z)), low, z), left, out + i);
  }
}

void apply_impl(Op op, std::size_t n, Operand a, Operand b, Operand c, double* out) {
  switch (op) {
    case Op::constant:
    case Op::variable:
      return;
    case Op::negate:
    case Op::square:
    case Op::cube:
    case Op::sqrt:
    case Op::abs:
    case Op::floor:
    case Op::ceil:
    case Op::sign:
    case Op::step:
      return simple_unary(op, n, a, out);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
      return arithmetic(op, n, a, b, out);
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::equal:
    case Op::not_equal:
      return comparison(op, n, a, b, out);
    case Op::sin:
    case Op::cos:
    case Op::asin:
    case Op::acos:
    case Op::atan:
      return angles(op, n, a, out);
    case Op::sinh:
    case Op::cosh:
    case Op::tanh:
    case Op::exp:
      return exponentials(op, n, a, out);
    case Op::log:
    case Op::log10:
    case Op::log2:
      return logarithms(op, n, a, out);
    case Op::tan:
    case Op::cbrt:
    case Op::erf:
    case Op::gamma:
      return rare_unary(op, n, a, out);
    case Op::power:
    case Op::atan2:
    case Op::min:
    case Op::max:
    case Op::mod:
    case Op::hypot:
      return rare_binary(op, n, a, b, out);
    case Op::select:
    case Op::clamp:
      return ternary(op, n, a, b, c, out);
  }
}

bool all_finite_impl(std::size_t n, const double* values) {
  const PointTag d;
  // x - x is 0 for finite x and NaN otherwise.
  PointVector sum = hn::Zero(d);
  const Operand a{values, false};
  for (std::size_t i = 0; i < n; i += kPoints) {
    const PointVector x = fetch(a, i, n - i);
    sum = hn::Add(sum, hn::Sub(x, x));
  }
  return hn::AllTrue(d, hn::Eq(sum, hn::Zero(d)));
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
