// Butterflies on lane vectors: the passes of the inner FFT. Included once per instruction set. The
// bodies are long because each is one straight block of arithmetic.
#if defined(NEUROLENS_PDE_FFT_PASSES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_FFT_PASSES_INL
#undef NEUROLENS_PDE_FFT_PASSES_INL
#else
#define NEUROLENS_PDE_FFT_PASSES_INL
#endif

#include <hwy/highway.h>

#include "direct/stage.hpp"
#include "kernels/dense-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {
template <int R>
HWY_INLINE void butterfly(C* x);

template <>
HWY_INLINE void butterfly<2>(C* x) {
  const C a = x[0];
  x[0] = a + x[1];
  x[1] = a - x[1];
}
template <>
HWY_INLINE void butterfly<3>(C* x) {
  const D d;
  const C sum = x[1] + x[2];
  const C difference = times(x[1] - x[2], hn::Set(d, 0.86602540378443864676));
  const V half = hn::Set(d, -0.5);
  const C middle{hn::MulAdd(sum.re, half, x[0].re), hn::MulAdd(sum.im, half, x[0].im)};
  x[0] = x[0] + sum;
  x[1] = minus_i(middle, difference);
  x[2] = plus_i(middle, difference);
}
template <>
HWY_INLINE void butterfly<4>(C* x) {
  const C a = x[0] + x[2];
  const C b = x[0] - x[2];
  const C c = x[1] + x[3];
  const C e = x[1] - x[3];
  x[0] = a + c;
  x[1] = minus_i(b, e);
  x[2] = a - c;
  x[3] = plus_i(b, e);
}
template <>
HWY_INLINE void butterfly<5>(C* x) {
  const D d;
  const V c1 = hn::Set(d, 0.30901699437494742410);
  const V c2 = hn::Set(d, -0.80901699437494742410);
  const V s1 = hn::Set(d, 0.95105651629515357212);
  const V s2 = hn::Set(d, 0.58778525229247312917);
  const C u1 = x[1] + x[4];
  const C u2 = x[2] + x[3];
  const C v1 = x[1] - x[4];
  const C v2 = x[2] - x[3];
  const C a1{hn::MulAdd(u2.re, c2, hn::MulAdd(u1.re, c1, x[0].re)),
             hn::MulAdd(u2.im, c2, hn::MulAdd(u1.im, c1, x[0].im))};
  const C a2{hn::MulAdd(u2.re, c1, hn::MulAdd(u1.re, c2, x[0].re)),
             hn::MulAdd(u2.im, c1, hn::MulAdd(u1.im, c2, x[0].im))};
  const C b1{hn::MulAdd(v2.re, s2, hn::Mul(v1.re, s1)), hn::MulAdd(v2.im, s2, hn::Mul(v1.im, s1))};
  const C b2{hn::NegMulAdd(v2.re, s1, hn::Mul(v1.re, s2)),
             hn::NegMulAdd(v2.im, s1, hn::Mul(v1.im, s2))};
  x[0] = x[0] + u1 + u2;
  x[1] = minus_i(a1, b1);
  x[2] = minus_i(a2, b2);
  x[3] = plus_i(a2, b2);
  x[4] = plus_i(a1, b1);
}
template <>
HWY_INLINE void butterfly<7>(C* x) {
  const D d;
  const V c1 = hn::Set(d, 0.62348980185873353053);  // cos and sin of 2 pi k / 7
  const V c2 = hn::Set(d, -0.22252093395631440429);
  const V c3 = hn::Set(d, -0.90096886790241912624);
  const V s1 = hn::Set(d, 0.78183148246802980871);
  const V s2 = hn::Set(d, 0.97492791218182360702);
  const V s3 = hn::Set(d, 0.43388373911755812048);
  const C u[3] = {x[1] + x[6], x[2] + x[5], x[3] + x[4]};
  const C v[3] = {x[1] - x[6], x[2] - x[5], x[3] - x[4]};
  const auto cosines = [&](V p, V q, V r) HWY_ATTR {
    return C{hn::MulAdd(u[2].re, r, hn::MulAdd(u[1].re, q, hn::MulAdd(u[0].re, p, x[0].re))),
             hn::MulAdd(u[2].im, r, hn::MulAdd(u[1].im, q, hn::MulAdd(u[0].im, p, x[0].im)))};
  };
  const auto sines = [&](V p, V q, V r) HWY_ATTR {
    return C{hn::MulAdd(v[2].re, r, hn::MulAdd(v[1].re, q, hn::Mul(v[0].re, p))),
             hn::MulAdd(v[2].im, r, hn::MulAdd(v[1].im, q, hn::Mul(v[0].im, p)))};
  };
  const C a[3] = {cosines(c1, c2, c3), cosines(c2, c3, c1), cosines(c3, c1, c2)};
  const C b[3] = {sines(s1, s2, s3), sines(s2, hn::Neg(s3), hn::Neg(s1)),
                  sines(s3, hn::Neg(s1), s2)};
  x[0] = x[0] + u[0] + u[1] + u[2];
  for (int s = 0; s < 3; ++s) {
    x[1 + s] = minus_i(a[s], b[s]);
    x[6 - s] = plus_i(a[s], b[s]);
  }
}
template <>
HWY_INLINE void butterfly<8>(C* x) {
  const D d;
  const V root = hn::Set(d, 0.70710678118654752440);
  C even[4] = {x[0], x[2], x[4], x[6]};
  C odd[4] = {x[1], x[3], x[5], x[7]};
  butterfly<4>(even);
  butterfly<4>(odd);
  // Powers of exp(-i pi/4).
  const C o1{hn::Mul(hn::Add(odd[1].re, odd[1].im), root),
             hn::Mul(hn::Sub(odd[1].im, odd[1].re), root)};
  const C o3{hn::Mul(hn::Sub(odd[3].im, odd[3].re), root),
             hn::Neg(hn::Mul(hn::Add(odd[3].re, odd[3].im), root))};
  x[0] = even[0] + odd[0];
  x[4] = even[0] - odd[0];
  x[1] = even[1] + o1;
  x[5] = even[1] - o1;
  x[2] = minus_i(even[2], odd[2]);
  x[6] = plus_i(even[2], odd[2]);
  x[3] = even[3] + o3;
  x[7] = even[3] - o3;
}

