#include <algorithm>
#include <bit>
#include <vector>

#include "functions/code_masks.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::codebase {

LetterPairs letter_pairs(std::string_view words_by_space) {
  struct Group {
    std::uint32_t first = 0, second = 0;  // bit n: the letter whose low five bits are n
  };
  const auto bit = [](char c) { return std::uint32_t{1} << (static_cast<unsigned char>(c) & 31u); };
  std::vector<Group> groups;
  for (const std::string_view word : split(words_by_space, ' ')) {
    if (word.size() < 2) continue;
    auto same = std::find_if(groups.begin(), groups.end(),
                             [&](const Group& g) { return g.first == bit(word[0]); });
    if (same == groups.end()) same = groups.insert(same, {bit(word[0]), 0});
    same->second |= bit(word[1]);
  }
  const auto size = [](std::uint32_t first, std::uint32_t second) {
    return std::popcount(first) * std::popcount(second);
  };
  while (groups.size() > 8) {  // joins those two that let the fewest other pairs in
    std::size_t best_a = 0, best_b = 1;
    int least = 1 << 30;
    for (std::size_t a = 0; a < groups.size(); ++a) {
      for (std::size_t b = a + 1; b < groups.size(); ++b) {
        const Group &x = groups[a], &y = groups[b];
        const int more = size(x.first | y.first, x.second | y.second) - size(x.first, x.second) -
                         size(y.first, y.second);
        if (more >= least) continue;
        least = more;
        best_a = a;
        best_b = b;
      }
    }
    groups[best_a].first |= groups[best_b].first;
    groups[best_a].second |= groups[best_b].second;
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(best_b));
  }
  LetterPairs pairs;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t letter = 0; letter < 32; ++letter) {
      const auto mark = static_cast<std::uint8_t>(1u << g);
      if ((groups[g].first >> letter & 1u) != 0) pairs.first[letter] |= mark;
      if ((groups[g].second >> letter & 1u) != 0) pairs.second[letter] |= mark;
    }
  }
  return pairs;
}

}  // namespace neurolens::codebase
