#include "functions/skim.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace neurolens::codebase {
namespace {

constexpr unsigned kWindow = 64;
constexpr unsigned kAskAgain = ~0u;  // no reader wants this

// Bits from `bit` on, and below it; 64 is a legal argument.
constexpr std::uint64_t from(std::size_t bit) {
  return bit < kWindow ? ~std::uint64_t{0} << bit : 0;
}
constexpr std::uint64_t below(std::size_t bit) {
  return ~from(bit);
}
unsigned lowest(std::uint64_t mask) {
  return static_cast<unsigned>(std::countr_zero(mask));
}
unsigned highest(std::uint64_t mask) {
  return kWindow - 1 - static_cast<unsigned>(std::countl_zero(mask));
}
unsigned count(std::uint64_t mask) {
  return static_cast<unsigned>(std::popcount(mask));
}
CodeMasksFunction masks_function() {
  static const CodeMasksFunction function = code_masks_function();
  return function;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Skim::Skim(std::string_view text, std::span<const Segment> segments, const WordTable& words,
           const SkimRules& rules)
    : text_(text),
      segments_(segments),
      words_table_(words),
      rules_(rules),
      masks_of_64_(masks_function()) {
  gap_end_ = segments_.empty() ? text_.size() : segments_[0].begin;
  look(0, 1, 0);
  enter(0);
}

[[gnu::always_inline]] inline std::uint32_t Skim::line_at(unsigned bit) const {
  return line_ + count(masks_.newlines & below(bit));
}

std::uint32_t Skim::line_of(const SkimToken& token) const {
  return token.line != 0 ? token.line : line_at(static_cast<unsigned>(token.begin - window_));
}

std::size_t Skim::line_start_at(unsigned bit) const {
  const std::uint64_t ends = masks_.newlines & below(bit);
  return ends != 0 ? window_ + highest(ends) + 1 : line_start_;
}

// First bit of the run of operators that `bit` is in.
unsigned Skim::run_start(unsigned bit) const {
  const std::uint64_t others = (words_ | blanks_) & below(bit);
  return others != 0 ? highest(others) + 1 : 0;
}

bool Skim::space_before() const {
  const std::size_t at = current_->begin;
  if (at <= gap_begin_) return comment_before_;
  const ByteClass before = class_of(text_[at - 1]);
  return before == ByteClass::space || before == ByteClass::newline;
}

void Skim::look(std::size_t at, std::uint32_t line, std::size_t line_start) {
  window_ = at;
  line_ = line;
  line_start_ = line_start;
  if (text_.size() - at > kWindow) {
    masks_of_64_(text_.data() + at, rules_.stops, words_table_.pairs(), &masks_);
  } else {
    char tail[kWindow + 1] = {};
    if (at < text_.size()) std::memcpy(tail, text_.data() + at, text_.size() - at);
    masks_of_64_(tail, rules_.stops, words_table_.pairs(), &masks_);
  }
}

// Makes ready to read the gap from `at`, which lies in the window.
void Skim::enter(std::size_t at) {
  const auto begin = static_cast<unsigned>(at - window_);
  const std::uint64_t inside = from(begin) & below(std::min<std::size_t>(gap_end_ - window_, 64));
  words_ = masks_.words & inside;
  blanks_ = masks_.blanks | ~inside;
  breaks_ = masks_.newlines & inside;
  if ((words_ << 1 & masks_.dots & inside) != 0) join_numbers();
  if (rules_.line_starts && (masks_.slashes & inside) != 0) join_lines();
  find_limit(begin);
  const std::uint64_t code = ~blanks_ & below(limit_), operators = code & ~words_;
  const std::uint64_t starts = words_ & ~(words_ << 1) & code;
  const std::uint64_t names = starts & ~masks_.digits;
  std::uint64_t colons = masks_.kinds.back() & operators;
  if (rules_.single_colons) {
    const std::uint64_t two = colons & ~(colons << 1) & colons >> 1 & ~(colons >> 2);
    colons &= ~(two | two << 1);
  }
  always_ = (masks_.always & operators) | (names & masks_.pairs);
  optional_ = {starts | operators,
               names,
               0,
               masks_.commas & operators,
               masks_.equals & operators,
               masks_.kinds[0] & operators,
               masks_.kinds[1] & operators,
               colons};
  if (rules_.line_starts) {
    firsts_ = (blanks_ + breaks_) & code;
    const std::uint64_t all = ~blanks_;
    if (fresh_) firsts_ |= all & (0 - all) & code;
    optional_[kLineStart] = firsts_;
  }
  wanted_ = kAskAgain;
}

// 1.5 is one number: its dot becomes part of the run that its digits start. 1..n has no such dot.
void Skim::join_numbers() {
  std::uint64_t runs = words_ & ~(words_ << 1) & masks_.digits;
  while (runs != 0) {
    unsigned end = lowest(runs);
    while (true) {
      end += static_cast<unsigned>(std::countr_one(words_ >> end));
      if (end >= kWindow || (~blanks_ & masks_.dots & std::uint64_t{1} << end) == 0) break;
      const std::size_t after = window_ + end + 1;
      if (after < gap_end_ && text_[after] == '.') break;
      words_ |= std::uint64_t{1} << end;
    }
    runs &= from(end) & words_ & ~(words_ << 1) & masks_.digits;
  }
}

// A backslash at the end of a line joins it with the next: neither is there.
void Skim::join_lines() {
  for (std::uint64_t marks = masks_.slashes & ~blanks_; marks != 0; marks &= marks - 1) {
    const unsigned bit = lowest(marks);
    std::size_t after = window_ + bit + 1;
    if (after < gap_end_ && text_[after] == '\r') ++after;
    if (after >= gap_end_ || text_[after] != '\n') continue;
    blanks_ |= std::uint64_t{1} << bit;
    breaks_ &= ~(from(after - window_) & below(after - window_ + 1));
  }
}

// How far the window can be read: to the gap's end, or to the start of the last token in it.
void Skim::find_limit(unsigned begin) {
  forced_ = rules_.every ? kAll : 0u;
  limit_ = kWindow;
  if (gap_end_ - window_ <= kWindow) {
    limit_ = static_cast<unsigned>(gap_end_ - window_);
    return;
  }
  const std::uint64_t last = std::uint64_t{1} << (kWindow - 1);
  const bool joins = rules_.line_starts && (masks_.slashes & (last | last >> 1)) != 0;
  const std::uint64_t operators = ~(blanks_ | words_);
  // Not beside a dot, which may be one of a number's.
  const std::uint64_t dots = masks_.dots | masks_.dots << 1;
  const std::uint64_t starts =
      (((words_ & ~(words_ << 1)) | (operators & ~(operators << 1))) & (~dots | blanks_ << 1)) |
      (rules_.line_starts ? masks_.slashes : 0);
  const std::uint64_t cuts = starts & from(begin + 1);
  const bool whole = (blanks_ & last) != 0 && !joins;
  limit_ = whole || cuts == 0 ? kWindow : highest(cuts | 1);
  forced_ |= !whole && cuts == 0 ? kAll : 0u;
}

void Skim::ask(unsigned wanted) {
  wanted_ = wanted;
  std::uint64_t bits = always_;
  for (std::size_t i = 0; i < optional_.size(); ++i)
    bits |= optional_[i] & (std::uint64_t{0} - (wanted >> i & 1u));  // no branch to guess
  pending_ = bits & from(scan_ - window_);
}

[[gnu::always_inline]] inline void Skim::name_word(SkimToken* token, std::size_t begin,
                                                   std::size_t size) const {
  token->begin = begin;
  token->op = 0;
  token->line = 0;
  token->word = Word::none;
  token->text = {text_.data() + begin, size};
  if (is_digit(text_[begin])) {
    token->kind = TokenKind::number;
  } else {
    token->kind = TokenKind::word;
    token->word = words_table_.find(token->text, text_.size() - begin);
  }
}

// The code between `since` and `bit`.
[[gnu::always_inline]] inline std::uint64_t Skim::code_before(std::size_t since,
                                                              unsigned bit) const {
  return ~blanks_ & from(since - window_) & below(bit);
}

// Whether a line ended between `bit` and the code before it.
bool Skim::starts_line(unsigned bit) const {
  const std::uint64_t code = code_before(done_, bit);
  if (code == 0 && fresh_) return true;
  const std::uint64_t behind = code != 0 ? from(highest(code)) : from(done_ - window_);
  return (breaks_ & behind & below(bit)) != 0;
}

[[gnu::always_inline]] inline void Skim::deliver(unsigned bit, std::size_t size) {
  current_->first_on_line = (firsts_ >> bit & 1) != 0;
  if (current_->first_on_line)
    current_->column = static_cast<std::uint32_t>(window_ + bit - line_start_at(bit));
  fresh_ = told_ = false;
  before_ = done_;
  done_ = scan_ = window_ + bit + size;
}

[[gnu::always_inline]] inline bool Skim::take_word(unsigned bit) {
  const std::size_t begin = window_ + bit;
  auto size = static_cast<std::size_t>(std::countr_one(words_ >> bit));
  if (bit + size == kWindow && gap_end_ - window_ > kWindow) [[unlikely]] {
    const bool number = is_digit(text_[begin]);  // it goes on behind the window
    const auto more = [&](std::size_t at) {
      if (class_of(text_[at]) >= ByteClass::word) return true;
      return number && text_[at] == '.' && !(at + 1 < gap_end_ && text_[at + 1] == '.');
    };
    while (begin + size < gap_end_ && more(begin + size)) ++size;
  }
  name_word(current_, begin, size);
  const bool asked = (wanted_ & (kAll | kWords)) != 0 || words_table_.delivers(current_->word) ||
                     ((wanted_ & kLineStarts) != 0 && (firsts_ >> bit & 1) != 0);
  if (!asked) {
    scan_ = begin + size;
    return false;
  }
  deliver(bit, size);
  return true;
}

[[gnu::always_inline]] inline bool Skim::take_operator(unsigned bit) {
  SkimToken& token = *current_;
  const char c = text_[window_ + bit];
  if (kPairs.joins(c)) return take_joined(bit);
  token.kind = TokenKind::op;
  token.op = static_cast<unsigned char>(c);
  token.meaning = kMeanings[static_cast<unsigned char>(c)];
  token.begin = window_ + bit;
  token.line = 0;
  if (c == '#' && rules_.directives) {
    const bool directive = starts_line(bit);
    if (directive && skip_directive(bit)) return false;
    deliver(bit, 1);
    if (directive) take_directive(window_ + bit);
    return true;
  }
  deliver(bit, 1);
  return true;
}

// At a byte that may be part of an operator of two, or of one that means nothing.
bool Skim::take_joined(unsigned bit) {
  // Which bytes belong together is told from the start of the run.
  unsigned at = std::max(run_start(bit), static_cast<unsigned>(scan_ - window_));
  char c = 0, second = 0;
  unsigned size = 0;
  for (unsigned next = at; next <= bit; next = at + size) {
    at = next;
    c = text_[window_ + at];
    second = byte_at(window_ + at + 1);
    size = kPairs.join(c, second) ? 2 : 1;
  }
  SkimToken& token = *current_;
  token.kind = TokenKind::op;
  token.op = size == 2 ? op2(c, second) : static_cast<unsigned char>(c);
  token.meaning = size == 2 ? meaning_of(token.op) : kMeanings[static_cast<unsigned char>(c)];
  token.begin = window_ + at;
  token.line = 0;
  const bool asked = token.meaning != OpKind::dull || (wanted_ & kAll) != 0 ||
                     ((wanted_ & kLineStarts) != 0 && (firsts_ >> at & 1) != 0);
  if (!asked) {
    scan_ = window_ + at + size;
    return false;
  }
  deliver(at, size);
  return true;
}

// Whether a token is nothing but the start of a line, and not before the column up to which these
// are wanted.
bool Skim::too_deep(unsigned bit) const {
  if (window_ + bit - line_start_at(bit) < deepest_) return false;
  std::uint64_t others = always_;
  for (std::size_t i = 0; i < optional_.size(); ++i) {
    if (i != kLineStart) others |= optional_[i] & (std::uint64_t{0} - (wanted_ >> i & 1u));
  }
  return (others >> bit & 1) == 0;
}

const SkimToken& Skim::next_of_any(unsigned wanted) {
  while (true) {
    if (pending_ == 0) [[unlikely]] {
      if (refill()) return *current_;
      ask(wanted | forced_);
      continue;
    }
    const unsigned bit = lowest(pending_);
    pending_ &= pending_ - 1;
    if (window_ + bit < scan_) continue;  // the second byte of an operator
    if ((firsts_ >> bit & 1) != 0 && too_deep(bit)) continue;
    const bool word = (words_ >> bit & 1) != 0;
    if (word ? take_word(bit) : take_operator(bit)) return *current_;
  }
}

// Makes *previous_, which was delivered, the last token of those in between, if there are any.
void Skim::tell_previous() {
  told_ = true;
  const std::uint64_t code = code_before(before_, static_cast<unsigned>(current_->begin - window_));
  if (code != 0) tell_last(code);
}

bool Skim::nothing_between() const {
  return code_before(before_, static_cast<unsigned>(current_->begin - window_)) == 0;
}

void Skim::tell_last(std::uint64_t code) {
  const unsigned last = highest(code);
  SkimToken& token = *previous_;
  if ((words_ >> last & 1) != 0) {
    const auto size = static_cast<unsigned>(std::countl_one(words_ << (kWindow - 1 - last)));
    return name_word(&token, window_ + last + 1 - size, size);
  }
  unsigned at = std::max(run_start(last), lowest(code));
  while (at < last) {
    const bool two = kPairs.join(text_[window_ + at], text_[window_ + at + 1]);
    if (two && at + 1 == last) break;
    at += two ? 2 : 1;
  }
  const char c = text_[window_ + at];
  token.kind = TokenKind::op;
  token.op = at < last ? op2(c, text_[window_ + last]) : static_cast<unsigned char>(c);
  token.begin = window_ + at;
  token.line = 0;
}

// Nothing wanted is left in the window. True when the current token is a string or the end.
bool Skim::refill() {
  const unsigned stop = std::max(limit_, static_cast<unsigned>(done_ - window_));
  if (rules_.line_starts || rules_.directives) fresh_ = starts_line(stop);
  if (const std::uint64_t code = code_before(done_, stop); code != 0) tell_last(code);
  previous_->line = line_of(*previous_);  // the window that could tell goes
  told_ = true;
  done_ = scan_ = window_ + stop;
  if (done_ >= gap_end_) return cross_segment();
  look(done_, line_at(stop), line_start_at(stop));
  enter(done_);
  return false;
}

void Skim::enter_next_gap() {
  const Segment& segment = segments_[segment_++];
  comment_before_ = segment.kind != SegmentKind::string;
  gap_begin_ = segment.end;
  gap_end_ = segment_ < segments_.size()
                 ? std::max<std::size_t>(segments_[segment_].begin, gap_begin_)
                 : text_.size();
}

// At the end of the gap. True when the current token is a string or the end of the text.
bool Skim::cross_segment() {
  const auto bit = static_cast<unsigned>(std::min<std::size_t>(done_ - window_, kWindow));
  SkimToken& token = *current_;
  token = {};
  token.line = line_at(bit);
  token.begin = done_;
  if (segment_ >= segments_.size()) return true;
  const Segment& segment = segments_[segment_];
  const bool string = segment.kind == SegmentKind::string;
  if (string) {
    token.kind = TokenKind::string;
    token.first_on_line = fresh_;
    token.column = static_cast<std::uint32_t>(done_ - line_start_at(bit));
    token.text = text_.substr(segment.begin, segment.end - segment.begin);
    fresh_ = rules_.directives && segment.end > segment.begin && text_[segment.end - 1] == '\n';
  } else if (rules_.directives && segment.end_line != token.line) {
    fresh_ = true;
  }
  token.line = segment.end_line;
  enter_next_gap();
  done_ = scan_ = gap_begin_;
  // The masks of a window hold behind a segment as well.
  const std::size_t ahead = done_ - window_;
  if (ahead >= kWindow || (ahead > kWindow / 2 && gap_end_ - window_ > kWindow))
    look(done_, segment.end_line, segment.end_line_begin);
  enter(done_);
  return string;
}

// Passes a directive of one line in the window, unless it may be about a condition: those that
// start with 'i' or 'e'. Its bytes become blanks. False: it is something else.
bool Skim::skip_directive(unsigned bit) {
  const std::uint64_t ends = breaks_ & from(bit);
  if (ends == 0) return false;
  const unsigned end = lowest(ends);
  const char last = text_[window_ + end - 1];
  const std::uint64_t letters = words_ & from(bit) & below(end);
  if (last == '\\' || last == '\r' || letters == 0) return false;
  const char first = text_[window_ + lowest(letters)];
  if (first == 'i' || first == 'e') return false;
  const std::uint64_t inside = from(bit) & below(end);
  blanks_ |= inside;
  words_ &= ~inside;
  pending_ &= ~inside;
  scan_ = window_ + end;
  always_ &= ~inside;
  for (std::uint64_t& bits : optional_) bits &= ~inside;
  return true;
}

// Takes the whole directive; strings and comments inside are crossed.
void Skim::take_directive(std::size_t at) {
  previous();
  SkimToken& token = *current_;
  token.kind = TokenKind::directive;
  token.op = 0;
  ++at;
  while (at < gap_end_ && class_of(text_[at]) == ByteClass::space) ++at;
  const std::size_t begin = at;
  while (at < gap_end_ && class_of(text_[at]) == ByteClass::word) ++at;
  token.text = text_.substr(begin, at - begin);
  wanted_ = kAskAgain;
  const std::uint64_t ends = breaks_ & from(at - window_);
  if (ends != 0) {  // most end in the window
    const std::size_t end = window_ + lowest(ends);
    if (text_[end - 1] != '\\' && text_[end - 1] != '\r') {
      done_ = scan_ = end;
      return;
    }
  }
  token.line = line_of(token);
  previous_->line = line_of(*previous_);
  pass_directive(at, token.line);
}

// Moves to the end of a directive that is read up to `at`.
void Skim::pass_directive(std::size_t at, std::uint32_t line) {
  static const ByteSet kEnds("\n\\");
  while (true) {
    const char* stop = kEnds.find(text_.data() + at, text_.data() + gap_end_);
    at = static_cast<std::size_t>(stop - text_.data());
    if (at == gap_end_) {
      if (segment_ >= segments_.size()) break;
      line = segments_[segment_].end_line;
      enter_next_gap();
      at = gap_begin_;
      continue;
    }
    if (text_[at] == '\n') break;
    std::size_t after = at + 1;
    if (after < gap_end_ && text_[after] == '\r') ++after;
    const bool joins = after < gap_end_ && text_[after] == '\n';
    line += joins ? 1u : 0u;
    at = joins ? after + 1 : at + 1;
  }
  done_ = scan_ = at;
  look(at, line, at);  // the column of what follows is not asked for
  enter(at);
}

}  // namespace neurolens::codebase
