/// \file
/// Program text as those who find functions read it: only the tokens that may matter to them, with
/// what stands before one told on demand. Most tokens of a program are names and operators that
/// change nothing; they are skipped 64 bytes at a time and never made.
///
/// Method: a window of 64 bytes has a mask for each kind of byte (code_masks.hpp). The reader says
/// what it wants next; the lowest wanted bit is the next token. Windows start where a token starts,
/// and end before one that goes on behind them, so that no token is cut. Delivering more than was
/// wanted is always right: a reader that takes every token comes to the same result.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "functions/code_masks.hpp"
#include "functions/operators.hpp"
#include "functions/tokens.hpp"
#include "functions/words.hpp"
#include "lex/scanner.hpp"

namespace neurolens::codebase {

/// What a reader takes from a text.
struct SkimRules {
  StopSet stops;  ///< Operators but ',' and '='; all others that mean something are among them.
  bool directives = false;     ///< '#' at the start of a line is a directive, taken whole.
  bool line_starts = false;    ///< Line ends matter (Python): first_on_line and column are set.
  bool single_colons = false;  ///< The last kind of stops is ':', of which "::" is none.
  bool every = false;          ///< Deliver every token, whatever is wanted. For tests.
};

struct SkimToken {
  TokenKind kind = TokenKind::end;
  Word word = Word::none;
  OpKind meaning = OpKind::dull;  ///< Of an operator.
  bool first_on_line = false;     ///< A line end lies between it and the code before; where wanted.
  std::uint16_t op = 0;           ///< One byte, or op2(); 0 when it is no operator.
  std::uint32_t line = 0;         ///< 0: not told yet; see Skim::line_of().
  std::uint32_t column = 0;       ///< Bytes before it on its line; where line starts matter.
  std::size_t begin = 0;          ///< Offset of its first byte.
  std::string_view text;          ///< Of words, strings and directives (the word behind '#').

  [[nodiscard]] bool is(char c) const { return op == static_cast<unsigned char>(c); }
  [[nodiscard]] bool is(char a, char b) const { return op == op2(a, b); }
  [[nodiscard]] bool is(Word w) const { return kind == TokenKind::word && word == w; }
  [[nodiscard]] bool spells(std::string_view name) const {
    return kind == TokenKind::word && text == name;
  }
};

class Skim {
 public:
  /// What is wanted next, as flags. Strings, directives about conditions, the end, words of
  /// WordTable::delivers() and operators that are always wanted come in any case; more may come at
  /// any time.
  enum Wanted : unsigned {
    kAll = 1,         ///< The very next token.
    kWords = 2,       ///< Every word.
    kLineStarts = 4,  ///< The first token of a line: see line_starts_before().
    kCommas = 8,      ///< ','
    kEquals = 16,     ///< '=', alone or first of two.
    kStops = 32       ///< Stops of the first kind; those of the others are the flags above it.
  };

  Skim(std::string_view text, std::span<const Segment> segments, const WordTable& words,
       const SkimRules& rules);

