#include "lex/scanner.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace neurolens::codebase {
namespace {

const char* find_byte(const char* p, const char* end, char c) {
  if (p >= end) return end;
  const void* hit = std::memchr(p, c, static_cast<std::size_t>(end - p));
  return hit != nullptr ? static_cast<const char*>(hit) : end;
}

// The lowest `bits` bits, of 0 to 64.
constexpr std::uint64_t below(unsigned bits) {
  return bits < 64 ? (std::uint64_t{1} << bits) - 1 : ~std::uint64_t{0};
}

LineMasksFunction masks_of_lines() {
  static const LineMasksFunction function = line_masks_function();
  return function;
}

bool matches(const char* p, const char* end, std::string_view text) {
  if (static_cast<std::size_t>(end - p) < text.size()) return false;
  // Marks are short: no call for them.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (p[i] != text[i]) return false;
  }
  return true;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool matches_word(const char* p, const char* end, std::string_view word) {
  if (static_cast<std::size_t>(end - p) < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (lower(p[i]) != lower(word[i])) return false;
  }
  const char* after = p + word.size();
  return after == end || !is_identifier_byte(*after);
}

// Looks for the mark's last byte, because runs of its first (/******) are common.
const char* find_mark(const char* p, const char* end, std::string_view mark) {
  const auto before = static_cast<std::ptrdiff_t>(mark.size() - 1);
  for (const char* hit = p + std::min(before, end - p);
       (hit = find_byte(hit, end, mark.back())) != end; ++hit) {
    if (std::memcmp(hit - before, mark.data(), mark.size()) == 0) return hit + 1;
  }
  return nullptr;
}

const char* find_nested_end(const char* p, const char* end, std::string_view open,
                            std::string_view close) {
  const ByteSet marks(std::string{open.front(), close.front()});
  int depth = 1;
  while ((p = marks.find(p, end)) != end) {
    if (matches(p, end, close)) {
      p += close.size();
      if (--depth == 0) return p;
    } else if (matches(p, end, open)) {
      p += open.size();
      ++depth;
    } else {
      ++p;
    }
  }
  return nullptr;
}

}  // namespace

LexTable compile_rules(std::vector<Rule> rules, std::string_view sometimes) {
  std::stable_sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
    const auto fa = static_cast<unsigned char>(lower(a.open.front()));
    const auto fb = static_cast<unsigned char>(lower(b.open.front()));
    return fa != fb ? fa < fb : a.open.size() > b.open.size();
  });
  LexTable table;
  table.rules = std::move(rules);
  table.interesting.add('\n');
  table.always.add('\n');
  for (std::size_t i = table.rules.size(); i-- > 0;) {
    Rule& rule = table.rules[i];
    const char c = rule.open.front();
    const std::size_t known = std::min<std::size_t>(rule.open.size(), sizeof rule.head);
    std::memcpy(&rule.head, rule.open.data(), known);
    std::memset(&rule.head_mask, 0xff, known);
    const auto index = static_cast<std::uint8_t>(i + 1);
    table.first[static_cast<unsigned char>(c)] = index;
    table.interesting.add(c);
    if (sometimes.find(c) == std::string_view::npos) table.always.add(c);
    if ((table.rules[i].flags & kWord) == 0) continue;
    for (const char other : {lower(c), static_cast<char>(lower(c) - 'a' + 'A')}) {
      if (lower(c) < 'a' || lower(c) > 'z') break;
      table.first[static_cast<unsigned char>(other)] = index;
      table.interesting.add(other);
      table.always.add(other);
    }
  }
  return table;
}

const char* find_string_end(const char* p, const char* end, std::string_view close, unsigned flags,
                            bool* closed) {
  *closed = true;
  const char mark = close.front();
  const char escape = (flags & kEscapes) != 0 ? '\\' : mark;
  const char line_end = (flags & kMultiLine) == 0 ? '\n' : mark;
  for (; (p = find_of_three(p, end, mark, escape, line_end)) < end; ++p) {
    const char c = *p;
    if (c == '\\' && (flags & kEscapes) != 0) {
      if (p + 2 < end && p[1] == '\r' && p[2] == '\n') ++p;  // an escaped CR LF is one line end
      if (p + 1 < end) ++p;
      continue;
    }
    if (c == '\n' && (flags & kMultiLine) == 0) break;
    if (c != mark || !matches(p, end, close)) continue;
    p += close.size();
    if ((flags & kDoubles) == 0 || !matches(p, end, close)) return p;
    p += close.size() - 1;
  }
  *closed = false;
  return std::min(p, end);
}

