#include <algorithm>
#include <cstring>

#include "lex/hooks.hpp"

namespace neurolens::codebase::hooks {
namespace {

std::ptrdiff_t column(const Scanner& s) {
  return s.pos() - s.line_begin();
}

// Column of the key on the line at `line`: past the indentation and past "- " of sequences.
std::ptrdiff_t yaml_indent(const char* line, const char* stop) {
  const char* p = line;
  while (p < stop && *p == ' ') ++p;
  while (p + 1 < stop && *p == '-' && p[1] == ' ') {
    ++p;
    while (p < stop && *p == ' ') ++p;
  }
  return p - line;
}

bool only_blanks(const char* p, const char* stop) {
  return std::all_of(p, stop, [](char c) { return is_blank_byte(c); });
}

// In the HTML around PHP: takes everything up to behind the next "<?" (or the end).
void php_html(Scanner& s) {
  const char* p = s.pos();
  while (p < s.end()) {
    const void* hit = std::memchr(p, '<', static_cast<std::size_t>(s.end() - p));
    if (hit == nullptr) break;
    p = static_cast<const char*>(hit);
    const std::string_view rest(p, static_cast<std::size_t>(s.end() - p));
    if (rest.starts_with("<?")) {
      s.take_code(p + (rest.starts_with("<?php") ? 5 : 2));
      return;
    }
    if (rest.starts_with("<!--")) {
      s.take_code(p);
      const std::size_t close = rest.find("-->");
      s.take_comment(close == std::string_view::npos ? s.end() : p + close + 3, false);
      p = s.pos();
    } else {
      ++p;
    }
  }
  s.take_code(s.end());
}

}  // namespace

bool long_bracket(Scanner& s, const Rule& rule) {
  const char* open = s.pos() + rule.open.size() - 1;  // at the first '['
  const char* p = open + 1;
  while (p < s.end() && *p == '=') ++p;
  if (p == s.end() || *p != '[') return false;
  const std::string close = "]" + std::string(open + 1, p) + "]";
  bool closed = true;
  const char* stop = find_string_end(p + 1, s.end(), close, kMultiLine, &closed);
  if (rule.close == "comment") {
    if (!closed) s.doubt(Doubt::open_comment);
    s.take_comment(stop, false);
  } else {
    if (!closed) s.doubt(Doubt::open_string);
    s.take_string(stop);
  }
  return true;
}

bool yaml_block(Scanner& s, const Rule&) {
  if (s.pos() == s.line_begin() || !is_blank_byte(s.at(-1))) return false;
  const char* p = s.pos() + 1;
  while (p < s.end() && (*p == '-' || *p == '+' || (*p >= '1' && *p <= '9'))) ++p;
  while (p < s.end() && is_blank_byte(*p)) ++p;
  if (p < s.end() && *p != '\n' && *p != '#') return false;
  const char* stop = s.line_end(p);
  const std::ptrdiff_t parent = yaml_indent(s.line_begin(), s.pos());
  // A document may be one block scalar ("--- |"): its content may stand at any column.
  const bool document =
      std::string_view(s.line_begin(), static_cast<std::size_t>(s.end() - s.line_begin()))
          .starts_with("---");
  const char* line = stop == s.end() ? stop : stop + 1;
  const char* last = line;
  while (line < s.end()) {
    const char* line_stop = s.line_end(line);
    const char* text = line;
    while (text < line_stop && *text == ' ') ++text;
    const char* next = line_stop == s.end() ? line_stop : line_stop + 1;
    if (!only_blanks(text, line_stop)) {
      // The parent of "key: |" is its mapping: content is indented deeper than the key.
      if (!document && text - line <= parent) break;
      if (document &&
          std::string_view(line, static_cast<std::size_t>(line_stop - line)).starts_with("---"))
        break;
      last = next;
    }
    line = next;
  }
  s.take_code(p);
  if (last > stop) {
    if (*p == '#') s.take_comment(stop, false);
    s.take_code(std::min(stop + 1, s.end()));
    s.take_string(last);
  }
  return true;
}

bool yaml_quote(Scanner& s, const Rule& rule) {
  const char* p = s.pos();
  while (p > s.line_begin() && is_blank_byte(p[-1])) --p;
  const bool first = p == s.line_begin();
  const bool after_mark = !first && std::strchr(":,[{-?!&*", p[-1]) != nullptr;
  if ((!first && !after_mark) || !s.may_try()) return false;  // an apostrophe in a plain scalar
  bool closed = true;
  const unsigned flags = kMultiLine | (rule.open == "\"" ? unsigned{kEscapes} : unsigned{kDoubles});
  const char* stop = find_string_end(s.pos() + 1, s.end(), rule.open, flags, &closed);
  if (!closed) return s.failed(stop);
  s.take_string(stop);
  return true;
}

bool php_start(Scanner& s, const Rule&) {
  php_html(s);
  return false;
}

bool php_close(Scanner& s, const Rule&) {
  s.take_code(s.pos() + 2);
  php_html(s);
  return true;
}

bool php_comment(Scanner& s, const Rule&) {
  if (*s.pos() == '#' && s.at(1) == '[') return false;  // an attribute
  const char* stop = s.line_end(s.pos());
  const std::string_view text(s.pos(), static_cast<std::size_t>(stop - s.pos()));
  const std::size_t close = text.find("?>");
  s.take_comment(close == std::string_view::npos ? stop : s.pos() + close, false);
  return true;
}

bool rest_is_comment(Scanner& s, const Rule& rule) {
  if (column(s) != 0) return false;
  const char* stop = s.line_end(s.pos());
  if (!only_blanks(s.pos() + rule.open.size(), stop)) return false;
  s.take_code(stop);
  s.take_comment(s.end(), false);
  return true;
}

bool fortran_column(Scanner& s, const Rule&) {
  if (column(s) != 0) return false;
  s.take_comment(s.line_end(s.pos()), false);
  return true;
}

bool char_or_prime(Scanner& s, const Rule&) {
  if (s.pos() > s.begin() && is_identifier_byte(s.at(-1))) return false;
  if (s.at(1) == '\\') {
    for (std::ptrdiff_t i = 3; i < 12; ++i) {
      if (s.at(i) != '\'') continue;
      s.take_string(s.pos() + i + 1);
      return true;
    }
    return false;
  }
  if (s.at(1) != '\0' && s.at(1) != '\n' && s.at(2) == '\'') {
    s.take_string(s.pos() + 3);
    return true;
  }
  return false;
}

bool haskell_dashes(Scanner& s, const Rule&) {
  static constexpr std::string_view kSymbols = "!#$%&*+./<=>?@\\^|~:";
  if (s.at(-1) == '-') return false;
  if (s.pos() > s.line_begin() && kSymbols.find(s.at(-1)) != std::string_view::npos) return false;
  const char* p = s.pos();
  while (p < s.end() && *p == '-') ++p;
  if (p < s.end() && kSymbols.find(*p) != std::string_view::npos && *p != '|') return false;
  if (p < s.end() && *p == '|' && p + 1 < s.end() && kSymbols.find(p[1]) != std::string_view::npos)
    return false;
  while (p < s.end() && is_blank_byte(*p)) ++p;
  s.take_comment(s.line_end(s.pos()), p < s.end() && (*p == '|' || *p == '^'));
  return true;
}

bool postgres_dollar(Scanner& s, const Rule&) {
  const char* p = s.pos() + 1;
  while (p < s.end() && p - s.pos() < 64 && is_identifier_byte(*p)) ++p;
  if (p == s.end() || *p != '$') return false;
  s.take_code(p + 1);
  return true;
}

}  // namespace neurolens::codebase::hooks
