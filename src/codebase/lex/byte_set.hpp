/// \file
/// Finds the next byte out of a set of ASCII bytes, 16 at a time.
/// Method: a byte is in the set when the bit of its high nibble is set in the word of its low
/// nibble; eight high nibbles make a byte, so two table look-ups and an AND decide exactly for
/// ASCII, and bytes from 0x80 on are never members.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#if defined(__SSSE3__)
#include <immintrin.h>
#endif

namespace neurolens::codebase {

class ByteSet {
 public:
  ByteSet() = default;
  explicit ByteSet(std::string_view members) {
    for (const char c : members) add(c);
  }
  void add(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      low_[byte & 15u] = static_cast<std::uint8_t>(low_[byte & 15u] | (1u << (byte >> 4)));
  }
  [[nodiscard]] bool contains(char c) const {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && (low_[byte & 15u] >> (byte >> 4) & 1u) != 0;
  }

  /// First member in [p, end), or end.
  [[nodiscard]] const char* find(const char* p, const char* end) const {
#if defined(__SSSE3__)
    const __m128i low = _mm_load_si128(reinterpret_cast<const __m128i*>(low_.data()));
    const __m128i high =
        _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, static_cast<char>(128), 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i nibble = _mm_set1_epi8(0x0f);
    while (end - p >= 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      const __m128i rows = _mm_shuffle_epi8(low, bytes);
      const __m128i bits = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
      const __m128i miss = _mm_cmpeq_epi8(_mm_and_si128(rows, bits), _mm_setzero_si128());
      const auto hits = static_cast<unsigned>(_mm_movemask_epi8(miss)) ^ 0xffffu;
      if (hits != 0) return p + __builtin_ctz(hits);
      p += 16;
    }
#endif
    while (p < end && !contains(*p)) ++p;
    return p;
  }

 private:
  alignas(16) std::array<std::uint8_t, 16> low_{};
};

}  // namespace neurolens::codebase