const char* Scanner::line_end(const char* from) const {
  return find_byte(from, end_, '\n');
}

void Scanner::end_line() {
  char kind = 'b';
  if ((line_ & kLineCode) != 0) {
    ++lines_.code;
    kind = 'c';
  } else if ((line_ & (kLineComment | kLineDoc)) != 0) {
    ++lines_.comment;
    kind = 'm';
    if ((line_ & kLineDoc) != 0) {
      ++lines_.doc;
      kind = 'd';
    }
  } else {
    ++lines_.blank;
  }
  ++lines_.total;
  if (kinds_ != nullptr) kinds_->push_back(kind);
  line_ = 0;
}

// Records [from, pos), whose lines were accounted for.
void Scanner::add_segment(const char* from, SegmentKind kind) {
  if (segments_ == nullptr) return;
  segments_->push_back({static_cast<std::uint32_t>(from - begin_),
                        static_cast<std::uint32_t>(p_ - begin_),
                        static_cast<std::uint32_t>(lines_.total + 1),
                        static_cast<std::uint32_t>(line_begin_ - begin_), kind});
}

// Moves over the first `size` bytes that `masks` describes, closing the lines on the way; those
// with something on them get `flag`.
void Scanner::count_lines(const LineMasks& masks, unsigned size, std::uint8_t flag) {
  const std::uint64_t ends = masks.newlines & below(size);
  const std::uint64_t code = ~(masks.blanks | masks.newlines) & below(size);
  if (ends == 0) {
    if (code != 0) line_ = static_cast<std::uint8_t>(line_ | flag);
    p_ += size;
    return;
  }
  const auto first = static_cast<unsigned>(std::countr_zero(ends));
  if ((code & below(first)) != 0) line_ = static_cast<std::uint8_t>(line_ | flag);
  end_line();
  // A line's start is carried over its blanks to what comes first on it, be it the line's end.
  const auto last = 63 - static_cast<unsigned>(std::countl_zero(ends));
  const std::uint64_t filled = (masks.blanks + (ends << 1)) & code;
  const auto others = static_cast<unsigned>(std::popcount(ends)) - 1;
  const auto marked = static_cast<unsigned>(std::popcount(filled & below(last)));
  lines_.total += others;
  lines_.blank += others - marked;
  if (flag == kLineCode) {
    lines_.code += marked;
  } else {
    lines_.comment += marked;
    if (flag == kLineDoc) lines_.doc += marked;
  }
  if ((filled & ~below(last)) != 0) line_ = flag;
  line_begin_ = p_ + last + 1;
  p_ += size;
}

// Moves to `to`, closing the lines on the way. `flag` marks every line with something on it, or
// every line at all when `blank_is_flag`.
void Scanner::account(const char* to, std::uint8_t flag, bool blank_is_flag) {
  if (kinds_ == nullptr && !blank_is_flag) {
    LineMasks masks;
    while (to - p_ >= 64) {
      masks_of_lines()(p_, ByteSet(), &masks);
      count_lines(masks, 64, flag);
    }
  }
  while (p_ < to) {
    const char* stop = find_byte(p_, to, '\n');
    const char* q = p_;
    if (!blank_is_flag) {
      while (q < stop && is_blank_byte(*q)) ++q;
    }
    if (q < stop || blank_is_flag) line_ = static_cast<std::uint8_t>(line_ | flag);
    p_ = stop;
    if (stop == to) return;
    end_line();
    line_begin_ = ++p_;
  }
}

void Scanner::take_string(const char* to) {
  take_string_from(p_, to);
}

void Scanner::take_string_from(const char* from, const char* to) {
  // A string that ends right after a line end holds nothing of the next line.
  const bool at_line_start = to > p_ && to[-1] == '\n';
  account(to, kLineCode, true);
  add_segment(from, SegmentKind::string);
  if (!at_line_start) line_ = static_cast<std::uint8_t>(line_ | kLineCode);
}

