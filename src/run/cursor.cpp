#include "cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace neurolens::run::detail {
namespace {

bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

/// For a number whose value is no double: true when it is too large, false when it is too small.
/// Decides by the decimal exponent of the first digit that is not 0.
bool is_too_large(std::string_view spelling) {
  const auto mark = spelling.find_first_of("eE");
  long exponent = 0;
  if (mark != std::string_view::npos) {
    const bool negative = spelling[mark + 1] == '-';
    const auto digits = spelling.substr(mark + 1 + (is_digit(spelling[mark + 1]) ? 0 : 1));
    for (const char c : digits) exponent = std::min(exponent * 10 + (c - '0'), 1'000'000'000L);
    if (negative) exponent = -exponent;
  }
  const auto mantissa = spelling.substr(0, mark);
  const auto point = std::min(mantissa.find('.'), mantissa.size());
  const auto leading = mantissa.find_first_of("123456789");
  return static_cast<long>(point) - static_cast<long>(leading) + exponent > 0;
}

Number make_real(std::string_view spelling) {
  Number out;
  out.spelling = spelling;
  const auto [end, code] =
      std::from_chars(spelling.data(), spelling.data() + spelling.size(), out.real);
  if (code == std::errc::result_out_of_range) {
    out.real = 0;
    out.finite = !is_too_large(spelling);
  }
  constexpr double kLimit = 0x1p63;
  if (out.finite && out.real < kLimit && out.real >= -kLimit && out.real == std::trunc(out.real)) {
    out.integral = true;
    out.integer = static_cast<std::int64_t>(out.real);
  }
  return out;
}

}  // namespace

Cursor::Cursor(std::string_view text)
    : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

bool Cursor::fail(const char* message) {
  if (message_ == nullptr) message_ = message;
  return false;
}

Error Cursor::error() const {
  const std::string_view before(begin_, static_cast<std::size_t>(at_ - begin_));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto column = last == std::string_view::npos ? before.size() + 1 : before.size() - last;
  return {Errc::parse_error, fmt::format("This is not valid JSON: {}", message_),
          fmt::format("line {}, column {}", line, column)};
}

Token Cursor::peek() {
  if (!ok()) return Token::none;
  white();
  if (at_ == end_) {
    fail("the text ends too early.");
    return Token::none;
  }
  switch (*at_) {
    case '{':
      return Token::object;
    case '[':
      return Token::array;
    case '"':
      return Token::text;
    case 't':
    case 'f':
      return Token::boolean;
    case 'n':
      return Token::null;
    default:
      if (*at_ == '-' || is_digit(*at_)) return Token::number;
      fail("a value is expected here.");
      return Token::none;
  }
}

bool Cursor::open_object() {
  ++at_;
  return true;
}

bool Cursor::open_array() {
  ++at_;
  return true;
}

bool Cursor::next_key(bool& first, std::string_view& key) {
  if (!ok()) return false;
  white();
  if (at_ < end_ && *at_ == '}') {
    ++at_;
    return false;
  }
  if (!first) {
    if (at_ == end_ || *at_ != ',') return fail("',' or '}' is expected here.");
    ++at_;
    white();
  }
  first = false;
  if (at_ == end_ || *at_ != '"') return fail("a key in quotes is expected here.");
  if (!read_text(key)) return false;
  white();
  if (at_ == end_ || *at_ != ':') return fail("':' is expected here.");
  ++at_;
  return true;
}

bool Cursor::next_element(bool& first) {
  if (!ok()) return false;
  white();
  if (at_ < end_ && *at_ == ']') {
    ++at_;
    return false;
  }
  if (!first) {
    if (at_ == end_ || *at_ != ',') return fail("',' or ']' is expected here.");
    ++at_;
  }
  first = false;
  return true;
}

bool Cursor::read_text(std::string_view& value) {
  const char* start = ++at_;
  bool escaped = false;
  while (true) {
    if (at_ == end_) return fail("a string does not end.");
    const char c = *at_;
    if (c == '"') break;
    if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a string.");
    if (c == '\\') {
      if (!escaped) scratch_.clear();
      scratch_.append(start, at_);
      escaped = true;
      if (!read_escape()) return false;
      start = at_;
    } else {
      ++at_;
    }
  }
  if (escaped) {
    scratch_.append(start, at_);
    value = scratch_;
  } else {
    value = {start, static_cast<std::size_t>(at_ - start)};
  }
  ++at_;
  return true;
}

bool Cursor::read_escape() {
  if (end_ - at_ < 2) return fail("a string does not end.");
  static constexpr std::string_view kNames = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  const char name = at_[1];
  if (name != 'u') {
    const auto index = kNames.find(name);
    if (index == std::string_view::npos) return fail("an unknown escape in a string.");
    scratch_ += kMeanings[index];
    at_ += 2;
    return true;
  }
  std::uint32_t code = 0;
  if (!hex4(code)) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    std::uint32_t low = 0;
    if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u' || !hex4(low) || low < 0xdc00 ||
        low > 0xdfff) {
      return fail("half of a surrogate pair in a string.");
    }
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  } else if (code >= 0xdc00 && code <= 0xdfff) {
    return fail("half of a surrogate pair in a string.");
  }
  return append_code(code);
}

