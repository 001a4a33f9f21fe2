#include <algorithm>
#include <cstring>

#include "lex/hooks.hpp"

namespace neurolens::codebase::hooks {
namespace {

const char* shell_code_end(const char* p, const char* end, char close, int depth);

// One past the end of a double-quoted shell string whose inside starts at p; nullptr when open.
const char* double_quoted_end(const char* p, const char* end, int depth) {
  while (p < end) {
    if (*p == '\\') {
      p += 2;
    } else if (*p == '"') {
      return p + 1;
    } else if (*p == '$' && p + 1 < end && p[1] == '(' && depth < 48) {
      p = shell_code_end(p + 2, end, ')', depth + 1);
      if (p == nullptr) return nullptr;
    } else {
      ++p;
    }
  }
  return nullptr;
}

// One past the `close` that ends the code of a command substitution.
const char* shell_code_end(const char* p, const char* end, char close, int depth) {
  int parens = 0;
  while (p < end) {
    const char c = *p;
    if (c == close && parens == 0) return p + 1;
    if (c == '\\') {
      p += 2;
    } else if (c == '"') {
      if (depth >= 48) return nullptr;
      p = double_quoted_end(p + 1, end, depth + 1);
      if (p == nullptr) return nullptr;
    } else if (c == '\'') {
      p = static_cast<const char*>(std::memchr(p + 1, '\'', static_cast<std::size_t>(end - p - 1)));
      if (p == nullptr) return nullptr;
      ++p;
    } else {
      parens += c == '(' ? 1 : c == ')' ? -1 : 0;
      ++p;
    }
  }
  return nullptr;
}

// Reads the word of a here-document at p (quoted or not) and announces it. Returns one past, or
// nullptr.
const char* announce(Scanner& s, const char* p, bool indented, bool quotes_only) {
  const char* end = s.end();
  std::string_view word;
  if (p < end && (*p == '"' || *p == '\'' || *p == '`')) {
    const char quote = *p;
    const char* from = ++p;
    while (p < end && *p != quote && *p != '\n') ++p;
    if (p == end || *p != quote) return nullptr;
    word = {from, static_cast<std::size_t>(p - from)};
    ++p;
  } else {
    if (quotes_only) return nullptr;
    if (p < end && *p == '\\') ++p;
    const char* from = p;
    while (p < end && (is_identifier_byte(*p) || *p == '-' || *p == '.' || *p == '!')) ++p;
    word = {from, static_cast<std::size_t>(p - from)};
  }
  if (word.empty() || s.state.here.size() >= 16) return nullptr;
  s.state.here.push_back({word, indented});
  return p;
}

}  // namespace

bool shell_string(Scanner& s, const Rule&) {
  const char* stop = double_quoted_end(s.pos() + 1, s.end(), 0);
  if (stop == nullptr || stop > s.end()) {
    s.doubt(Doubt::open_string);
    stop = s.end();
  }
  s.take_string(stop);
  return true;
}

bool shell_quote(Scanner& s, const Rule&) {
  const bool escapes = s.at(-1) == '$';
  bool closed = true;
  const char* stop = find_string_end(s.pos() + 1, s.end(), "'",
                                     kMultiLine | (escapes ? unsigned{kEscapes} : 0u), &closed);
  if (!closed) s.doubt(Doubt::open_string);
  s.take_string(stop);
  return true;
}

bool shell_here(Scanner& s, const Rule&) {
  if (s.at(2) == '<') {  // <<< takes a word, not a document
    s.take_code(s.pos() + 3);
    return true;
  }
  const char* p = s.pos() + 2;
  const bool indented = p < s.end() && *p == '-';
  if (indented) ++p;
  while (p < s.end() && (*p == ' ' || *p == '\t')) ++p;
  if (p < s.end() && *p >= '0' && *p <= '9') return false;  // 1 << 3
  p = announce(s, p, indented, false);
  if (p == nullptr) return false;
  s.take_code(p);
  return true;
}

bool shell_arithmetic(Scanner& s, const Rule&) {
  if (!s.may_try()) return false;
  int open = 0;
  const char* stop = std::min(s.end(), s.pos() + 4096);
  for (const char* p = s.pos(); p < stop; ++p) {
    if (*p == '\'' || *p == '"' || *p == '`') {
      s.state.wasted += static_cast<std::size_t>(p - s.pos());  // no sign of doubt, yet it counts
      return false;
    }
    open += *p == '(' ? 1 : *p == ')' ? -1 : 0;
    if (open > 0) continue;
    if (p[-1] != ')') return false;
    s.take_code(p + 1);
    return true;
  }
  return s.failed(stop);
}

bool skip_escaped(Scanner& s, const Rule&) {
  const char next = s.at(1);
  if (next == '\n' || next == '\r' || next == '\0') return false;
  s.take_code(s.pos() + 2);
  return true;
}

bool here_bodies(Scanner& s, const Rule&) {
  for (const HookState::HereDocument& here : s.state.here) {
    const char* from = s.pos();
    const char* line = from;
    bool found = false;
    while (line < s.end() && !found) {
      const char* stop = s.line_end(line);
      std::string_view text(line, static_cast<std::size_t>(stop - line));
      if (here.indented) {
        while (!text.empty() && is_blank_byte(text.front())) text.remove_prefix(1);
      }
      while (!text.empty() && text.back() == '\r') text.remove_suffix(1);
      if (!here.indented || text.size() > here.word.size()) {
        while (!text.empty() && (text.back() == ';' || text.back() == ','))
          text.remove_suffix(1);  // PHP
      }
      found = text == here.word;
      line = stop == s.end() ? stop : stop + 1;
    }
    if (!found) s.doubt(Doubt::open_comment);
    s.take_string(line);
  }
  s.state.here.clear();
  return false;
}

bool ruby_here(Scanner& s, const Rule&) {
  const char* p = s.pos() + 2;
  const bool indented = p < s.end() && (*p == '~' || *p == '-');
  if (indented) ++p;
  if (p == s.end()) return false;
  const bool quoted = *p == '"' || *p == '\'' || *p == '`';
  const bool upper = *p >= 'A' && *p <= 'Z';
  const char before = s.at(-1);
  // x<<FOO shifts, x <<FOO is a document; both are read by the space before.
  if (!quoted && (!upper || (!indented && is_identifier_byte(before)))) return false;
  if (before == '<') return false;
  p = announce(s, p, indented, false);
  if (p == nullptr) return false;
  s.take_code(p);
  return true;
}

bool ruby_percent(Scanner& s, const Rule&) {
  if (!s.may_try()) return false;
  const char before = s.at(-1);
  const bool opens = s.pos() == s.line_begin() || is_blank_byte(before) ||
                     std::strchr("([{,=:", before) != nullptr;
  if (!opens) return false;
  std::size_t skip = 1;
  if (std::strchr("qQwWiIrsx", s.at(1)) != nullptr && s.at(1) != '\0') skip = 2;
  const char open = s.at(static_cast<std::ptrdiff_t>(skip));
  if (open == '\0' || std::strchr(skip == 2 ? "([{<|!/" : "([{<|", open) == nullptr) return false;
  const char close = open == '('   ? ')'
                     : open == '[' ? ']'
                     : open == '{' ? '}'
                     : open == '<' ? '>'
                                   : open;
  int depth = 0;
  for (const char* p = s.pos() + skip; p < s.end(); ++p) {
    if (*p == '\\') {
      ++p;
      continue;
    }
    if (*p == open && open != close) ++depth;
    if (*p != close || p == s.pos() + skip) continue;
    if (open != close && --depth > 0) continue;
    s.take_string(p + 1);
    return true;
  }
  return s.failed(s.end());
}

bool ruby_slash(Scanner& s, const Rule&) {
  if (!s.may_try()) return false;
  const char* last = previous_token(s, s.pos());
  if (last != nullptr) {
    const char c = *last;
    const bool spaced = last + 1 < s.pos() && !is_blank_byte(s.at(1));
    if (c == ')' || c == ']' || c == '}' || c == '"' || c == '\'') return false;
    if (is_identifier_byte(c) && !(spaced && !(c >= '0' && c <= '9'))) return false;
  }
  bool in_class = false;
  const char* p = s.pos() + 1;
  for (; p < s.end() && *p != '\n'; ++p) {
    if (*p == '\\') {
      ++p;
    } else if (*p == '[') {
      in_class = true;
    } else if (*p == ']') {
      in_class = false;
    } else if (*p == '/' && !in_class) {
      s.take_string(p + 1);
      return true;
    }
  }
  return s.failed(std::min(p, s.end()));
}

bool php_here(Scanner& s, const Rule&) {
  const char* p = s.pos() + 3;
  while (p < s.end() && (*p == ' ' || *p == '\t')) ++p;
  p = announce(s, p, true, false);
  if (p == nullptr) return false;
  s.take_code(p);
  return true;
}

}  // namespace neurolens::codebase::hooks
