// Any bytes in any language: every line is counted exactly once. A first line that is the name of a
// language chooses it (the seeds do so); otherwise the first byte does. That time grows in
// proportion is the business of steps_main.cpp; what is far off shows here as a time-out on the
// repeated input.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "neurolens/codebase/measure.hpp"

namespace nc = neurolens::codebase;

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
  if (nc::line_kinds(text, language).size() != m.lines.total) std::abort();
  for (const nc::FunctionMetrics& f : m.functions) {
    if (f.first_line < 1 || f.last_line < f.first_line || f.last_line > m.lines.total + 1)
      std::abort();
  }
  std::string many;
  for (int i = 0; i < 32 && many.size() < 200000; ++i) many.append(text);
  if (nc::measure(many, language).lines.total > many.size() + 1) std::abort();
  return 0;
}
