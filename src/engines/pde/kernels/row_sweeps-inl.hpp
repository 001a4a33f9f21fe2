// What leaves a transform: rows and columns written, and the tridiagonal sweeps beside them.
// Included once per instruction set.
#if defined(NEUROLENS_PDE_ROW_SWEEPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_ROW_SWEEPS_INL
#undef NEUROLENS_PDE_ROW_SWEEPS_INL
#else
#define NEUROLENS_PDE_ROW_SWEEPS_INL
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstdint>
#include <type_traits>

#include "kernels/lane_transform-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

// In place of a table of factors.
struct Unscaled {
  explicit Unscaled(const double*) {}
  HWY_INLINE Real operator[](std::size_t) const { return 1; }
};

// Output q of the lines in `half`, signed and scaled.
template <class Scale>
HWY_INLINE V output(const Stage& stage, const Real* buffer, const Scale& scale, std::size_t q,
                    std::size_t half) {
  const D d;
  // An odd sequence transforms to -2i (S_a + i S_b): the halves are exchanged and one changes sign.
  const std::size_t place = stage.swapped ? 1 - half : half;
  const bool negative = stage.swapped && half == 0 && !stage.periodic_merge;
  const Real factor = stage.out_sign[q] * scale[q] * (negative ? Real(-1) : Real(1));
  return hn::Mul(
      hn::Load(d, buffer + static_cast<std::size_t>(stage.out_slot[q]) * kSlot + place * kLanes),
      hn::Set(d, factor));
}

