#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "multigrid/cycles.hpp"

namespace neurolens::pde {
namespace {

// Gauss and Jordan with row pivots, in place beside the unit matrix; false when singular.
bool invert(std::vector<double>& a, std::vector<double>& inverse, std::size_t n,
            double least_pivot) {
  inverse.assign(n * n, 0.0);
  double largest = 0;
  for (const double v : a) largest = std::max(largest, std::fabs(v));
  for (std::size_t i = 0; i < n; ++i) inverse[i * n + i] = 1;
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c + 1; r < n; ++r)
      if (std::fabs(a[r * n + c]) > std::fabs(a[pivot * n + c])) pivot = r;
    if (!(std::fabs(a[pivot * n + c]) > least_pivot * largest)) return false;
    for (std::size_t k = 0; k < n; ++k) {
      std::swap(a[c * n + k], a[pivot * n + k]);
      std::swap(inverse[c * n + k], inverse[pivot * n + k]);
    }
    const double scale = 1 / a[c * n + c];
    for (std::size_t k = 0; k < n; ++k) {
      a[c * n + k] *= scale;
      inverse[c * n + k] *= scale;
    }
    for (std::size_t r = 0; r < n; ++r) {
      const double f = a[r * n + c];
      if (r == c || f == 0) continue;
      for (std::size_t k = 0; k < n; ++k) {
        a[r * n + k] -= f * a[c * n + k];
        inverse[r * n + k] -= f * inverse[c * n + k];
      }
    }
  }
  return true;
}

}  // namespace

std::vector<double> dense_inverse(const Level<double>& level, std::vector<std::size_t>& node,
                                  const DenseOptions& options) {
  const Shape& s = level.shape;
  std::vector<std::size_t> number(s.size(), s.size());
  const auto each = [&](const auto& visit) {
    for (int k = 0; k < s.n[2]; ++k)
      for (int j = 0; j < s.n[1]; ++j)
        for (int i = 0; i < s.n[0]; ++i) visit(std::array<int, 3>{i, j, k}, s.at(i, j, k));
  };
  node.clear();
  each([&](const std::array<int, 3>&, std::size_t p) {
    if (level.diagonal[p] == 0) return;
    number[p] = node.size();
    node.push_back(p);
  });
  const std::size_t n = node.size();
  if (n == 0 || n > options.most) return {};
  std::vector<double> a(n * n, 0.0);
  const std::array<std::size_t, 3> step{1, s.row_stride(), s.plane_stride()};
  each([&](const std::array<int, 3>& at, std::size_t p) {
    if (number[p] < n) a[number[p] * n + number[p]] = level.diagonal[p];
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(s.dimensions); ++axis) {
      std::array<int, 3> next = at;
      std::size_t q = p + step[axis];
      if (++next[axis] == s.n[axis]) {
        if (!s.periodic[axis]) continue;
        next[axis] = 0;
        q = s.at(next[0], next[1], next[2]);
      }
      if (number[p] >= n || number[q] >= n) continue;
      const double value = level.face[axis][p];
      a[number[p] * n + number[q]] -= value;
      a[number[q] * n + number[p]] -= value;
    }
  });
  if (options.singular && options.pinned) {
    // The best connected node is tied to 0, which costs it nothing where right-hand sides sum to 0.
    std::size_t at = 0;
    for (std::size_t i = 1; i < n; ++i)
      if (a[i * n + i] > a[at * n + at]) at = i;
    a[at * n + at] *= 2;
  } else if (options.singular) {  // constants, which the right-hand side does not have, get an
                                  // equation too
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += a[i * n + i];
    const auto count = static_cast<double>(n);
    for (double& v : a) v += trace / (count * count);
  }
  std::vector<double> inverse;
  if (!invert(a, inverse, n, options.least_pivot)) return {};
  return inverse;
}

template <class T>
void CoarsestSolver<T>::prepare(const Level<double>& level, bool singular) {
  // Double precision holds the coarse operators of coefficients that lie far apart.
  const double least_pivot = std::is_same_v<T, double> ? 1e-12 : 1e-5;
  const std::vector<double> inverse = dense_inverse(
      level, node_, {.singular = singular, .pinned = true, .least_pivot = least_pivot});
  if (inverse.empty()) node_.clear();
  inverse_.assign(inverse.begin(), inverse.end());
}

template class CoarsestSolver<float>;
template class CoarsestSolver<double>;

}  // namespace neurolens::pde
