#include "lex/line_masks.hpp"

// One source for every vector length; Highway picks what the processor has, at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lex/line_masks.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "lex/byte_masks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::codebase {
namespace HWY_NAMESPACE {

void LineMasksOf(const char* text, const ByteSet& set, LineMasks* out) {
  const D d;
  alignas(16) static constexpr std::uint8_t kHigh[16] = {1, 2, 4, 8, 16, 32, 64, 128};
  const V low = Table(set.rows()), high = Table(kHigh);
  const V tab = hn::Set(d, '\t'), four = hn::Set(d, 4);
  const V newline = hn::Set(d, '\n'), space = hn::Set(d, ' ');
  const auto* p = reinterpret_cast<const std::uint8_t*>(text);
  LineMasks made;
  for (std::size_t at = 0; at < 64; at += hn::Lanes(d)) {
    const V bytes = hn::LoadU(d, p + at);
    const V member = Classes(low, high, LowerNibbles(bytes), UpperNibbles(bytes));
    Put(hn::Ne(member, hn::Zero(d)), at, &made.marks);
    // \t \n \v \f \r are five neighbours.
    const V from_tab = hn::Sub(bytes, tab);
    Put(hn::Or(hn::Eq(hn::Min(from_tab, four), from_tab), hn::Eq(bytes, space)), at, &made.blanks);
    Put(hn::Eq(bytes, newline), at, &made.newlines);
  }
  made.blanks &= ~made.newlines;
  made.marks &= ~made.newlines;
  *out = made;
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::codebase
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::codebase {

HWY_EXPORT(LineMasksOf);

LineMasksFunction line_masks_function() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return HWY_DYNAMIC_DISPATCH(LineMasksOf);
}

}  // namespace neurolens::codebase
#endif  // HWY_ONCE
