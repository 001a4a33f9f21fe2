/// \file
/// The line classifier: one sweep over a text that tells code, comments, documentation and strings
/// apart. A language is a table of rules; what a table cannot say is a hook (lex/hooks_*.cpp).
///
/// The sweep jumps from one interesting byte to the next (ByteSet); a region (comment, string) is
/// first delimited and then accounted for line by line. Every byte is looked at a bounded number of
/// times, so the sweep is linear; hooks that look back remember how far they did.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lex/byte_set.hpp"
#include "lex/line_masks.hpp"
#include "neurolens/codebase/measure.hpp"

namespace neurolens::codebase {

class Scanner;
struct Rule;

enum class RuleKind : std::uint8_t { line_comment, block_comment, string, hook };

/// Consumes input at the scanner's position and returns true, or returns false and leaves it alone.
using Hook = bool (*)(Scanner&, const Rule&);

enum RuleFlag : std::uint16_t {
  kDoc = 1,            ///< Documentation.
  kNests = 2,          ///< Block comments nest.
  kMultiLine = 4,      ///< The string may span lines.
  kEscapes = 8,        ///< A backslash takes the next byte along.
  kDoubles = 16,       ///< The closing mark doubled stands for itself.
  kLineStart = 32,     ///< Only as the first thing on a line.
  kColumnZero = 64,    ///< Only at column 0.
  kBoundary = 128,     ///< Only after white space, at the start of a line or after ;&|()[]{},`.
  kContinues = 256,    ///< A line comment goes on after a backslash at the end of the line.
  kWord = 512,         ///< A word: no identifier byte may follow, any letter case.
  kWholeLines = 1024,  ///< A block comment whose end takes the rest of its line along.
};

struct Rule {
  std::string_view open;
  RuleKind kind = RuleKind::line_comment;
  std::string_view close = {};
  unsigned flags = 0;
  Hook hook = nullptr;
  // The opener's first four bytes, and which of them it has; set by compile_rules().
  std::uint32_t head = 0;
  std::uint32_t head_mask = 0;
};

/// What a language brings along. `first` indexes `rules` by first byte: rules of one byte are
/// neighbours, longest opener first.
struct LexTable {
  std::vector<Rule> rules;
  std::array<std::uint8_t, 256> first{};  ///< Index + 1 of the first rule for a byte; 0: none.
  ByteSet interesting;
  ByteSet always;  ///< Those that are so in every state: see compile_rules() and wants_all().
  bool counts_brackets = false;  ///< Keeps HookState::depth; brackets are interesting then.
  Hook line_hook = nullptr;      ///< Called at the first code byte of a line; true: it consumed.
  Hook start_hook = nullptr;     ///< Called once before the first line.
  Hook newline_hook = nullptr;   ///< Called after each line end met in code.

  /// 1 for an opening bracket, -1 for a closing one, where they are counted.
  [[nodiscard]] int bracket(char c) const {
    static constexpr std::array<std::int8_t, 256> kSteps = [] {
      std::array<std::int8_t, 256> steps{};
      for (const char open : {'(', '[', '{'}) steps[static_cast<unsigned char>(open)] = 1;
      for (const char close : {')', ']', '}'}) steps[static_cast<unsigned char>(close)] = -1;
      return steps;
    }();
    return counts_brackets ? kSteps[static_cast<unsigned char>(c)] : 0;
  }
};

/// The table for a set of rules. `sometimes`: bytes that hooks need not see but inside of a
/// construct (HookState::inside()).
[[nodiscard]] LexTable compile_rules(std::vector<Rule> rules, std::string_view sometimes = {});

enum class SegmentKind : std::uint8_t { comment, doc, string };

/// A region that is not plain code, [begin, end) in bytes. It knows where it ends, so that readers
/// of the code between need not count the lines inside.
struct Segment {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t end_line = 1;        ///< Line of `end`, 1-based.
  std::uint32_t end_line_begin = 0;  ///< Where that line starts, in bytes.
  SegmentKind kind = SegmentKind::comment;
};

/// State of the hooks; see the file of each.
struct HookState {
  // Python: open brackets, the current statement's first byte, and what it may be.
  int depth = 0;
  const char* statement = nullptr;
  bool header = false;
  bool expect_doc = false;
  bool continued = false;
  // JavaScript: brace depth inside each open template's ${ }.
  std::vector<std::uint32_t> templates;
  /// In a header of Python or a template of JavaScript: see LexTable::always.
  [[nodiscard]] bool inside() const { return header || !templates.empty(); }
  // Here-documents announced on this line.
  struct HereDocument {
    std::string_view word;
    bool indented = false;
  };
  std::vector<HereDocument> here;
  // Bytes read by attempts that came to nothing; past a bound, hooks stop trying, so that the sweep
  // stays linear on hostile input.
  std::size_t wasted = 0;
  // Where the last digit separator was, so that a look-back stops there.
  const char* separator = nullptr;
  // End and begin of the last comment: look-backs jump over it.
  const char* comment_begin = nullptr;
  const char* comment_end = nullptr;
};

class Scanner {
 public:
  /// `segments` and `kinds` may be null; `segments` needs a text below 4 GiB. None is owned.
  Scanner(std::string_view text, const LexTable& table, std::vector<Segment>* segments,
          std::string* kinds)
      : begin_(text.data()),
        end_(text.data() + text.size()),
        p_(begin_),
        line_begin_(begin_),
        table_(table),
        segments_(segments),
        kinds_(kinds) {}

