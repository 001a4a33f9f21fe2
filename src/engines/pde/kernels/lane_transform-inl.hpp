// Gathering and transforms on lane vectors. Included once per instruction set.
#if defined(NEUROLENS_PDE_LANE_TRANSFORM_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_LANE_TRANSFORM_INL
#undef NEUROLENS_PDE_LANE_TRANSFORM_INL
#else
#define NEUROLENS_PDE_LANE_TRANSFORM_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "kernels/join-inl.hpp"
#include "kernels/lane_transform.hpp"
#include "kernels/transpose-inl.hpp"
#include "kernels/wide-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

std::size_t batch_lines_impl() {
  return kSlot;
}
const char* target_name_impl() {
  return hwy::TargetName(HWY_TARGET);
}

HWY_INLINE void put(const Stage& stage, std::size_t j, V v, std::size_t half, Real* buffer) {
  const D d;
  hn::Store(hn::Mul(v, hn::Set(d, stage.sign_a[j])), d,
            buffer + static_cast<std::size_t>(stage.slot_a[j]) * kSlot + half * kLanes);
  if (stage.slot_b[j] >= 0)
    hn::Store(hn::Mul(v, hn::Set(d, stage.sign_b[j])), d,
              buffer + static_cast<std::size_t>(stage.slot_b[j]) * kSlot + half * kLanes);
}

void clear_unused_impl(const Stage& stage, Real* buffer) {
  const D d;
  for (const std::int32_t slot : stage.zero_slots)
    store_c({hn::Zero(d), hn::Zero(d)}, buffer + static_cast<std::size_t>(slot) * kSlot);
}

// Loads kLanes rows at columns [j, j + count) into v, missing columns zero.
HWY_INLINE void load_tile(const Real* const* rows, std::size_t j, std::size_t count, V* v) {
  const D d;
  if (count == kLanes) {
    for (std::size_t r = 0; r < kLanes; ++r) v[r] = hn::LoadU(d, rows[r] + j);
    return;
  }
  for (std::size_t r = 0; r < kLanes; ++r) v[r] = load_part(rows[r] + j, count);
}

HWY_INLINE std::size_t part(std::size_t n, std::size_t j) {
  return n - j < kLanes ? n - j : kLanes;
}

// Columns of the next tile from q on: up to the next cache line of the first row, so that tiles
// after the first one do not straddle lines (rows of a grid mostly share their alignment).
HWY_INLINE std::size_t tile_width(const Real* row, std::size_t q, std::size_t end) {
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(row + q) / sizeof(Real) % kLanes;
  const std::size_t room = kLanes - offset;
  return end - q < room ? end - q : room;
}

// Half a batch at a time: 16 rows a power of two apart would push each other out of the cache
// between one tile and the next.
void gather_rows_impl(const Stage& stage, const Real* const* rows, Real* buffer) {
  clear_unused_impl(stage, buffer);
  const auto n = static_cast<std::size_t>(stage.inputs);
  for (std::size_t half = 0; half < 2; ++half) {
    const Real* const* own = rows + half * kLanes;
    for (std::size_t j = 0, count = 0; j < n; j += count) {
      count = tile_width(own[0], j, n);
      V v[kLanes];
      load_tile(own, j, count, v);
      transpose(v);
      if (count == kLanes) {
        for (std::size_t c = 0; c < kLanes; ++c) put(stage, j + c, v[c], half, buffer);
      } else {
        for (std::size_t c = 0; c < count; ++c) put(stage, j + c, v[c], half, buffer);
      }
    }
  }
}

void gather_columns_impl(const Stage& stage, const Real* source, std::ptrdiff_t stride,
                         std::size_t width, Real* buffer) {
  clear_unused_impl(stage, buffer);
  const std::size_t first = width < kLanes ? width : kLanes;
  const D d;
  for (int j = 0; j < stage.inputs; ++j, source += stride) {
    put(stage, static_cast<std::size_t>(j), load_part(source, first), 0, buffer);
    put(stage, static_cast<std::size_t>(j),
        width > kLanes ? load_part(source + kLanes, width - kLanes) : hn::Zero(d), 1, buffer);
  }
}

