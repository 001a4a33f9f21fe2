// The direct solver: residuals at rounding level for every length, bit-identity, and the answers to
// bad input. Its order of accuracy: poisson_order_test.cpp.
#include "neurolens/engines/pde/poisson.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "manufactured.hpp"

namespace neurolens::pde {
namespace {

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

// A periodic last axis is eliminated with its last row as a border: singular, nearly singular,
// strongly damped, and with the compact stencil's coupling of either sign.
TEST(Poisson, ClosesPeriodicAxesOnThemselves) {
  for (const int n : {3, 4, 5, 17, 100, 255})
    for (const double c : {0.0, -1e-6, -3.0, -1e3, -1e7})
      for (const int order : {2, 4}) {
        const Manufactured m = make(2, c, {P, P}, {P, P});
        SCOPED_TRACE(std::to_string(n) + " " + name_of(m) + " order " + std::to_string(order));
        for (const int other : {8, 60}) EXPECT_LT(solve(m, {other, n, 1}, order).residual, 1e-11);
      }
  const Grid grid = *Grid::make(std::array{301, 261}, std::array{0.0, 0.0}, std::array{1.0, 2.0});
  const Boundary boundary = Boundary::all({P});
  const auto plan = PoissonPlan::make(grid, boundary);
  ASSERT_TRUE(plan.ok()) << plan.error();
  EXPECT_NE((*plan)->description().find("cyclic tridiagonal"), std::string::npos);
  Field f(grid);
  ASSERT_TRUE(ScalarData::parse("sin(2*pi*x)*cos(pi*y)+cos(6*pi*x)")
                  ->fill(grid, whole(grid), 0, f.values.data())
                  .ok());
  Field alone(grid);
  Field together(grid);
  ASSERT_TRUE((*plan)->solve(f, boundary, 0, alone).ok());
  const auto workers = make_thread_workers(3);
  ASSERT_TRUE((*plan)->solve(f, boundary, 0, together, {workers.get(), nullptr, {}}).ok());
  EXPECT_EQ(alone.values, together.values);
}

TEST(Poisson, RefusesAnEigenvalue) {
  const Grid grid = Grid::unit(2, 17);
  const double s = std::sin(M_PI / 32);
  const double eigenvalue = 2 * 4 * s * s * 256;
  const auto plan = PoissonPlan::make(grid, Boundary::all({D, 0.0}), eigenvalue);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, Errc::refused);
}

// From nearly Neumann to nearly Dirichlet, on cells 30 times as long as wide: residuals stay at
// rounding level, and the error goes to that of the limits.
TEST(Poisson, OrderFourTakesAnyRobinRatio) {
  for (const double alpha : {1e-8, 1.0, 1e3, 1e8}) {
    SCOPED_TRACE(alpha);
    const auto grid = Grid::make(std::array{33, 41}, std::array{0.0, 0.0}, std::array{1.0, 30.0});
    ASSERT_TRUE(grid.ok());
    const Boundary boundary = Boundary::all({R, 0.0, alpha, 1.0});
    const auto plan = PoissonPlan::make(*grid, boundary, -0.1, 4);
    ASSERT_TRUE(plan.ok()) << plan.error();
    const Field f(*grid, 1.0);
    Field u(*grid);
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, u).ok());
    EXPECT_LT(*(*plan)->residual(f, boundary, 0, u), 1e-10);  // terms of A u reach 4e4
    if (alpha == 1e-8) {
      EXPECT_NEAR(u.at(16, 20), -10, 1e-5);  // c u = f
    }
    if (alpha == 1e8) {
      EXPECT_NEAR(u.at(0, 20), 0, 1e-6);
    }
  }
}

// Robin faces on both axes, beyond the length up to which an explicit basis is used: the same
// residuals, errors that fall on from the shorter grids, and workers that do not change a bit.
TEST(Poisson, RobinOnTwoLongAxesIsDirectToo) {
  for (const auto& [x, y] : {std::pair<Ends, Ends>{{R, R}, {R, R}},
                             {{R, D}, {R, R}},
                             {{N, R}, {D, R}},
                             {{R, R}, {R, D}},
                             {{D, R}, {N, R}}})
    for (const int order : {2, 4}) {
      const Manufactured m = make(2, order == 2 ? 0 : -2, x, y);
      SCOPED_TRACE(name_of(m));
      const Outcome coarse = solve(m, {96, 100, 1}, order);
      const Outcome fine = solve(m, {240, 250, 1}, order);
      EXPECT_LT(fine.residual, 5e-11);
      EXPECT_NEAR(std::log(coarse.error / fine.error) / std::log(2.5), order, 0.1);
    }
  const Manufactured m = make(2, 0, {R, R}, {R, D});
  const Grid grid = *Grid::make(std::array{260, 301}, std::array{0.0, 0.0}, std::array{1.0, 1.0});
  const auto plan = PoissonPlan::make(grid, m.boundary(), 0, 4);
  ASSERT_TRUE(plan.ok()) << plan.error();
  EXPECT_NE((*plan)->description().find("equations of the faces"), std::string::npos)
      << (*plan)->description();
  Field f(grid, 1.0);
  Field serial(grid);
  Field parallel(grid);
  ASSERT_TRUE((*plan)->solve(f, m.boundary(), 0, serial).ok());
  const auto workers = make_thread_workers(3);
  ASSERT_TRUE((*plan)->solve(f, m.boundary(), 0, parallel, {workers.get()}).ok());
  EXPECT_EQ(serial.values, parallel.values);
}

TEST(Poisson, OrderFourRefusesARobinRatioThatTheGridDoesNotResolve) {
  const Grid grid = Grid::unit(2, 11);
  const Boundary boundary = Boundary::all({R, 0.0, -31.0, 1.0});
  const auto plan = PoissonPlan::make(grid, boundary, 0, 4);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, Errc::refused);
  EXPECT_NE(plan.error().message.find("spacing below 0.0968"), std::string::npos) << plan.error();
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
