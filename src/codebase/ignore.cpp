#include "ignore.hpp"

#include "neurolens/base/text.hpp"
#include "neurolens/codebase/walk.hpp"

namespace neurolens::codebase {
namespace {

// One byte of a path against one element of a pattern. Returns the length of the element, 0: no
// match.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern[0] == '?') return c == '/' ? 0 : 1;
  if (pattern[0] == '\\' && pattern.size() > 1) return pattern[1] == c ? 2 : 0;
  if (pattern[0] != '[') return pattern[0] == c ? 1 : 0;
  std::size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool hit = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    char low = pattern[i++];
    if (low == '\\' && i < pattern.size()) low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      high = pattern[i + 1];
      i += 2;
    }
    hit |= low <= c && c <= high;
  }
  if (i >= pattern.size()) return pattern[0] == c ? 1 : 0;  // no closing bracket: a plain '['
  return hit != negated && c != '/' ? i + 1 : 0;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  // Greedy with one point of return per kind of star: a later star makes an earlier one of its kind
  // moot.
  std::size_t p = 0, s = 0;
  std::size_t star_p = std::string_view::npos, star_s = 0;  // last '*'
  std::size_t deep_p = std::string_view::npos, deep_s = 0;  // last "**"
  bool deep_whole = false;                                  // "**/": only at the start of a part
  while (true) {
    if (p < pattern.size() && pattern.substr(p, 2) == "**") {
      p += 2;
      deep_whole = p < pattern.size() && pattern[p] == '/';
      if (deep_whole) ++p;
      deep_p = p;
      deep_s = s;
      star_p = std::string_view::npos;
      continue;
    }
    if (p < pattern.size() && pattern[p] == '*') {
      star_p = ++p;
      star_s = s;
      continue;
    }
    if (s == path.size() && p == pattern.size()) return true;
    if (s < path.size() && p < pattern.size()) {
      if (const std::size_t step = match_one(pattern.substr(p), path[s]); step > 0) {
        p += step;
        ++s;
        continue;
      }
    }
    if (star_p != std::string_view::npos && star_s < path.size() && path[star_s] != '/') {
      p = star_p;
      s = ++star_s;
      continue;
    }
    if (deep_p == std::string_view::npos || deep_s >= path.size()) return false;
    if (deep_whole) {
      const std::size_t slash = path.find('/', deep_s);
      if (slash == std::string_view::npos) return false;
      deep_s = slash + 1;
    } else {
      ++deep_s;
    }
    p = deep_p;
    s = deep_s;
    star_p = std::string_view::npos;
  }
}

IgnoreList::IgnoreList(std::string base, std::string_view text) : base_(std::move(base)) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (const std::string_view line : split(text, '\n')) add(line);
}

void IgnoreList::add(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t') &&
         !(line.size() > 1 && line[line.size() - 2] == '\\')) {
    line.remove_suffix(1);
  }
  if (line.empty() || line.front() == '#') return;
  Pattern pattern;
  if (line.front() == '!') {
    pattern.negated = true;
    line.remove_prefix(1);
  }
  if (!line.empty() && line.back() == '/') {
    pattern.directory_only = true;
    line.remove_suffix(1);
  }
  pattern.anchored = line.find('/') != std::string_view::npos;
  if (!line.empty() && line.front() == '/') line.remove_prefix(1);
  if (line.empty()) return;
  pattern.literal = line.find_first_of("*?[\\") == std::string_view::npos;
  pattern.glob = line;
  patterns_.push_back(std::move(pattern));
}

IgnoreVerdict IgnoreList::test(std::string_view path, bool directory) const {
  if (!path.starts_with(base_)) return IgnoreVerdict::none;
  const std::string_view below = path.substr(base_.size());
  const std::size_t slash = below.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? below : below.substr(slash + 1);
  for (std::size_t i = patterns_.size(); i-- > 0;) {
    const Pattern& pattern = patterns_[i];
    if (pattern.directory_only && !directory) continue;
    const std::string_view subject = pattern.anchored ? below : name;
    const bool hit = pattern.literal ? subject == pattern.glob : glob_match(pattern.glob, subject);
    if (hit) return pattern.negated ? IgnoreVerdict::kept : IgnoreVerdict::ignored;
  }
  return IgnoreVerdict::none;
}

}  // namespace neurolens::codebase
