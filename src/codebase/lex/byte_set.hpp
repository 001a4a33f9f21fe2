/// \file
/// Finds the next byte out of a set of ASCII bytes, 16 at a time; out of three; or the first that
/// is no blank. Method: a byte is in the set when the bit of its high nibble is set in the word of
/// its low nibble; eight high nibbles make a byte, so two table look-ups and an AND decide exactly
/// for ASCII, and bytes from 0x80 on are never members.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
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

  /// The words of the low nibbles: 16 bytes, aligned.
  [[nodiscard]] const std::uint8_t* rows() const { return low_.data(); }

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

/// First of three bytes in [p, end), or end.
[[nodiscard]] inline const char* find_of_three(const char* p, const char* end, char a, char b,
                                               char c) {
#if defined(__SSE2__)
  const __m128i x = _mm_set1_epi8(a), y = _mm_set1_epi8(b), z = _mm_set1_epi8(c);
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i hit = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, x), _mm_cmpeq_epi8(bytes, y)), _mm_cmpeq_epi8(bytes, z));
    const auto hits = static_cast<unsigned>(_mm_movemask_epi8(hit));
    if (hits != 0) return p + __builtin_ctz(hits);
  }
#endif
  while (p < end && *p != a && *p != b && *p != c) ++p;
  return p;
}

/// First byte in [p, end) that is neither space nor tab, or end: what indentation is mostly made
/// of.
[[nodiscard]] inline const char* skip_indent(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(' '), tab = _mm_set1_epi8('\t');
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(bytes, space), _mm_cmpeq_epi8(bytes, tab));
    const auto others = static_cast<unsigned>(_mm_movemask_epi8(hit)) ^ 0xffffu;
    if (others != 0) return p + __builtin_ctz(others);
  }
#endif
  while (p < end && (*p == ' ' || *p == '\t')) ++p;
  return p;
}

}  // namespace neurolens::codebase