template <int R, bool kTwiddled>
HWY_INLINE void pass_column(const Real* twiddle, std::size_t step, std::size_t blocks,
                            std::size_t block_step, Real* at) {
  for (std::size_t b = 0; b < blocks; ++b, at += block_step) {
    C x[R];
    x[0] = load_c(at);
    for (int q = 1; q < R; ++q) {
      x[q] = load_c(at + q * step);
      if (kTwiddled) x[q] = turn(x[q], twiddle + 2 * (q - 1));
    }
    butterfly<R>(x);
    for (int q = 0; q < R; ++q) store_c(x[q], at + q * step);
  }
}

template <int R>
HWY_NOINLINE void fixed_pass(const FftPass& pass, std::size_t blocks, Real* buffer) {
  const std::size_t step = static_cast<std::size_t>(pass.length) * kSlot;
  for (int k = 0; k < pass.length; ++k) {
    const Real* twiddle = pass.twiddle.data() + static_cast<std::size_t>(k) * 2 * (R - 1);
    Real* at = buffer + static_cast<std::size_t>(k) * kSlot;
    const bool trivial = twiddle[1] == 0.0 && twiddle[0] == 1.0;
    if (trivial)
      pass_column<R, false>(twiddle, step, blocks, R * step, at);
    else
      pass_column<R, true>(twiddle, step, blocks, R * step, at);
  }
}

