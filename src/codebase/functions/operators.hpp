/// \file
/// Operators of one or two bytes, and what they mean to those who look for functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace neurolens::codebase {

/// What an operator means to those who look for functions; a dense number for a jump table.
enum class OpKind : std::uint8_t {
  dull,  ///< Nothing.
  open_paren,
  close_paren,
  open_bracket,
  open_brace,
  close_brace,
  semicolon,
  comma,
  less,
  greater,
  assign,
  colon,
  question,
  elvis,     ///< ?:
  coalesce,  ///< ??
  logical_and,
  logical_or,
  fat_arrow,  ///< =>
  arrow       ///< ->
};

/// Two-byte operators are packed as (first << 8 | second).
constexpr std::uint16_t op2(char a, char b) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(a) << 8 |
                                    static_cast<unsigned char>(b));
}

// Which byte may follow which to make one operator, as bits: no branch to guess wrong at.
struct Pairs {
  std::array<std::uint16_t, 256> firsts{};   ///< Bits of the seconds that join.
  std::array<std::uint16_t, 256> seconds{};  ///< One bit, or none.
  /// Whether the byte is part of any such operator.
  [[nodiscard]] constexpr bool joins(char c) const {
    return (firsts[static_cast<unsigned char>(c)] | seconds[static_cast<unsigned char>(c)]) != 0;
  }
  [[nodiscard]] constexpr bool join(char a, char b) const {
    return (firsts[static_cast<unsigned char>(a)] & seconds[static_cast<unsigned char>(b)]) != 0;
  }
};

inline constexpr Pairs kPairs = [] {
  Pairs pairs;
  unsigned next = 0;
  for (const char* p :
       {"&&", "||", "=>", "==", "->", "--", "::", "?.", "??", "?:", "[[", "!=", "<=", ">=", "++"}) {
    std::uint16_t& second = pairs.seconds[static_cast<unsigned char>(p[1])];
    if (second == 0) second = static_cast<std::uint16_t>(1u << next++);
    std::uint16_t& first = pairs.firsts[static_cast<unsigned char>(p[0])];
    first = static_cast<std::uint16_t>(first | second);
  }
  return pairs;
}();

inline constexpr std::array<OpKind, 256> kMeanings = [] {
  std::array<OpKind, 256> table{};
  const auto set = [&table](char c, OpKind kind) { table[static_cast<unsigned char>(c)] = kind; };
  set('(', OpKind::open_paren);
  set(')', OpKind::close_paren);
  set('[', OpKind::open_bracket);
  set('{', OpKind::open_brace);
  set('}', OpKind::close_brace);
  set(';', OpKind::semicolon);
  set(',', OpKind::comma);
  set('<', OpKind::less);
  set('>', OpKind::greater);
  set('=', OpKind::assign);
  set(':', OpKind::colon);
  set('?', OpKind::question);
  return table;
}();

constexpr OpKind meaning_of(std::uint16_t pair) {
  switch (pair) {
    case op2('[', '['):
      return OpKind::open_bracket;
    case op2('?', ':'):
      return OpKind::elvis;
    case op2('?', '?'):
      return OpKind::coalesce;
    case op2('&', '&'):
      return OpKind::logical_and;
    case op2('|', '|'):
      return OpKind::logical_or;
    case op2('=', '>'):
      return OpKind::fat_arrow;
    case op2('-', '>'):
      return OpKind::arrow;
    default:
      return OpKind::dull;
  }
}

/// Meanings of the bytes that are operators by themselves, whatever stands beside them; kNotAlone
/// for the others.
inline constexpr std::uint8_t kNotAlone = 0xff;
inline constexpr std::array<std::uint8_t, 256> kAlone = [] {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c) {
    const bool joins = kPairs.joins(static_cast<char>(c));
    table[c] = joins || c == '#' ? kNotAlone : static_cast<std::uint8_t>(kMeanings[c]);
  }
  return table;
}();

}  // namespace neurolens::codebase
