// Variable coefficients: order of accuracy by manufactured solutions, convergence at large jumps,
// agreement with the direct solver, independence of the number of workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "neurolens/engines/pde/multigrid.hpp"
#include "observed_order.hpp"

namespace neurolens::pde {
namespace {

constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;

// u = sin(2 pi x + .3) cos(2 pi y + .5)..., a = 2 + sin(2 pi x) cos(2 pi y).
struct Smooth {
  int dimensions;
  double w = 2 * M_PI;
  double a(const Point& p) const {
    return 2 + std::sin(w * p.x) * (dimensions > 1 ? std::cos(w * p.y) : 1);
  }
  double u(const Point& p) const { return part(p, -1, 0); }
  double part(const Point& p, int axis, int order) const {
    const double x[3] = {p.x, p.y, p.z};
    double value = 1;
    for (int i = 0; i < dimensions; ++i) {
      const double q = w * x[i] + 0.3 + 0.2 * i;
      const double wave[3] = {std::sin(q), w * std::cos(q), -w * w * std::sin(q)};
      value *= wave[i == axis ? order : 0];
    }
    return value;
  }
  double f(const Point& p, double c) const {
    double sum = c * u(p);
    for (int i = 0; i < dimensions; ++i) sum += a(p) * part(p, i, 2);
    const double ax = w * std::cos(w * p.x) * (dimensions > 1 ? std::cos(w * p.y) : 1);
    const double ay = dimensions > 1 ? -w * std::sin(w * p.x) * std::sin(w * p.y) : 0;
    sum += ax * part(p, 0, 1);
    if (dimensions > 1) sum += ay * part(p, 1, 1);
    return sum;
  }
};

double error_of(int dimensions, int n, ConditionKind low, ConditionKind high, double c) {
  const Smooth m{dimensions};
  const Grid grid = Grid::unit(dimensions, n + 1);
  Boundary boundary;
  for (int axis = 0; axis < dimensions; ++axis)
    for (int side = 0; side < 2; ++side) {
      FaceCondition& face =
          boundary.face[static_cast<std::size_t>(axis)][static_cast<std::size_t>(side)];
      face.kind = side == 0 ? low : high;
      face.alpha = 1.5;
      const double sign = side == 0 ? -1 : 1;
      const auto kind = face.kind;
      face.value = ScalarData::Function([m, axis, sign, kind](const Point& p) {
        if (kind == D) return m.u(p);
        return (kind == R ? 1.5 * m.u(p) : 0) + sign * m.part(p, axis, 1);
      });
    }
  const ScalarData a{ScalarData::Function([m](const Point& p) { return m.a(p); })};
  const auto plan = MultigridPlan::make(grid, boundary, a, c, {});
  EXPECT_TRUE(plan.ok()) << plan.error();
  Field f(grid);
  Field u(grid);
  EXPECT_TRUE(ScalarData(ScalarData::Function([&](const Point& p) { return m.f(p, c); }))
                  .fill(grid, whole(grid), 0, f.values.data())
                  .ok());
  Report report;
  const Status solved = (*plan)->solve(f, boundary, 0, u, {}, report);
  EXPECT_TRUE(solved.ok()) << solved.error();
  EXPECT_LE(report.iterations, 25);
  Field exact(grid);
  (void)ScalarData(ScalarData::Function([&](const Point& p) {
    return m.u(p);
  })).fill(grid, whole(grid), 0, exact.values.data());
  double low_e = 1e300;
  double high_e = -1e300;
  for (std::size_t i = 0; i < u.values.size(); ++i) {
    low_e = std::min(low_e, u.values[i] - exact.values[i]);
    high_e = std::max(high_e, u.values[i] - exact.values[i]);
  }
  return report.nullspace ? (high_e - low_e) / 2 : std::max(std::fabs(low_e), std::fabs(high_e));
}

TEST(Multigrid, HasOrderTwoForEveryBoundaryAndDimension) {
  const std::pair<ConditionKind, ConditionKind> ends[] = {{D, D}, {N, N}, {D, N},
                                                          {P, P}, {R, D}, {R, R}};
  for (const int dimensions : {1, 2, 3})
    for (const auto& [low, high] : ends)
      for (const double c : {0.0, -5.0}) {
        SCOPED_TRACE(std::to_string(dimensions) + "-D " + std::string(to_string(low)) + " " +
                     std::string(to_string(high)));
        const int n = dimensions == 3 ? 8 : 24;
        std::array<double, 3> error{};
        for (int level = 0; level < 3; ++level)
          error[static_cast<std::size_t>(level)] = error_of(dimensions, n << level, low, high, c);
        EXPECT_NEAR(order_in_the_limit(error, 2), 2, 0.1)
            << error[0] << " -> " << error[1] << " -> " << error[2];
      }
}

// div(a grad u) = -1 on the unit square, 0 on its boundary.
struct Solved {
  Field f, u;
  Report report;
  Status status;
};
Solved solve_with(const ScalarData& a, int points) {
  const Grid grid = Grid::unit(2, points);
  const Boundary boundary = Boundary::all({D, 0.0});
  Solved out{Field(grid, -1.0), Field(grid), {}, {}};
  const auto plan = MultigridPlan::make(grid, boundary, a, 0.0);
  out.status =
      plan.ok() ? (*plan)->solve(out.f, boundary, 0, out.u, {}, out.report) : Status(plan.error());
  return out;
}

TEST(Multigrid, ConvergesForJumpsOfAMillion) {
  const auto a = ScalarData::parse("if((x-.4)^2+(y-.55)^2<.06, 1e6, 1)");
  ASSERT_TRUE(a.ok());
  for (const int n : {63, 64, 79, 100}) {
    const Solved one = solve_with(*a, n + 1);
    ASSERT_TRUE(one.status.ok()) << one.status.error();
    // What rounding of coefficients of 1e6 n^2 leaves.
    EXPECT_LE(one.report.residual_relative, 1e-5);
    EXPECT_LE(one.report.iterations, 80);
  }
}

TEST(Multigrid, AgreesWithTheDirectSolver) {
  const Grid grid = Grid::unit(2, 80);
  Boundary boundary = Boundary::all({D, *ScalarData::parse("x*y")});
  boundary.face[0][1] = {N, 0.5};
  Field f(grid);
  ASSERT_TRUE(ScalarData::parse("exp(-20*((x-.5)^2+(y-.4)^2))")
                  ->fill(grid, whole(grid), 0, f.values.data())
                  .ok());
  MultigridOptions options;
  options.tolerance = 1e-12;
  const auto multigrid = MultigridPlan::make(grid, boundary, 1.0, -2.0, options);
  const auto direct = PoissonPlan::make(grid, boundary, -2.0);
  ASSERT_TRUE(multigrid.ok());
  ASSERT_TRUE(direct.ok());
  Field u(grid);
  Field v(grid);
  Report report;
  ASSERT_TRUE((*multigrid)->solve(f, boundary, 0, u, {}, report).ok());
  ASSERT_TRUE((*direct)->solve(f, boundary, 0, v).ok());
  for (std::size_t i = 0; i < u.values.size(); ++i) ASSERT_NEAR(u.values[i], v.values[i], 1e-9);
}

TEST(Multigrid, EveryCycleConvergesAndWorkersDoNotChangeABit) {
  const Grid grid = Grid::unit(2, 250);
  const Boundary boundary = Boundary::all({D, 0.0});
  const Field f(grid, 1.0);
  for (const Cycle cycle : {Cycle::v, Cycle::w, Cycle::full})
    for (const auto& [cg, cycles_first, most] :
         {std::tuple{false, true, 20}, {true, false, 10}, {true, true, 12}}) {
      MultigridOptions options;
      options.cycle = cycle;
      options.conjugate_gradient = cg;
      options.cycles_first = cycles_first;
      const auto plan =
          MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), 0.0, options);
      ASSERT_TRUE(plan.ok());
      Field u(grid);
      Field v(grid);
      Report report;
      const Status solved = (*plan)->solve(f, boundary, 0, u, {}, report);
      ASSERT_TRUE(solved.ok()) << solved.error();
      EXPECT_LE(report.iterations, most);
      EXPECT_EQ(report.method, cg && !cycles_first ? "pcg" : "multigrid");
      const auto workers = make_thread_workers(3);
      ASSERT_TRUE((*plan)->solve(f, boundary, 0, v, {workers.get()}, report).ok());
      EXPECT_EQ(u.values, v.values);
    }
}

