// Any bytes in any language: every line is counted exactly once, by masks as line by line;
// functions are the same whether all tokens are read or those only that may matter. A first line
// that is the name of a language chooses it (the seeds do so); otherwise the first byte does. That
// time grows in proportion is the business of steps_main.cpp; what is far off shows here as a
// time-out on the repeated input.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "functions/functions.hpp"
#include "lex/scanner.hpp"
#include "neurolens/codebase/measure.hpp"
#include "source_text.hpp"

namespace nc = neurolens::codebase;

namespace {

bool same(const nc::FunctionMetrics& a, const nc::FunctionMetrics& b) {
  return a.name == b.name && a.first_line == b.first_line && a.last_line == b.last_line &&
         a.cyclomatic == b.cyclomatic && a.cognitive == b.cognitive && a.nesting == b.nesting &&
         a.parameters == b.parameters;
}

void compare_readings(std::string_view bytes, nc::LanguageId language, const nc::Measured& m) {
  nc::SourceText source;
  nc::decode(bytes, &source);
  if (source.binary) return;
  std::vector<nc::Segment> segments;
  nc::Scanner scanner(source.text, nc::lex_table(language), &segments, nullptr);
  scanner.run();
  bool balanced = true;
  const auto all = nc::find_functions(source.text, segments, language, &balanced, true);
  if (all.size() != m.functions.size()) std::abort();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!same(all[i], m.functions[i])) std::abort();
  }
  if (!balanced != m.has(nc::Doubt::unbalanced)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, text.find('\n'));
  const auto named = nc::language_named(first);
  const nc::LanguageId language =
      named ? *named : nc::LanguageId(std::size_t{data[0]} % nc::languages().size());
  text.remove_prefix(named ? std::min(first.size() + 1, size) : 1);
  const nc::Measured m = nc::measure(text, language);
  if (m.lines.total != m.lines.code + m.lines.comment + m.lines.blank) std::abort();
  if (m.lines.doc > m.lines.comment) std::abort();
  const std::string kinds = nc::line_kinds(text, language);
  if (kinds.size() != m.lines.total) std::abort();
  const auto count = [&kinds](char kind) {
    return static_cast<std::uint64_t>(std::count(kinds.begin(), kinds.end(), kind));
  };
  if (count('c') != m.lines.code || count('b') != m.lines.blank) std::abort();
  if (count('d') != m.lines.doc) std::abort();
  compare_readings(text, language, m);
  for (const nc::FunctionMetrics& f : m.functions) {
    if (f.first_line < 1 || f.last_line < f.first_line || f.last_line > m.lines.total + 1)
      std::abort();
  }
  std::string many;
  for (int i = 0; i < 32 && many.size() < 200000; ++i) many.append(text);
  if (nc::measure(many, language).lines.total > many.size() + 1) std::abort();
  return 0;
}
