#include "functions/tokens.hpp"

#include <cstring>

namespace neurolens::codebase {
namespace {

enum Class : std::uint8_t { kOp, kSpace, kNewline, kWordByte, kDigit };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
    table[static_cast<std::size_t>(c)] =
        letter                                                         ? kWordByte
        : c >= '0' && c <= '9'                                         ? kDigit
        : c == '\n'                                                    ? kNewline
        : c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' ? kSpace
                                                                       : kOp;
  }
  return table;
}();

std::uint8_t class_of(char c) {
  return kClasses[static_cast<unsigned char>(c)];
}

bool pairs(char a, char b) {
  switch (a) {
    case '&':
      return b == '&';
    case '|':
      return b == '|';
    case '=':
      return b == '>' || b == '=';
    case '-':
      return b == '>' || b == '-';
    case ':':
      return b == ':';
    case '?':
      return b == '.' || b == '?' || b == ':';
    case '[':
      return b == '[';
    case '!':
    case '<':
    case '>':
      return b == '=';
    case '+':
      return b == '+';
    default:
      return false;
  }
}

}  // namespace

void Tokens::count_lines(std::size_t from, std::size_t to) {
  const char* p = text_.data() + from;
  const char* end = text_.data() + to;
  while (p < end) {
    p = static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(end - p)));
    if (p == nullptr) return;
    ++line_;
    ++p;
    line_start_ = static_cast<std::size_t>(p - text_.data());
    line_fresh_ = true;
  }
}

void Tokens::cross_segment() {
  const Segment& segment = segments_[segment_];
  count_lines(segment.begin, segment.end);
  at_ = segment.end;
  ++segment_;
  gap_end_ = segment_ < segments_.size() ? segments_[segment_].begin : text_.size();
}

Token Tokens::take_segment(Token token) {
  const Segment& segment = segments_[segment_];
  token.kind = TokenKind::string;
  token.first_on_line = line_fresh_;
  token.column = static_cast<std::uint32_t>(at_ - line_start_);
  token.text = text_.substr(segment.begin, segment.end - segment.begin);
  line_fresh_ = false;
  cross_segment();
  if (segment.end > segment.begin && text_[segment.end - 1] != '\n') line_fresh_ = false;
  return token;
}

// Takes the whole directive; strings and comments inside are crossed.
Token Tokens::take_directive(Token token) {
  token.kind = TokenKind::directive;
  ++at_;
  while (at_ < gap_end_ && class_of(text_[at_]) == kSpace) ++at_;
  const std::size_t from = at_;
  while (at_ < gap_end_ && class_of(text_[at_]) == kWordByte) ++at_;
  token.text = text_.substr(from, at_ - from);
  while (true) {
    if (at_ == gap_end_) {
      if (segment_ >= segments_.size()) return token;
      cross_segment();
      continue;
    }
    const char c = text_[at_];
    if (c == '\n') return token;
    if (c == '\\') {
      std::size_t after = at_ + 1;
      if (after < gap_end_ && text_[after] == '\r') ++after;
      if (after < gap_end_ && text_[after] == '\n') {
        ++line_;
        line_start_ = after + 1;
        at_ = after + 1;
        continue;
      }
    }
    ++at_;
  }
}

// At a backslash: crosses it and the line end behind it, if there is one.
bool Tokens::joins_lines() {
  std::size_t after = at_ + 1;
  if (after < gap_end_ && text_[after] == '\r') ++after;
  if (after >= gap_end_ || text_[after] != '\n') return false;
  ++line_;
  line_start_ = at_ = after + 1;
  return true;
}

Token Tokens::next() {
  Token token;
  token.space_before = false;
  while (true) {
    if (at_ >= gap_end_) {
      if (segment_ >= segments_.size()) {
        token.kind = TokenKind::end;
        token.line = line_;
        return token;
      }
      token.line = line_;
      if (segments_[segment_].kind == SegmentKind::string) return take_segment(token);
      cross_segment();
      token.space_before = true;
      continue;
    }
    const std::uint8_t kind = class_of(text_[at_]);
    if (kind == kSpace) {
      ++at_;
      token.space_before = true;
      continue;
    }
    if (kind == kNewline) {
      token.line = line_;
      ++at_;
      ++line_;
      line_start_ = at_;
      line_fresh_ = true;
      token.space_before = true;
      if (!options_.newlines) continue;
      token.kind = TokenKind::newline;
      return token;
    }
    if (options_.newlines && text_[at_] == '\\' && joins_lines()) continue;
    token.line = line_;
    token.first_on_line = line_fresh_;
    if (line_fresh_) token.column = static_cast<std::uint32_t>(at_ - line_start_);
    line_fresh_ = false;
    const std::size_t from = at_++;
    if (kind == kWordByte) {
      while (at_ < gap_end_ && class_of(text_[at_]) >= kWordByte) ++at_;
      token.kind = TokenKind::word;
      token.text = text_.substr(from, at_ - from);
      token.word = words_.find(token.text);
      return token;
    }
    if (kind == kDigit) {
      while (at_ < gap_end_ && (class_of(text_[at_]) >= kWordByte || text_[at_] == '.')) {
        if (text_[at_] == '.' && at_ + 1 < gap_end_ && text_[at_ + 1] == '.') break;  // 1..n
        ++at_;
      }
      token.kind = TokenKind::number;
      return token;
    }
    const char c = text_[from];
    if (c == '#' && options_.directives && token.first_on_line) {
      --at_;
      return take_directive(token);
    }
    token.kind = TokenKind::op;
    token.op = static_cast<unsigned char>(c);
    if (at_ < gap_end_ && pairs(c, text_[at_])) token.op = op2(c, text_[at_++]);
    return token;
  }
}

}  // namespace neurolens::codebase