// Large levels are passed in bands by several workers and then at the seams between them; coarse
// rows there take what three fine rows have for them in the order of a pass over the whole level.
TEST(Multigrid, BandsOfWorkersLeaveTheBitsOfOnePass) {
  struct Case {
    std::array<int, 2> points;
    Boundary boundary;
    Cycle cycle;
    double c;
  };
  Boundary mixed = Boundary::all({D, *ScalarData::parse("x-y")});
  mixed.face[1][0] = {N, 0.3};
  mixed.face[1][1] = {R, 1.0};
  mixed.face[1][1].alpha = 2.0;
  const Case cases[] = {{{520, 530}, Boundary::all({D, 0.0}), Cycle::full, 0.0},
                        {{641, 700}, mixed, Cycle::full, -3.0},
                        {{530, 641}, Boundary::all({D, 0.5}), Cycle::v, 0.0},
                        {{521, 605}, mixed, Cycle::w, 0.0}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.points[1]);
    Grid grid = Grid::unit(2, c.points[0]);
    grid.points[1] = c.points[1];
    grid.upper[1] = static_cast<double>(c.points[1]) / c.points[0];
    MultigridOptions options;
    options.cycle = c.cycle;
    const auto plan =
        MultigridPlan::make(grid, c.boundary, *ScalarData::parse("1+x*y"), c.c, options);
    ASSERT_TRUE(plan.ok());
    Field f(grid);
    ASSERT_TRUE(ScalarData::parse("sin(9*x+4*y)+x")
                    .value()
                    .fill(grid, whole(grid), 0, f.values.data())
                    .ok());
    Field u(grid);
    Report report;
    ASSERT_TRUE((*plan)->solve(f, c.boundary, 0, u, {}, report).ok());
    EXPECT_EQ(report.method, "multigrid");
    const double residual = report.residual_relative;
    for (const std::size_t count : {2U, 3U, 5U}) {
      const auto workers = make_thread_workers(count);
      Field v(grid);
      ASSERT_TRUE((*plan)->solve(f, c.boundary, 0, v, {workers.get()}, report).ok());
      EXPECT_EQ(u.values, v.values) << count << " workers";
      EXPECT_EQ(report.residual_relative, residual);
    }
  }
}

