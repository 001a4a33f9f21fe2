#include "neurolens/analyze/change_points.hpp"
#include "neurolens/analyze/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace neurolens::analyze {
namespace {

constexpr std::size_t kShortest = 10;
constexpr double kUnknown = std::numeric_limits<double>::infinity();

struct CriticalRow {
  double length;
  double value[3];  ///< .05, .01, .001; infinity where T is too short for the level.
};
constexpr CriticalRow kTable[] = {
    {10, {2.402, 2.611, kUnknown}}, {12, {2.496, 2.722, kUnknown}}, {15, {2.546, 2.872, 3.240}},
    {20, {2.593, 3.001, 3.395}},    {25, {2.663, 3.057, 3.510}},    {30, {2.699, 3.118, 3.594}},
    {40, {2.772, 3.204, 3.707}},    {50, {2.820, 3.268, 3.788}},    {75, {2.896, 3.351, 3.882}},
    {100, {2.944, 3.409, 3.960}},   {150, {3.003, 3.477, 4.043}},   {200, {3.041, 3.520, 4.088}}};

/// Ranks from 1; ties share their mean rank.
std::vector<double> ranks_of(std::span<const double> series) {
  std::vector<std::size_t> order(series.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return series[a] < series[b]; });
  std::vector<double> ranks(series.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && series[order[end]] == series[order[i]]) ++end;
    const double mean = (static_cast<double>(i + 1) + static_cast<double>(end)) / 2;
    for (; i < end; ++i) ranks[order[i]] = mean;
  }
  return ranks;
}

/// The split of ranks[begin, end) that explains most of their variance; `begin` when the piece is
/// too short.
std::size_t best_split(std::span<const double> ranks, std::size_t begin, std::size_t end) {
  constexpr std::size_t kShortestPiece = 5;
  if (end - begin < 2 * kShortestPiece) return begin;
  const auto n = static_cast<double>(end - begin);
  const double total = std::accumulate(ranks.begin() + static_cast<std::ptrdiff_t>(begin),
                                       ranks.begin() + static_cast<std::ptrdiff_t>(end), 0.0);
  double sum = 0;
  double most = -1;
  std::size_t split = begin;
  for (std::size_t t = begin + 1; t + kShortestPiece <= end; ++t) {
    sum += ranks[t - 1];
    if (t - begin < kShortestPiece) continue;
    const auto k = static_cast<double>(t - begin);
    const double deviation = sum - total * k / n;
    const double explained = deviation * deviation / (k * (n - k));
    if (explained > most) {
      most = explained;
      split = t;
    }
  }
  return split;
}

/// Lag-1 correlation of the ranks about the means of four pieces: both sides of `split`, each split
/// once more. A second change on one side would otherwise look like correlation and hide the first.
/// Pairs across a boundary are left out; what the fitted means take away is given back by kBias
/// (tuned so that autocorrelated series without a change alarm as often as with two pieces; see
/// docs/decisions/0040).
double residual_correlation(std::vector<double> ranks, std::size_t split) {
  constexpr double kBias = 5;
  const std::size_t length = ranks.size();
  std::vector<std::size_t> edges{0, best_split(ranks, 0, split), split,
                                 best_split(ranks, split, length), length};
  std::sort(edges.begin(), edges.end());
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  double products = 0;
  double squares = 0;
  for (std::size_t piece = 0; piece + 1 < edges.size(); ++piece) {
    const auto begin = ranks.begin() + static_cast<std::ptrdiff_t>(edges[piece]);
    const auto end = ranks.begin() + static_cast<std::ptrdiff_t>(edges[piece + 1]);
    const double mean = std::accumulate(begin, end, 0.0) / static_cast<double>(end - begin);
    std::for_each(begin, end, [mean](double& r) { r -= mean; });
    squares += std::inner_product(begin, end, begin, 0.0);
    products += std::inner_product(begin, end - 1, begin + 1, 0.0);
  }
  if (squares == 0) return 0;
  const double phi = products / squares;
  return std::clamp(phi + kBias * (1 + 3 * phi) / static_cast<double>(length), 0.0, 0.9);
}

