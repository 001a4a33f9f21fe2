// Multigrid from and to single precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "neurolens/engines/pde/multigrid.hpp"
#include "precision_cases.hpp"

namespace neurolens::pde {
namespace {

// The tolerance is met by the iterate in double precision; rounding it costs eps n^2 in the
// residual and half an eps in u.
TEST(SinglePrecisionMultigrid, MultigridTellsWhatWasReachedAndWhatRoundingLeft) {
  const Ends ends[] = {{D, D}, {N, R}, {P, P}};
  for (const int dimensions : {1, 2, 3})
    for (const Ends& x : ends)
      for (const Ends& y : ends) {
        const Case c{dimensions, {31, 28, 19}, {x, y, Ends{D, N}}, 0};
        const Boundary boundary = boundary_of(c);
        const ScalarData a = *ScalarData::parse("1+x*y+0.5*z");
        const ScalarData reaction = *ScalarData::parse("-1-x");
        const auto plan = MultigridPlan::make(grid_of(c), boundary, a, reaction);
        ASSERT_TRUE(plan.ok()) << plan.error();
        const FieldF32 f = source_of(c);
        Field wide(f.grid);
        FieldF32 narrow(f.grid);
        Report of_wide;
        Report report;
        ASSERT_TRUE((*plan)->solve(to_f64(f), boundary, 0, wide, {}, of_wide).ok());
        const Status solved = (*plan)->solve(f, boundary, 0, narrow, {}, report);
        ASSERT_TRUE(solved.ok()) << solved.error();
        EXPECT_EQ(report.precision, Precision::f32);
        ASSERT_TRUE(report.residual_unrounded.has_value());
        EXPECT_LE(*report.residual_unrounded, 1e-8);
        const auto residual = (*plan)->residual(f, boundary, 0, narrow);
        ASSERT_TRUE(residual.ok()) << residual.error();
        EXPECT_GT(*residual, *report.residual_unrounded);
        EXPECT_LT(*residual, 1e-3);
        EXPECT_LE(difference(narrow, wide), 1.01 * kEps * largest(wide));
      }
}

// The residual of rounded numbers by other means: what the direct solver says of them.
TEST(SinglePrecisionMultigrid, ResidualOfMultigridIsThatOfItsAnswer) {
  const Case c{2, {33, 33, 1}, {Ends{D, D}, Ends{D, D}}, 0};
  const Boundary boundary = boundary_of(c);
  const auto plan = MultigridPlan::make(grid_of(c), boundary, 1.0, 0.0);
  const auto direct = PoissonPlan::make(grid_of(c), boundary);
  ASSERT_TRUE(plan.ok() && direct.ok());
  const FieldF32 f = source_of(c);
  FieldF32 u(f.grid);
  Report report;
  ASSERT_TRUE((*plan)->solve(f, boundary, 0, u, {}, report).ok());
  const auto residual = (*direct)->residual(f, boundary, 0, u);
  const auto told = (*plan)->residual(f, boundary, 0, u);
  ASSERT_TRUE(residual.ok() && told.ok());
  EXPECT_NEAR(*told, *residual, 1e-6 * *residual);
}

// The residual with varying a and c, of any numbers, by its defining sum.
TEST(SinglePrecisionMultigrid, ResidualWithVaryingCoefficientsIsItsDefiningSum) {
  for (const int dimensions : {2, 3}) {
    const Case x{dimensions, {23, 17, 14}, {Ends{D, D}, Ends{D, D}, Ends{D, D}}, 0};
    const Grid grid = grid_of(x);
    const auto plan = MultigridPlan::make(grid, Boundary::all({D, 0.0}),
                                          *ScalarData::parse("1+x*y+z"), *ScalarData::parse("-x"));
    ASSERT_TRUE(plan.ok());
    FieldF32 f = source_of(x);
    FieldF32 u(grid);
    double most = 0;
    double scale = 0;
    const auto a = [&](std::array<int, 3> p) {
      return 1 + grid.coordinate(0, p[0]) * grid.coordinate(1, p[1]) +
             (dimensions > 2 ? grid.coordinate(2, p[2]) : 0);
    };
    const auto value = [&](std::array<int, 3> p) {
      return static_cast<double>(u.at(p[0], p[1], p[2]));
    };
    const auto inside = [&](const auto& visit) {
      const int planes = dimensions > 2 ? grid.points[2] - 1 : 1;
      for (int k = dimensions > 2 ? 1 : 0; k < planes; ++k)
        for (int j = 1; j + 1 < grid.points[1]; ++j)
          for (int i = 1; i + 1 < grid.points[0]; ++i) visit(std::array<int, 3>{i, j, k});
    };
    inside([&](std::array<int, 3> p) {
      u.at(p[0], p[1], p[2]) = 0.001F * static_cast<float>((p[0] * 31 + p[1] * 17 + p[2]) % 29);
    });
    inside([&](std::array<int, 3> p) {
      double sum = -grid.coordinate(0, p[0]) * value(p);
      for (int axis = 0; axis < dimensions; ++axis)
        for (const int step : {-1, 1}) {
          auto q = p;
          q[static_cast<std::size_t>(axis)] += step;
          sum += 2 * a(p) * a(q) / (a(p) + a(q)) * (value(q) - value(p)) /
                 (grid.spacing(axis) * grid.spacing(axis));
        }
      const auto source = static_cast<double>(f.at(p[0], p[1], p[2]));
      most = std::max(most, std::fabs(source - sum));
      scale = std::max(scale, std::fabs(source));
    });
    const auto told = (*plan)->residual(f, Boundary::all({D, 0.0}), 0, u);
    ASSERT_TRUE(told.ok()) << told.error();
    EXPECT_NEAR(*told, most / scale, 1e-10 * *told);
  }
}

}  // namespace
}  // namespace neurolens::pde
