// Dense products and those with circulant matrices, on lane vectors. Included once per instruction
// set.
#if defined(NEUROLENS_PDE_DENSE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_DENSE_INL
#undef NEUROLENS_PDE_DENSE_INL
#else
#define NEUROLENS_PDE_DENSE_INL
#endif

#include <hwy/highway.h>

#include "direct/cyclic.hpp"
#include "kernels/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

// kCount outputs q, q + step, ... of a dense transform from `count` inputs. The last ones come
// first: spectra fall, and what is added while the sum is small is hardly rounded.
template <int kCount>
HWY_INLINE void dense_rows(const Real* matrix, std::size_t row_step, std::size_t count,
                           const Real* in, Real* out, std::size_t out_step) {
  const D d;
  C sum[kCount];
  for (int s = 0; s < kCount; ++s) sum[s] = {hn::Zero(d), hn::Zero(d)};
  for (std::size_t j = count; j-- > 0;) {
    const C x = load_c(in + j * kSlot);
    for (int s = 0; s < kCount; ++s) {
      const V f = hn::Set(d, matrix[s * row_step + j]);
      sum[s].re = hn::MulAdd(x.re, f, sum[s].re);
      sum[s].im = hn::MulAdd(x.im, f, sum[s].im);
    }
  }
  for (int s = 0; s < kCount; ++s) store_c(sum[s], out + s * out_step * kSlot);
}

template <int kCount>
HWY_NOINLINE void dense_block(const Real* matrix, std::size_t row_step, std::size_t count,
                              const Real* in, Real* out, std::size_t out_step) {
  dense_rows<kCount>(matrix, row_step, count, in, out, out_step);
}

// All outputs first, first + step, ... in blocks as large as registers allow; short blocks wait for
// FMAs.
HWY_INLINE void dense_group(const Real* matrix, std::size_t n_in, std::size_t count,
                            std::size_t first, std::size_t step, std::size_t n_out, const Real* in,
                            Real* out) {
  using Block = void (*)(const Real*, std::size_t, std::size_t, const Real*, Real*, std::size_t);
  static constexpr Block kBlocks[] = {
      dense_block<1>, dense_block<2>, dense_block<3>, dense_block<4>, dense_block<5>,
      dense_block<6>, dense_block<7>, dense_block<8>, dense_block<9>, dense_block<10>};
  constexpr std::size_t kMost = kLanes * sizeof(Real) == 64 ? 10 : 5;
  std::size_t left = (n_out - first + step - 1) / step;
  std::size_t blocks = (left + kMost - 1) / kMost;
  for (std::size_t q = first; blocks > 0; --blocks) {
    const std::size_t size = (left + blocks - 1) / blocks;  // even shares
    kBlocks[size - 1](matrix + q * n_in, step * n_in, count, in, out + q * kSlot, step);
    q += size * step;
    left -= size;
  }
}

// x -> y, slot by slot; x is used up. See direct/cyclic.hpp for the mathematics.
HWY_NOINLINE void cyclic_product(const CyclicProduct& product, Real* x, Real* y) {
  const D d;
  for (const auto& node : product.nodes) {
    const auto n = static_cast<std::size_t>(node.length);
    Real* const at = x + static_cast<std::size_t>(node.first) * kSlot;
    if (node.parts == 0) {
      dense_group(product.matrix.data() + node.matrix, n, n, 0, 1, n, at,
                  y + static_cast<std::size_t>(node.first) * kSlot);
    } else if (node.parts == 2) {
      const std::size_t half = n / 2 * kSlot;
      for (Real* p = at; p < at + half; p += kSlot) {
        const C low = load_c(p);
        const C high = load_c(p + half);
        store_c(low + high, p);
        store_c(low - high, p + half);
      }
    } else {
      const V sign = hn::Set(d, node.sign);
      const std::size_t third = n / 3 * kSlot;
      for (Real* p = at; p < at + third; p += kSlot) {
        const C x0 = load_c(p);
        const C x1 = load_c(p + third);
        const C x2 = load_c(p + 2 * third);
        store_c(x0 + x2 + times(x1, sign), p);
        store_c(x0 - x2, p + third);
        store_c(x1 - times(x2, sign), p + 2 * third);
      }
    }
  }
  for (std::size_t i = product.nodes.size(); i-- > 0;) {
    const auto& node = product.nodes[i];
    const auto n = static_cast<std::size_t>(node.length);
    Real* const at = y + static_cast<std::size_t>(node.first) * kSlot;
    if (node.parts == 2) {
      const std::size_t half = n / 2 * kSlot;
      for (Real* p = at; p < at + half; p += kSlot) {
        const C low = load_c(p);
        const C high = load_c(p + half);
        store_c(low + high, p);
        store_c(low - high, p + half);
      }
    } else if (node.parts == 3) {
      const V sign = hn::Set(d, node.sign);
      const std::size_t third = n / 3 * kSlot;
      for (Real* p = at; p < at + third; p += kSlot) {
        const C e = load_c(p);
        const C a0 = load_c(p + third);
        const C a1 = load_c(p + 2 * third);
        store_c(e + a0, p);
        store_c(times(e, sign) + a1, p + third);
        store_c(e - a0 - times(a1, sign), p + 2 * third);
      }
    }
  }
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
