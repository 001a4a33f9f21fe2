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
