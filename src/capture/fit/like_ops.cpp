#include "fit/like_ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "fit/order_statistics.hpp"

namespace neurolens::capture {
namespace {

constexpr std::size_t kFewest = 3;
constexpr int kHalvings = 60;

struct Common {
  double mean = 0;
  double squares = 0;  ///< Of the distances from the mean, weighted.
};

Common common_of(std::span<const Belief> ops, double spread_squared) {
  double weights = 0;
  double sum = 0;
  for (const auto& op : ops) {
    const double weight = 1 / (op.error_ns * op.error_ns + spread_squared);
    weights += weight;
    sum += weight * op.time_ns;
  }
  Common out{sum / weights, 0};
  for (const auto& op : ops) {
    const double weight = 1 / (op.error_ns * op.error_ns + spread_squared);
    out.squares += weight * (op.time_ns - out.mean) * (op.time_ns - out.mean);
  }
  return out;
}

/// T^2: 0 where the errors explain what the times differ by.
double spread_squared_of(std::span<const Belief> ops) {
  const auto expected = static_cast<double>(ops.size()) - 1;
  if (common_of(ops, 0).squares <= expected) return 0;
  double low = 0;
  double high = 1;
  while (common_of(ops, high).squares > expected) high *= 4;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (common_of(ops, middle).squares > expected ? low : high) = middle;
  }
  return high;
}

/// Those of `ops` that are alike by their times, and where they stand. Errors are >= the clock's
/// step.
struct Alike {
  std::vector<Belief> ops;
  std::vector<std::size_t> places;
};

Alike alike(std::span<const Belief> ops) {
  std::vector<double> times;
  for (const auto& op : ops) times.push_back(op.time_ns);
  const double middle = median(times);
  const double outlier = largest_by_chance(ops.size());
  Alike out;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const double error = std::max(ops[i].error_ns, kLeastErrorNs);
    if (std::abs(ops[i].time_ns - middle) > outlier * error) continue;
    out.ops.push_back({ops[i].time_ns, error});
    out.places.push_back(i);
  }
  return out;
}

}  // namespace

std::vector<double> times_of_like_ops(std::span<const Belief> ops) {
  std::vector<double> out;
  for (const auto& op : ops) out.push_back(op.time_ns);
  if (ops.size() < kFewest) return out;
  const Alike like = alike(ops);
  if (like.ops.size() < kFewest) return out;
  const double spread = spread_squared_of(like.ops);
  const double mean = common_of(like.ops, spread).mean;
  for (std::size_t i = 0; i < like.ops.size(); ++i) {
    const auto& op = like.ops[i];
    const double own = spread / (spread + op.error_ns * op.error_ns);
    out[like.places[i]] = mean + own * (op.time_ns - mean);
  }
  return out;
}

double spread_of_like_ops(std::span<const Belief> ops) {
  if (ops.size() < kFewest) return 0;
  std::vector<Belief> known(ops.begin(), ops.end());
  for (auto& op : known) op.error_ns = std::max(op.error_ns, kLeastErrorNs);
  return std::sqrt(spread_squared_of(known));
}

}  // namespace neurolens::capture
