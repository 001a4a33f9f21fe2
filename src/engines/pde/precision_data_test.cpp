// Single precision from the front door: orders, reports, arrays, files, and numbers that it does
// not hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "neurolens/engines/pde/elliptic.hpp"
#include "neurolens/engines/pde/field_io.hpp"
#include "precision_cases.hpp"

namespace neurolens::pde {
namespace {

EllipticProblem rough(int points) {
  EllipticProblem p;
  p.grid = Grid::unit(2, points);
  p.source = *ScalarData::parse("-(49+64)*sin(7*x+0.3)*cos(8*y)");
  p.exact = *ScalarData::parse("sin(7*x+0.3)*cos(8*y)");
  p.boundary = Boundary::all({D, *p.exact});
  p.order = 4;
  return p;
}

EllipticProblem manufactured(int points) {
  EllipticProblem p;
  p.grid = Grid::unit(2, points);
  p.source = *ScalarData::parse("-(4+9)*sin(2*x+0.3)*cos(3*y)");
  p.exact = *ScalarData::parse("sin(2*x+0.3)*cos(3*y)");
  p.boundary = Boundary::all({D, *p.exact});
  p.boundary.face[0][1] = {N, *ScalarData::parse("2*cos(2*x+0.3)*cos(3*y)")};
  return p;
}

// On grids whose discretisation error is well above rounding.
TEST(SinglePrecisionData, KeepsTheOrderOfAccuracy) {
  const auto order_of = [](const EllipticProblem& p, EllipticMethod method) {
    EllipticOptions o;
    o.method = method;
    const auto rows = convergence_table(p, 3, o, {}, Precision::f32);
    EXPECT_TRUE(rows.ok()) << rows.error();
    return rows.ok() ? *rows->back().order : 0.0;
  };
  EXPECT_NEAR(order_of(manufactured(17), EllipticMethod::direct), 2, 0.1);
  EXPECT_NEAR(order_of(manufactured(17), EllipticMethod::multigrid), 2, 0.1);
  EXPECT_NEAR(order_of(rough(9), EllipticMethod::direct), 4, 0.1);
}

TEST(SinglePrecisionData, FrontDoorReportsResidualErrorAndEstimate) {
  EllipticProblem p = manufactured(65);
  const auto narrow = solve_elliptic_f32(p);
  const auto wide = solve_elliptic(p);
  ASSERT_TRUE(narrow.ok() && wide.ok());
  EXPECT_NEAR(*narrow->report.error_max, *wide->report.error_max, 1e-6);
  EXPECT_NEAR(*narrow->report.error_estimate, *wide->report.error_estimate, 2e-6);
  EXPECT_FALSE(narrow->report.residual_unrounded.has_value());
  // Rounding alone: eps |u| 8 / h^2 against |f|, which boundary values over h^2 dominate here.
  EXPECT_GT(narrow->report.residual_relative, 1e-9);
  EXPECT_LT(narrow->report.residual_relative, 1e-5);
  EXPECT_LT(narrow->report.memory, wide->report.memory);
}

TEST(SinglePrecisionData, ArraysAreTakenAsTheyAre) {
  const Grid grid = Grid::unit(2, 20);
  std::vector<float> values(grid.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1F * static_cast<float>(i % 17);
  EllipticProblem p;
  p.grid = grid;
  p.boundary = Boundary::all({D, 0.0});
  p.source = ScalarData::array(values);
  const auto narrow = solve_elliptic_f32(p);
  const auto wide = solve_elliptic(p);  // an f32 array serves double precision too
  ASSERT_TRUE(narrow.ok() && wide.ok());
  EXPECT_LT(difference(narrow->u, wide->u), 8 * kEps * largest(wide->u));
  std::vector<float> out(values.size());
  ASSERT_TRUE(p.source.fill(grid, whole(grid), 0, out.data()).ok());
  EXPECT_EQ(out, values);
  EXPECT_FALSE(p.source.is_function());
  EXPECT_NE(p.source.key(), ScalarData::array(std::vector<double>(4, 1.0)).key());
  const ScalarData formula = *ScalarData::parse("x-3*y");
  ASSERT_TRUE(formula.fill(grid, whole(grid), 0, out.data()).ok());
  for (int j = 0; j < 20; ++j)
    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(out[static_cast<std::size_t>(20 * j + i)],
                static_cast<float>(grid.coordinate(0, i) - 3 * grid.coordinate(1, j)));
}

TEST(SinglePrecisionData, WhatItDoesNotHoldGetsASentence) {
  const auto failure = [](const ScalarData& source, double domain = 1) {
    EllipticProblem p;
    p.grid = Grid::unit(2, 17);
    p.grid.upper = {domain, domain, 1};
    p.boundary = Boundary::all({D, 0.0});
    p.source = source;
    const auto solution = solve_elliptic_f32(p);
    EXPECT_FALSE(solution.ok());
    return solution.ok() ? std::string() : solution.error().text();
  };
  EXPECT_NE(failure(1e300).find("single precision (largest: 3.4e38)"), std::string::npos);
  EXPECT_NE(failure(*ScalarData::parse("if(x>0.9,1e39,1)")).find("source: x=0.9375"),
            std::string::npos);
  std::vector<float> values(17 * 17, 1.0F);
  values[40] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(failure(ScalarData::array(values)).find("source: x="), std::string::npos);
  EXPECT_NE(failure(ScalarData::array(std::vector<float>(5, 1.0F))).find("289 are needed"),
            std::string::npos);
  // Held, but the solution is not: |u| is about f / 14 times the domain squared.
  EXPECT_NE(failure(1e30, 1e6).find("leaves the range of single precision"), std::string::npos);
}

// Small and large units: scales that single precision itself would lose on the way.
TEST(SinglePrecisionData, SurvivesUnusualUnits) {
  for (const double length : {1e-18, 1e-9, 1e9, 1e18}) {
    Grid grid = Grid::unit(2, 50);
    grid.upper = {length, length, 1};
    const Boundary boundary = Boundary::all({D, 0.0});
    const auto plan = PoissonPlan::make(grid, boundary);
    ASSERT_TRUE(plan.ok());
    const FieldF32 f(grid, static_cast<float>(1 / length));
    Field wide(grid);
    FieldF32 narrow(grid);
    ASSERT_TRUE((*plan)->solve(to_f64(f), boundary, 0, wide).ok());
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, narrow).ok());
    EXPECT_LT(difference(narrow, wide), 12 * kEps * largest(wide)) << length;
  }
}

TEST(SinglePrecisionData, NpyRoundTripsAndConverts) {
  FieldF32 f(Grid::unit(2, 5));
  for (std::size_t i = 0; i < f.values.size(); ++i) f.values[i] = 0.1F * static_cast<float>(i);
  const std::string bytes = to_npy(f);
  EXPECT_NE(bytes.find("'<f4'"), std::string::npos);
  const auto back = from_npy_f32(bytes);
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(back->stored, Precision::f32);
  EXPECT_EQ(back->shape, (std::vector<std::size_t>{5, 5}));
  EXPECT_TRUE(std::equal(f.values.begin(), f.values.end(), back->values.begin()));
  const auto widened = from_npy(bytes);
  ASSERT_TRUE(widened.ok());
  EXPECT_EQ(widened->values[3], static_cast<double>(f.values[3]));
  Field d(Grid::unit(1, 3));
  d.values = {0.1, 1e-50, 1e20};
  const auto rounded = from_npy_f32(to_npy(d));
  ASSERT_TRUE(rounded.ok());
  EXPECT_EQ(rounded->stored, Precision::f64);
  EXPECT_EQ(rounded->values, (std::vector<float>{0.1F, 0.0F, 1e20F}));
  d.values[1] = 1e50;
  const auto beyond = from_npy_f32(to_npy(d));
  ASSERT_FALSE(beyond.ok());
  EXPECT_NE(beyond.error().message.find("single precision"), std::string::npos);
  const std::vector<FieldF32> two(2, f);
  EXPECT_EQ(from_npy_f32(to_npy(std::span<const FieldF32>(two)))->shape,
            (std::vector<std::size_t>{2, 5, 5}));
}

}  // namespace
}  // namespace neurolens::pde
