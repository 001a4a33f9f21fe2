#include "direct/factors.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {
constexpr std::size_t kBlock = 8;  // the widest vector
// Pivots of a definite system stay beyond 1/2 in size; only the last one of a Neumann end may come
// near zero.
constexpr double kLeastPivot = 0.45;
constexpr double kLeastLastPivot = 1e-13;
}  // namespace

bool FactorTable::build(std::size_t modes, int rows, const double* diagonal, const double* first,
                        const double* last, std::ptrdiff_t pinned) {
  const std::size_t padded = (modes + kBlock - 1) / kBlock * kBlock;
  limit_.assign(padded + kBlock, 0.0);
  rows_.assign(static_cast<std::size_t>(rows), {});
  count_.assign(static_cast<std::size_t>(rows), 0);
  std::vector<double> now(padded, 0.0);
  std::vector<double> before(padded, 0.0);
  bool safe = true;
  std::size_t open = padded;  // modes whose factors still move
  for (int j = 0; j < rows; ++j) {
    const bool is_last = j == rows - 1;
    const std::size_t width = is_last ? padded : open;
    std::vector<double>& row = rows_[static_cast<std::size_t>(j)];
    row.resize(width + kBlock);  // vectors may start before the last open mode and end behind it
    for (std::size_t q = width; q < width + kBlock; ++q) row[q] = limit_[q];
    std::size_t moving = 0;
    for (std::size_t q = 0; q < width; ++q) {
      if (q >= modes) continue;
      const double d = j == 0 ? first[q] : (is_last ? last[q] : diagonal[q]);
      const double pivot = rows == 1 ? first[q] + last[q] - diagonal[q] : (j == 0 ? d : d - now[q]);
      const bool is_pinned = is_last && static_cast<std::ptrdiff_t>(q) == pinned;
      const double sign = diagonal[q] < 0 ? -1 : 1;
      if (!is_pinned && !(sign * pivot > (is_last ? kLeastLastPivot : kLeastPivot))) safe = false;
      const double m = is_pinned ? 0.0 : 1 / pivot;
      // Settled: equal to the previous factor, or swinging in its last bit.
      if (m != now[q] && m != before[q]) moving = q + 1;
      before[q] = now[q];
      now[q] = m;
      row[q] = m;
    }
    count_[static_cast<std::size_t>(j)] = static_cast<std::int32_t>(width);
    if (is_last) break;
    const std::size_t still = std::min(open, (moving + kBlock - 1) / kBlock * kBlock);
    for (std::size_t q = still; q < open; ++q) limit_[q] = now[q];
    open = still;
  }
  table_.clear();
  for (const auto& row : rows_) table_.push_back(row.data());
  return safe;
}

kernels::Factors FactorTable::view() const {
  kernels::Factors factors;
  factors.table = table_.data();
  factors.count = count_.data();
  factors.limit = limit_.data();
  factors.rows = static_cast<int>(table_.size());
  return factors;
}

std::size_t FactorTable::bytes() const {
  std::size_t total = limit_.size() * sizeof(double) + table_.size() * 12;
  for (const auto& row : rows_) total += row.size() * sizeof(double);
  return total;
}

}  // namespace neurolens::pde
