#include "fit/cut_estimates.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "fit/estimates.hpp"
#include "fit/isotonic.hpp"
#include "fit/order_statistics.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::capture {
namespace {

constexpr int kReplicates = 1000;
/// Prefixes on each side whose spread is averaged: 21 of them know it to a tenth with 6 batches.
constexpr std::size_t kNeighbours = 10;
/// Fewer prefixes than this are too few to tell a constant from what they differ by.
constexpr std::size_t kFewestForConstant = 8;

std::vector<double> column_means(const std::vector<Batch>& rows) {
  std::vector<double> out(rows.front().time_ns.size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += row.time_ns[i];
  }
  for (auto& value : out) value /= static_cast<double>(rows.size());
  return out;
}

/// Means of pairs, and sums of the products of their distances from them.
struct Moments {
  double x = 0;
  double y = 0;
  double xx = 0;
  double xy = 0;
};

Moments moments_of(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  Moments out;
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.x += x[i] / n;
    out.y += y[i] / n;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    out.xx += (x[i] - out.x) * (x[i] - out.x);
    out.xy += (x[i] - out.x) * (y[i] - out.y);
  }
  return out;
}

/// A batch as a straight line over the means of all: its constant and its drift.
struct Common {
  double constant = 0;
  double drift = 1;
};

Common common_of(const std::vector<double>& row, const std::vector<double>& mean) {
  if (row.size() < kFewestForConstant) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < row.size(); ++i)
      ratios.push_back(mean[i] > 0 ? row[i] / mean[i] : 1);
    return {0, median_of(ratios)};
  }
  const Moments m = moments_of(mean, row);
  const double drift = m.xx > 0 && m.xy > 0 ? m.xy / m.xx : 1;
  return {m.y - drift * m.x, drift};
}

/// A value with its standard error.
struct Known {
  double value = 0;
  double error = 0;
};

/// Where the straight line through (x, y) meets x = 0: least squares; the mean where all x are one,
/// and of two points, whose line would know no error.
Known at_zero(const std::vector<double>& x, const std::vector<double>& y) {
  Moments m = moments_of(x, y);
  if (x.size() == 2) m.xx = 0;
  const double slope = m.xx > 0 ? m.xy / m.xx : 0;
  double squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    squares += std::pow(y[i] - m.y - slope * (x[i] - m.x), 2);
  }
  const auto n = static_cast<double>(x.size());
  const double freedom = std::max(n - (m.xx > 0 ? 2 : 1), 1.0);
  const double lever = 1 / n + (m.xx > 0 ? m.x * m.x / m.xx : 0);
  return {m.y - slope * m.x, std::sqrt(squares / freedom * lever)};
}

/// Takes out of each batch what is its own; gives the error of the constant that stays.
double without_common(std::vector<Batch>& batches) {
  const auto mean = column_means(batches);
  std::vector<double> paddings;
  std::vector<double> constants;
  std::vector<Common> common;
  for (const auto& batch : batches) {
    common.push_back(common_of(batch.time_ns, mean));
    paddings.push_back(batch.padding);
    constants.push_back(common.back().constant / common.back().drift);
  }
  const Known stays = at_zero(paddings, constants);
  for (std::size_t b = 0; b < batches.size(); ++b) {
    for (auto& value : batches[b].time_ns) {
      value = (value - common[b].constant) / common[b].drift + stays.value;
    }
  }
  return stays.error;
}

std::vector<double> differences(const std::vector<double>& levels) {
  std::vector<double> out;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) out.push_back(levels[i + 1] - levels[i]);
  return out;
}

/// Posterior of the levels: means, and the variances of neighbouring differences.
struct Smoothed {
  std::vector<double> level;
  std::vector<double> gap_variance;
};

Smoothed smooth(const Levels& levels, const std::vector<Belief>& beliefs) {
  const std::size_t n = levels.time_ns.size();
  std::vector<double> diagonal(n);
  std::vector<double> link(n, 0);  // between i and i + 1
  std::vector<double> right(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double precision = 1 / std::pow(std::max(levels.error_ns[i], kLeastErrorNs), 2);
    diagonal[i] += precision;
    right[i] += precision * levels.time_ns[i];
    if (i + 1 == n) break;
    const double error = beliefs[i].error_ns;
    const double belief = 1 / (error * error);
    diagonal[i] += belief;
    diagonal[i + 1] += belief;
    link[i] = -belief;
    right[i] -= belief * beliefs[i].time_ns;
    right[i + 1] += belief * beliefs[i].time_ns;
  }
  // L D L': l_i couples i and i + 1.
  std::vector<double> l(n, 0);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    l[i] = link[i] / diagonal[i];
    diagonal[i + 1] -= l[i] * link[i];
    right[i + 1] -= l[i] * right[i];
  }
  Smoothed out;
  out.level.assign(n, 0);
  out.gap_variance.assign(n > 0 ? n - 1 : 0, 0);
  double variance = 0;  // of level i + 1, from the last one down
  for (std::size_t i = n; i-- > 0;) {
    const double below = i + 1 < n ? l[i] * out.level[i + 1] : 0;
    out.level[i] = right[i] / diagonal[i] - below;
    const double mine = 1 / diagonal[i] + (i + 1 < n ? l[i] * l[i] * variance : 0);
    if (i + 1 < n) out.gap_variance[i] = std::max(mine + variance + 2 * l[i] * variance, 0.0);
    variance = mine;
  }
  return out;
}