bool Cursor::hex4(std::uint32_t& code) {
  if (end_ - at_ < 6) return fail("a string does not end.");
  const auto [stop, error] = std::from_chars(at_ + 2, at_ + 6, code, 16);
  if (error != std::errc() || stop != at_ + 6) return fail("\\u needs four hexadecimal digits.");
  at_ += 6;
  return true;
}

bool Cursor::append_code(std::uint32_t code) {
  const auto put = [this](std::uint32_t byte) { scratch_ += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
  return true;
}

bool Cursor::read_number(Number& value) {
  const char* start = at_;
  if (*at_ == '-') ++at_;
  if (at_ == end_ || !is_digit(*at_)) return fail("a digit is expected here.");
  if (*at_ == '0' && end_ - at_ > 1 && is_digit(at_[1])) return fail("a number begins with 0.");
  while (at_ < end_ && is_digit(*at_)) ++at_;
  bool whole = true;
  if (at_ < end_ && *at_ == '.') {
    whole = false;
    ++at_;
    if (at_ == end_ || !is_digit(*at_)) return fail("a digit is expected here.");
    while (at_ < end_ && is_digit(*at_)) ++at_;
  }
  if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
    whole = false;
    ++at_;
    if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (at_ == end_ || !is_digit(*at_)) return fail("a digit is expected here.");
    while (at_ < end_ && is_digit(*at_)) ++at_;
  }
  const std::string_view spelling(start, static_cast<std::size_t>(at_ - start));
  if (whole) {
    Number out;
    out.spelling = spelling;
    if (std::from_chars(start, at_, out.integer).ec == std::errc()) {
      out.integral = true;
      out.real = spelling == "-0" ? -0.0 : static_cast<double>(out.integer);
      value = out;
      return true;
    }
  }
  value = make_real(spelling);
  return true;
}

bool Cursor::literal(std::string_view word) {
  if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word)) {
    return fail("a value is expected here.");
  }
  at_ += word.size();
  return true;
}

bool Cursor::read_boolean(bool& value) {
  value = *at_ == 't';
  return literal(value ? "true" : "false");
}

bool Cursor::read_null() {
  return literal("null");
}

bool Cursor::skip() {
  return skip_value(0);
}

bool Cursor::skip_value(int depth) {
  std::string_view text;
  Number number;
  bool flag = false;
  switch (const Token kind = peek(); kind) {
    case Token::object:
    case Token::array:
      return skip_container(kind, depth + 1);
    case Token::text:
      return read_text(text);
    case Token::number:
      return read_number(number);
    case Token::boolean:
      return read_boolean(flag);
    case Token::null:
      return read_null();
    case Token::none:
      break;
  }
  return false;
}

bool Cursor::skip_container(Token kind, int depth) {
  if (depth > kMaxDepth) return fail("the text nests deeper than 1,024 levels.");
  ++at_;
  bool first = true;
  std::string_view key;
  while (kind == Token::object ? next_key(first, key) : next_element(first)) {
    if (!skip_value(depth)) return false;
  }
  return ok();
}

bool Cursor::at_end() {
  if (!ok()) return false;
  white();
  return at_ == end_ || fail("something follows the document.");
}

bool Cursor::plain_integers(bool& first, std::int64_t missing, std::vector<std::int64_t>& out) {
  constexpr std::ptrdiff_t kMaxDigits = 18;  // always fits 64 bits
  while (true) {
    const char* p = at_;
    const auto gap = [&] {
      while (p < end_ && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) ++p;
    };
    gap();
    if (p < end_ && *p == ']') {
      at_ = p + 1;
      return true;
    }
    if (!first) {
      if (p == end_ || *p != ',') return false;
      ++p;
      gap();
    }
    std::int64_t value = 0;
    if (end_ - p >= 4 && std::memcmp(p, "null", 4) == 0) {
      value = missing;
      p += 4;
    } else {
      const bool negative = p < end_ && *p == '-';
      if (negative) ++p;
      const char* digits = p;
      while (p < end_ && is_digit(*p) && p - digits < kMaxDigits) value = value * 10 + (*p++ - '0');
      const auto count = p - digits;
      if (count == 0 || (*digits == '0' && count > 1)) return false;
      if (negative) value = -value;
    }
    // Whatever else follows (a point, a 19th digit) makes this another kind of value, or none.
    if (p == end_ ||
        (*p != ',' && *p != ']' && *p != ' ' && *p != '\n' && *p != '\r' && *p != '\t'))
      return false;
    out.push_back(value);
    first = false;
    at_ = p;
  }
}

std::size_t Cursor::element_hint() const {
  const auto* close =
      static_cast<const char*>(std::memchr(at_, ']', static_cast<std::size_t>(end_ - at_)));
  if (close == nullptr) return 0;
  return static_cast<std::size_t>(std::count(at_, close, ',')) + 1;
}

std::size_t Cursor::object_hint() const {
  constexpr std::size_t kShortest = 64;  // of an object worth room before it is seen
  const auto left = static_cast<std::size_t>(end_ - at_);
  std::size_t lines = 0;
  for (const char* at = at_; at + 1 < end_ && at[0] == '\n' && at[1] == '{';) {
    ++lines;
    at = static_cast<const char*>(
        std::memchr(at + 1, '\n', static_cast<std::size_t>(end_ - at) - 1));
    if (at == nullptr) break;
  }
  return std::min(lines, left / kShortest);
}

}  // namespace neurolens::run::detail