void Scanner::take_comment(const char* to, bool doc) {
  state.comment_begin = p_;
  state.comment_end = to;
  const char* from = p_;
  account(to, doc ? kLineDoc : kLineComment, false);
  add_segment(from, doc ? SegmentKind::doc : SegmentKind::comment);
}

void Scanner::take_code(const char* to) {
  account(to, kLineCode, false);
}

bool Scanner::permitted(const Rule& rule) const {
  if ((rule.flags & kColumnZero) != 0 && p_ != line_begin_) return false;
  if ((rule.flags & kLineStart) != 0 && !line_is_empty()) return false;
  if ((rule.flags & kBoundary) != 0 && p_ > line_begin_ && !is_blank_byte(p_[-1]) &&
      std::strchr(";&|()[]{},`", p_[-1]) == nullptr) {
    return false;
  }
  return true;
}

void Scanner::line_comment(const Rule& rule) {
  const char* stop = line_end(p_);
  const bool doc = (rule.flags & kDoc) != 0;
  if ((rule.flags & kContinues) != 0 && stop < end_ && stop - p_ >= 2 &&
      (stop[-1] == '\\' || stop[-1] == '\r')) {
    while (stop < end_) {
      const char* last = stop;
      if (last > p_ && last[-1] == '\r') --last;
      if (last <= p_ || last[-1] != '\\') break;
      stop = line_end(stop + 1);
    }
    return take_comment(stop, doc);
  }
  // It holds no line end, and something.
  state.comment_begin = p_;
  state.comment_end = stop;
  const char* from = p_;
  line_ = static_cast<std::uint8_t>(line_ | (doc ? kLineDoc : kLineComment));
  p_ = stop;
  add_segment(from, doc ? SegmentKind::doc : SegmentKind::comment);
}

void Scanner::block_comment(const Rule& rule) {
  // "/**" is "/*" with a mark of documentation: the plain opener decides where the inside starts.
  const bool own_mark = rule.open.ends_with(rule.close);  // """ and the like open and close alike
  const std::string_view open = own_mark ? rule.open : rule.open.substr(0, rule.close.size());
  const char* inside = p_ + open.size();
  const char* stop = (rule.flags & kNests) != 0 ? find_nested_end(inside, end_, open, rule.close)
                                                : find_mark(inside, end_, rule.close);
  if (stop == nullptr) {
    doubt(Doubt::open_comment);
    stop = end_;
  } else if ((rule.flags & kWholeLines) != 0) {
    stop = line_end(stop);
  }
  const bool empty = stop - p_ <= static_cast<std::ptrdiff_t>(open.size() + rule.close.size());
  take_comment(stop, (rule.flags & kDoc) != 0 && !empty);
}

void Scanner::plain_string(const Rule& rule) {
  bool closed = true;
  const char* stop = find_string_end(p_ + rule.open.size(), end_, rule.close, rule.flags, &closed);
  if (!closed) doubt(Doubt::open_string);
  take_string(stop);
}

bool Scanner::apply(const Rule& rule) {
  switch (rule.kind) {
    case RuleKind::line_comment:
      line_comment(rule);
      return true;
    case RuleKind::block_comment:
      block_comment(rule);
      return true;
    case RuleKind::string:
      plain_string(rule);
      return true;
    case RuleKind::hook:
      return rule.hook(*this, rule);
  }
  return false;
}

bool Scanner::dispatch() {
  const unsigned first = table_.first[static_cast<unsigned char>(*p_)];
  if (first == 0) return false;
  const char byte = lower(*p_);
  std::uint32_t head = 0;
  std::memcpy(&head, p_, end_ - p_ >= 4 ? sizeof head : static_cast<std::size_t>(end_ - p_));
  for (std::size_t i = first - 1; i < table_.rules.size(); ++i) {
    const Rule& rule = table_.rules[i];
    if (lower(rule.open.front()) != byte) break;
    const bool word = (rule.flags & kWord) != 0;
    if (!word && (head & rule.head_mask) != rule.head) continue;
    const bool match = word ? matches_word(p_, end_, rule.open) : matches(p_, end_, rule.open);
    if (match && permitted(rule) && apply(rule)) return true;
  }
  return false;
}