// max |f - A u| / max |f| of the five-point stencil with harmonic faces, by separate arithmetic.
double plain_residual(const Field& u, const Field& f, const ScalarData& a_data) {
  Field a(u.grid);
  EXPECT_TRUE(a_data.fill(u.grid, whole(u.grid), 0, a.values.data()).ok());
  const auto face = [&](int i, int j, int p, int q) {
    return 2 * a.at(i, j) * a.at(p, q) / (a.at(i, j) + a.at(p, q));
  };
  const double h[2] = {u.grid.spacing(0), u.grid.spacing(1)};
  double worst = 0;
  double scale = 0;
  for (int j = 1; j + 1 < u.grid.points[1]; ++j)
    for (int i = 1; i + 1 < u.grid.points[0]; ++i) {
      const double here = u.at(i, j);
      double sum = 0;
      for (const int d : {-1, 1}) {
        sum += face(i, j, i + d, j) * (u.at(i + d, j) - here) / (h[0] * h[0]);
        sum += face(i, j, i, j + d) * (u.at(i, j + d) - here) / (h[1] * h[1]);
      }
      worst = std::max(worst, std::fabs(f.at(i, j) - sum));
      scale = std::max(scale, std::fabs(f.at(i, j)));
    }
  return worst / scale;
}

// Rows stream through nested iteration, exact and renewed residuals, over-relaxed sweeps: whatever
// single precision does in between, the residual that is reported is that of the answer.
TEST(Multigrid, ReportsTheTrueResidualForAnyNumberOfPoints) {
  const auto a = ScalarData::parse("1+x*y");
  const auto source = ScalarData::parse("exp(-40*((x-.3)^2+(y-.5)^2))");
  ASSERT_TRUE(a.ok() && source.ok());
  const Boundary boundary = Boundary::all({D, 0.0});
  for (const auto& [nx, ny] : {std::pair{14, 14},
                               {15, 16},
                               {17, 19},
                               {33, 33},
                               {40, 40},
                               {64, 50},
                               {66, 65},
                               {100, 97},
                               {127, 127},
                               {130, 128},
                               {259, 260},
                               {513, 514}}) {
    SCOPED_TRACE(std::to_string(nx) + "x" + std::to_string(ny));
    const double upper_y = static_cast<double>(ny - 1) / (nx - 1);
    const auto grid =
        Grid::make(std::array{nx, ny}, std::array{0.0, 0.0}, std::array{1.0, upper_y});
    ASSERT_TRUE(grid.ok());
    const auto plan = MultigridPlan::make(*grid, boundary, *a, 0.0);
    ASSERT_TRUE(plan.ok());
    Field f(*grid);
    ASSERT_TRUE(source->fill(*grid, whole(*grid), 0, f.values.data()).ok());
    Field u(*grid, 7.0);  // what was there before must not matter
    Report report;
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, u, {}, report).ok());
    EXPECT_LE(report.residual_relative, 1e-8);
    EXPECT_LE(report.iterations, 7);
    EXPECT_NE(report.details.find("one pass"), std::string::npos) << report.details;
    EXPECT_NEAR(plain_residual(u, f, *a), report.residual_relative, 3e-10);
    Field again(*grid);
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, again, {}, report).ok());
    EXPECT_EQ(u.values, again.values);  // with vectors of the solve before
  }
}

