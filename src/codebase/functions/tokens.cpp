#include "functions/tokens.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace neurolens::codebase {
namespace {

constexpr std::size_t kWindow = 64;

// One store of each field where the compiler sees that they follow each other.
inline void clear(Token* token, std::uint32_t line, bool space) {
  *token = Token{};
  token->line = line;
  token->space_before = space;
}

}  // namespace

// The position is outside of every segment, or at the start of one.
void Tokens::enter_gap() {
  gap_end_ = segment_ < segments_.size() ? segments_[segment_].begin : text_.size();
  window_ = at_ - kWindow;  // nothing seen yet; may wrap around, differences do not mind
}

void Tokens::look() {
  window_ = at_;
  if (text_.size() - at_ >= kWindow) {
    masks_ = masks_of(text_.data() + at_);
  } else {
    char tail[kWindow] = {};
    std::memcpy(tail, text_.data() + at_, text_.size() - at_);
    masks_ = masks_of(tail);
  }
  const std::size_t left = gap_end_ - at_;
  if (left < kWindow) {
    const std::uint64_t keep = (std::uint64_t{1} << left) - 1;
    masks_.words &= keep;
    masks_.newlines &= keep;
    masks_.blanks |= ~keep;
  }
}

void Tokens::cross_segment() {
  const Segment& segment = segments_[segment_++];
  at_ = segment.end;
  if (segment.end_line != line_) {
    line_ = segment.end_line;
    line_start_ = segment.end_line_begin;
    line_fresh_ = true;
  }
  enter_gap();
}

void Tokens::take_segment(Token* token) {
  const Segment& segment = segments_[segment_];
  token->kind = TokenKind::string;
  token->first_on_line = line_fresh_;
  token->column = static_cast<std::uint32_t>(at_ - line_start_);
  token->text = text_.substr(segment.begin, segment.end - segment.begin);
  line_fresh_ = false;
  cross_segment();
  if (segment.end > segment.begin && text_[segment.end - 1] != '\n') line_fresh_ = false;
}

// Takes the whole directive; strings and comments inside are crossed.
void Tokens::take_directive(Token* token) {
  static const ByteSet kStops("\n\\");
  token->kind = TokenKind::directive;
  ++at_;
  while (at_ < gap_end_ && class_of(text_[at_]) == ByteClass::space) ++at_;
  const std::size_t from = at_;
  while (at_ < gap_end_ && class_of(text_[at_]) == ByteClass::word) ++at_;
  token->text = text_.substr(from, at_ - from);
  while (true) {
    const char* stop = kStops.find(text_.data() + at_, text_.data() + gap_end_);
    at_ = static_cast<std::size_t>(stop - text_.data());
    if (at_ == gap_end_) {
      if (segment_ >= segments_.size()) return;
      cross_segment();
    } else if (text_[at_] == '\n') {
      return;
    } else if (!joins_lines()) {
      ++at_;
    }
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

// A word of which `seen` bytes are known; it may go on behind the window.
[[gnu::always_inline]] inline void Tokens::take_word(Token* token, std::size_t seen) {
  const std::size_t from = at_;
  at_ += seen;
  if (at_ - window_ == kWindow) [[unlikely]] {
    while (at_ < gap_end_ && class_of(text_[at_]) >= ByteClass::word) ++at_;
  }
  token->kind = TokenKind::word;
  token->text = {text_.data() + from, at_ - from};
  token->word = words_.find(token->text, text_.size() - from);
}

void Tokens::take_number(Token* token) {
  token->kind = TokenKind::number;
  while (++at_ < gap_end_ && (class_of(text_[at_]) >= ByteClass::word || text_[at_] == '.')) {
    if (text_[at_] == '.' && at_ + 1 < gap_end_ && text_[at_ + 1] == '.') break;  // 1..n
  }
}

void Tokens::next(Token* token) {
  bool space = false;
  while (true) {
    if (at_ >= gap_end_) [[unlikely]] {
      clear(token, line_, space);
      if (segment_ >= segments_.size()) {
        token->kind = TokenKind::end;
        return;
      }
      if (segments_[segment_].kind == SegmentKind::string) return take_segment(token);
      cross_segment();
      space = true;
      continue;
    }
    if (at_ - window_ >= kWindow) [[unlikely]]
      look();
    const std::size_t bit = at_ - window_;
    const std::uint64_t code = ~masks_.blanks >> bit;
    // Blanks up to the next code (mostly none or one: not worth a branch), or to the end of the
    // window.
    const auto run = code != 0 ? static_cast<std::size_t>(std::countr_zero(code))
                               : std::min(kWindow - bit, gap_end_ - at_);
    const std::uint64_t before = run < kWindow ? (std::uint64_t{1} << run) - 1 : ~std::uint64_t{0};
    const std::uint64_t ends = masks_.newlines >> bit & before;
    space |= run != 0;
    if (ends != 0) {
      line_fresh_ = true;
      if (options_.newlines) {
        clear(token, line_++, true);
        token->kind = TokenKind::newline;
        at_ += static_cast<std::size_t>(std::countr_zero(ends)) + 1;
        line_start_ = at_;
        return;
      }
      line_ += static_cast<std::uint32_t>(std::popcount(ends));
      line_start_ = at_ + kWindow - static_cast<std::size_t>(std::countl_zero(ends));
    }
    at_ += run;
    if (code == 0) [[unlikely]]
      continue;
    const char c = text_[at_];
    if (c == '\\' && options_.newlines && joins_lines()) continue;
    clear(token, line_, space);
    token->first_on_line = line_fresh_;
    token->column = static_cast<std::uint32_t>(at_ - line_start_);
    line_fresh_ = false;
    const std::uint64_t words = masks_.words >> (bit + run);
    if ((words & 1) != 0) {
      if (c >= '0' && c <= '9') return take_number(token);
      return take_word(token, static_cast<std::size_t>(std::countr_one(words)));
    }
    if (c == '#' && options_.directives && token->first_on_line) return take_directive(token);
    ++at_;
    token->kind = TokenKind::op;
    const char second = at_ < gap_end_ ? text_[at_] : '\0';
    if (kPairs.join(c, second)) [[unlikely]] {
      ++at_;
      token->op = op2(c, second);
      token->meaning = meaning_of(token->op);
    } else {
      token->op = static_cast<unsigned char>(c);
      token->meaning = kMeanings[static_cast<unsigned char>(c)];
    }
    return;
  }
}

}  // namespace neurolens::codebase
