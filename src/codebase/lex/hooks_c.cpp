#include <algorithm>
#include <cstring>

#include "lex/hooks.hpp"

namespace neurolens::codebase::hooks {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The end of a string with interpolation: `marker` ("${", "\\(" or "{") opens code up to its
// closing bracket, which may hold strings again. Depth is bounded; each byte is read once.
const char* interpolated_end(const char* p, const char* end, std::string_view close, unsigned flags,
                             std::string_view marker, int depth, bool* closed) {
  const auto here = [&](std::string_view text) {
    return static_cast<std::size_t>(end - p) >= text.size() &&
           std::memcmp(p, text.data(), text.size()) == 0;
  };
  const char bracket = marker.back();
  const char closing = bracket == '(' ? ')' : '}';
  while (p < end) {
    if (here(close)) {
      p += close.size();
      return p;
    }
    if (*p == '\n' && (flags & kMultiLine) == 0) break;
    if (marker.size() == 1 && here("{{")) {
      p += 2;
    } else if (depth < 32 && here(marker)) {
      p += marker.size();
      for (int open = 1; p < end && open > 0;) {
        if (*p == '\n' && (flags & kMultiLine) == 0) break;
        if (*p == '"') {
          bool inner = true;
          p = interpolated_end(p + 1, end, "\"", flags & ~unsigned{kMultiLine}, marker, depth + 1,
                               &inner);
          if (!inner) break;
          continue;
        }
        open += *p == bracket ? 1 : *p == closing ? -1 : 0;
        ++p;
      }
    } else if (*p == '\\' && (flags & kEscapes) != 0 && p + 1 < end) {
      p += 2;
    } else {
      ++p;
    }
  }
  *closed = false;
  return std::min(p, end);
}

bool take_interpolated(Scanner& s, std::size_t opener, std::string_view close, unsigned flags,
                       std::string_view marker) {
  bool closed = true;
  const char* stop = interpolated_end(s.pos() + opener, s.end(), close, flags, marker, 0, &closed);
  if (!closed) s.doubt(Doubt::open_string);
  s.take_string(stop);
  return true;
}

bool take_plain(Scanner& s, std::size_t opener, std::string_view close, unsigned flags) {
  bool closed = true;
  const char* stop = find_string_end(s.pos() + opener, s.end(), close, flags, &closed);
  if (!closed) s.doubt(Doubt::open_string);
  s.take_string(stop);
  return true;
}

// True when the identifier right before `quote` is exactly a raw-string prefix: R, LR, uR, UR, u8R.
bool raw_prefix(const Scanner& s, const char* quote) {
  if (quote == s.begin() || quote[-1] != 'R') return false;
  const char* p = quote - 1;
  while (p > s.begin() && quote - p < 4 && is_identifier_byte(p[-1])) --p;
  const std::string_view word(p, static_cast<std::size_t>(quote - p));
  return word == "R" || word == "LR" || word == "uR" || word == "UR" || word == "u8R";
}

}  // namespace

bool c_string(Scanner& s, const Rule&) {
  const char* quote = s.pos();
  if (raw_prefix(s, quote)) {
    const char* open = quote + 1;
    while (open < s.end() && open - quote <= 17 && *open != '(' && *open != '\n' && *open != '"')
      ++open;
    if (open < s.end() && *open == '(') {
      std::string close = ")" + std::string(quote + 1, open) + "\"";
      return take_plain(s, static_cast<std::size_t>(open + 1 - quote), close, kMultiLine);
    }
  }
  return take_plain(s, 1, "\"", kEscapes);
}

bool c_quote(Scanner& s, const Rule&) {
  const char* quote = s.pos();
  // 1'000: between two alphanumerics of one token that starts with a digit.
  if (quote > s.begin() && is_alnum(quote[-1]) && is_alnum(s.at(1))) {
    const char* p = quote;
    bool separated = false;
    while (p > s.begin() && (is_identifier_byte(p[-1]) || p[-1] == '.' || p[-1] == '\'')) {
      --p;
      if (p == s.state.separator) {
        separated = true;
        break;
      }
      if (*p == '\'') break;  // a quote that was no separator: a character literal ends there
    }
    if (separated || is_digit(*p) || (*p == '.' && is_digit(p[1]))) {
      s.state.separator = quote;
      s.take_code(quote + 1);
      return true;
    }
  }
  return take_plain(s, 1, "'", kEscapes);
}

