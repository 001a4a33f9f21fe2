// Pointwise functions, softmax and reductions of the simd backend.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/elementwise.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>

#include "simd/math-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

void ActivateSimd(Activation kind, std::int64_t n, const float* x, float* y) {
  for (std::int64_t i = 0; i < n; i += kLanes)
    StorePart(Apply(kind, LoadPart(x + i, n - i)), y + i, n - i);
}

void ActivateGradSimd(Activation kind, std::int64_t n, const float* x, const float* y,
                      const float* dy, float* dx) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t left = n - i;
    const V slope = Slope(kind, LoadPart(x + i, left), LoadPart(y + i, left));
    StorePart(hn::Mul(LoadPart(dy + i, left), slope), dx + i, left);
  }
}

void ExpSimd(std::int64_t n, const float* x, float* y) {
  for (std::int64_t i = 0; i < n; i += kLanes) StorePart(Exp(LoadPart(x + i, n - i)), y + i, n - i);
}

float MaxOfRow(std::int64_t n, const float* x) {
  const D d;
  constexpr float kLowest = -3.4e38f;
  V top = hn::Set(d, kLowest);
  for (std::int64_t i = 0; i < n; i += kLanes) top = hn::Max(top, LoadPart(x + i, n - i, kLowest));
  return hn::GetLane(hn::MaxOfLanes(d, top));
}

// p = exp(x - top); returns the sum.
float ExpRow(std::int64_t n, const float* x, float top, float* p) {
  const D d;
  V sum = hn::Zero(d);
  const V shift = hn::Set(d, top);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const std::int64_t left = n - i;
    V e = Exp(hn::Sub(LoadPart(x + i, left, -3.4e38f), shift));
    StorePart(e, p + i, left);
    if (left < kLanes) e = hn::IfThenElseZero(hn::FirstN(d, static_cast<std::size_t>(left)), e);
    sum = hn::Add(sum, e);
  }
  return Total(sum);
}

void SoftmaxSimd(std::int64_t rows, std::int64_t classes, const float* x, float* p) {
  const D d;
  for (std::int64_t r = 0; r < rows; ++r, x += classes, p += classes) {
    const V scale = hn::Set(d, 1.0f / ExpRow(classes, x, MaxOfRow(classes, x), p));
    for (std::int64_t i = 0; i < classes; i += kLanes) {
      StorePart(hn::Mul(LoadPart(p + i, classes - i), scale), p + i, classes - i);
    }
  }
}

void SoftmaxXentSimd(std::int64_t rows, std::int64_t classes, const float* x,
                     const std::int32_t* labels, float scale, float* loss, float* dx) {
  const D d;
  HWY_ALIGN float small[256];
  for (std::int64_t r = 0; r < rows; ++r, x += classes) {
    const float top = MaxOfRow(classes, x);
    float* p = dx;
    float sum = 0;
    if (p == nullptr) {
      for (std::int64_t i = 0; i < classes; i += 256)
        sum += ExpRow(std::min<std::int64_t>(256, classes - i), x + i, top, small);
    } else {
      sum = ExpRow(classes, x, top, p);
    }
    loss[r] = std::log(sum) + top - x[labels[r]];
    if (p == nullptr) continue;
    const V factor = hn::Set(d, scale / sum);
    for (std::int64_t i = 0; i < classes; i += kLanes) {
      StorePart(hn::Mul(LoadPart(p + i, classes - i), factor), p + i, classes - i);
    }
    p[labels[r]] -= scale;
    dx += classes;
  }
}

double SumSimd(std::int64_t n, const float* x) {
  double total = 0;
  for (std::int64_t block = 0; block < n; block += 4096) {  // float within a block, double across
    const std::int64_t end = std::min<std::int64_t>(n, block + 4096);
    V sum = hn::Zero(D());
    for (std::int64_t i = block; i < end; i += kLanes) sum = hn::Add(sum, LoadPart(x + i, end - i));
    total += double(Total(sum));
  }
  return total;
}

double SumSquaresSimd(std::int64_t n, const float* x) {
  double total = 0;
  for (std::int64_t block = 0; block < n; block += 4096) {
    const std::int64_t end = std::min<std::int64_t>(n, block + 4096);
    V s0 = hn::Zero(D()), s1 = s0, s2 = s0, s3 = s0;
    std::int64_t i = block;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      const D d;
      const V a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + kLanes);
      const V c = hn::LoadU(d, x + i + 2 * kLanes), e = hn::LoadU(d, x + i + 3 * kLanes);
      s0 = hn::MulAdd(a, a, s0), s1 = hn::MulAdd(b, b, s1);
      s2 = hn::MulAdd(c, c, s2), s3 = hn::MulAdd(e, e, s3);
    }
    for (; i < end; i += kLanes) {
      const V a = LoadPart(x + i, end - i);
      s0 = hn::MulAdd(a, a, s0);
    }
    total += double(Total(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  }
  return total;
}

void ColumnSumsSimd(std::int64_t rows, std::int64_t columns, const float* x, bool accumulate,
                    float* out) {
  for (std::int64_t j = 0; j < columns; j += kLanes) {
    const std::int64_t left = columns - j;
    V sum = accumulate ? LoadPart(out + j, left) : hn::Zero(D());
    for (std::int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, LoadPart(x + r * columns + j, left));
    StorePart(sum, out + j, left);
  }
}

void AxpySimd(std::int64_t n, float alpha, const float* x, float* y) {
  const V factor = hn::Set(D(), alpha);
  for (std::int64_t i = 0; i < n; i += kLanes) {
    StorePart(hn::MulAdd(factor, LoadPart(x + i, n - i), LoadPart(y + i, n - i)), y + i, n - i);
  }
}

void MultiplySimd(std::int64_t n, const float* x, float* y) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    StorePart(hn::Mul(LoadPart(x + i, n - i), LoadPart(y + i, n - i)), y + i, n - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::kernels {
HWY_EXPORT(ActivateSimd);
HWY_EXPORT(ActivateGradSimd);
HWY_EXPORT(ExpSimd);
HWY_EXPORT(SoftmaxSimd);
HWY_EXPORT(SoftmaxXentSimd);
HWY_EXPORT(SumSimd);
HWY_EXPORT(SumSquaresSimd);
HWY_EXPORT(ColumnSumsSimd);
HWY_EXPORT(AxpySimd);
HWY_EXPORT(MultiplySimd);

void fill_elementwise(Kernels<float>& table) {
  table.activate = &HWY_DYNAMIC_DISPATCH(ActivateSimd);
  table.activate_grad = &HWY_DYNAMIC_DISPATCH(ActivateGradSimd);
  table.exp = &HWY_DYNAMIC_DISPATCH(ExpSimd);
  table.softmax = &HWY_DYNAMIC_DISPATCH(SoftmaxSimd);
  table.softmax_xent = &HWY_DYNAMIC_DISPATCH(SoftmaxXentSimd);
  table.sum = &HWY_DYNAMIC_DISPATCH(SumSimd);
  table.sum_squares = &HWY_DYNAMIC_DISPATCH(SumSquaresSimd);
  table.column_sums = &HWY_DYNAMIC_DISPATCH(ColumnSumsSimd);
  table.axpy = &HWY_DYNAMIC_DISPATCH(AxpySimd);
  table.multiply = &HWY_DYNAMIC_DISPATCH(MultiplySimd);
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
