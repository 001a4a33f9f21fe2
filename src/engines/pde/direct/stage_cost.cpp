#include "direct/stage_cost.hpp"

#include <algorithm>
#include <functional>

namespace neurolens::pde {
namespace {

std::vector<int> factors_of(int n) {
  std::vector<int> result;
  for (int f = 2; f * f <= n; ++f)
    while (n % f == 0) {
      result.push_back(f);
      n /= f;
    }
  if (n > 1) result.push_back(n);
  return result;
}

}  // namespace

std::vector<int> radices_of(int n) {
  std::vector<int> result;
  int twos = 0;
  for (const int f : factors_of(n)) {
    if (f == 2)
      ++twos;
    else
      result.push_back(f);
  }
  while (twos >= 3 && twos != 4) {
    result.push_back(8);
    twos -= 3;
  }
  while (twos >= 2) {
    result.push_back(4);
    twos -= 2;
  }
  if (twos == 1) result.push_back(2);
  // Large ones first: the first pass needs no twiddles.
  std::sort(result.begin(), result.end(), std::greater<>());
  return result;
}

namespace {

// Of the two sums of an odd butterfly.
double sums_cost(int radix) {
  const int h = (radix - 1) / 2;
  return splits(radix) ? 2 * (cyclic_cost(h, 1) + cyclic_cost(h, -1)) : 4.0 * h * h;
}

// Vector operations per complex point of one pass, memory traffic included.
double pass_cost(int radix) {
  switch (radix) {
    case 2:
      return 7;
    case 3:
      return 11;
    case 4:
      return 11;
    case 5:
      return 14;
    case 7:
      return 16;
    case 8:
      return 15;
    default: {
      const int h = (radix - 1) / 2;
      return (sums_cost(radix) + 8 * h) / radix + (splits(radix) ? 15 : 13);
    }
  }
}

constexpr int kNearPoints = 256;  // of 128 bytes: what passes keep in the first cache
constexpr double kFarPass = 6;    // added by a pass that does not

double fft_cost(int n) {
  double cost = 0;
  int length = 1;
  for (const int r : radices_of(n)) {
    length *= r;
    cost += pass_cost(r) + (length > kNearPoints ? kFarPass : 0);
  }
  return cost;
}

// Vector operations per real number of the joined transform.
double joined_cost(int n, int p, bool half_position) {
  const int period = 2 * n;
  const int m = period / p;
  const int selfs = self_count(p, half_position);
  const int pairs = (p - selfs) / 2;
  const double columns = m / 2 + 1;
  const double sums = splits(p) ? sums_cost(p) + 2.0 * pairs : 4.0 * pairs * (p / 2 + 1);
  const double join = columns * (sums + 14.0 * pairs + 8.0 * p);
  const double inner = fft_cost(m) * (selfs + pairs) * m;
  return (join + inner) / (2.0 * n);
}

// Dense products of the symmetric kinds fold the input: half the multiply-adds.
double dense_cost(int n) {
  return 0.55 * n + 5;
}

double dense_cost(AxisKind kind, int n) {
  if (kind == AxisKind::dirichlet_dirichlet && splits(n))
    return 2.2 * cyclic_cost((n - 1) / 2, -1) / n + 7;
  return is_quarter(kind) ? 2 * dense_cost(n) : dense_cost(n);
}

}  // namespace

int best_join(int n, bool half_position) {
  int best = 0;
  double best_cost = 0;
  for (int p = 3; p <= 2 * n; ++p) {
    if ((2 * n) % p != 0) continue;
    const double cost = joined_cost(n, p, half_position);
    if (best == 0 || cost < best_cost) {
      best = p;
      best_cost = cost;
    }
  }
  return best;
}

bool prefers_dense(AxisKind kind, int n) {
  if (kind == AxisKind::periodic) return false;
  return n < 4 || dense_cost(kind, n) <= joined_cost(n, best_join(n, false), false);
}

double stage_cost(AxisKind kind, int intervals) {
  if (kind == AxisKind::dense) return 2 * dense_cost(intervals);
  if (kind == AxisKind::periodic) return fft_cost(intervals) / 2 + 3;
  if (prefers_dense(kind, intervals)) return dense_cost(kind, intervals);
  return joined_cost(intervals, best_join(intervals, false), false);
}

}  // namespace neurolens::pde
