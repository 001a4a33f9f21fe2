/// \file
/// Measures one source file: its lines by kind, its functions, and how sure the figures are.
///
/// Lines. Every line is exactly one of
///   code     holds a token of the program, or any part of a string literal (a here-document and a
///            multi-line string are code through and through, their empty lines included);
///   comment  otherwise, holds a comment or a documentation string; `doc` counts those of them that
///            are documentation by the language's convention (/** */, ///, //!, docstrings, POD,
///            ...);
///   blank    otherwise: nothing but white space (also inside a comment).
/// A line ends at LF, CR LF or a lone CR; a last line without an end counts.
///
/// Complexity. Cyclomatic: 1 + decisions (McCabe, "A Complexity Measure", 1976): each branch, loop,
/// case label other than the default, handler, conditional expression, and short-circuit operator.
/// Cognitive: G. A. Campbell, "Cognitive Complexity" (SonarSource, 2018): a break of the linear
/// flow costs 1 plus its nesting; else, a run of like logical operators, a labelled jump and direct
/// recursion cost 1.
///
/// Limits: no preprocessing, so both branches of an #if are counted (braces are balanced per
/// branch); functions that a macro makes are not seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/codebase/language.hpp"

namespace neurolens::codebase {

/// Counts of lines. total == code + comment + blank; doc <= comment.
struct LineCounts {
  std::uint64_t total = 0;
  std::uint64_t code = 0;
  std::uint64_t comment = 0;
  std::uint64_t blank = 0;
  std::uint64_t doc = 0;

  LineCounts& operator+=(const LineCounts& other);
  friend bool operator==(const LineCounts&, const LineCounts&) = default;
};

struct FunctionMetrics {
  std::string name;              ///< Qualified as written; "<lambda>" for one without a name.
  std::uint32_t first_line = 0;  ///< 1-based line of the signature's name.
  std::uint32_t last_line = 0;   ///< Inclusive.
  std::uint32_t cyclomatic = 1;  ///< >= 1.
  std::uint32_t cognitive = 0;   ///< >= 0.
  std::uint32_t nesting = 0;     ///< Deepest level of control structures.
  std::uint32_t parameters = 0;  ///< Commas in the parameter list + 1.

  [[nodiscard]] std::uint32_t length() const { return last_line - first_line + 1; }
};

/// Reasons why a file's figures may be off. A bit set: see Measured::doubts.
enum class Doubt : std::uint16_t {
  ambiguous_language = 1,  ///< Extension shared by several languages.
  guessed_language = 2,    ///< Language taken from the content alone.
  open_string = 4,         ///< A string did not end where its language says that it must.
  open_comment = 8,        ///< A comment or here-document was still open at the end of the file.
  unbalanced = 16,         ///< Braces do not match: function figures may be off.
  bad_encoding = 32,       ///< Not valid in its encoding.
  ambiguous_syntax =
      64,  ///< A construct that needs a full parser (a regular expression or a division).
  functions_skipped = 128,  ///< Too large for function figures; lines are counted.
};
/// The sentence for one doubt, such as "a string is not closed".
[[nodiscard]] std::string_view describe(Doubt doubt);

/// What an encoding the file turned out to be in.
enum class Encoding : std::uint8_t { utf8, utf8_bom, utf16le, utf16be, utf32le, other };
[[nodiscard]] std::string_view to_string(Encoding encoding);

struct MeasureOptions {
  /// Find and measure functions. Off saves about half of the time.
  bool functions = true;
  /// Files above this size get line counts only. >= 0.
  std::uint64_t functions_limit_bytes = std::uint64_t{64} << 20;
};

struct Measured {
  LineCounts lines;
  std::vector<FunctionMetrics> functions;  ///< In order of their first line.
  std::uint16_t doubts = 0;                ///< Doubt bits.
  Encoding encoding = Encoding::utf8;
  bool binary = false;  ///< Held NUL bytes and no known encoding: nothing was counted.

  [[nodiscard]] bool has(Doubt doubt) const {
    return (doubts & static_cast<std::uint16_t>(doubt)) != 0;
  }
  /// A rank in (0, 1], not a probability: 1 with no doubt, less for each kind of doubt.
  [[nodiscard]] double confidence() const;
};

/// Measures `bytes` as a file of `language`. Never fails: every input has an answer. Linear in
/// size. Pure, thread-safe.
[[nodiscard]] Measured measure(std::string_view bytes, LanguageId language,
                               const MeasureOptions& options = {});

/// One letter per line: c code, m comment, d documentation, b blank. For tests and editors.
[[nodiscard]] std::string line_kinds(std::string_view bytes, LanguageId language);

}  // namespace neurolens::codebase