// Periodic rows a, b share a complex spectrum Z = A + i B. Afterwards slot k <= N/2 holds Re A, Re
// B and slot N - k holds Im A, Im B (both in natural order).
HWY_INLINE void split_spectra(const Stage& stage, Real* buffer) {
  const D d;
  const V half = hn::Set(d, 0.5);
  const int n = stage.inputs;
  for (int k = 1; 2 * k < n; ++k) {
    Real* low = buffer + static_cast<std::size_t>(k) * kSlot;
    Real* high = buffer + static_cast<std::size_t>(n - k) * kSlot;
    const C p = times(load_c(low), half);
    const C q = times(load_c(high), half);
    store_c({hn::Add(p.re, q.re), hn::Add(p.im, q.im)}, low);
    store_c({hn::Sub(p.im, q.im), hn::Sub(q.re, p.re)}, high);
  }
}

// The reverse, into bit-reversed slots with real and imaginary part exchanged: the forward FFT of
// that, exchanged again on the way out, is the inverse.
HWY_INLINE void merge_spectra(const Stage& stage, Real* buffer) {
  const int n = stage.inputs;
  for (int k = 0; 2 * k <= n; ++k) {
    Real* low =
        buffer + static_cast<std::size_t>(stage.natural_slot[static_cast<std::size_t>(k)]) * kSlot;
    const C real = load_c(low);  // Re A, Re B
    if (k == 0 || 2 * k == n) {
      store_c({real.im, real.re}, low);
      continue;
    }
    Real* high =
        buffer +
        static_cast<std::size_t>(stage.natural_slot[static_cast<std::size_t>(n - k)]) * kSlot;
    const C imag = load_c(high);  // Im A, Im B
    store_c({hn::Add(imag.re, real.im), hn::Sub(real.re, imag.im)}, low);
    store_c({hn::Sub(real.im, imag.re), hn::Add(real.re, imag.im)}, high);
  }
}

HWY_INLINE void dense_transform(const Stage& stage, Real* buffer) {
  const auto n = static_cast<std::size_t>(stage.inputs);
  const auto n_out = static_cast<std::size_t>(stage.outputs);
  Real* folded = buffer + n * kSlot;
  Real* out = buffer + (2 * n + 2) * kSlot;
  const Real* matrix = stage.matrix.data();
  if (!stage.folded) {
    dense_group(matrix, n, n, 0, 1, n_out, buffer, out);
    return;
  }
  const std::size_t half = n / 2;
  const std::size_t upper = n - half;  // with the middle
  Real* difference = folded + upper * kSlot;
  for (std::size_t j = 0; j < half; ++j) {
    const C a = load_c(buffer + j * kSlot);
    const C b = load_c(buffer + (n - 1 - j) * kSlot);
    store_c(a + b, folded + j * kSlot);
    store_c(a - b, difference + j * kSlot);
  }
  if (upper > half) store_c(load_c(buffer + half * kSlot), folded + half * kSlot);
  dense_group(matrix, n, upper, 0, 2, n_out, folded, out);
  dense_group(matrix, n, half, 1, 2, n_out, difference, out);
}

// A sine transform of prime length; see make_prime_sine_stage.
HWY_INLINE void prime_sine_transform(const Stage& stage, Real* buffer) {
  const PrimeButterfly& prime = stage.prime;
  const std::size_t pairs = prime.in.size();
  Real* const even = buffer + 2 * pairs * kSlot;
  Real* const odd = even + pairs * kSlot;
  Real* const out = odd + pairs * kSlot;
  for (std::size_t i = 0; i < pairs; ++i) {
    const auto r = static_cast<std::size_t>(prime.in[i]);
    const C a = load_c(buffer + (r - 1) * kSlot);
    const C b = load_c(buffer + (2 * pairs - r) * kSlot);
    store_c(a - b, even + i * kSlot);
    const C sum = a + b;
    store_c(r % 2 == 0 ? C{hn::Neg(sum.re), hn::Neg(sum.im)} : sum, odd + i * kSlot);
  }
  cyclic_product(prime.odd, even, out);
  cyclic_product(prime.odd, odd, out + pairs * kSlot);
}

void transform_impl(const Stage& stage, Real* buffer) {
  if (stage.prime_sine) {
    prime_sine_transform(stage, buffer);
    return;
  }
  if (!stage.matrix.empty()) {
    dense_transform(stage, buffer);
    return;
  }
  Real* work = buffer + static_cast<std::size_t>(stage.slots) * kSlot;
  if (stage.periodic_merge) merge_spectra(stage, buffer);
  fft_passes(stage, buffer, work);
  if (stage.periodic_split) split_spectra(stage, buffer);
  if (stage.p > 1) join(stage, buffer, work);
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