// Accumulates A_s = sum u_r cos, B_s = sum v_r sin for kCount values of s. uv: [pair][u, v][re,
// im].
template <int kCount>
HWY_INLINE void dense_sums(const Real* uv, const Real* cs, std::size_t cs_row, int pairs, C* a,
                           C* b) {
  const D d;
  for (int s = 0; s < kCount; ++s) a[s] = b[s] = {hn::Zero(d), hn::Zero(d)};
  for (int r = pairs; r-- > 0;) {  // small terms first, as in dense_rows
    const C u = load_c(uv + r * 2 * kSlot);
    const C v = load_c(uv + r * 2 * kSlot + kSlot);
    for (int s = 0; s < kCount; ++s) {
      const V c = hn::Set(d, cs[s * cs_row + 2 * r]);
      const V n = hn::Set(d, cs[s * cs_row + 2 * r + 1]);
      a[s].re = hn::MulAdd(u.re, c, a[s].re);
      a[s].im = hn::MulAdd(u.im, c, a[s].im);
      b[s].re = hn::MulAdd(v.re, n, b[s].re);
      b[s].im = hn::MulAdd(v.im, n, b[s].im);
    }
  }
}

constexpr int kDenseBlock = kLanes * sizeof(Real) == 64 ? 4 : 2;

// Calls emit(s, A, B) for s in [first, last].
template <class Emit>
HWY_INLINE void dense_butterfly(const Real* uv, const Real* table, std::size_t cs_row, int pairs,
                                int first, int last, const Emit& emit) {
  int s = first;
  C a[kDenseBlock];
  C b[kDenseBlock];
  for (; s + kDenseBlock - 1 <= last; s += kDenseBlock) {
    dense_sums<kDenseBlock>(uv, table + (s - first) * cs_row, cs_row, pairs, a, b);
    for (int i = 0; i < kDenseBlock; ++i) emit(s + i, a[i], b[i]);
  }
  // The rest, two together where there are two: a single sum waits for its own FMAs.
  for (; s + 1 <= last; s += 2) {
    dense_sums<2>(uv, table + (s - first) * cs_row, cs_row, pairs, a, b);
    emit(s, a[0], b[0]);
    emit(s + 1, a[1], b[1]);
  }
  if (s <= last) {
    dense_sums<1>(uv, table + (s - first) * cs_row, cs_row, pairs, a, b);
    emit(s, a[0], b[0]);
  }
}

// Any odd radix; `work` holds 2 (radix - 1) slots.
HWY_NOINLINE void generic_pass(const FftPass& pass, std::size_t blocks, Real* buffer, Real* work) {
  const int radix = pass.radix;
  const int h = (radix - 1) / 2;
  const std::size_t step = static_cast<std::size_t>(pass.length) * kSlot;
  for (int k = 0; k < pass.length; ++k) {
    const Real* twiddle = pass.twiddle.data() + static_cast<std::size_t>(k) * 2 * (radix - 1);
    for (std::size_t block = 0; block < blocks; ++block) {
      Real* at = buffer + static_cast<std::size_t>(k) * kSlot + block * radix * step;
      const C x0 = load_c(at);
      C sum = x0;
      for (int r = 1; r <= h; ++r) {
        C p = load_c(at + r * step);
        C q = load_c(at + (radix - r) * step);
        if (pass.twiddled) {
          p = turn(p, twiddle + 2 * (r - 1));
          q = turn(q, twiddle + 2 * (radix - r - 1));
        }
        const C u = p + q;
        sum = sum + u;
        store_c(u, work + (r - 1) * 2 * kSlot);
        store_c(p - q, work + (r - 1) * 2 * kSlot + kSlot);
      }
      store_c(sum, at);
      dense_butterfly(work, pass.dense.data(), static_cast<std::size_t>(2 * h), h, 1, h,
                      [&](int s, const C& a, const C& b) {
                        const C e = x0 + a;
                        store_c(minus_i(e, b), at + s * step);
                        store_c(plus_i(e, b), at + (radix - s) * step);
                      });
    }
  }
}

