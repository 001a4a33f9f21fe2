// The phase controller over all nodes of a stream at once (branches become selections), and the
// uniform draws that it and the dial need.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/phase.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>

#include "simd/math-inl.h"
#include "tables.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

HWY_INLINE V Splat(float x) {
  return hn::Set(D(), x);
}

// values[phase], phase in {0, 1, 2, 3}.
HWY_INLINE V ByPhase(V phase, float v0, float v1, float v2, float v3) {
  const V low = hn::IfThenElse(hn::Eq(phase, Splat(0.0f)), Splat(v0), Splat(v1));
  const V high = hn::IfThenElse(hn::Eq(phase, Splat(2.0f)), Splat(v2), Splat(v3));
  return hn::IfThenElse(hn::Lt(phase, Splat(1.5f)), low, high);
}

HWY_INLINE V CountPassed(V at, V first, V second, V third) {
  const V one = Splat(1.0f);
  return hn::Add(hn::Add(hn::IfThenElseZero(hn::Ge(at, first), one),
                         hn::IfThenElseZero(hn::Ge(at, second), one)),
                 hn::IfThenElseZero(hn::Ge(at, third), one));
}

HWY_INLINE V Weight(const PhaseRules<float>& r, V phase, int to, V bias) {
  const V log_p = ByPhase(phase, r.log_table[0][to], r.log_table[1][to], r.log_table[2][to],
                          r.log_table[3][to]);
  return Exp(hn::Mul(hn::Add(log_p, bias), Splat(r.inverse_temperature)));
}

HWY_INLINE V NextPhase(const PhaseRules<float>& r, V phase, V stress, V debt, V energy, V activity,
                       V u) {
  const V sleepy = hn::MulAdd(Splat(r.bias_stress), stress,
                              hn::MulAdd(Splat(r.bias_debt), debt, Splat(r.circadian)));
  const V w0 = Weight(r, phase, 0, hn::Zero(D()));
  const V w1 = Weight(r, phase, 1, sleepy);
  const V w2 = Weight(r, phase, 2, hn::Mul(Splat(r.bias_activity), activity));
  const V w3 = Weight(r, phase, 3, hn::Mul(Splat(r.bias_energy / r.energy_max), energy));
  const V rest = hn::Mul(hn::Sub(u, Splat(r.exploration)), Splat(1.0f / (1.0f - r.exploration)));
  const V two = hn::Add(w0, w1);
  const V three = hn::Add(two, w2);
  V next = CountPassed(hn::Mul(rest, hn::Add(three, w3)), w0, two, three);
  if (r.guards) {  // last guard first, so that the first one that holds wins
    next = hn::IfThenElse(hn::Gt(activity, Splat(r.activity_high)), Splat(2.0f), next);
    next = hn::IfThenElse(
        hn::And(hn::Gt(energy, Splat(r.energy_high)), hn::Lt(activity, Splat(r.activity_low))),
        Splat(3.0f), next);
    const auto tired =
        hn::Or(hn::Or(hn::Gt(stress, Splat(r.stress_limit)), hn::Gt(debt, Splat(r.debt_limit))),
               hn::Lt(energy, Splat(r.energy_low)));
    next = hn::IfThenElse(tired, Splat(1.0f), next);
  }
  if (r.exploration > 0) {
    const V drawn = hn::Mul(u, Splat(1.0f / r.exploration));
    const V free = CountPassed(drawn, Splat(r.base[0]), Splat(r.base[1]), Splat(r.base[2]));
    next = hn::IfThenElse(hn::Lt(u, Splat(r.exploration)), free, next);
  }
  return next;
}