// At a place where the line may turn out to hold nothing (more): its start, or behind a comment.
void Scanner::settle() {
  while (true) {
    p_ = skip_indent(p_, end_);
    while (p_ < end_ && is_blank_byte(*p_)) ++p_;
    if (p_ == end_ || *p_ == '\n' || (line_ & kLineCode) != 0) return;
    if (table_.line_hook != nullptr && table_.line_hook(*this, table_.rules.front())) continue;
    const char* before = p_;
    if (const int step = table_.bracket(*p_); step != 0) {
      state.depth = std::max(0, state.depth + step);
      line_ = static_cast<std::uint8_t>(line_ | kLineCode);
      ++p_;
      return;
    }
    if (!table_.interesting.contains(*p_) || !dispatch()) {
      line_ = static_cast<std::uint8_t>(line_ | kLineCode);
      if (p_ == before) ++p_;
      return;
    }
  }
}

void Scanner::new_line() {
  end_line();
  line_begin_ = ++p_;
  if (table_.newline_hook != nullptr) table_.newline_hook(*this, table_.rules.front());
  settle();
}

// 64 bytes of a text and what they are, with blanks behind its end.
struct Scanner::Window {
  const char* begin = nullptr;
  std::ptrdiff_t size = 0;
  LineMasks masks;

  // How far into the window `at` lies; made anew when it does not, or for the other state.
  unsigned follow(const char* at, const char* end, bool in, const LexTable& table) {
    if (at - begin >= size || in != inside) look(at, end, in, table);
    return static_cast<unsigned>(at - begin);
  }

 private:
  void look(const char* at, const char* end, bool in, const LexTable& table) {
    begin = at;
    inside = in;
    size = std::min<std::ptrdiff_t>(64, end - at);
    const ByteSet& set = in ? table.interesting : table.always;
    if (size == 64) return masks_of_lines()(at, set, &masks);
    char tail[64] = {};
    std::memcpy(tail, at, static_cast<std::size_t>(size));
    masks_of_lines()(tail, set, &masks);
    masks.marks &= below(static_cast<unsigned>(size));
    masks.newlines &= below(static_cast<unsigned>(size));
  }

  bool inside = false;  ///< Made for that state: see LexTable::always.
};

// For tables whose hooks need not see where lines start: the lines up to the next interesting byte
// are counted 64 bytes at a time.
void Scanner::run_by_masks() {
  Window window;
  while (p_ < end_) {
    const unsigned past = window.follow(p_, end_, state.inside(), table_);
    const LineMasks& all = window.masks;
    const LineMasks masks{all.marks >> past, all.blanks >> past, all.newlines >> past};
    const auto left = static_cast<unsigned>(window.size) - past;
    const unsigned stop = std::min(left, static_cast<unsigned>(std::countr_zero(masks.marks)));
    count_lines(masks, stop, kLineCode);
    if (stop == left) continue;
    if ((line_ & kLineCode) == 0 || dispatch()) {
      settle();
    } else {
      ++p_;
    }
  }
}

// For the others: from one interesting byte or line end to the next.
void Scanner::run_by_marks() {
  Window window;
  while (p_ < end_) {
    const unsigned past = window.follow(p_, end_, state.inside(), table_);
    std::uint64_t marks = (window.masks.marks | window.masks.newlines) >> past << past;
    int step = 0;
    for (; marks != 0; marks &= marks - 1) {  // brackets move nothing but the depth
      p_ = window.begin + std::countr_zero(marks);
      if ((step = table_.bracket(*p_)) == 0) break;
      state.depth = std::max(0, state.depth + step);
    }
    if (marks == 0) {
      p_ = window.begin + window.size;
    } else if (*p_ == '\n') {
      new_line();
    } else if (dispatch()) {
      settle();
    } else {
      ++p_;
    }
  }
}

void Scanner::run() {
  if (table_.start_hook != nullptr) table_.start_hook(*this, table_.rules.front());
  settle();
  const bool hooked = table_.line_hook != nullptr || table_.newline_hook != nullptr;
  if (hooked || table_.counts_brackets || kinds_ != nullptr) {
    run_by_marks();
  } else {
    run_by_masks();
  }
  if (end_ > line_begin_) end_line();
}

}  // namespace neurolens::codebase