template <class Scale>
HWY_INLINE void load_outputs(const Stage& stage, const Real* buffer, const Scale& scale,
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

// A whole cache line (of this vector width): past the caches, where it is not read soon.
template <bool kPast>
HWY_INLINE void store_line(V v, Real* at) {
  if (kPast)
    hn::Stream(v, D(), at);
  else
    hn::Store(v, D(), at);
}

// Writes tiles of rows where they belong, for rows that share their alignment: tiles that begin at
// cache lines of one row do so in all.
struct DirectTiles {
  Real* const* rows;
  std::size_t begin, end;

  [[nodiscard]] HWY_INLINE std::size_t width(std::size_t q) const {
    return tile_width(rows[0], q, end);
  }
  HWY_INLINE void put(std::size_t line, std::size_t q, V v, std::size_t count) const {
    store_part(v, count, rows[line] + q);
  }
  HWY_INLINE void finish(std::size_t, std::size_t) const {}
};

// The same for rows that do not: a tile straddles cache lines of most rows, and by the time that
// the next tile completes a line, 16 rows a power of two apart have pushed it out of the first
// cache. Tiles are therefore collected in a near block and go out by whole cache lines of each row;
// past the caches (kPast) if they are not read soon.
template <bool kPast>
struct StagedTiles {
  // The block stays as it is: zeroing it would cost more than a short row.
  StagedTiles(Real* const* to, std::size_t from, std::size_t until)
      : rows(to), begin(from), end(until), first(from) {}

  Real* const* rows;
  std::size_t begin, end;
  std::size_t first;  // column of the block

  static constexpr std::size_t kColumns = 64;
  static constexpr std::size_t kPitch = kColumns + kLanes;  // the last columns before the block
  HWY_ALIGN Real block[2 * kLanes * kPitch];

  [[nodiscard]] HWY_INLINE std::size_t width(std::size_t q) const { return part(end, q); }
  HWY_INLINE void put(std::size_t line, std::size_t q, V v, std::size_t) {
    hn::Store(v, D(), block + line * kPitch + kLanes + (q - first));
  }
  // Columns before `next` are there.
  HWY_INLINE void finish(std::size_t lines, std::size_t next) {
    if (next < end && next - first < kColumns) return;
    for (std::size_t line = 0; line < lines; ++line) flush(line, next);
    first = next;
  }

 private:
  // How far column q is behind the beginning of its cache line.
  [[nodiscard]] static HWY_INLINE std::size_t behind(const Real* row, std::size_t q) {
    return reinterpret_cast<std::uintptr_t>(row + q) / sizeof(Real) % kLanes;
  }

  HWY_INLINE void flush(std::size_t line, std::size_t last) {
    const D d;
    Real* const row = rows[line];
    Real* const own = block + line * kPitch;
    const Real* const from = own + kLanes - first;  // of column q: from[q]
    std::size_t q = first;
    const std::size_t offset = behind(row, q);
    if (first > begin) {
      q -= offset;  // where the block before stopped
    } else if (offset > 0) {
      const std::size_t room = kLanes - offset;
      const std::size_t count = last - q < room ? last - q : room;
      store_part(load_part(from + q, count), count, row + q);
      q += count;
    }
    for (; q + kLanes <= last; q += kLanes) {
      if (kPast)
        hn::Stream(hn::LoadU(d, from + q), d, row + q);
      else
        hn::Store(hn::LoadU(d, from + q), d, row + q);
    }
    if (last == end) {
      if (q < last) store_part(load_part(from + q, last - q), last - q, row + q);
    } else {
      hn::Store(hn::Load(d, own + kColumns), d, own);
    }
  }
};

// Whether all rows begin at the same place of a cache line.
HWY_INLINE bool alike(Real* const* rows, std::size_t lines) {
  for (std::size_t l = 1; l < lines; ++l)
    if (static_cast<std::size_t>(rows[l] - rows[0]) % kLanes != 0) return false;
  return true;
}

constexpr int kLongRow = 512;  // shorter ones find their lines still in the first cache

HWY_NOINLINE void scatter_staged(const Stage& stage, const Real* buffer, const Real* scale,
                                 std::size_t lines, Real* const* rows) {
  const auto n = static_cast<std::size_t>(stage.outputs);
  StagedTiles<false> tiles(rows, 0, n);
  for (std::size_t q = 0, count = 0; q < n; q += count) {
    count = tiles.width(q);
    for (std::size_t half = 0; half < 2 && half * kLanes < lines; ++half) {
      V v[kLanes];
      load_outputs(stage, buffer, scale, q, count, half, v);
      for (std::size_t r = 0; r < kLanes && half * kLanes + r < lines; ++r)
        tiles.put(half * kLanes + r, q, v[r], count);
    }
    tiles.finish(lines, q + count);
  }
}

void scatter_rows_impl(const Stage& stage, const Real* buffer, const Real* scale, std::size_t lines,
                       Real* const* rows) {
  if (stage.outputs >= kLongRow && !alike(rows, lines)) {
    scatter_staged(stage, buffer, scale, lines, rows);
    return;
  }
  const auto n = static_cast<std::size_t>(stage.outputs);
  for (std::size_t half = 0; half < 2 && half * kLanes < lines; ++half) {
    Real* const* own = rows + half * kLanes;
    for (std::size_t q = 0, count = 0; q < n; q += count) {
      count = tile_width(own[0], q, n);
      V v[kLanes];
      load_outputs(stage, buffer, scale, q, count, half, v);
      for (std::size_t r = 0; r < kLanes && half * kLanes + r < lines; ++r)
        store_part(v[r], count, own[r] + q);
    }
  }
}

void scatter_columns_impl(const Stage& stage, const Real* buffer, const Real* scale,
                          std::size_t width, Real* target, std::ptrdiff_t stride) {
  const std::size_t first = width < kLanes ? width : kLanes;
  for (int q = 0; q < stage.outputs; ++q, target += stride) {
    const auto index = static_cast<std::size_t>(q);
    store_part(output(stage, buffer, scale, index, 0), first, target);
    if (width > kLanes)
      store_part(output(stage, buffer, scale, index, 1), width - kLanes, target + kLanes);
  }
}

// Factors of row `row` at modes q, q + 1, ...: of its own, or settled ones.
HWY_INLINE Wide factor_at(const Factors& factors, int row, std::size_t q, std::size_t count) {
  const WideD d;
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::size_t at = q + p * kWideLanes;
    if (p > 0 && count <= p * kWideLanes) {
      r.at[p] = hn::Zero(d);
      continue;
    }
    const double* from =
        at < static_cast<std::size_t>(factors.count[row]) ? factors.table[row] : factors.limit;
    r.at[p] = hn::LoadU(d, from + at);
  }
  return r;
}

