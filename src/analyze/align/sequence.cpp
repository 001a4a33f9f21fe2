#include "align/sequence.hpp"

#include <algorithm>
#include <array>

#include "align/key_table.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::uint32_t kWindow = 512;
constexpr std::array<std::size_t, 3> kAnchorLengths{12, 4, 1};

struct Range {
  std::uint32_t a, a_end, b, b_end;
  [[nodiscard]] bool empty() const { return a == a_end || b == b_end; }
};

class Differ {
 public:
  Differ(std::span<const Key> a, std::span<const Key> b) : a_(a), b_(b) {}

  std::vector<Pair> run() {
    Range whole{0, static_cast<std::uint32_t>(a_.size()), 0, static_cast<std::uint32_t>(b_.size())};
    std::vector<Range> gaps{whole};
    for (const auto k : kAnchorLengths) gaps = anchor(gaps, k);
    for (auto& gap : gaps) windows(gap);
    std::sort(out_.begin(), out_.end());
    return std::move(out_);
  }

 private:
  /// Takes common ends off `range`.
  void trim(Range& range) {
    while (!range.empty() && a_[range.a] == b_[range.b]) out_.emplace_back(range.a++, range.b++);
    while (!range.empty() && a_[range.a_end - 1] == b_[range.b_end - 1])
      out_.emplace_back(--range.a_end, --range.b_end);
  }

  /// Anchors every gap by windows of `k` keys that are unique on both sides of it.
  std::vector<Range> anchor(std::vector<Range>& gaps, std::size_t k) {
    std::vector<Range> left;
    for (auto& gap : gaps) {
      trim(gap);
      if (gap.empty()) continue;
      std::uint32_t a = gap.a;
      std::uint32_t b = gap.b;
      for (auto [i, j] : longest_chain(unique_pairs(gap, k))) {
        if (i < a || j < b) continue;  // the extension of the last anchor went past this one
        std::uint32_t i_back = i;
        std::uint32_t j_back = j;
        while (i_back > a && j_back > b && a_[i_back - 1] == b_[j_back - 1]) --i_back, --j_back;
        if (i_back != a && j_back != b) left.push_back({a, i_back, b, j_back});
        for (std::uint32_t x = i_back, y = j_back; x < i; ++x, ++y) out_.emplace_back(x, y);
        while (i < gap.a_end && j < gap.b_end && a_[i] == b_[j]) out_.emplace_back(i++, j++);
        a = i;
        b = j;
      }
      if (a != gap.a_end && b != gap.b_end) left.push_back({a, gap.a_end, b, gap.b_end});
    }
    return left;
  }

  struct Seen {
    std::uint32_t a = kNone;
    std::uint32_t b = kNone;
    std::uint8_t count_a = 0;
    std::uint8_t count_b = 0;
  };

  [[nodiscard]] std::vector<Pair> unique_pairs(const Range& gap, std::size_t k) const {
    std::vector<Pair> pairs;
    if (gap.a_end - gap.a < k || gap.b_end - gap.b < k) return pairs;
    KeyTable<Seen> seen(gap.a_end - gap.a);
    const auto window = [k](std::span<const Key> keys, std::size_t at) {
      Key key = 0;
      for (std::size_t i = 0; i < k; ++i) key = mix(key, keys[at + i]);
      return std::max<Key>(key, 1);
    };
    for (auto i = gap.a; i + k <= gap.a_end; ++i) {
      Seen& s = seen[window(a_, i)];
      s.a = i;
      if (s.count_a < 2) ++s.count_a;
    }
    for (auto j = gap.b; j + k <= gap.b_end; ++j) {
      Seen* found = seen.find(window(b_, j));
      if (found == nullptr) continue;
      found->b = j;
      if (found->count_b < 2) ++found->count_b;
    }
    for (auto i = gap.a; i + k <= gap.a_end; ++i) {
      const Seen* s = seen.find(window(a_, i));
      if (s->a == i && s->count_a == 1 && s->count_b == 1) pairs.emplace_back(s->a, s->b);
    }
    return pairs;
  }

