/// \file
/// Manufactured solutions of laplacian(u) + c u = f with every kind of face, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

using Ends = std::array<ConditionKind, 2>;
using Kinds = std::array<Ends, 3>;
constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;

// A smooth function with no symmetry, 2-periodic along periodic axes' unit length.
struct Manufactured {
  Kinds kinds{};
  int dimensions = 1;
  double c = 0;
  // u = product over axes of a(x); a = sin-like, with derivatives.
  double factor(int axis, double x, int derivative) const {
    const bool periodic = kinds[static_cast<std::size_t>(axis)][0] == P;
    const double w = periodic ? 2 * M_PI : 1.7 + 0.4 * axis;
    const double phase = 0.3 + 0.5 * axis;
    const double wave[3] = {std::sin(w * x + phase), w * std::cos(w * x + phase),
                            -w * w * std::sin(w * x + phase)};
    return wave[derivative] + (derivative == 0 ? 0.2 : 0.0);
  }
  double u(const Point& p) const { return derivative(p, -1, 0); }
  double derivative(const Point& p, int axis, int order) const {
    const double x[3] = {p.x, p.y, p.z};
    double value = 1;
    for (int a = 0; a < dimensions; ++a) value *= factor(a, x[a], a == axis ? order : 0);
    return value;
  }
  double f(const Point& p) const {
    double sum = c * u(p);
    for (int a = 0; a < dimensions; ++a) sum += derivative(p, a, 2);
    return sum;
  }
  Boundary boundary() const {
    Boundary b;
    for (int a = 0; a < dimensions; ++a)
      for (int side = 0; side < 2; ++side) {
        FaceCondition& face = b.face[static_cast<std::size_t>(a)][static_cast<std::size_t>(side)];
        face.kind = kinds[static_cast<std::size_t>(a)][static_cast<std::size_t>(side)];
        face.alpha = 1.5;
        face.beta = 0.8;
        const double sign = side == 0 ? -1 : 1;
        const auto self = *this;
        if (face.kind == D)
          face.value = ScalarData::Function([self](const Point& p) { return self.u(p); });
        if (face.kind == N)
          face.value = ScalarData::Function(
              [self, a, sign](const Point& p) { return sign * self.derivative(p, a, 1); });
        if (face.kind == R)
          face.value = ScalarData::Function([self, a, sign](const Point& p) {
            return 1.5 * self.u(p) + 0.8 * sign * self.derivative(p, a, 1);
          });
      }
    return b;
  }
};

inline Manufactured make(int dimensions, double c, Ends x, Ends y = {}, Ends z = {}) {
  return {{x, y, z}, dimensions, c};
}

// u and f on all points, from tables of each axis' factor.
inline void tabulate(const Manufactured& m, Field& u, Field& f) {
  const Grid& grid = u.grid;
  std::array<std::array<std::vector<double>, 2>, 3> factor;  // [axis][value, second derivative]
  for (int a = 0; a < 3; ++a)
    for (int i = 0; i < grid.points[static_cast<std::size_t>(a)]; ++i)
      for (const int derivative : {0, 2})
        factor[static_cast<std::size_t>(a)][derivative / 2].push_back(
            a < m.dimensions ? m.factor(a, grid.coordinate(a, i), derivative)
                             : (derivative == 0 ? 1.0 : 0.0));
  std::size_t at = 0;
  for (std::size_t k = 0; k < factor[2][0].size(); ++k)
    for (std::size_t j = 0; j < factor[1][0].size(); ++j)
      for (std::size_t i = 0; i < factor[0][0].size(); ++i, ++at) {
        const double x = factor[0][0][i];
        const double y = factor[1][0][j];
        const double z = factor[2][0][k];
        u.values[at] = x * y * z;
        f.values[at] = m.c * u.values[at] + factor[0][1][i] * y * z + x * factor[1][1][j] * z +
                       x * y * factor[2][1][k];
      }
}

struct Outcome {
  double error = 0, residual = 0;
};

inline Outcome solve(const Manufactured& m, std::array<int, 3> intervals, int order,
                     bool want_residual = true) {
  Grid grid = Grid::unit(m.dimensions, 3);
  for (int a = 0; a < m.dimensions; ++a)
    grid.points[static_cast<std::size_t>(a)] = intervals[static_cast<std::size_t>(a)] + 1;
  const Boundary boundary = m.boundary();
  Field f(grid);
  Field exact(grid);
  tabulate(m, exact, f);
  const auto plan = PoissonPlan::make(grid, boundary, m.c, order);
  EXPECT_TRUE(plan.ok()) << plan.error();
  if (!plan.ok()) return {1, 1};
  Field u(grid);
  const Status solved = (*plan)->solve(f, boundary, 0, u);
  EXPECT_TRUE(solved.ok()) << solved.error();
  Outcome outcome;
  if (want_residual) {
    const auto residual = (*plan)->residual(f, boundary, 0, u);
    outcome.residual = residual.ok() ? *residual : 1;
  }
  // With a nullspace compare up to a constant.
  double low = 1e300;
  double high = -1e300;
  for (std::size_t i = 0; i < u.values.size(); ++i) {
    const double e = u.values[i] - exact.values[i];
    low = std::min(low, e);
    high = std::max(high, e);
  }
  bool floating = m.c == 0;
  for (int a = 0; a < m.dimensions; ++a)
    for (const auto kind : m.kinds[static_cast<std::size_t>(a)])
      floating = floating && (kind == N || kind == P);
  outcome.error = floating ? (high - low) / 2 : std::max(std::fabs(low), std::fabs(high));
  return outcome;
}

inline std::string name_of(const Manufactured& m) {
  std::string text = std::to_string(m.dimensions) + "D c=" + std::to_string(m.c);
  for (int a = 0; a < m.dimensions; ++a)
    for (const auto kind : m.kinds[static_cast<std::size_t>(a)])
      text += " " + std::string(to_string(kind));
  return text;
}

}  // namespace neurolens::pde
