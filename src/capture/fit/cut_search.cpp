#include "fit/cut_search.hpp"

#include <algorithm>
#include <numeric>

namespace neurolens::capture {
CutSearch::CutSearch(std::vector<double> belief_ns, std::size_t wanted)
    : belief_(std::move(belief_ns)), wanted_(wanted) {}

void CutSearch::set(std::size_t prefix, double latency_ns) {
  latency_[prefix] = latency_ns;
}

std::vector<std::size_t> CutSearch::neighbours(std::size_t prefix) const {
  std::vector<std::size_t> out;
  const auto above = latency_.upper_bound(prefix);
  if (above != latency_.end()) out.push_back(above->first);
  const auto at = latency_.lower_bound(prefix);
  if (at != latency_.begin()) out.push_back(std::prev(at)->first);
  return out;
}

std::optional<std::size_t> CutSearch::next() const {
  const std::size_t count = belief_.size();
  if (count == 0) return std::nullopt;
  if (latency_.count(count) == 0) return count;
  struct Gap {
    double time;
    std::size_t begin;
    std::size_t end;
  };
  std::vector<Gap> gaps;
  std::size_t from = 0;
  double before = latency_.count(0) != 0 ? latency_.at(0) : 0;
  for (const auto& [prefix, latency] : latency_) {
    if (prefix == 0) continue;
    gaps.push_back({latency - before, from, prefix});
    from = prefix;
    before = std::max(before, latency);
  }
  std::stable_sort(gaps.begin(), gaps.end(),
                   [](const Gap& a, const Gap& b) { return a.time > b.time; });
  std::size_t settled = 0;
  for (const auto& gap : gaps) {
    if (settled == wanted_) return std::nullopt;
    if (gap.end - gap.begin == 1) {
      ++settled;
      continue;
    }
    const auto first = belief_.begin() + static_cast<std::ptrdiff_t>(gap.begin);
    const auto last = belief_.begin() + static_cast<std::ptrdiff_t>(gap.end);
    const auto heaviest = static_cast<std::size_t>(std::max_element(first, last) - belief_.begin());
    const double sum = std::accumulate(first, last, 0.0);
    // No node stands out: halve. Otherwise cut before it, and the next time after it.
    if (sum <= 0 || belief_[heaviest] < 1.5 * sum / static_cast<double>(gap.end - gap.begin)) {
      return gap.begin + (gap.end - gap.begin) / 2;
    }
    return heaviest > gap.begin ? heaviest : heaviest + 1;
  }
  return std::nullopt;
}

}  // namespace neurolens::capture
