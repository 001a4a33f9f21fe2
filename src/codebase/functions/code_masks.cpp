#include "functions/code_masks.hpp"

// One source for every vector length; Highway picks what the processor has, at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "functions/code_masks.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "lex/byte_masks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::codebase {
namespace HWY_NAMESPACE {

// Where `v` and `bits` have one in common.
HWY_INLINE auto Any(V v, V bits) {
  return hn::Ne(hn::And(v, bits), hn::Zero(D()));
}

void CodeMasksOf(const char* text, const StopSet& stops, const LetterPairs& pairs, CodeMasks* out) {
  const D d;
  // Classes: 1 = \t\n\v\f\r, 2 = space, 4 = '$', 8 = digits, 16 = A-O a-o, 32 = P-Z p-z, 64 = '_'.
  alignas(16) static constexpr std::uint8_t kLow[16] = {
      2 | 8 | 32,  8 | 16 | 32, 8 | 16 | 32, 8 | 16 | 32,     4 | 8 | 16 | 32, 8 | 16 | 32,
      8 | 16 | 32, 8 | 16 | 32, 8 | 16 | 32, 1 | 8 | 16 | 32, 1 | 16 | 32,     1 | 16,
      1 | 16,      1 | 16,      16,          16 | 64};
  alignas(16) static constexpr std::uint8_t kHigh[16] = {1, 0, 2 | 4, 8, 16, 32 | 64, 16, 32};
  const V low = Table(kLow), high = Table(kHigh);
  const V stop_low = Table(stops.groups.low.data()), stop_high = Table(stops.groups.high.data());
  const V first_low = Table(pairs.first.data()), first_high = Table(pairs.first.data() + 16);
  const V second_low = Table(pairs.second.data()), second_high = Table(pairs.second.data() + 16);
  const V words = hn::Set(d, 4 | 8 | 16 | 32 | 64), blanks = hn::Set(d, 1 | 2),
          digits = hn::Set(d, 8);
  const V ascii = hn::Set(d, 0x7f), half = hn::Set(d, 0x10);
  const V always = hn::Set(d, stops.always), doubled = hn::Set(d, stops.doubled);
  const V kind_0 = hn::Set(d, stops.kinds[0]), kind_1 = hn::Set(d, stops.kinds[1]),
          kind_2 = hn::Set(d, stops.kinds[2]);
  const auto* p = reinterpret_cast<const std::uint8_t*>(text);
  CodeMasks made;  // not through `out`, which could be anywhere
  for (std::size_t at = 0; at < 64; at += hn::Lanes(d)) {
    const V bytes = hn::LoadU(d, p + at), next = hn::LoadU(d, p + at + 1);
    const V lower = LowerNibbles(bytes), upper = UpperNibbles(bytes);
    const V found = Classes(low, high, lower, upper);
    Put(hn::Or(Any(found, words), hn::Gt(bytes, ascii)), at, &made.words);
    Put(Any(found, blanks), at, &made.blanks);
    Put(Any(found, digits), at, &made.digits);
    Put(hn::Eq(bytes, hn::Set(d, '\n')), at, &made.newlines);
    Put(hn::Eq(bytes, hn::Set(d, '.')), at, &made.dots);
    Put(hn::Eq(bytes, hn::Set(d, '\\')), at, &made.slashes);
    Put(hn::Eq(bytes, hn::Set(d, ',')), at, &made.commas);
    Put(hn::Eq(bytes, hn::Set(d, '=')), at, &made.equals);
    const V next_lower = LowerNibbles(next);
    const V first = hn::IfThenElse(Any(bytes, half), hn::TableLookupBytes(first_high, lower),
                                   hn::TableLookupBytes(first_low, lower));
    const V second = hn::IfThenElse(Any(next, half), hn::TableLookupBytes(second_high, next_lower),
                                    hn::TableLookupBytes(second_low, next_lower));
    Put(Any(first, second), at, &made.pairs);
    // A group of doubled bytes stays where the next byte is equal.
    const V single = hn::IfThenZeroElse(hn::Eq(bytes, next), doubled);
    const V stop = hn::AndNot(single, Classes(stop_low, stop_high, lower, upper));
    Put(Any(stop, always), at, &made.always);
    Put(Any(stop, kind_0), at, &made.kinds[0]);
    Put(Any(stop, kind_1), at, &made.kinds[1]);
    Put(Any(stop, kind_2), at, &made.kinds[2]);
  }
  *out = made;
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::codebase
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::codebase {

HWY_EXPORT(CodeMasksOf);

CodeMasksFunction code_masks_function() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return HWY_DYNAMIC_DISPATCH(CodeMasksOf);
}

}  // namespace neurolens::codebase
#endif  // HWY_ONCE
