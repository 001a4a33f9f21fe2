#include "ode/band.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::pde {

bool solve_dense(std::size_t n, std::size_t columns, std::vector<double>& a,
                 std::vector<double>& b) {
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < n; ++r)
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    if (a[pivot * n + c] == 0 || !std::isfinite(a[pivot * n + c])) return false;
    if (pivot != c) {
      std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(c * n),
                       a.begin() + static_cast<std::ptrdiff_t>((c + 1) * n),
                       a.begin() + static_cast<std::ptrdiff_t>(pivot * n));
      for (std::size_t k = 0; k < columns; ++k)
        std::swap(b[c * columns + k], b[pivot * columns + k]);
    }
    for (std::size_t r = 0; r < n; ++r) {
      if (r == c) continue;
      const double f = a[r * n + c] / a[c * n + c];
      if (f == 0) continue;
      for (std::size_t k = c; k < n; ++k) a[r * n + k] -= f * a[c * n + k];
      for (std::size_t k = 0; k < columns; ++k) b[r * columns + k] -= f * b[c * columns + k];
    }
  }
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t k = 0; k < columns; ++k) b[r * columns + k] /= a[r * n + r];
  return true;
}

bool Band::solve(std::vector<double>& b) {
  for (std::size_t c = 0; c < n_; ++c) {
    const std::size_t last = std::min(n_ - 1, c + w_);
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r <= last; ++r)
      if (std::fabs(at(r, c)) > std::fabs(at(pivot, c))) pivot = r;
    if (at(pivot, c) == 0 || !std::isfinite(at(pivot, c))) return false;
    const std::size_t right = std::min(n_ - 1, c + 2 * w_);
    if (pivot != c) {
      for (std::size_t k = c; k <= right; ++k) std::swap(at(c, k), at(pivot, k));
      std::swap(b[c], b[pivot]);
    }
    for (std::size_t r = c + 1; r <= last; ++r) {
      const double f = at(r, c) / at(c, c);
      if (f == 0) continue;
      for (std::size_t k = c; k <= right; ++k) at(r, k) -= f * at(c, k);
      b[r] -= f * b[c];
    }
  }
  for (std::size_t r = n_; r-- > 0;) {
    for (std::size_t k = r + 1; k <= std::min(n_ - 1, r + 2 * w_); ++k) b[r] -= at(r, k) * b[k];
    b[r] /= at(r, r);
  }
  return true;
}

}  // namespace neurolens::pde
