// What leaves a transform: rows and columns written, and the tridiagonal sweeps beside them. Included
// once per instruction set.
#if defined(NEUROLENS_PDE_ROW_SWEEPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_ROW_SWEEPS_INL
#undef NEUROLENS_PDE_ROW_SWEEPS_INL
#else
#define NEUROLENS_PDE_ROW_SWEEPS_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/lane_transform-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::HWY_NAMESPACE {

// Output q of the lines in `half`, signed and scaled.
HWY_INLINE V output(const Stage& stage, const double* buffer, const double* scale, std::size_t q,
                    std::size_t half) {
  const D d;
  // An odd sequence transforms to -2i (S_a + i S_b): the halves are exchanged and one changes sign.
  const std::size_t place = stage.swapped ? 1 - half : half;
  const bool negative = stage.swapped && half == 0 && !stage.periodic_merge;
  const double factor = stage.out_sign[q] * scale[q] * (negative ? -1.0 : 1.0);
  return hn::Mul(
      hn::Load(d, buffer + static_cast<std::size_t>(stage.out_slot[q]) * kSlot + place * kLanes),
      hn::Set(d, factor));
}

HWY_INLINE void load_outputs(const Stage& stage, const double* buffer, const double* scale,
                             std::size_t q, std::size_t count, std::size_t half, V* v) {
  const D d;
  if (count == kLanes) {
    for (std::size_t c = 0; c < kLanes; ++c) v[c] = output(stage, buffer, scale, q + c, half);
  } else {
    for (std::size_t c = 0; c < kLanes; ++c)
      v[c] = c < count ? output(stage, buffer, scale, q + c, half) : hn::Zero(d);
  }
  transpose(v);
}

void scatter_rows_impl(const Stage& stage, const double* buffer, const double* scale,
                       std::size_t lines, double* const* rows) {
  const auto n = static_cast<std::size_t>(stage.outputs);
  for (std::size_t half = 0; half < 2 && half * kLanes < lines; ++half) {
    double* const* own = rows + half * kLanes;
    for (std::size_t q = 0, count = 0; q < n; q += count) {
      count = tile_width(own[0], q, n);
      V v[kLanes];
      load_outputs(stage, buffer, scale, q, count, half, v);
      for (std::size_t r = 0; r < kLanes && half * kLanes + r < lines; ++r)
        store_part(v[r], count, own[r] + q);
    }
  }
}

void scatter_columns_impl(const Stage& stage, const double* buffer, const double* scale,
                          std::size_t width, double* target, std::ptrdiff_t stride) {
  const std::size_t first = width < kLanes ? width : kLanes;
  for (int q = 0; q < stage.outputs; ++q, target += stride) {
    const auto index = static_cast<std::size_t>(q);
    store_part(output(stage, buffer, scale, index, 0), first, target);
    if (width > kLanes)
      store_part(output(stage, buffer, scale, index, 1), width - kLanes, target + kLanes);
  }
}

HWY_INLINE V factor_at(const Factors& factors, int row, std::size_t q) {
  const D d;
  const double* from =
      q < static_cast<std::size_t>(factors.count[row]) ? factors.table[row] : factors.limit;
  return hn::LoadU(d, from + q);
}

void scatter_eliminate_impl(const Stage& stage, const double* buffer, const double* scale,
                            std::size_t lines, double* const* rows, const Factors& factors,
                            int first_row, std::size_t begin, std::size_t end, double* carry) {
  const D d;
  for (std::size_t q = begin, count = 0; q < end; q += count) {
    count = tile_width(rows[0], q, end);
    V above = hn::LoadU(d, carry + q);
    for (std::size_t half = 0; half < 2; ++half) {
      V v[kLanes];
      load_outputs(stage, buffer, scale, q, count, half, v);
      for (std::size_t r = 0; r < kLanes; ++r) {
        const std::size_t line = half * kLanes + r;
        if (line >= lines) break;
        const int row = first_row + static_cast<int>(line);
        if (row == 0) v[r] = hn::Mul(v[r], hn::Set(d, factors.first_weight));
        if (row == factors.rows - 1) v[r] = hn::Mul(v[r], hn::Set(d, factors.last_weight));
        above = hn::Mul(hn::Sub(v[r], above), factor_at(factors, row, q));
        store_part(above, count, rows[line] + q);
      }
    }
    store_part(above, count, carry + q);
  }
}

void substitute_gather_impl(const Stage& stage, std::size_t lines, double* const* rows,
                            const Factors& factors, int first_row, std::size_t begin,
                            std::size_t end, double* carry, double* buffer) {
  const D d;
  for (std::size_t q = begin, count = 0; q < end; q += count) {
    count = tile_width(rows[0], q, end);
    V below = hn::LoadU(d, carry + q);
    for (std::size_t half = 2; half-- > 0;) {
      V v[kLanes];
      for (std::size_t r = kLanes; r-- > 0;) {
        const std::size_t line = half * kLanes + r;
        if (line >= lines) {
          v[r] = hn::Zero(d);
          continue;
        }
        const int row = first_row + static_cast<int>(line);
        below = hn::NegMulAdd(below, factor_at(factors, row, q), load_part(rows[line] + q, count));
        v[r] = below;
      }
      transpose(v);
      for (std::size_t c = 0; c < count; ++c) put(stage, q + c, v[c], half, buffer);
    }
    store_part(below, count, carry + q);
  }
}

void eliminate_row_impl(std::size_t n, double* row, const double* scale, double weight,
                        const double* previous, const double* factor) {
  const D d;
  const V w = hn::Set(d, weight);
  for (std::size_t q = 0; q < n; q += kLanes) {
    const std::size_t count = part(n, q);
    V v = hn::Mul(hn::Mul(load_part(row + q, count), load_part(scale + q, count)), w);
    if (previous != nullptr) v = hn::Sub(v, load_part(previous + q, count));
    store_part(hn::Mul(v, load_part(factor + q, count)), count, row + q);
  }
}

void substitute_row_impl(std::size_t n, double* row, const double* next, const double* factor) {
  for (std::size_t q = 0; q < n; q += kLanes) {
    const std::size_t count = part(n, q);
    store_part(hn::NegMulAdd(load_part(factor + q, count), load_part(next + q, count),
                             load_part(row + q, count)),
               count, row + q);
  }
}

void smooth_row_impl(std::size_t n, const double* f, const double* const* neighbours,
                     std::size_t neighbour_count, double a, double b, double* out) {
  const D d;
  const V va = hn::Set(d, a);
  const V vb = hn::Set(d, b);
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t count = part(n, i);
    V sum = hn::Add(load_part(f + i - 1, count), load_part(f + i + 1, count));
    for (std::size_t m = 0; m < neighbour_count; ++m)
      sum = hn::Add(sum, load_part(neighbours[m] + i, count));
    store_part(hn::MulAdd(vb, sum, hn::Mul(va, load_part(f + i, count))), count, out + i);
  }
}

}  // namespace neurolens::pde::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
