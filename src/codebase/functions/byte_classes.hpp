/// \file
/// Classes of the bytes of program text, one by one and 64 at a time.
/// Method: a byte's low nibble and its high nibble each name a set of classes; what both name is
/// the class (two table look-ups and an AND for 16 bytes).
#pragma once

#include <array>
#include <cstdint>

#if defined(__SSSE3__)
#include <immintrin.h>
#endif

namespace neurolens::codebase {

/// In this order, so that every byte that may go on a word is >= word.
enum class ByteClass : std::uint8_t { op, space, newline, word, digit };

[[nodiscard]] inline ByteClass class_of(char byte) {
  static constexpr std::array<ByteClass, 256> kClasses = [] {
    std::array<ByteClass, 256> table{};
    for (int c = 0; c < 256; ++c) {
      const bool letter =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
      const bool space = c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
      table[static_cast<std::size_t>(c)] = letter                 ? ByteClass::word
                                           : c >= '0' && c <= '9' ? ByteClass::digit
                                           : c == '\n'            ? ByteClass::newline
                                           : space                ? ByteClass::space
                                                                  : ByteClass::op;
    }
    return table;
  }();
  return kClasses[static_cast<unsigned char>(byte)];
}

/// Bit i speaks of byte i.
struct ByteMasks {
  std::uint64_t words = 0;     ///< Letters, digits, '_', '$', bytes from 0x80.
  std::uint64_t blanks = 0;    ///< White space, line ends included.
  std::uint64_t newlines = 0;  ///< '\n'.
};

/// Masks of the 64 bytes at `p`.
[[nodiscard]] inline ByteMasks masks_of(const char* p) {
  ByteMasks masks;
#if defined(__SSSE3__)
  // Classes as bits: 1 = \t\n\v\f\r, 2 = space, 4 = '$', 8 = digits, 16 = A-O a-o, 32 = P-Z p-z,
  // 64 = '_'.
  const __m128i low = _mm_setr_epi8(
      2 | 8 | 32, 8 | 16 | 32, 8 | 16 | 32, 8 | 16 | 32, 4 | 8 | 16 | 32, 8 | 16 | 32, 8 | 16 | 32,
      8 | 16 | 32, 8 | 16 | 32, 1 | 8 | 16 | 32, 1 | 16 | 32, 1 | 16, 1 | 16, 1 | 16, 16, 16 | 64);
  const __m128i high = _mm_setr_epi8(1, 0, 2 | 4, 8, 16, 32 | 64, 16, 32, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m128i nibble = _mm_set1_epi8(0x0f);
  const __m128i blank_bits = _mm_set1_epi8(3);
  const __m128i zero = _mm_setzero_si128();
  for (int i = 0; i < 4; ++i) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i));
    // A shuffle by a byte with its top bit set yields 0: no class, and a word byte all the same.
    const __m128i found =
        _mm_and_si128(_mm_shuffle_epi8(low, bytes),
                      _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble)));
    const auto bits = [](__m128i x) {
      return std::uint64_t{static_cast<unsigned>(_mm_movemask_epi8(x))};
    };
    const std::uint64_t none = bits(_mm_cmpeq_epi8(found, zero));
    const std::uint64_t no_blank = bits(_mm_cmpeq_epi8(_mm_and_si128(found, blank_bits), zero));
    const std::uint64_t newline = bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
    masks.words |= ((~none & no_blank & 0xffffu) | bits(bytes)) << (16 * i);
    masks.blanks |= (~no_blank & 0xffffu) << (16 * i);
    masks.newlines |= newline << (16 * i);
  }
#else
  for (int i = 0; i < 64; ++i) {
    const ByteClass c = class_of(p[i]);
    const std::uint64_t bit = std::uint64_t{1} << i;
    if (c >= ByteClass::word) masks.words |= bit;
    if (c == ByteClass::space || c == ByteClass::newline) masks.blanks |= bit;
    if (c == ByteClass::newline) masks.newlines |= bit;
  }
#endif
  return masks;
}

}  // namespace neurolens::codebase
