/// \file
/// Tokens of a scanned text: words, numbers, strings, operators; comments are gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "functions/byte_classes.hpp"
#include "functions/operators.hpp"
#include "functions/words.hpp"
#include "lex/scanner.hpp"

namespace neurolens::codebase {

enum class TokenKind : std::uint8_t { end, word, number, string, op, directive, newline };

struct Token {
  TokenKind kind = TokenKind::end;
  Word word = Word::none;
  std::uint16_t op = 0;           ///< One byte, or op2().
  OpKind meaning = OpKind::dull;  ///< Of an operator.
  bool space_before = true;
  bool first_on_line = false;
  std::uint32_t line = 1;    ///< Where it starts, 1-based.
  std::uint32_t column = 0;  ///< Bytes before it on its line.
  std::string_view text;     ///< Of words and directives (the word behind '#').

  [[nodiscard]] bool is(char c) const {
    return kind == TokenKind::op && op == static_cast<unsigned char>(c);
  }
  [[nodiscard]] bool is(char a, char b) const { return kind == TokenKind::op && op == op2(a, b); }
  [[nodiscard]] bool is(Word w) const { return kind == TokenKind::word && word == w; }
};

struct TokenOptions {
  bool directives = false;  ///< '#' at the start of a line is a directive, taken whole.
  bool newlines = false;    ///< Report line ends (Python).
};

/// Reads tokens one by one, from the masks of 64 bytes at a time. Linear; keeps references to the
/// text and the segments.
class Tokens {
 public:
  Tokens(std::string_view text, std::span<const Segment> segments, const WordTable& words,
         TokenOptions options)
      : text_(text), segments_(segments), words_(words), options_(options) {
    enter_gap();
  }
  /// Writes the next token over *token. A slot that is used again and again costs no copies.
  void next(Token* token);
  /// Line of the reading position.
  [[nodiscard]] std::uint32_t line() const { return line_; }
  /// Byte offset right behind the token read last.
  [[nodiscard]] std::size_t offset() const { return at_; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  void take_segment(Token* token);
  void take_directive(Token* token);
  void take_word(Token* token, std::size_t seen);
  void take_number(Token* token);
  void cross_segment();
  void enter_gap();
  void look();
  bool joins_lines();

  std::string_view text_;
  std::span<const Segment> segments_;
  const WordTable& words_;
  TokenOptions options_;
  std::size_t at_ = 0;
  std::size_t gap_end_ = 0;  ///< Start of the next segment, or the text's size.
  std::size_t segment_ = 0;  ///< Index of the next segment.
  std::size_t line_start_ = 0;
  std::size_t window_ = 0;  ///< Offset of the bytes that masks_ describe.
  ByteMasks masks_;         ///< What lies behind the gap counts as blank.
  std::uint32_t line_ = 1;
  bool line_fresh_ = true;
};

}  // namespace neurolens::codebase
