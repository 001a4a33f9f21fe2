#include "direct/eigen.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace neurolens::pde {

std::vector<double> symmetric_tridiagonal_eigenvectors(std::vector<double>& d,
                                                       std::vector<double> e) {
  const std::size_t n = d.size();
  e.resize(n, 0.0);
  std::vector<double> q(n * n, 0.0);  // row k: eigenvector k
  for (std::size_t i = 0; i < n; ++i) q[i * n + i] = 1;
  for (std::size_t l = 0; l < n; ++l) {
    for (int turn = 0;; ++turn) {
      std::size_t m = l;
      for (; m + 1 < n; ++m) {
        const double size = std::fabs(d[m]) + std::fabs(d[m + 1]);
        if (std::fabs(e[m]) + size == size) break;
      }
      if (m == l) break;
      if (turn == 60) return {};
      double g = (d[l + 1] - d[l]) / (2 * e[l]);
      double r = std::hypot(g, 1.0);
      g = d[m] - d[l] + e[l] / (g + std::copysign(r, g));
      double s = 1;
      double c = 1;
      double p = 0;
      std::size_t i = m;
      bool split = false;
      while (i-- > l) {
        const double f = s * e[i];
        const double b = c * e[i];
        r = std::hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
          d[i + 1] -= p;
          e[m] = 0;
          split = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        double* high = q.data() + (i + 1) * n;
        double* low = q.data() + i * n;
        for (std::size_t k = 0; k < n; ++k) {
          const double old = high[k];
          high[k] = s * low[k] + c * old;
          low[k] = c * low[k] - s * old;
        }
      }
      if (split) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return d[a] < d[b]; });
  std::vector<double> values(n);
  std::vector<double> vectors(n * n);
  for (std::size_t k = 0; k < n; ++k) {
    values[k] = d[order[k]];
    std::copy_n(q.begin() + static_cast<std::ptrdiff_t>(order[k] * n), n,
                vectors.begin() + static_cast<std::ptrdiff_t>(k * n));
  }
  d = std::move(values);
  return vectors;
}

}  // namespace neurolens::pde
