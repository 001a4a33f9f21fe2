// Vectors of up to 64 bytes, and masks of 64 bytes made from them. Included once per instruction
// set.
#if defined(NEUROLENS_CODEBASE_BYTE_MASKS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_CODEBASE_BYTE_MASKS_INL
#undef NEUROLENS_CODEBASE_BYTE_MASKS_INL
#else
#define NEUROLENS_CODEBASE_BYTE_MASKS_INL
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstddef>
#include <cstdint>

static_assert(std::endian::native == std::endian::little, "masks are put together byte by byte");

HWY_BEFORE_NAMESPACE();
namespace neurolens::codebase::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::uint8_t, 64>;
using V = hn::Vec<D>;

// 16 bytes, repeated.
HWY_INLINE V Table(const std::uint8_t* bytes) {
  return hn::LoadDup128(D(), bytes);
}

HWY_INLINE V LowerNibbles(V v) {
  return hn::And(v, hn::Set(D(), 0x0f));
}

HWY_INLINE V UpperNibbles(V v) {
  return hn::ShiftRight<4>(v);
}

// The bits that the tables of both nibbles have in common.
HWY_INLINE V Classes(V low, V high, V lower, V upper) {
  return hn::And(hn::TableLookupBytes(low, lower), hn::TableLookupBytes(high, upper));
}

// Bytes `at` to `at` + Lanes of a mask.
template <class M>
HWY_INLINE void Put(M mask, std::size_t at, std::uint64_t* out) {
  hn::StoreMaskBits(D(), mask, reinterpret_cast<std::uint8_t*>(out) + at / 8);
}

}  // namespace neurolens::codebase::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