/// Of the points [begin, end).
double level_of(std::span<const double> series, std::size_t begin, std::size_t end) {
  const auto part = series.subspan(begin, end - begin);
  return median_of({part.begin(), part.end()});
}

/// Splits found, in order. Iterative: a history can hold many changes.
std::vector<ChangePoint> split_all(std::span<const double> series,
                                   const ChangePointOptions& options) {
  std::vector<ChangePoint> found;
  std::vector<std::pair<std::size_t, std::size_t>> pending{{0, series.size()}};
  while (!pending.empty()) {
    const auto [begin, end] = pending.back();
    pending.pop_back();
    if (end - begin < std::max(kShortest, 2 * options.margin)) continue;
    const CusumMaximum peak = max_rank_cusum(series.subspan(begin, end - begin), options.margin);
    if (peak.statistic < critical_value(end - begin, options.level)) continue;
    found.push_back({begin + peak.split, 0, 0, peak.statistic});
    pending.emplace_back(begin, begin + peak.split);
    pending.emplace_back(begin + peak.split, end);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return found;
}

/// Fills in the medians of the segments between changes.
void measure_segments(std::span<const double> series, std::vector<ChangePoint>& changes) {
  std::vector<std::size_t> edges{0};
  for (const auto& change : changes) edges.push_back(change.index);
  edges.push_back(series.size());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    changes[i].before = level_of(series, edges[i], edges[i + 1]);
    changes[i].after = level_of(series, edges[i + 1], edges[i + 2]);
  }
}

}  // namespace

double critical_value(std::size_t length, ChangeLevel level) {
  const auto column = static_cast<std::size_t>(level);
  const auto t = static_cast<double>(length);
  if (t <= kTable[0].length) return kTable[0].value[column];
  for (std::size_t i = 1; i < std::size(kTable); ++i) {
    if (t > kTable[i].length) continue;
    const CriticalRow& low = kTable[i - 1];
    const CriticalRow& high = kTable[i];
    if (!std::isfinite(low.value[column])) return t < high.length ? kUnknown : high.value[column];
    const double weight = std::log(t / low.length) / std::log(high.length / low.length);
    return low.value[column] + weight * (high.value[column] - low.value[column]);
  }
  // Beyond the table the maximum grows like sqrt(2 ln ln T): continue by that law from the last
  // row.
  const CriticalRow& last = kTable[std::size(kTable) - 1];
  return last.value[column] + std::sqrt(2 * std::log(std::log(t))) -
         std::sqrt(2 * std::log(std::log(last.length)));
}

CusumMaximum max_rank_cusum(std::span<const double> series, std::size_t margin,
                            bool correct_for_correlation) {
  CusumMaximum best;
  const std::size_t length = series.size();
  if (length < 2 * margin || margin == 0) return best;
  const std::vector<double> ranks = ranks_of(series);
  const auto t_all = static_cast<double>(length);
  double sum = 0;
  for (std::size_t t = 1; t + margin <= length; ++t) {
    sum += ranks[t - 1] - (t_all + 1) / 2;
    if (t < margin) continue;
    const auto left = static_cast<double>(t);
    const double z = std::abs(sum) / std::sqrt(left * (t_all - left) * (t_all + 1) / 12);
    if (z > best.statistic) best = {z, t};
  }
  if (correct_for_correlation && best.split != 0) {
    const double phi = residual_correlation(ranks, best.split);
    best.statistic *= std::sqrt((1 - phi) / (1 + phi));
  }
  return best;
}

std::vector<ChangePoint> find_changes(std::span<const double> series,
                                      const ChangePointOptions& options) {
  std::vector<ChangePoint> changes = split_all(series, options);
  measure_segments(series, changes);
  // Dropping one change merges its segments and moves their medians: smallest first, until all
  // count.
  while (!changes.empty()) {
    const auto relative = [](const ChangePoint& c) {
      return std::abs(c.after - c.before) /
             std::max(std::abs(c.before), std::numeric_limits<double>::min());
    };
    const auto smallest =
        std::min_element(changes.begin(), changes.end(),
                         [&](const auto& a, const auto& b) { return relative(a) < relative(b); });
    if (relative(*smallest) >= options.delta) break;
    changes.erase(smallest);
    measure_segments(series, changes);
  }
  return changes;
}

}  // namespace neurolens::analyze