/// The beliefs with errors that make what they say beside the cuts plausible: all are widened by
/// the root mean square of their disagreement in units of what the errors allow (the Birge ratio,
/// at least 1), and one that then still lies outside of the 95 % gets the error that it shows.
std::vector<Belief> plausible(const Levels& levels, std::vector<Belief> beliefs) {
  std::vector<double> off(beliefs.size());
  std::vector<double> cut_variance(beliefs.size());
  double squares = 0;
  for (std::size_t i = 0; i < beliefs.size(); ++i) {
    off[i] = levels.time_ns[i + 1] - levels.time_ns[i] - beliefs[i].time_ns;
    cut_variance[i] = std::pow(levels.error_ns[i], 2) + std::pow(levels.error_ns[i + 1], 2);
    beliefs[i].error_ns = std::max(beliefs[i].error_ns, kLeastErrorNs);
    squares += off[i] * off[i] / (cut_variance[i] + std::pow(beliefs[i].error_ns, 2));
  }
  const double widening =
      beliefs.empty() ? 1 : std::max(1.0, std::sqrt(squares / static_cast<double>(beliefs.size())));
  const double outlier = largest_by_chance(beliefs.size());
  for (std::size_t i = 0; i < beliefs.size(); ++i) {
    double& error = beliefs[i].error_ns;
    error *= widening;
    if (std::abs(off[i]) <= outlier * std::sqrt(cut_variance[i] + error * error)) continue;
    error = std::sqrt(std::max(off[i] * off[i] - cut_variance[i], error * error));
  }
  return beliefs;
}

}  // namespace

Levels levels_of(const std::vector<Batch>& batches) {
  assert(batches.size() >= 2);
  auto rows = batches;
  Levels out;
  out.common_error_ns = without_common(rows);
  out.time_ns = column_means(rows);
  const std::size_t n = out.time_ns.size();
  std::vector<double> variance(n, 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < n; ++i) variance[i] += std::pow(row.time_ns[i] - out.time_ns[i], 2);
  }
  const auto count = static_cast<double>(rows.size());
  // What was taken out as common fitted one or two numbers to each row.
  const double fitted = n < kFewestForConstant ? 1 : 2;
  const double freedom = (count - 1) * std::max(1 - fitted / static_cast<double>(n), 0.5);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t begin = i > kNeighbours ? i - kNeighbours : 0;
    const std::size_t end = std::min(n, i + kNeighbours + 1);
    double sum = 0;
    for (std::size_t k = begin; k < end; ++k) sum += variance[k];
    const double mean = sum / static_cast<double>(end - begin) / freedom;
    out.error_ns.push_back(std::sqrt(mean / count));
  }
  return out;
}

std::vector<GapTime> gaps_by_cuts(const Levels& levels, std::uint64_t seed) {
  std::vector<double> weights;
  for (const double error : levels.error_ns) {
    weights.push_back(1 / std::pow(std::max(error, kLeastErrorNs), 2));
  }
  const auto best = differences(isotonic(levels.time_ns, weights));
  std::vector<std::vector<double>> replicates(best.size());
  Random random(seed, /*stream=*/11);
  std::vector<double> drawn(levels.time_ns.size());
  for (int r = 0; r < kReplicates; ++r) {
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      drawn[i] = levels.time_ns[i] + levels.error_ns[i] * random.normal();
    }
    const auto sample = differences(isotonic(drawn, weights));
    for (std::size_t i = 0; i < sample.size(); ++i) replicates[i].push_back(sample[i]);
  }
  std::vector<GapTime> out;
  for (std::size_t i = 0; i < best.size(); ++i) {
    const double low = quantile(replicates[i], 0.025);
    const double high = quantile(replicates[i], 0.975);
    out.push_back({best[i], std::min(low, best[i]), std::max(high, best[i]), 1});
  }
  return out;
}

std::vector<GapTime> gaps_by_both(const Levels& levels, const std::vector<Belief>& beliefs) {
  assert(levels.time_ns.size() == beliefs.size() + 1);
  const auto widened = plausible(levels, beliefs);
  const Smoothed found = smooth(levels, widened);
  std::vector<GapTime> out;
  for (std::size_t i = 0; i < beliefs.size(); ++i) {
    const double error = std::sqrt(found.gap_variance[i]);
    const double time = std::max(found.level[i + 1] - found.level[i], 0.0);
    const double belief = widened[i].error_ns;
    out.push_back({time, std::max(time - kNormal95 * error, 0.0), time + kNormal95 * error,
                   std::clamp(1 - found.gap_variance[i] / (belief * belief), 0.0, 1.0)});
  }
  return out;
}

}  // namespace neurolens::capture
