#include "direct/border.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {

constexpr std::size_t kBlock = 8;      // the widest vector
constexpr std::size_t kBeyond = 16;    // readable numbers behind the last mode
constexpr double kNegligible = 1e-18;  // of the last unknown

// The root of d = -(rho + 1 / rho) that is at most 1 in size, as sign exp(-angle).
struct Root {
  double sign = 1, angle = 0;
  double rho = 1;
  double gap = 0;  // |1 / rho - rho|, 0 at 1

  explicit Root(double d) : sign(d < 0 ? 1 : -1) {
    const double excess = std::fabs(d) - 2;  // exact where it is small
    angle = 2 * std::asinh(std::sqrt(excess) / 2);
    gap = 2 * std::sqrt(excess + excess * excess / 4);
    rho = sign * std::exp(-angle);
  }
  [[nodiscard]] double power(std::size_t n) const {
    return (n % 2 == 0 ? 1 : sign) * std::exp(-angle * static_cast<double>(n));
  }
  // 1 - rho^n
  [[nodiscard]] double rest(std::size_t n) const {
    return n % 2 == 0 || sign > 0 ? -std::expm1(-angle * static_cast<double>(n)) : 1 - power(n);
  }
};

}  // namespace

void BorderTable::build(std::size_t modes, int rows, const double* diagonal,
                        std::ptrdiff_t pinned) {
  const auto n = static_cast<std::size_t>(rows);
  inverse_.assign(modes + kBeyond, 0.0);
  std::vector<double> scale(modes);  // -1 / (1 + rho^n)
  std::vector<double> rho(modes);
  std::vector<double> near_end(modes);  // rho^(j+1)
  std::vector<double> far_end(modes);   // rho^(n-1-j); one that is 0 at j = 0 never counts
  for (std::size_t q = 0; q < modes; ++q) {
    const Root root(diagonal[q]);
    rho[q] = near_end[q] = root.rho;
    far_end[q] = root.power(n - 1);
    scale[q] = -1 / (1 + root.power(n));
    // d - z_0 - z_{n-2} = -(1 / rho - rho) (1 - rho^n) / (1 + rho^n)
    if (static_cast<std::ptrdiff_t>(q) != pinned)
      inverse_[q] = 1 / (scale[q] * root.sign * root.gap * root.rest(n));
  }
  const std::size_t half = n / 2;  // of the n - 1 rows before the border, the middle one included
  rows_.assign(half, {});
  weights_.assign(n - 1, nullptr);
  count_.assign(n - 1, 0);
  for (std::size_t j = 0; j < half; ++j) {
    std::vector<double>& row = rows_[j];
    row.assign(modes + kBlock, 0.0);
    std::size_t counting = 0;
    for (std::size_t q = 0; q < modes; ++q) {
      const double z = scale[q] * (near_end[q] + far_end[q]);
      near_end[q] *= rho[q];
      far_end[q] /= rho[q];
      if (std::fabs(z) < kNegligible) continue;
      row[q] = z;
      counting = q + 1;
    }
    const std::size_t width = (counting + kBlock - 1) / kBlock * kBlock;
    row.resize(std::min(width, modes) + kBlock, 0.0);
    row.shrink_to_fit();
    for (const std::size_t at : {j, n - 2 - j}) {
      weights_[at] = row.data();
      count_[at] = static_cast<std::int32_t>(width);
    }
  }
}

void BorderTable::add_to(kernels::Factors& factors, AlignedVector<double>& value) const {
  factors.border = weights_.data();
  factors.border_count = count_.data();
  factors.border_inverse = inverse_.data();
  factors.border_value = value.data();
  factors.rows = static_cast<int>(weights_.size()) + 1;
}

std::size_t BorderTable::bytes() const {
  std::size_t total = inverse_.size() * sizeof(double) + weights_.size() * 12;
  for (const auto& row : rows_) total += row.size() * sizeof(double);
  return total;
}

}  // namespace neurolens::pde
