/// \file
/// The words that matter for finding and measuring functions, per group of languages.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "functions/code_masks.hpp"
#include "neurolens/codebase/language.hpp"

namespace neurolens::codebase {

enum class Word : std::uint8_t {
  none,
  branch,  ///< if, unless, guard
  else_,
  elif,  ///< elif, elseif
  loop,  ///< for, while, foreach, loop, repeat
  while_,
  do_,
  choose,  ///< switch, match, when, select
  case_,
  handler,  ///< catch, except
  try_,
  logical_and,
  logical_or,
  jump,   ///< goto
  leave,  ///< break, continue: with a label they are jumps
  scope,  ///< class, struct, namespace, ...
  enum_,
  function,  ///< fn, func, fun, function, def
  operator_,
  template_,
  extern_,
  new_,
  special,    ///< alignas(...), noexcept(...): a group that names no function
  qualifier,  ///< const, override, ...: may stand behind a parameter list
  return_,
  lambda,
  soft,   ///< A keyword in some places only: match, case, async of Python.
  other,  ///< Any other word that names no function.
};

/// Word classes of one language. Most words of a program are none of them and go by their first
/// byte and length; the rest is one hash of length, first and last byte.
class WordTable {
 public:
  explicit WordTable(unsigned group);
  /// Requires a text that is not empty; `readable`: bytes from its start on that may be read.
  [[nodiscard]] Word find(std::string_view text, std::size_t readable) const {
    const std::uint32_t lengths = lengths_[static_cast<unsigned char>(text.front())];
    if (text.size() > 31 || (lengths >> text.size() & 1u) == 0) return Word::none;
    const std::uint64_t head = head_of(text, readable);
    std::size_t at = slot(text);
    for (; !entries_[at].text.empty(); at = (at + 1) % kSlots) {
      const Entry& entry = entries_[at];
      if (entry.head != head || entry.text.size() != text.size()) continue;
      if (text.size() <= 8 || entry.text.substr(8) == text.substr(8)) return entry.word;
    }
    return Word::none;
  }
  /// Whether words of this class do something wherever they stand, and not only by standing before
  /// something else.
  [[nodiscard]] bool delivers(Word word) const {
    return (delivered_ >> static_cast<unsigned>(word) & 1u) != 0;
  }
  /// How those words start.
  [[nodiscard]] const LetterPairs& pairs() const { return pairs_; }
  /// The table for a language.
  static const WordTable& of(LanguageId language);

 private:
  struct Entry {
    std::string_view text;
    std::uint64_t head = 0;  ///< head_of(text)
    Word word = Word::none;
  };
  static constexpr std::size_t kSlots = 512;
  // The first eight bytes as a number, zeros behind a shorter text.
  static std::uint64_t head_of(std::string_view text, std::size_t readable) {
    std::uint64_t head = 0;
    if (readable < 8) {
      std::memcpy(&head, text.data(), text.size() < 8 ? text.size() : 8);
      return head;
    }
    std::memcpy(&head, text.data(), 8);
    const std::size_t spare = text.size() < 8 ? 8 - text.size() : 0;
    if constexpr (std::endian::native == std::endian::little) return head << 8 * spare >> 8 * spare;
    return head >> 8 * spare << 8 * spare;
  }
  static std::size_t slot(std::string_view text) {
    return (text.size() * 131u + static_cast<unsigned char>(text.front()) * 29u +
            static_cast<unsigned char>(text.back()) * 7u) %
           kSlots;
  }
  std::array<Entry, kSlots> entries_{};
  LetterPairs pairs_;
  std::uint32_t delivered_ = 0;               ///< Bit n: class n.
  std::array<std::uint32_t, 256> lengths_{};  ///< Bit n: a word of n bytes starts with this byte.
};

}  // namespace neurolens::codebase
