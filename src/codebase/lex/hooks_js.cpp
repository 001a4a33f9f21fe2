#include <algorithm>
#include <array>
#include <cstring>

#include "lex/hooks.hpp"

namespace neurolens::codebase::hooks {
namespace {

// From inside a template literal: its end, or the start of the code in its next ${ }.
void template_part(Scanner& s, const char* from) {
  const char* p = from;
  while (p < s.end()) {
    if (*p == '\\') {
      p += p + 1 < s.end() ? 2 : 1;
    } else if (*p == '`') {
      s.take_string(p + 1);
      return;
    } else if (*p == '$' && p + 1 < s.end() && p[1] == '{') {
      s.take_string(p + 2);
      s.state.templates.push_back(0);
      return;
    } else {
      ++p;
    }
  }
  s.doubt(Doubt::open_string);
  s.take_string(s.end());
}

// Words after which an expression starts, so that '/' opens a regular expression.
bool expects_expression(std::string_view word) {
  static constexpr std::array<std::string_view, 14> kWords{
      "return",     "typeof", "case", "in",   "of",    "delete", "void",
      "instanceof", "new",    "do",   "else", "throw", "yield",  "await"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// One past the closing '/' and flags of a regular expression at p, or nullptr with *reached set.
const char* regex_end(const char* p, const char* end, const char** reached) {
  bool in_class = false;
  for (++p; p < end && *p != '\n'; ++p) {
    if (*p == '\\') {
      ++p;
      if (p >= end || *p == '\n') break;
    } else if (*p == '[') {
      in_class = true;
    } else if (*p == ']') {
      in_class = false;
    } else if (*p == '/' && !in_class) {
      ++p;
      while (p < end && is_identifier_byte(*p)) ++p;
      return p;
    }
  }
  *reached = std::min(p, end);
  return nullptr;
}

}  // namespace

bool js_template(Scanner& s, const Rule&) {
  template_part(s, s.pos() + 1);
  return true;
}

bool js_brace(Scanner& s, const Rule&) {
  auto& open = s.state.templates;
  if (open.empty()) return false;
  if (*s.pos() == '{') {
    ++open.back();
    return false;
  }
  if (open.back() > 0) {
    --open.back();
    return false;
  }
  open.pop_back();
  template_part(s, s.pos() + 1);
  return true;
}

bool js_slash(Scanner& s, const Rule&) {
  const char* last = previous_token(s, s.pos());
  bool regex = true;
  if (last != nullptr) {
    const char c = *last;
    if (is_identifier_byte(c) || c == '$') {
      regex = expects_expression(word_ending_at(s, last)) && c != '$';
    } else if (c == ')' || c == ']' || c == '"' || c == '\'' || c == '`') {
      regex = false;
    } else if (c == '}') {
      regex = s.line_is_empty();
      s.doubt(Doubt::ambiguous_syntax);
    } else if (c == '<') {
      regex = false;  // </tag> of JSX
    }
  }
  if (!regex || !s.may_try()) return false;
  const char* reached = nullptr;
  const char* stop = regex_end(s.pos(), s.end(), &reached);
  if (stop == nullptr) return s.failed(reached);
  s.take_string(stop);
  return true;
}

bool js_hashbang(Scanner& s, const Rule&) {
  if (s.pos() != s.begin()) return false;
  s.take_comment(s.line_end(s.pos()), false);
  return true;
}

}  // namespace neurolens::codebase::hooks