  /// The next token. Valid until the next call.
  // The next position is told by the mask alone, not by the size of the token before it: what is
  // done with one token need not be over before the search for the next starts.
  const SkimToken& next(unsigned wanted) {
    if (current_->kind != TokenKind::directive) std::swap(current_, previous_);
    if ((wanted | forced_) != wanted_) ask(wanted | forced_);
    if (pending_ == 0) return next_of_any(wanted);
    const auto bit = static_cast<unsigned>(std::countr_zero(pending_));
    const std::size_t at = window_ + bit;
    const char c = text_[at];
    const std::uint8_t meaning = kAlone[static_cast<unsigned char>(c)];
    if (((words_ | firsts_) >> bit & 1) != 0 || meaning == kNotAlone || at < scan_)
      return next_of_any(wanted);
    pending_ &= pending_ - 1;
    SkimToken& token = *current_;
    token.kind = TokenKind::op;
    token.meaning = static_cast<OpKind>(meaning);
    token.first_on_line = false;
    token.op = static_cast<unsigned char>(c);
    token.line = 0;
    token.begin = at;
    fresh_ = told_ = false;
    before_ = done_;
    done_ = scan_ = at + 1;
    return token;
  }
  /// Line starts from this column on are not wanted.
  void line_starts_before(std::uint32_t column) { deepest_ = column; }
  /// The token before the current one, whether it was delivered or not; of kind end at the start.
  /// Directives are none. Its column and first_on_line are not set.
  const SkimToken& previous() {
    if (!told_) tell_previous();
    return *previous_;
  }
  /// Whether the token before was delivered and is this operator; for those always wanted.
  [[nodiscard]] bool follows(char c) const {
    return previous_->is(c) && (told_ || nothing_between());
  }
  /// Line, 1-based, where the current or the previous token starts; where it ends if it is a
  /// string.
  [[nodiscard]] std::uint32_t line_of(const SkimToken& token) const;
  /// Whether white space or a comment stands right before the current token.
  [[nodiscard]] bool space_before() const;
  /// Byte offset right behind the current token.
  [[nodiscard]] std::size_t offset() const { return done_; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  const SkimToken& next_of_any(unsigned wanted);
  void ask(unsigned wanted);
  [[nodiscard]] char byte_at(std::size_t at) const { return at < gap_end_ ? text_[at] : '\0'; }
  bool take_word(unsigned bit);
  bool take_operator(unsigned bit);
  bool take_joined(unsigned bit);
  void deliver(unsigned bit, std::size_t size);
  [[nodiscard]] std::uint64_t code_before(std::size_t since, unsigned bit) const;
  [[nodiscard]] bool starts_line(unsigned bit) const;
  bool refill();
  bool cross_segment();
  void take_directive(std::size_t at);
  bool skip_directive(unsigned bit);
  [[nodiscard]] bool too_deep(unsigned bit) const;
  void pass_directive(std::size_t at, std::uint32_t line);
  [[nodiscard]] bool nothing_between() const;
  void tell_previous();
  void tell_last(std::uint64_t code);
  void name_word(SkimToken* token, std::size_t begin, std::size_t size) const;
  void look(std::size_t at, std::uint32_t line, std::size_t line_start);
  void enter(std::size_t at);
  void enter_next_gap();
  void join_numbers();
  void join_lines();
  void find_limit(unsigned begin);
  [[nodiscard]] unsigned run_start(unsigned bit) const;
  [[nodiscard]] std::uint32_t line_at(unsigned bit) const;
  [[nodiscard]] std::size_t line_start_at(unsigned bit) const;

  std::string_view text_;
  std::span<const Segment> segments_;
  const WordTable& words_table_;
  SkimRules rules_;
  CodeMasksFunction masks_of_64_;
  std::size_t segment_ = 0;  ///< Index of the next segment.
  std::size_t gap_begin_ = 0;
  std::size_t gap_end_ = 0;      ///< Start of the next segment, or the text's size.
  bool comment_before_ = false;  ///< A comment ends where the gap begins.

  // The window and its raw masks.
  std::size_t window_ = 0;
  CodeMasks masks_;
  std::uint32_t line_ = 1;      ///< Line at the start of the window.
  std::size_t line_start_ = 0;  ///< Where that line starts.

  // The same for the part of the gap in the window; what lies outside counts as blank.
  std::uint64_t words_ = 0, blanks_ = 0, breaks_ = 0, firsts_ = 0;
  static constexpr std::size_t kLineStart = 2;
  std::uint64_t always_ = 0;                 ///< Where what is wanted in any case may be,
  std::array<std::uint64_t, 8> optional_{};  ///< and what each flag of Wanted adds.
  unsigned limit_ = 0;                       ///< Bits from here on belong to the next window.
  unsigned forced_ = 0;  ///< kAll where a token goes on behind the window: read token by token.

  unsigned wanted_ = 0;        ///< What `pending_` was made for.
  std::uint64_t pending_ = 0;  ///< Where it may be, from the token read last on.
  std::size_t done_ = 0;       ///< End of the token delivered last.
  std::size_t before_ = 0;     ///< End of the one delivered before it.
  std::size_t scan_ = 0;       ///< A token's start or white space; nothing wanted before it.
  std::uint32_t deepest_ = ~std::uint32_t{0};
  bool fresh_ = true;  ///< A line ended between `done_` and the token before.
  bool told_ = true;   ///< `previous_` is the token before the current one.
  SkimToken slots_[2];
  SkimToken* current_ = &slots_[0];
  SkimToken* previous_ = &slots_[1];
};

}  // namespace neurolens::codebase
