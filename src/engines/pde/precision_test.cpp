// Single precision against double precision of the same data: every boundary, dimension and order,
// what tolerances mean, and numbers that single precision does not hold.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/lane_transform.hpp"
#include "neurolens/engines/pde/elliptic.hpp"
#include "neurolens/engines/pde/field_io.hpp"

namespace neurolens::pde {
namespace {

using Ends = std::array<ConditionKind, 2>;
constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;
constexpr double kEps = 0x1p-24;  // what rounding to single precision loses at most

struct Case {
  int dimensions;
  std::array<int, 3> points;
  std::array<Ends, 3> kinds;
  double c = 0;
};

Grid grid_of(const Case& x) {
  Grid grid = Grid::unit(x.dimensions, 3);
  for (std::size_t a = 0; a < static_cast<std::size_t>(x.dimensions); ++a)
    grid.points[a] = x.points[a];
  return grid;
}

bool singular(const Case& x) {
  bool all = x.c == 0;
  for (std::size_t a = 0; a < static_cast<std::size_t>(x.dimensions); ++a)
    for (const auto kind : x.kinds[a]) all = all && (kind == N || kind == P);
  return all;
}

// Values that are not zero on any face, but where a singular problem needs balance.
Boundary boundary_of(const Case& x) {
  Boundary b;
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t side = 0; side < 2; ++side) {
      b.face[a][side].kind = x.kinds[a][side];
      b.face[a][side].alpha = 1.5;
      b.face[a][side].beta = 0.8;
      const double base = side == 0 ? 0.9 : 1.3;
      if (!singular(x))
        b.face[a][side].value = ScalarData::Function([base](const Point& p) {
          return base + 0.4 * std::sin(2 * p.x + 1) + 0.3 * p.y - 0.2 * p.y * p.z;
        });
    }
  return b;
}

FieldF32 source_of(const Case& x) {
  FieldF32 f(grid_of(x));
  const Grid& g = f.grid;
  for (int k = 0; k < g.points[2]; ++k)
    for (int j = 0; j < g.points[1]; ++j)
      for (int i = 0; i < g.points[0]; ++i) {
        const double px = g.coordinate(0, i);
        const double py = x.dimensions > 1 ? g.coordinate(1, j) : 0;
        const double pz = x.dimensions > 2 ? g.coordinate(2, k) : 0;
        double v = std::cos(2 * M_PI * px) * (1 + std::cos(2 * M_PI * py)) +
                   0.5 * std::cos(2 * M_PI * pz + 2 * M_PI * px);
        if (!singular(x)) v += std::exp(-9 * (px - 0.4) * (px - 0.4) - 6 * py * py) + pz;
        f.at(i, j, k) = static_cast<float>(v);
      }
  return f;
}

template <class T>
double largest(const BasicField<T>& u) {
  double m = 0;
  for (const T v : u.values) m = std::max(m, std::fabs(static_cast<double>(v)));
  return m;
}

double difference(const FieldF32& a, const Field& b) {
  double m = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    m = std::max(m, std::fabs(static_cast<double>(a.values[i]) - b.values[i]));
  return m;
}

/// max |u32 - u64| in units of kEps max |u64|, both from the same source.
double loss_of(const Case& x, int order) {
  const Boundary boundary = boundary_of(x);
  const auto plan = PoissonPlan::make(grid_of(x), boundary, x.c, order);
  if (!plan.ok()) {
    ADD_FAILURE() << plan.error();
    return 1e30;
  }
  const FieldF32 f = source_of(x);
  Field wide(f.grid);
  FieldF32 narrow(f.grid);
  Report report;
  const Status one = (*plan)->solve(to_f64(f), boundary, 0, wide);
  const Status two = (*plan)->solve(f, boundary, 0, narrow, {}, &report);
  EXPECT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(report.nullspace, singular(x));
  EXPECT_EQ(report.precision, Precision::f32);
  // The residual that is told is that of the rounded numbers, in double precision.
  const auto told = (*plan)->residual(f, boundary, 0, narrow);
  const auto direct = (*plan)->residual(to_f64(f), boundary, 0, to_f64(narrow));
  EXPECT_TRUE(told.ok() && direct.ok());
  EXPECT_NEAR(*told, *direct, 1e-9 * *direct);
  return difference(narrow, wide) / (kEps * largest(wide));
}

TEST(SinglePrecision, DirectAnswersAreThoseOfDoubleToAFewRoundings) {
  const Ends all[] = {{D, D}, {N, N}, {D, N}, {N, D}, {P, P}, {R, D}, {N, R}, {R, R}};
  for (const int order : {2, 4})
    for (const double c : {0.0, -7.0}) {
      for (const Ends& x : all) {
        EXPECT_LT(loss_of({1, {33, 1, 1}, {x}, c}, order), 4) << order;
        for (const Ends& y : all) {
          const bool robin = x[0] == R || x[1] == R || y[0] == R || y[1] == R;
          const bool periodic = x[0] == P || y[0] == P;
          if (order == 4 && robin && !periodic) continue;  // not covered by this solver
          EXPECT_LT(loss_of({2, {28, 41, 1}, {x, y}, c}, order), 12)
              << "order " << order << " c " << c << " x " << to_string(x[0]) << to_string(x[1])
              << " y " << to_string(y[0]) << to_string(y[1]);
        }
      }
    }
}

TEST(SinglePrecision, DirectAnswersIn3DAreThoseOfDoubleToAFewRoundings) {
  const Ends all[] = {{D, D}, {N, N}, {D, N}, {P, P}};
  for (const int order : {2, 4})
    for (const Ends& x : all)
      for (const Ends& y : all)
        for (const Ends& z : all)
          EXPECT_LT(loss_of({3, {14, 19, 17}, {x, y, z}, 0}, order), 12)
              << "order " << order << " x " << to_string(x[0]) << to_string(x[1]) << " y "
              << to_string(y[0]) << to_string(y[1]) << " z " << to_string(z[0]) << to_string(z[1]);
  EXPECT_LT(loss_of({3, {14, 19, 17}, {Ends{R, D}, Ends{N, D}, Ends{D, R}}, -2}, 2), 12);
  EXPECT_LT(loss_of({3, {61, 66, 70}, {Ends{D, D}, Ends{D, N}, Ends{N, D}}, 0}, 2), 16);
}

// Where elimination in single precision would lose eps n^2, and transforms of rows that end in
// boundary values over h^2 would lose eps n: the bound is the same for every grid.
TEST(SinglePrecision, LossDoesNotGrowWithTheGrid) {
  constexpr double kMost = 24;
  EXPECT_LT(loss_of({1, {100001, 1, 1}, {Ends{D, D}}, 0}, 2), 4);
  EXPECT_LT(loss_of({2, {1024, 1024, 1}, {Ends{D, D}, Ends{D, D}}, 0}, 2), kMost);
  EXPECT_LT(loss_of({2, {80, 4096, 1}, {Ends{D, D}, Ends{D, D}}, 0}, 2), kMost);
  EXPECT_LT(loss_of({2, {4096, 80, 1}, {Ends{D, D}, Ends{D, N}}, 0}, 2), kMost);
  EXPECT_LT(loss_of({2, {1023, 200, 1}, {Ends{D, N}, Ends{N, N}}, 0}, 4), kMost);
  EXPECT_LT(loss_of({3, {200, 33, 40}, {Ends{D, D}, Ends{D, D}, Ends{D, D}}, 0}, 2), kMost);
}

// Vectors of 4, 8 and 16 floats, with and without masks.
TEST(SinglePrecision, IsAsGoodWithEveryInstructionSet) {
  const std::int64_t all = hwy::SupportedTargets();
  for (const std::int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSSE3}) {
    if ((all & target) == 0) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    ASSERT_STREQ(kernels::target_name(), hwy::TargetName(target));
    EXPECT_LT(loss_of({2, {80, 71, 1}, {Ends{D, D}, Ends{D, N}}, 0}, 2), 16);
    EXPECT_LT(loss_of({2, {75, 47, 1}, {Ends{N, N}, Ends{N, R}}, -1}, 2), 16);
    EXPECT_LT(loss_of({2, {66, 75, 1}, {Ends{P, P}, Ends{P, P}}, 0}, 4), 16);
    EXPECT_LT(loss_of({2, {627, 40, 1}, {Ends{D, D}, Ends{D, D}}, 0}, 4), 24);
    EXPECT_LT(loss_of({3, {35, 29, 21}, {Ends{D, D}, Ends{N, D}, Ends{D, N}}, 0}, 2), 16);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(all);
}

// An operator whose elimination is not safe is divided by its eigenvalues.
TEST(SinglePrecision, IndefiniteProblemsAreSolvedToo) {
  EXPECT_LT(loss_of({2, {28, 41, 1}, {Ends{D, D}, Ends{D, D}}, 130}, 2), 60);
  EXPECT_LT(loss_of({3, {14, 19, 17}, {Ends{D, D}, Ends{N, D}, Ends{D, D}}, 90}, 2), 60);
}

TEST(SinglePrecision, IsTheSameForAnyNumberOfWorkers) {
  for (const Case& x : {Case{2, {301, 290, 1}, {Ends{D, D}, Ends{D, N}}},
                        Case{2, {128, 96, 1}, {Ends{P, P}, Ends{P, P}}},
                        Case{3, {40, 37, 45}, {Ends{D, N}, Ends{D, D}, Ends{N, D}}}}) {
    const Boundary boundary = boundary_of(x);
    const auto plan = PoissonPlan::make(grid_of(x), boundary);
    ASSERT_TRUE(plan.ok()) << plan.error();
    const FieldF32 f = source_of(x);
    FieldF32 one(f.grid);
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, one).ok());
    for (const std::size_t count : {2, 3, 5}) {
      const auto workers = make_thread_workers(count);
      FieldF32 many(f.grid);
      ASSERT_TRUE((*plan)->solve(f, boundary, 0, many, {workers.get()}).ok());
      EXPECT_EQ(one.values, many.values) << count << " workers";
    }
  }
}

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
TEST(SinglePrecision, KeepsTheOrderOfAccuracy) {
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

// The tolerance is met by the iterate in double precision; rounding it costs eps n^2 in the
// residual and half an eps in u.
TEST(SinglePrecision, MultigridTellsWhatWasReachedAndWhatRoundingLeft) {
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
        EXPECT_GT(report.residual_relative, *report.residual_unrounded);
        EXPECT_LT(report.residual_relative, 1e-3);
        EXPECT_LE(difference(narrow, wide), 1.01 * kEps * largest(wide));
      }
}

// The residual of rounded numbers by other means: what the solver itself says of them as a guess.
TEST(SinglePrecision, ResidualOfMultigridIsThatOfItsAnswer) {
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
  ASSERT_TRUE(residual.ok());
  EXPECT_NEAR(report.residual_relative, *residual, 1e-6 * *residual);
}

TEST(SinglePrecision, FrontDoorReportsResidualErrorAndEstimate) {
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

TEST(SinglePrecision, ArraysAreTakenAsTheyAre) {
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

TEST(SinglePrecision, WhatItDoesNotHoldGetsASentence) {
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
TEST(SinglePrecision, SurvivesUnusualUnits) {
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

TEST(SinglePrecision, NpyRoundTripsAndConverts) {
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
