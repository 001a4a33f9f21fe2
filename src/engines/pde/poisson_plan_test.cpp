// The direct solver: residuals at rounding level for every boundary and dimension, the order of
// accuracy by manufactured solutions, and the answers to bad input.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "neurolens/engines/pde/poisson.hpp"
#include "observed_order.hpp"

namespace neurolens::pde {
namespace {

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

Manufactured make(int dimensions, double c, Ends x, Ends y = {}, Ends z = {}) {
  return {{x, y, z}, dimensions, c};
}

// u and f on all points, from tables of each axis' factor.
void tabulate(const Manufactured& m, Field& u, Field& f) {
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

Outcome solve(const Manufactured& m, std::array<int, 3> intervals, int order,
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

std::string name_of(const Manufactured& m) {
  std::string text = std::to_string(m.dimensions) + "D c=" + std::to_string(m.c);
  for (int a = 0; a < m.dimensions; ++a)
    for (const auto kind : m.kinds[static_cast<std::size_t>(a)])
      text += " " + std::string(to_string(kind));
  return text;
}

const std::vector<Ends> kEnds = {{D, D}, {N, N}, {D, N}, {N, D}, {P, P}, {R, D}, {N, R}, {R, R}};

void check_order(const Manufactured& m, int n, int order) {
  SCOPED_TRACE(name_of(m) + " order " + std::to_string(order));
  std::array<double, 3> error{};
  for (int level = 0; level < 3; ++level) {
    const int f = 1 << level;
    const bool want_residual = m.dimensions < 3 || level == 0;  // slow for the compact stencil
    const Outcome outcome = solve(m, {f * n, f * (n + 3), f * (n + 1)}, order, want_residual);
    EXPECT_LT(outcome.residual, 1e-11);
    error[static_cast<std::size_t>(level)] = outcome.error;
  }
  double observed = order_near(order, error, 2);
  const bool neumann = std::any_of(m.kinds.begin(), m.kinds.end(),
                                   [](const Ends& e) { return e[0] == N || e[1] == N; });
  if (order == 4 && m.dimensions > 1 && neumann) {
    // Where a Neumann face ends, the compact stencil's error is h^4 log(1/h).
    const double logarithmic = order_with_logarithm(error, n);
    if (std::fabs(logarithmic - order) < std::fabs(observed - order)) observed = logarithmic;
  }
  const bool all_neumann = std::all_of(m.kinds.begin(), m.kinds.end(), [](const Ends& e) {
    return e == Ends{N, N};
  });
  if (m.dimensions == 3 && order == 4 && all_neumann) {
    // Here errors still fall faster than h^4 on the finest grid that a unit test can afford.
    EXPECT_GE(observed, order - 0.1) << error[0] << " -> " << error[1] << " -> " << error[2];
    return;
  }
  EXPECT_NEAR(observed, order, 0.1) << error[0] << " -> " << error[1] << " -> " << error[2];
}

TEST(PoissonOrder, OneDimensionEveryPairOfEnds) {
  for (const auto& ends : kEnds)
    for (const int order : {2, 4})
      for (const double c : {0.0, -3.0}) check_order(make(1, c, ends), order == 4 ? 16 : 20, order);
}

TEST(PoissonOrder, TwoDimensionsEveryPairOfEndsOnEachAxis) {
  for (const auto& x : kEnds)
    for (const auto& y : kEnds) {
      for (const int order : {2, 4}) check_order(make(2, 0, x, y), order == 4 ? 24 : 20, order);
    }
}

TEST(PoissonOrder, ThreeDimensions) {
  for (const auto& x : kEnds) {
    for (const int order : {2, 4}) {
      check_order(make(3, -1, x, {D, N}, {N, N}), order == 4 ? 16 : 10, order);
      check_order(make(3, 0, {P, P}, x, {D, D}), order == 4 ? 16 : 10, order);
      check_order(make(3, 0, {N, N}, {N, D}, x), order == 4 ? 16 : 10, order);
      check_order(make(3, 0, x, x, x), order == 4 ? 16 : 10, order);
    }
  }
}

TEST(PoissonOrder, IndefiniteHelmholtz) {
  check_order(make(2, 55.0, {D, D}, {D, N}), 40, 2);
  check_order(make(2, 90.0, {P, P}, {D, D}), 40, 2);
}

TEST(Poisson, SolvesLengthsOfEveryFactorisationToRoundingLevel) {
  const Manufactured m = make(2, 0, {D, D}, {D, D});
  for (const int n : {2, 3, 5, 7, 13, 31, 39, 59, 79, 99, 101, 126, 127, 128, 251, 509})
    EXPECT_LT(solve(m, {n, n, 1}, 2).residual, 2e-12) << n;
  EXPECT_LT(solve(m, {64, 61, 1}, 2).residual, 1e-12);
  EXPECT_LT(solve(m, {61, 64, 1}, 2).residual, 1e-12);
  EXPECT_LT(solve(m, {1021, 64, 1}, 2).residual, 1e-11);
}

TEST(Poisson, IsBitIdenticalForAnyNumberOfWorkers) {
  for (const int dimensions : {2, 3}) {
    const Manufactured m = make(dimensions, -1, {D, D}, {N, D}, {D, D});
    Grid grid = Grid::unit(dimensions, dimensions == 2 ? 301 : 41);
    const Boundary boundary = m.boundary();
    Field f(grid);
    ASSERT_TRUE(ScalarData(ScalarData::Function([&](const Point& p) { return m.f(p); }))
                    .fill(grid, whole(grid), 0, f.values.data())
                    .ok());
    const auto plan = PoissonPlan::make(grid, boundary, m.c);
    ASSERT_TRUE(plan.ok());
    Field serial(grid);
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, serial).ok());
    for (const std::size_t count : {2, 3, 7}) {
      const auto workers = make_thread_workers(count);
      Field parallel(grid);
      ASSERT_TRUE((*plan)->solve(f, boundary, 0, parallel, {workers.get()}).ok());
      EXPECT_EQ(serial.values, parallel.values) << count << " workers, " << dimensions << "-D";
    }
  }
}

TEST(Poisson, RefusesDataThatContradictEachOther) {
  const Grid grid = Grid::unit(2, 33);
  const Boundary insulated = Boundary::all({N, 0.0});
  const auto plan = PoissonPlan::make(grid, insulated);
  ASSERT_TRUE(plan.ok());
  Field f(grid, 1.0);
  Field u(grid);
  const Status status = (*plan)->solve(f, insulated, 0, u);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::refused);
}

TEST(Poisson, RefusesAnEigenvalue) {
  const Grid grid = Grid::unit(2, 17);
  const double s = std::sin(M_PI / 32);
  const double eigenvalue = 2 * 4 * s * s * 256;
  const auto plan = PoissonPlan::make(grid, Boundary::all({D, 0.0}), eigenvalue);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, Errc::refused);
}

TEST(Poisson, NamesThePointOfBadData) {
  const Grid grid = Grid::unit(2, 5);
  Boundary boundary = Boundary::all({D, 0.0});
  boundary.face[1][0].value = *ScalarData::parse("1/(x-0.5)");
  const auto plan = PoissonPlan::make(grid, boundary);
  ASSERT_TRUE(plan.ok());
  Field f(grid);
  Field u(grid);
  const Status status = (*plan)->solve(f, boundary, 0, u);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().where, "ymin: x=0.5 y=0");
}

}  // namespace
}  // namespace neurolens::pde
