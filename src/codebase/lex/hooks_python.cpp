#include <algorithm>
#include <cstring>

#include "lex/hooks.hpp"

// Python: a string that is the whole first statement of a module, class or function is
// documentation (the language reference's __doc__); any other string is code.
namespace neurolens::codebase::hooks {
namespace {

struct Prefix {
  const char* begin;
  bool formatted = false;
  bool bytes = false;
};

// The string prefix letters right before `quote`.
Prefix prefix_before(const Scanner& s, const char* quote) {
  const char* p = quote;
  Prefix prefix{quote};
  const auto is_prefix = [](char c) {
    const char l = static_cast<char>(c | 0x20);
    return l == 'r' || l == 'b' || l == 'f' || l == 'u' || l == 't';
  };
  while (p > s.line_begin() && quote - p < 2 && is_prefix(p[-1])) --p;
  if (p > s.begin() && is_identifier_byte(p[-1])) return prefix;  // the letters end a name
  prefix.begin = p;
  for (; p < quote; ++p) {
    prefix.formatted |= *p == 'f' || *p == 'F' || *p == 't' || *p == 'T';
    prefix.bytes |= *p == 'b' || *p == 'B';
  }
  return prefix;
}

bool is_quote(char c) {
  return c == '"' || c == '\'';
}

const char* string_end(Scanner& s, const char* quote, bool formatted, int depth, bool* closed);

// Behind '{' of an f-string: its expression up to '}' (returned one past). Since Python 3.12 it may
// hold any string; before, never the enclosing quote, so reading by the newer rule is right for
// both.
const char* field_end(Scanner& s, const char* p, std::string_view close, bool triple, int depth,
                      bool* closed) {
  const char* end = s.end();
  int brackets = 0;
  bool spec = false;
  const char* stop = end - p > 4096 ? p + 4096 : end;  // no field is longer
  while (p < stop) {
    const char c = *p;
    if (c == '\n' && !triple && spec) break;
    if (spec && static_cast<std::size_t>(end - p) >= close.size() &&
        std::memcmp(p, close.data(), close.size()) == 0) {
      return p;  // not a field after all: let the string end here
    }
    if (c == '}' && brackets == 0) return p + 1;
    if (spec && c == '{' && depth < 24) {
      p = field_end(s, p + 1, close, triple, depth + 1, closed);
      continue;
    }
    if (!spec && is_quote(c)) {
      if (depth >= 24 || !s.may_try()) break;
      bool inner = true;
      p = string_end(s, p, true, depth + 1, &inner);
      if (!inner) break;
      continue;
    }
    if (!spec) {
      if (c == '(' || c == '[' || c == '{') ++brackets;
      if (c == ')' || c == ']' || c == '}') --brackets;
      if (c == ':' && brackets == 0) spec = true;
      if (c == '\n' && !triple && brackets == 0 && depth > 8) break;
    }
    ++p;
  }
  *closed = false;
  return p;
}

// One past the end of the string that opens at `quote`.
const char* string_end(Scanner& s, const char* quote, bool formatted, int depth, bool* closed) {
  const char* end = s.end();
  const bool triple = end - quote >= 3 && quote[1] == *quote && quote[2] == *quote;
  const std::string_view close(quote, triple ? 3 : 1);
  const char* p = quote + close.size();
  const unsigned flags = kEscapes | (triple ? unsigned{kMultiLine} : 0u);
  if (!formatted) return find_string_end(p, end, close, flags, closed);
  const char* line_stop =
      nullptr;  // where a single-quoted string has to stop if its fields do not close
  while (p < end) {
    if (*p == '\\' && p + 1 < end) {
      p += 2;
    } else if (*p == '\n' && !triple) {
      line_stop = p;
      break;
    } else if (*p == *quote && static_cast<std::size_t>(end - p) >= close.size() &&
               std::memcmp(p, close.data(), close.size()) == 0) {
      return p + close.size();
    } else if (*p == '{' && p + 1 < end && p[1] == '{') {
      p += 2;
    } else if (*p == '{') {
      bool inner = true;
      const char* after = field_end(s, p + 1, close, triple, depth, &inner);
      if (!inner) {
        // No well-formed field: read the string by the plain rule instead.
        const char* stop = find_string_end(quote + close.size(), end, close, flags, closed);
        s.state.wasted += static_cast<std::size_t>(std::max(after, stop) - quote);
        return stop;
      }
      p = after;
    } else {
      ++p;
    }
  }
  *closed = false;
  return line_stop != nullptr ? line_stop : std::min(p, end);
}

// True when the statement that the string [.., p) is part of ends here.
bool statement_ends(const char* p, const char* end) {
  while (p < end && is_blank_byte(*p)) ++p;
  return p == end || *p == '\n' || *p == '#' || *p == ';';
}

// True when a string starts at p, with or without a prefix that allows documentation.
bool starts_doc_string(const char* p, const char* end) {
  if (p < end && (*p == 'r' || *p == 'R' || *p == 'u' || *p == 'U')) ++p;
  return p < end && is_quote(*p);
}

bool has_word(const char* p, const char* end, std::string_view word) {
  return static_cast<std::size_t>(end - p) > word.size() &&
         std::memcmp(p, word.data(), word.size()) == 0 && !is_identifier_byte(p[word.size()]);
}

// At the prefix letter of a string where documentation may stand.
bool take_prefixed_doc(Scanner& s) {
  bool closed = true;
  const char* stop = string_end(s, s.pos() + 1, false, 0, &closed);
  if (!closed || !statement_ends(stop, s.end())) return false;
  s.state.expect_doc = false;
  s.take_comment(stop, true);
  return true;
}

}  // namespace

bool python_start(Scanner& s, const Rule&) {
  s.state.expect_doc = true;
  return false;
}

bool python_line(Scanner& s, const Rule&) {
  HookState& state = s.state;
  const bool goes_on = state.depth > 0 || state.continued;
  if (*s.pos() == '#') return false;
  state.continued = false;
  if (goes_on) return false;
  const char* p = s.pos();
  state.statement = p;
  if (!starts_doc_string(p, s.end())) state.expect_doc = false;
  if (*p == 'a' && has_word(p, s.end(), "async")) {
    p += 5;
    while (p < s.end() && is_blank_byte(*p)) ++p;
  }
  if (state.expect_doc && !is_quote(*p)) return take_prefixed_doc(s);
  state.header =
      (*p == 'd' && has_word(p, s.end(), "def")) || (*p == 'c' && has_word(p, s.end(), "class"));
  return false;
}

bool python_string(Scanner& s, const Rule&) {
  const Prefix prefix = prefix_before(s, s.pos());
  bool closed = true;
  const char* stop = string_end(s, s.pos(), prefix.formatted && s.may_try(), 0, &closed);
  if (!closed) s.doubt(Doubt::open_string);
  HookState& state = s.state;
  const bool candidate =
      state.expect_doc && prefix.begin == state.statement && !prefix.formatted && !prefix.bytes;
  state.expect_doc = false;
  if (candidate && closed && statement_ends(stop, s.end())) {
    s.take_comment(stop, true);
  } else {
    s.take_string_from(prefix.begin, stop);
  }
  return true;
}

bool python_mark(Scanner& s, const Rule&) {
  HookState& state = s.state;
  if (*s.pos() == '\\') {  // before a line end it joins the lines
    const char next = s.at(1) == '\r' ? s.at(2) : s.at(1);
    if (next == '\n') state.continued = true;
    return false;
  }
  if (!state.header || state.depth > 0) return false;
  state.header = false;
  const char* p = s.pos() + 1;
  while (p < s.end() && is_blank_byte(*p)) ++p;
  state.statement = p;
  state.expect_doc = statement_ends(p, s.end()) || starts_doc_string(p, s.end());
  return false;
}

}  // namespace neurolens::codebase::hooks