// The right-hand side of a row from what the transform left of it: in single precision it is
// scaled here, where the range of double precision is at hand, and gets what its ends add.
HWY_INLINE Wide right_side(V output, const Wide& scale, const Factors& factors, int row,
                           std::size_t q, std::size_t count) {
  Wide g = widen(output);
  if (kParts > 1) {
    for (int side = 0; side < 2; ++side)
      if (factors.end_modes[side] != nullptr)
        g = plus_product(factors.end_values[side][row],
                         load_wide(factors.end_modes[side] + q, count), g);
    g = times(g, scale);
  }
  if (row == 0) g = times(g, factors.first_weight);
  if (row == factors.rows - 1) g = times(g, factors.last_weight);
  return g;
}

// Weights of the border (Factors::border) in row `row`.
HWY_INLINE Wide border_at(const Factors& factors, int row, std::size_t q, std::size_t count) {
  const WideD d;
  Wide r;
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::size_t at = q + p * kWideLanes;
    const bool counts = at < static_cast<std::size_t>(factors.border_count[row]) &&
                        (p == 0 || count > p * kWideLanes);
    r.at[p] = counts ? hn::LoadU(d, factors.border[row] + at) : hn::Zero(d);
  }
  return r;
}

template <class Tiles, bool kBordered>
HWY_NOINLINE void eliminate_tiles(const Stage& stage, const Real* buffer, const double* scale,
                                  std::size_t lines, Real* const* rows, const Factors& factors,
                                  int first_row, std::size_t begin, std::size_t end,
                                  double* carry) {
  using OutputScale = std::conditional_t<kParts == 1, const double*, Unscaled>;
  const OutputScale output_scale(scale);
  Tiles tiles{rows, begin, end};
  for (std::size_t q = begin, count = 0; q < end; q += count) {
    count = tiles.width(q);
    Wide above = load_wide(carry + q, count);
    Wide mode_scale = above;
    if (kParts > 1) mode_scale = load_wide(scale + q, count);
    Wide border = above;
    if (kBordered) border = load_wide(factors.border_value + q, count);
    for (std::size_t half = 0; half < 2; ++half) {
      V v[kLanes];
      load_outputs(stage, buffer, output_scale, q, count, half, v);
      for (std::size_t r = 0; r < kLanes; ++r) {
        const std::size_t line = half * kLanes + r;
        if (line >= lines) break;
        const int row = first_row + static_cast<int>(line);
        const Wide g = right_side(v[r], mode_scale, factors, row, q, count);
        if (kBordered && row == factors.rows - 1) {
          border = times(minus(g, border), load_ahead(factors.border_inverse + q, count));
          tiles.put(line, q, rounded(border), count);
          break;
        }
        if (kBordered) border = plus_product(g, border_at(factors, row, q, count), border);
        above = times(minus(g, above), factor_at(factors, row, q, count));
        tiles.put(line, q, rounded(above), count);
      }
    }
    store_wide(above, count, carry + q);
    if (kBordered) store_wide(border, count, factors.border_value + q);
    tiles.finish(lines, q + count);
  }
}

void scatter_eliminate_impl(const Stage& stage, const Real* buffer, const double* scale,
                            std::size_t lines, Real* const* rows, const Factors& factors,
                            int first_row, std::size_t begin, std::size_t end, double* carry) {
  const auto eliminate = [&](auto bordered) {
    constexpr bool kBordered = decltype(bordered)::value;
    auto tiles = eliminate_tiles<DirectTiles, kBordered>;
    if (!alike(rows, lines))
      tiles = factors.past_caches ? eliminate_tiles<StagedTiles<true>, kBordered>
                                  : eliminate_tiles<StagedTiles<false>, kBordered>;
    tiles(stage, buffer, scale, lines, rows, factors, first_row, begin, end, carry);
  };
  if (factors.border == nullptr)
    eliminate(std::false_type());
  else
    eliminate(std::true_type());
  if (factors.past_caches) hwy::FlushStream();  // another worker may read these rows next
}