TEST(Multigrid, GoesBelowWhatSinglePrecisionHolds) {
  const Grid grid = Grid::unit(2, 130);
  const Boundary boundary = Boundary::all({D, *ScalarData::parse("x-y*y")});
  MultigridOptions options;
  options.tolerance = 1e-13;
  const auto a = ScalarData::parse("1+x*y");
  const auto plan = MultigridPlan::make(grid, boundary, *a, -3.0, options);
  ASSERT_TRUE(plan.ok());
  Field u(grid);
  Report report;
  const Status solved = (*plan)->solve(Field(grid, 2.0), boundary, 0, u, {}, report);
  ASSERT_TRUE(solved.ok()) << solved.error();
  EXPECT_LE(report.residual_relative, 1e-11);  // rounding of A u itself
  EXPECT_LE(report.iterations, 16);
}

// Rough coefficients slow the cycles down; conjugate gradients then go on from where they are.
TEST(Multigrid, HandsSlowProblemsToConjugateGradients) {
  const auto a = ScalarData::parse("if(sin(37*x)*sin(41*y)>0, 900, 1)");
  ASSERT_TRUE(a.ok());
  const Solved one = solve_with(*a, 101);
  ASSERT_TRUE(one.status.ok()) << one.status.error();
  EXPECT_EQ(one.report.method, "pcg");
  EXPECT_LE(plain_residual(one.u, one.f, *a), 1.01e-8);
  EXPECT_LE(one.report.iterations, 60);
}

TEST(Multigrid, AnswersNothingWithNothingAndRefusesWhatIsNotANumber) {
  const Grid grid = Grid::unit(2, 50);
  const Boundary boundary = Boundary::all({D, 0.0});
  const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), 0.0);
  ASSERT_TRUE(plan.ok());
  Field u(grid, 3.0);
  Report report;
  ASSERT_TRUE((*plan)->solve(Field(grid), boundary, 0, u, {}, report).ok());
  for (const double v : u.values) ASSERT_EQ(v, 0);
  EXPECT_EQ(report.iterations, 0);
  for (const int at : {0, 49, 1225, 2499}) {  // corners, which no equation reads, too
    Field f(grid, 1.0);
    f.values[static_cast<std::size_t>(at)] = NAN;
    const Status status = (*plan)->solve(f, boundary, 0, u, {}, report);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Errc::out_of_range);
  }
}

TEST(Multigrid, SaysWhatItCannotDo) {
  const Grid grid = Grid::unit(2, 20);
  const Boundary boundary = Boundary::all({D, 0.0});
  EXPECT_EQ(MultigridPlan::make(grid, boundary, *ScalarData::parse("x-.5"), 0.0).error().code,
            Errc::out_of_range);
  EXPECT_EQ(MultigridPlan::make(grid, boundary, 1.0, 3.0).error().code, Errc::out_of_range);
  MultigridOptions impatient;
  impatient.max_iterations = 1;
  impatient.tolerance = 1e-12;
  const auto plan = MultigridPlan::make(grid, boundary, 1.0, 0.0, impatient);
  ASSERT_TRUE(plan.ok());
  Field u(grid);
  Report report;
  const Status status = (*plan)->solve(Field(grid, 1.0), boundary, 0, u, {}, report);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::check_failed);
}

}  // namespace
}  // namespace neurolens::pde