// Residues r and p - r of a butterfly of p points, in the order of its product; `work` has room for
// 4 slots a pair.
struct PrimeSums {
  Real *u, *v, *a, *b;
  PrimeSums(const PrimeButterfly& prime, Real* work)
      : u(work),
        v(u + prime.in.size() * kSlot),
        a(v + prime.in.size() * kSlot),
        b(a + prime.in.size() * kSlot) {}
  HWY_INLINE void sum(const PrimeButterfly& prime) const {
    cyclic_product(prime.even, u, a);
    cyclic_product(prime.odd, v, b);
  }
};

// A prime radix whose sums split.
HWY_NOINLINE void prime_pass(const FftPass& pass, std::size_t blocks, Real* buffer, Real* work) {
  const PrimeButterfly& prime = pass.prime;
  const std::size_t pairs = prime.in.size();
  const std::size_t step = static_cast<std::size_t>(pass.length) * kSlot;
  const PrimeSums sums(prime, work);
  for (int k = 0; k < pass.length; ++k) {
    const Real* twiddle = pass.twiddle.data() + static_cast<std::size_t>(k) * 2 * (pass.radix - 1);
    for (std::size_t block = 0; block < blocks; ++block) {
      Real* at = buffer + static_cast<std::size_t>(k) * kSlot + block * pass.radix * step;
      const C x0 = load_c(at);
      C total = x0;
      for (std::size_t i = 0; i < pairs; ++i) {
        const int r = prime.in[i];
        C p = load_c(at + r * step);
        C q = load_c(at + (pass.radix - r) * step);
        if (pass.twiddled) {
          p = turn(p, twiddle + 2 * (r - 1));
          q = turn(q, twiddle + 2 * (pass.radix - r - 1));
        }
        const C u = p + q;
        total = total + u;
        store_c(u, sums.u + i * kSlot);
        store_c(p - q, sums.v + i * kSlot);
      }
      sums.sum(prime);
      store_c(total, at);
      for (std::size_t i = 0; i < pairs; ++i) {
        const int s = prime.out[i];
        const C e = x0 + load_c(sums.a + i * kSlot);
        const C b = load_c(sums.b + i * kSlot);
        store_c(minus_i(e, b), at + s * step);
        store_c(plus_i(e, b), at + (pass.radix - s) * step);
      }
    }
  }
}

// One pass over `length` slots.
HWY_INLINE void one_pass(const FftPass& pass, int length, Real* at, Real* work) {
  const auto blocks = static_cast<std::size_t>(length / (pass.length * pass.radix));
  switch (pass.radix) {
    case 2:
      return fixed_pass<2>(pass, blocks, at);
    case 3:
      return fixed_pass<3>(pass, blocks, at);
    case 4:
      return fixed_pass<4>(pass, blocks, at);
    case 5:
      return fixed_pass<5>(pass, blocks, at);
    case 7:
      return fixed_pass<7>(pass, blocks, at);
    case 8:
      return fixed_pass<8>(pass, blocks, at);
    default:
      return pass.prime.empty() ? generic_pass(pass, blocks, at, work)
                                : prime_pass(pass, blocks, at, work);
  }
}

// Blocks of this many slots stay in the first cache; early passes go through them one by one.
constexpr int kNearSlots = static_cast<int>(32768 / (kSlot * sizeof(Real)));

HWY_INLINE void fft_passes(const Stage& stage, Real* buffer, Real* work) {
  const int subs = stage.selfs + stage.pairs == 0 ? 1 : stage.selfs + stage.pairs;
  std::size_t near = 0;
  int length = 1;
  while (near < stage.passes.size() && length * stage.passes[near].radix <= kNearSlots)
    length *= stage.passes[near++].radix;
  for (int sub = 0; sub < subs; ++sub) {
    Real* at = buffer + static_cast<std::size_t>(sub) * stage.fft_length * kSlot;
    for (int block = 0; block < stage.fft_length; block += length)
      for (std::size_t i = 0; i < near; ++i)
        one_pass(stage.passes[i], length, at + static_cast<std::size_t>(block) * kSlot, work);
    for (std::size_t i = near; i < stage.passes.size(); ++i)
      one_pass(stage.passes[i], stage.fft_length, at, work);
  }
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