template <bool kBordered>
HWY_NOINLINE void substitute_tiles(const Stage& stage, std::size_t lines, Real* const* rows,
                                   const Factors& factors, int first_row, std::size_t begin,
                                   std::size_t end, double* carry, Real* buffer) {
  const D d;
  for (std::size_t q = begin, count = 0; q < end; q += count) {
    count = tile_width(rows[0], q, end);
    Wide below = load_wide(carry + q, count);
    Wide border = below;
    if (kBordered) border = load_wide(factors.border_value + q, count);
    for (std::size_t half = 2; half-- > 0;) {
      V v[kLanes];
      for (std::size_t r = kLanes; r-- > 0;) {
        const std::size_t line = half * kLanes + r;
        if (line >= lines) {
          v[r] = hn::Zero(d);
          continue;
        }
        const int row = first_row + static_cast<int>(line);
        const V own = load_part(rows[line] + q, count);
        if (kBordered && row == factors.rows - 1) {  // solved already, and below is still zero
          v[r] = own;
          continue;
        }
        below = minus_product(below, factor_at(factors, row, q, count), widen(own));
        v[r] = rounded(kBordered ? minus_product(border, border_at(factors, row, q, count), below)
                                 : below);
      }
      transpose(v);
      for (std::size_t c = 0; c < count; ++c) put(stage, q + c, v[c], half, buffer);
    }
    store_wide(below, count, carry + q);
  }
}

void substitute_gather_impl(const Stage& stage, std::size_t lines, Real* const* rows,
                            const Factors& factors, int first_row, std::size_t begin,
                            std::size_t end, double* carry, Real* buffer) {
  const auto substitute =
      factors.border == nullptr ? substitute_tiles<false> : substitute_tiles<true>;
  substitute(stage, lines, rows, factors, first_row, begin, end, carry, buffer);
}

void eliminate_row_impl(std::size_t n, Real* row, const double* scale, double weight,
                        const double* previous, const double* factor, const EndTerms* ends,
                        double* carry) {
  for (std::size_t q = 0; q < n; q += kLanes) {
    const std::size_t count = part(n, q);
    Wide g = widen(load_part(row + q, count));
    if (kParts > 1 && ends != nullptr)
      for (int i = 0; i < ends->count; ++i)
        g = plus_product(ends->factor[i], load_wide(ends->modes[i] + q, count), g);
    g = times(times(g, load_wide(scale + q, count)), weight);
    if (previous != nullptr) g = minus(g, load_wide(previous + q, count));
    g = times(g, load_wide(factor + q, count));
    store_part(rounded(g), count, row + q);
    if (kParts > 1) store_wide(g, count, carry + q);
  }
}

void substitute_row_impl(std::size_t n, Real* row, const double* next, const double* factor,
                         double* carry) {
  for (std::size_t q = 0; q < n; q += kLanes) {
    const std::size_t count = part(n, q);
    const Wide g = minus_product(load_wide(factor + q, count), load_wide(next + q, count),
                                 widen(load_part(row + q, count)));
    store_part(rounded(g), count, row + q);
    if (kParts > 1) store_wide(g, count, carry + q);
  }
}

void smooth_row_impl(std::size_t n, const Real* f, const Real* const* neighbours,
                     std::size_t neighbour_count, double a, double b, Real* out) {
  const D d;
  const V va = hn::Set(d, static_cast<Real>(a));
  const V vb = hn::Set(d, static_cast<Real>(b));
  for (std::size_t i = 0; i < n; i += kLanes) {
    const std::size_t count = part(n, i);
    V sum = hn::Add(load_part(f + i - 1, count), load_part(f + i + 1, count));
    for (std::size_t m = 0; m < neighbour_count; ++m)
      sum = hn::Add(sum, load_part(neighbours[m] + i, count));
    store_part(hn::MulAdd(vb, sum, hn::Mul(va, load_part(f + i, count))), count, out + i);
  }
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