bool c_directive(Scanner& s, const Rule&) {
  if (!s.line_is_empty()) return false;
  const char* p = s.pos() + 1;
  while (p < s.end() && is_blank_byte(*p)) ++p;
  // Most are none of those below; their lines need not be read to the end.
  if (p == s.end() || std::strchr("iewrp", *p) == nullptr) return false;
  const char* stop = s.line_end(p);
  const char* word_end = p;
  while (word_end < stop && is_identifier_byte(*word_end)) ++word_end;
  const std::string_view word(p, static_cast<std::size_t>(word_end - p));
  if (word == "include" || word == "include_next" || word == "import") {
    p = word_end;
    while (p < stop && is_blank_byte(*p)) ++p;
    if (p == stop || *p != '<') return false;
    const char* close =
        static_cast<const char*>(std::memchr(p, '>', static_cast<std::size_t>(stop - p)));
    if (close == nullptr) return false;
    s.take_code(close + 1);
    return true;
  }
  if (word == "error" || word == "warning" || word == "region" || word == "pragma") {
    // Free text: an apostrophe opens nothing. A comment still does.
    const std::string_view rest(word_end, static_cast<std::size_t>(stop - word_end));
    const std::size_t comment =
        word == "region" ? std::string_view::npos : std::min(rest.find("//"), rest.find("/*"));
    const std::size_t size = std::min(comment, rest.size());
    if (rest.substr(0, size).find('"') != std::string_view::npos) return false;
    const char* text_end = word_end + size;
    while (text_end > word_end && (text_end[-1] == '\\' || text_end[-1] == '\r')) --text_end;
    s.take_code(text_end);
    return true;
  }
  return false;
}

bool rust_quote(Scanner& s, const Rule&) {
  const char next = s.at(1);
  if (next == '\\') return take_plain(s, 1, "'", kEscapes);
  // 'x' is a character; 'x without a quote behind one character is a lifetime or a label.
  std::size_t width = 1;
  const auto lead = static_cast<unsigned char>(next);
  if (lead >= 0xf0)
    width = 4;
  else if (lead >= 0xe0)
    width = 3;
  else if (lead >= 0xc0)
    width = 2;
  if (next != '\n' && next != '\'' && s.at(static_cast<std::ptrdiff_t>(width) + 1) == '\'') {
    s.take_string(s.pos() + width + 2);
    return true;
  }
  return false;
}

bool rust_raw(Scanner& s, const Rule&) {
  const char* p = s.pos();
  if (p > s.begin() && is_identifier_byte(p[-1])) return false;
  if (*p == 'b' || *p == 'c') ++p;
  if (p == s.end() || *p != 'r') return false;
  const char* hashes = ++p;
  while (p < s.end() && *p == '#') ++p;
  if (p == s.end() || *p != '"') return false;
  const std::string close = "\"" + std::string(hashes, p);
  return take_plain(s, static_cast<std::size_t>(p + 1 - s.pos()), close, kMultiLine);
}

bool csharp_string(Scanner& s, const Rule&) {
  const char* p = s.pos();
  bool verbatim = false;
  bool dollar = false;
  for (; p < s.end() && p - s.pos() < 3 && (*p == '@' || *p == '$'); ++p) {
    verbatim |= *p == '@';
    dollar |= *p == '$';
  }
  if (p == s.end() || *p != '"') return false;
  const char* quotes = p;
  while (p < s.end() && *p == '"') ++p;
  const auto count = static_cast<std::size_t>(p - quotes);
  const auto opener = static_cast<std::size_t>(quotes - s.pos());
  if (count >= 3 && !verbatim)
    return take_plain(s, opener + count, std::string(count, '"'), kMultiLine);
  if (verbatim) return take_plain(s, opener + 1, "\"", kMultiLine | kDoubles);
  if (dollar) return take_interpolated(s, opener + 1, "\"", kEscapes, "{");
  return take_plain(s, opener + 1, "\"", kEscapes);
}

bool swift_string(Scanner& s, const Rule&) {
  const char* p = s.pos();
  while (p < s.end() && p - s.pos() < 8 && *p == '#') ++p;
  if (p == s.end() || *p != '"') return false;
  const std::string hashes(s.pos(), p);
  const bool triple = s.end() - p >= 3 && p[1] == '"' && p[2] == '"';
  const std::string close = (triple ? "\"\"\"" : "\"") + hashes;
  const std::size_t opener = hashes.size() + (triple ? 3 : 1);
  if (!hashes.empty()) return take_plain(s, opener, close, triple ? unsigned{kMultiLine} : 0u);
  return take_interpolated(s, opener, close, kEscapes | (triple ? unsigned{kMultiLine} : 0u),
                           "\\(");
}

bool interpolated(Scanner& s, const Rule& rule) {
  return take_interpolated(s, rule.open.size(), rule.close, rule.flags, "${");
}

const char* previous_token(const Scanner& s, const char* p) {
  while (p > s.begin()) {
    if (p == s.state.comment_end && s.state.comment_begin < p) {
      p = s.state.comment_begin;
      continue;
    }
    --p;
    if (!is_blank_byte(*p) && *p != '\n') return p;
  }
  return nullptr;
}

std::string_view word_ending_at(const Scanner& s, const char* last) {
  const char* p = last + 1;
  while (p > s.begin() && last - p < 16 && is_identifier_byte(p[-1])) --p;
  return {p, static_cast<std::size_t>(last + 1 - p)};
}

}  // namespace neurolens::codebase::hooks
