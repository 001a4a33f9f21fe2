// The joining butterfly on lane vectors. Included once per instruction set.
#if defined(NEUROLENS_PDE_JOIN_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_PDE_JOIN_INL
#undef NEUROLENS_PDE_JOIN_INL
#else
#define NEUROLENS_PDE_JOIN_INL
#endif

#include <hwy/highway.h>

#include "kernels/fft_passes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE {

// The joining butterfly; see direct/stage.hpp for the mathematics.
HWY_NOINLINE void join_dense(const Stage& stage, Real* buffer, Real* work) {
  const D d;
  const std::size_t m = static_cast<std::size_t>(stage.fft_length);
  const int subs = stage.selfs + stage.pairs;
  const V sigma = hn::Set(d, stage.sigma);
  const V eta = hn::Set(d, stage.eta);
  const int p = stage.p;
  const Real* twiddle = stage.join_twiddle.data();
  for (const auto& column : stage.columns) {
    Real* const at = buffer + static_cast<std::size_t>(column.k) * kSlot;
    Real* const partner = buffer + static_cast<std::size_t>(column.partner) * kSlot;
    const bool lone = column.k == column.partner;
    for (int i = 0; i < stage.pairs; ++i) {
      const std::size_t offset = (stage.selfs + i) * m * kSlot;
      const Real* cs = twiddle + 2 * (stage.selfs + i);
      const C t = turn(load_c(at + offset), cs);
      const C b = times(turn_back(load_c(partner + offset), cs), sigma);
      store_c(t + b, work + i * 2 * kSlot);
      store_c(t - b, work + i * 2 * kSlot + kSlot);
    }
    C even{hn::Zero(d), hn::Zero(d)};
    C odd = even;
    if (stage.selfs > 0) {
      C t0 = load_c(at);
      if (stage.self_twiddled) t0 = turn(t0, twiddle);
      even = odd = t0;
      if (stage.selfs == 2) {
        const C t1 = turn(load_c(at + m * kSlot), twiddle + 2);
        even = t0 + t1;
        odd = t0 - t1;
      }
    }
    const auto emit = [&](int s, const C& a, const C& b) {
      const C e = s % 2 == 0 ? even : odd;
      const C below = minus_i(e + a, b);
      if (s == 0) {
        store_c(below, at);
        return;
      }
      if (2 * s == p) {
        if (stage.selfs == 2)
          store_c(below, at + m * kSlot);
        else if (!lone || (column.k == 0 && stage.sigma < 0))
          store_c(below, partner);
        return;
      }
      const std::size_t offset =
          (stage.selfs == 0 ? static_cast<std::size_t>(s)
                            : static_cast<std::size_t>(stage.selfs + s - 1)) *
          m * kSlot;
      store_c(below, at + offset);
      if (lone) return;
      const C turned = plus_i(a, b);
      const C other = p % 2 != 0 || s % 2 == 0 ? even : odd;
      store_c({hn::MulAdd(turned.re, eta, other.re), hn::MulAdd(turned.im, eta, other.im)},
              partner + offset);
    };
    dense_butterfly(work, stage.join_dense.data(), static_cast<std::size_t>(2 * stage.pairs),
                    stage.pairs, 0, p / 2, emit);
    twiddle += 2 * subs;
  }
}

// The same for a prime p whose sums split.
HWY_NOINLINE void join_prime(const Stage& stage, Real* buffer, Real* work) {
  const D d;
  const PrimeButterfly& prime = stage.prime;
  const int p = stage.p;
  const std::size_t pairs = prime.in.size();
  const std::size_t step = static_cast<std::size_t>(stage.fft_length) * kSlot;
  const V sigma = hn::Set(d, stage.sigma);
  const PrimeSums sums(prime, work);
  const Real* twiddle = stage.join_twiddle.data();
  for (const auto& column : stage.columns) {
    Real* const at = buffer + static_cast<std::size_t>(column.k) * kSlot;
    Real* const partner = buffer + static_cast<std::size_t>(column.partner) * kSlot;
    const bool lone = column.k == column.partner;
    const C t0 = stage.self_twiddled ? turn(load_c(at), twiddle) : load_c(at);
    C total = t0;
    for (std::size_t i = 0; i < pairs; ++i) {
      // Sub-transform min(r, p - r); for the other residue of the pair the parts change places.
      const int r = prime.in[i];
      const bool upper = 2 * r > p;
      const int sub = upper ? p - r : r;
      const Real* cs = twiddle + 2 * sub;
      const C t = turn(load_c(at + sub * step), cs);
      const C b = times(turn_back(load_c(partner + sub * step), cs), sigma);
      const C u = t + b;
      total = total + u;
      store_c(u, sums.u + i * kSlot);
      store_c(upper ? b - t : t - b, sums.v + i * kSlot);
    }
    sums.sum(prime);
    store_c(total, at);
    for (std::size_t i = 0; i < pairs; ++i) {
      const int s = prime.out[i];
      const bool upper = 2 * s > p;
      const std::size_t offset = static_cast<std::size_t>(upper ? p - s : s) * step;
      const C e = t0 + load_c(sums.a + i * kSlot);
      const C b = load_c(sums.b + i * kSlot);
      const C minus = minus_i(e, b);
      const C plus = plus_i(e, b);
      store_c(upper ? plus : minus, at + offset);
      if (!lone) store_c(upper ? minus : plus, partner + offset);
    }
    twiddle += 2 * (1 + pairs);
  }
}

HWY_INLINE void join(const Stage& stage, Real* buffer, Real* work) {
  if (stage.prime.empty())
    join_dense(stage, buffer, work);
  else
    join_prime(stage, buffer, work);
}

}  // namespace neurolens::pde::NEUROLENS_PDE_LANES::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