void PhaseStepSimd(const PhaseRules<float>& r, const PhaseState<float>& s) {
  for (std::int64_t n = 0; n < s.nodes; n += kLanes) {
    const std::int64_t left = s.nodes - n;
    const V zero = hn::Zero(D());
    const V phase = LoadPart(s.phase + n, left);
    const auto asleep = hn::Eq(phase, Splat(1.0f));
    const V activity = hn::IfThenZeroElse(asleep, LoadPart(s.activity + n, left));
    const V old_energy = LoadPart(s.energy + n, left);
    V raw = hn::Max(hn::Sub(Splat(r.stress_floor), old_energy), zero);
    raw = hn::Add(hn::MulAdd(Splat(r.stress_activity), activity, raw),
                  LoadPart(s.variance + n, left));
    const V stress =
        hn::MulAdd(Splat(r.stress_smoothing), raw,
                   hn::Mul(Splat(1.0f - r.stress_smoothing), LoadPart(s.stress + n, left)));
    V energy = hn::MulAdd(Splat(1.0f - r.energy_decay), old_energy,
                          hn::IfThenElseZero(asleep, Splat(r.energy_recovery)));
    energy = hn::NegMulAdd(Splat(r.energy_cost), activity, energy);
    energy = hn::Min(hn::Max(energy, zero), Splat(r.energy_max));
    V rate = ByPhase(phase, r.debt_rate[0], r.debt_rate[1], r.debt_rate[2], r.debt_rate[3]);
    rate = hn::IfThenElse(hn::And(asleep, hn::Gt(stress, Splat(r.stress_limit))),
                          Splat(r.debt_stressed_sleep), rate);
    const V debt = hn::Min(hn::Max(hn::Add(LoadPart(s.debt + n, left), rate), zero), Splat(1.0f));
    StorePart(stress, s.stress + n, left);
    StorePart(energy, s.energy + n, left);
    StorePart(debt, s.debt + n, left);
    StorePart(NextPhase(r, phase, stress, debt, energy, activity, LoadPart(s.uniform + n, left)),
              s.phase + n, left);
  }
}

using DU = hn::RebindToUnsigned<D>;
using VU = hn::Vec<DU>;

struct Words {
  VU low, high;
};

// The 64-bit products of all lanes with m.
HWY_INLINE Words WideProduct(VU a, VU m) {
  const DU d;
  const hn::RepartitionToWide<DU> dw;
  const auto low_half = hn::Set(dw, 0xFFFFFFFFu);
  const auto even = hn::MulEven(a, m);
  const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(dw, a))), m);
  return {hn::BitCast(d, hn::Or(hn::And(even, low_half), hn::ShiftLeft<32>(odd))),
          hn::BitCast(d, hn::Or(hn::ShiftRight<32>(even), hn::AndNot(low_half, odd)))};
}

HWY_INLINE V UpperBits(VU word) {
  const hn::RebindToSigned<D> di;
  const auto bits = hn::BitCast(di, hn::ShiftRight<8>(word));
  return hn::Mul(hn::ConvertTo(D(), bits), Splat(0x1p-24f));
}

// Philox4x32-10 (see base/random.hpp), one counter in each lane.
void UniformSimd(const UniformDraws& draws, std::int64_t n, float* out) {
  const DU d;
  HWY_ALIGN float block[4 * kLanes];
  for (std::int64_t at = 0; at < n; at += 4 * kLanes) {
    VU c0 = hn::Iota(d, draws.counter[0] + static_cast<std::uint32_t>(at / 4));
    VU c1 = hn::Set(d, draws.counter[1]), c2 = hn::Set(d, draws.counter[2]);
    VU c3 = hn::Set(d, draws.counter[3]);
    VU k0 = hn::Set(d, draws.key[0]), k1 = hn::Set(d, draws.key[1]);
    for (int round = 0; round < 10; ++round) {
      const Words a = WideProduct(c0, hn::Set(d, 0xD2511F53u));
      const Words b = WideProduct(c2, hn::Set(d, 0xCD9E8D57u));
      c0 = hn::Xor(hn::Xor(b.high, c1), k0), c1 = b.low;
      c2 = hn::Xor(hn::Xor(a.high, c3), k1), c3 = a.low;
      k0 = hn::Add(k0, hn::Set(d, 0x9E3779B9u)), k1 = hn::Add(k1, hn::Set(d, 0xBB67AE85u));
    }
    const bool whole = at + 4 * kLanes <= n;
    hn::StoreInterleaved4(UpperBits(c0), UpperBits(c1), UpperBits(c2), UpperBits(c3), D(),
                          whole ? out + at : block);
    if (!whole) std::copy_n(block, n - at, out + at);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::kernels {
HWY_EXPORT(PhaseStepSimd);
HWY_EXPORT(UniformSimd);

void fill_phase(Kernels<float>& table) {
  table.phase_step = &HWY_DYNAMIC_DISPATCH(PhaseStepSimd);
  table.uniform = &HWY_DYNAMIC_DISPATCH(UniformSimd);
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
