/// \file
/// What each of 64 bytes of program text is, as bit masks, for those who skip what cannot matter to
/// them. Method: a byte's class bits come from table look-ups by its nibbles (16 bytes at a time);
/// whether a word may be one of a set is told from its first two letters: the letters make up to
/// eight groups, and both letters have to share one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace neurolens::codebase {

/// Up to eight groups of bytes; group g of byte b is bit g of low[b & 15] & high[b >> 4].
struct ByteGroups {
  alignas(16) std::array<std::uint8_t, 16> low{};
  alignas(16) std::array<std::uint8_t, 16> high{};

  /// Puts the bytes whose low nibble is in `lows` and whose high one is in `highs` into `group`.
  constexpr void add(unsigned group, std::initializer_list<unsigned> lows,
                     std::initializer_list<unsigned> highs) {
    for (const unsigned l : lows) low[l] = static_cast<std::uint8_t>(low[l] | 1u << group);
    for (const unsigned h : highs) high[h] = static_cast<std::uint8_t>(high[h] | 1u << group);
  }
  [[nodiscard]] constexpr std::uint8_t of(char byte) const {
    const auto b = static_cast<unsigned char>(byte);
    return static_cast<std::uint8_t>(low[b & 15u] & high[b >> 4]);
  }
};

/// First two letters of words, as groups by the letter's low five bits.
struct LetterPairs {
  alignas(16) std::array<std::uint8_t, 32> first{};
  alignas(16) std::array<std::uint8_t, 32> second{};

  /// True for every pair that a word of the set starts with, and for some others.
  [[nodiscard]] constexpr bool may_be(char a, char b) const {
    const auto x = static_cast<unsigned char>(a), y = static_cast<unsigned char>(b);
    return (first[x & 31u] & second[y & 31u]) != 0;
  }
};

/// Pairs for a set of words of at least two letters, without too many others.
[[nodiscard]] LetterPairs letter_pairs(std::string_view words_by_space);

/// Operators that a reader may ask for: always, or one kind at a time.
struct StopSet {
  static constexpr std::size_t kKinds = 3;
  ByteGroups groups;
  std::uint8_t always = 0;                   ///< Groups.
  std::array<std::uint8_t, kKinds> kinds{};  ///< Groups of each kind.
  std::uint8_t doubled = 0;  ///< Groups whose bytes count only where the next byte is the same.
};

/// Bit i speaks of byte i.
struct CodeMasks {
  std::uint64_t words = 0;     ///< Letters, digits, '_', '$', bytes from 0x80.
  std::uint64_t digits = 0;    ///< 0 to 9.
  std::uint64_t blanks = 0;    ///< White space, line ends included.
  std::uint64_t newlines = 0;  ///< '\n'.
  std::uint64_t dots = 0;      ///< '.'.
  std::uint64_t slashes = 0;   ///< '\\'.
  std::uint64_t commas = 0;    ///< ','.
  std::uint64_t equals = 0;    ///< '='.
  std::uint64_t pairs = 0;     ///< This byte and the next may start a word of the set.
  std::uint64_t always = 0;    ///< Stops.
  std::array<std::uint64_t, StopSet::kKinds> kinds{};
};

/// Masks of the 64 bytes at `text`; one more byte is read.
using CodeMasksFunction = void (*)(const char* text, const StopSet& stops, const LetterPairs& pairs,
                                   CodeMasks* out);
/// The one for this processor.
[[nodiscard]] CodeMasksFunction code_masks_function();

}  // namespace neurolens::codebase