  void run();

  [[nodiscard]] const LineCounts& lines() const { return lines_; }
  [[nodiscard]] std::uint16_t doubts() const { return doubts_; }

  // For hooks.
  [[nodiscard]] const char* begin() const { return begin_; }
  [[nodiscard]] const char* end() const { return end_; }
  [[nodiscard]] const char* pos() const { return p_; }
  [[nodiscard]] const char* line_begin() const { return line_begin_; }
  /// True when nothing but white space or comments precedes on this line.
  [[nodiscard]] bool line_is_empty() const { return (line_ & kLineCode) == 0; }
  [[nodiscard]] char at(std::ptrdiff_t offset) const {
    return p_ + offset >= begin_ && p_ + offset < end_ ? p_[offset] : '\0';
  }
  [[nodiscard]] bool starts_with(std::string_view text) const {
    return std::string_view(p_, static_cast<std::size_t>(end_ - p_)).substr(0, text.size()) == text;
  }
  /// Takes [pos, to) as a string: code on each of its lines.
  void take_string(const char* to);
  /// Takes [from, to) with from <= pos as a string; the bytes before pos were code on this line.
  void take_string_from(const char* from, const char* to);
  /// Takes [pos, to) as a comment.
  void take_comment(const char* to, bool doc);
  /// Takes [pos, to) as plain code; white-space-only lines are blank.
  void take_code(const char* to);
  void doubt(Doubt doubt) {
    doubts_ = static_cast<std::uint16_t>(doubts_ | static_cast<std::uint16_t>(doubt));
  }
  [[nodiscard]] const char* line_end(const char* from) const;
  /// False once attempts that came to nothing have read several times what the sweep has.
  [[nodiscard]] bool may_try() const {
    return state.wasted <= (std::size_t{1} << 16) + 8 * static_cast<std::size_t>(p_ - begin_);
  }
  /// An attempt read up to `reached` in vain. Returns false.
  bool failed(const char* reached) {
    state.wasted += static_cast<std::size_t>(reached - p_);
    doubt(Doubt::ambiguous_syntax);
    return false;
  }

  HookState state;

 private:
  struct Window;
  enum : std::uint8_t { kLineCode = 1, kLineComment = 2, kLineDoc = 4 };
  void end_line();
  void new_line();
  void settle();
  bool dispatch();
  bool apply(const Rule& rule);
  [[nodiscard]] bool permitted(const Rule& rule) const;
  void line_comment(const Rule& rule);
  void block_comment(const Rule& rule);
  void plain_string(const Rule& rule);
  void run_by_masks();
  void run_by_marks();
  void count_lines(const LineMasks& masks, unsigned size, std::uint8_t flag);
  void account(const char* to, std::uint8_t flag, bool blank_is_flag);
  void add_segment(const char* from, SegmentKind kind);

  const char* begin_;
  const char* end_;
  const char* p_;
  const char* line_begin_;
  const LexTable& table_;
  std::vector<Segment>* segments_;
  std::string* kinds_;
  LineCounts lines_;
  std::uint16_t doubts_ = 0;
  std::uint8_t line_ = 0;
};

/// End of a string that starts after its opener at `p`: one past the closing mark; with no closing
/// mark, the line end (or `end` when it may span lines) and *closed is false.
[[nodiscard]] const char* find_string_end(const char* p, const char* end, std::string_view close,
                                          unsigned flags, bool* closed);

[[nodiscard]] inline bool is_identifier_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] inline bool is_blank_byte(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/// The rules of a language. Built on first use, lives as long as the process.
[[nodiscard]] const LexTable& lex_table(LanguageId language);

}  // namespace neurolens::codebase
