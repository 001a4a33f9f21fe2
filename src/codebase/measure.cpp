#include "neurolens/codebase/measure.hpp"

#include <array>

#include "functions/functions.hpp"
#include "lex/scanner.hpp"
#include "source_text.hpp"

namespace neurolens::codebase {
namespace {

struct DoubtRow {
  Doubt doubt;
  double factor;  ///< What the confidence is multiplied by.
  std::string_view sentence;
};

constexpr std::array kDoubts{
    DoubtRow{Doubt::ambiguous_language, 0.8, "its extension belongs to several languages"},
    DoubtRow{Doubt::guessed_language, 0.9, "its language was guessed from its content"},
    DoubtRow{Doubt::open_string, 0.7, "a string is not closed"},
    DoubtRow{Doubt::open_comment, 0.5, "a comment or here-document is not closed"},
    DoubtRow{Doubt::unbalanced, 0.7, "braces do not match"},
    DoubtRow{Doubt::bad_encoding, 0.8, "its bytes are not valid in its encoding"},
    DoubtRow{Doubt::ambiguous_syntax, 0.9, "a construct needs a full parser to be told apart"},
    DoubtRow{Doubt::functions_skipped, 1.0, "too large for function figures"},
};

}  // namespace

LineCounts& LineCounts::operator+=(const LineCounts& other) {
  total += other.total;
  code += other.code;
  comment += other.comment;
  blank += other.blank;
  doc += other.doc;
  return *this;
}

std::string_view describe(Doubt doubt) {
  for (const DoubtRow& row : kDoubts) {
    if (row.doubt == doubt) return row.sentence;
  }
  return "unknown doubt";
}

std::string_view to_string(Encoding encoding) {
  constexpr std::array<std::string_view, 6> kNames{"utf-8",    "utf-8-bom", "utf-16le",
                                                   "utf-16be", "utf-32le",  "other"};
  return kNames[static_cast<std::size_t>(encoding)];
}

double Measured::confidence() const {
  double product = 1.0;
  for (const DoubtRow& row : kDoubts) {
    if (has(row.doubt)) product *= row.factor;
  }
  return product;
}

Measured measure(std::string_view bytes, LanguageId language, const MeasureOptions& options) {
  Measured out;
  SourceText source;
  decode(bytes, &source);
  out.encoding = source.encoding;
  out.binary = source.binary;
  if (source.binary) return out;
  const bool wanted = options.functions && info(language).functions != FunctionStyle::none;
  const bool functions = wanted && source.text.size() <= options.functions_limit_bytes &&
                         source.text.size() < (1ull << 32);
  thread_local std::vector<Segment> segments;  // its capacity is worth keeping from file to file
  segments.clear();
  Scanner scanner(source.text, lex_table(language), functions ? &segments : nullptr, nullptr);
  scanner.run();
  out.lines = scanner.lines();
  out.doubts = scanner.doubts();
  const auto doubt = [&out](Doubt d) {
    out.doubts = static_cast<std::uint16_t>(out.doubts | static_cast<std::uint16_t>(d));
  };
  if (source.damaged) doubt(Doubt::bad_encoding);
  if (wanted && !functions) doubt(Doubt::functions_skipped);
  if (functions) {
    bool balanced = true;
    out.functions = find_functions(source.text, segments, language, &balanced);
    if (!balanced) doubt(Doubt::unbalanced);
  }
  return out;
}

std::string line_kinds(std::string_view bytes, LanguageId language) {
  SourceText source;
  decode(bytes, &source);
  std::string kinds;
  Scanner scanner(source.text, lex_table(language), nullptr, &kinds);
  scanner.run();
  return kinds;
}

}  // namespace neurolens::codebase