  void windows(Range& gap) {
    while (!gap.empty()) {
      trim(gap);
      if (gap.empty()) return;
      Range part = gap;
      part.a_end = std::min(part.a_end, part.a + kWindow);
      part.b_end = std::min(part.b_end, part.b + kWindow);
      const bool whole = part.a_end == gap.a_end && part.b_end == gap.b_end;
      const auto pairs = myers(part);
      if (whole) {
        out_.insert(out_.end(), pairs.begin(), pairs.end());
        return;
      }
      // What lies near the far end of a window may be wrong: only the near half is kept.
      const Range start = gap;
      for (const auto& [i, j] : pairs) {
        if (i - start.a >= kWindow / 2 || j - start.b >= kWindow / 2) break;
        out_.emplace_back(i, j);
        gap.a = i + 1;
        gap.b = j + 1;
      }
      if (gap.a == start.a) {
        gap.a = std::min(gap.a + kWindow / 2, gap.a_end);
        gap.b = std::min(gap.b + kWindow / 2, gap.b_end);
      }
    }
  }

  /// Myers' greedy algorithm; keeps the furthest points of every round to walk back.
  [[nodiscard]] std::vector<Pair> myers(const Range& r) const {
    const int n = static_cast<int>(r.a_end - r.a);
    const int m = static_cast<int>(r.b_end - r.b);
    const int most = n + m;
    std::vector<int> v(static_cast<std::size_t>(2 * most + 3), 0);
    const auto at = [&](std::vector<int>& row, int middle, int d) -> int& {
      return row[static_cast<std::size_t>(middle + d)];
    };
    std::vector<std::vector<int>> trace;
    int rounds = 0;
    bool done = false;
    for (; !done; ++rounds) {
      for (int d = -rounds; d <= rounds; d += 2) {
        const bool down =
            d == -rounds || (d != rounds && at(v, most + 1, d - 1) < at(v, most + 1, d + 1));
        int x = down ? at(v, most + 1, d + 1) : at(v, most + 1, d - 1) + 1;
        int y = x - d;
        while (x < n && y < m &&
               a_[r.a + static_cast<std::uint32_t>(x)] == b_[r.b + static_cast<std::uint32_t>(y)])
          ++x, ++y;
        at(v, most + 1, d) = x;
        if (x >= n && y >= m) {
          done = true;
          break;
        }
      }
      trace.emplace_back(v.begin() + most + 1 - rounds, v.begin() + most + 2 + rounds);
    }
    std::vector<Pair> pairs;
    int x = n;
    int y = m;
    for (int round = rounds - 1; round >= 0; --round) {
      const int d = x - y;
      int previous_x = 0;
      int previous_y = 0;
      if (round > 0) {
        auto& row = trace[static_cast<std::size_t>(round - 1)];
        const auto value = [&](int diagonal) {
          return std::abs(diagonal) <= round - 1 ? at(row, round - 1, diagonal) : -1;
        };
        const bool down = d == -round || (d != round && value(d - 1) < value(d + 1));
        const int diagonal = down ? d + 1 : d - 1;
        previous_x = value(diagonal);
        previous_y = previous_x - diagonal;
      }
      const int start_x =
          round > 0 ? (x - y > previous_x - previous_y ? previous_x + 1 : previous_x) : 0;
      while (x > start_x && y > 0 && x > 0) {
        --x, --y;
        pairs.emplace_back(r.a + static_cast<std::uint32_t>(x),
                           r.b + static_cast<std::uint32_t>(y));
      }
      x = previous_x;
      y = previous_y;
    }
    std::reverse(pairs.begin(), pairs.end());
    return pairs;
  }

  std::span<const Key> a_;
  std::span<const Key> b_;
  std::vector<Pair> out_;
};

}  // namespace

std::vector<Pair> common_subsequence(std::span<const Key> a, std::span<const Key> b) {
  return Differ(a, b).run();
}

std::vector<Pair> longest_chain(std::span<const Pair> pairs) {
  std::vector<std::uint32_t> tails;  // index of the pair that ends the best chain of each length
  std::vector<std::uint32_t> before(pairs.size(), kNone);
  for (std::uint32_t i = 0; i < pairs.size(); ++i) {
    const auto place = std::lower_bound(
        tails.begin(), tails.end(), pairs[i].second,
        [&](std::uint32_t t, std::uint32_t value) { return pairs[t].second < value; });
    if (place != tails.begin()) before[i] = *(place - 1);
    if (place == tails.end()) {
      tails.push_back(i);
    } else {
      *place = i;
    }
  }
  std::vector<Pair> chain;
  for (std::uint32_t i = tails.empty() ? kNone : tails.back(); i != kNone; i = before[i])
    chain.push_back(pairs[i]);
  std::reverse(chain.begin(), chain.end());
  return chain;
}

}  // namespace neurolens::analyze
