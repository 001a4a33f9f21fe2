// 3-D multigrid that streams planes: true residuals at every size, the general solver as an oracle
// for all boundary kinds, what it leaves to others, independence of the number of workers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;

// A box of cubes of side h = 1 / (points along x - 1).
Grid cubes(int nx, int ny, int nz) {
  const double h = 1.0 / (nx - 1);
  return *Grid::make(std::array{nx, ny, nz}, std::array{0.0, 0.0, 0.0},
                     std::array{1.0, h * (ny - 1), h * (nz - 1)});
}

Field filled(const Grid& grid, const char* formula) {
  Field f(grid);
  EXPECT_TRUE(ScalarData::parse(formula)->fill(grid, whole(grid), 0, f.values.data()).ok());
  return f;
}

bool streams(const Report& report) {
  return report.details.find("one pass") != std::string::npos;
}

// max |f - A u| / max |f| of the seven-point stencil with harmonic faces at inner points, by
// separate arithmetic.
double plain_residual(const Field& u, const Field& f, const Field& a) {
  const auto& n = u.grid.points;
  double worst = 0;
  double scale = 0;
  for (int k = 1; k + 1 < n[2]; ++k)
    for (int j = 1; j + 1 < n[1]; ++j)
      for (int i = 1; i + 1 < n[0]; ++i) {
        double sum = 0;
        for (int axis = 0; axis < 3; ++axis)
          for (const int d : {-1, 1}) {
            const int x = i + (axis == 0 ? d : 0);
            const int y = j + (axis == 1 ? d : 0);
            const int z = k + (axis == 2 ? d : 0);
            const double face = 2 * a.at(i, j, k) * a.at(x, y, z) / (a.at(i, j, k) + a.at(x, y, z));
            const double h = u.grid.spacing(axis);
            sum += face * (u.at(x, y, z) - u.at(i, j, k)) / (h * h);
          }
        worst = std::max(worst, std::fabs(f.at(i, j, k) - sum));
        scale = std::max(scale, std::fabs(f.at(i, j, k)));
      }
  return worst / scale;
}

TEST(StreamedMultigrid3, ReportsTheTrueResidualForAnyNumberOfPoints) {
  const auto a = ScalarData::parse("1+x*y+z/3");
  const Boundary boundary = Boundary::all({D, 0.0});
  for (const auto& [nx, ny, nz] : {std::array{8, 8, 8},
                                   {9, 9, 9},
                                   {10, 11, 12},
                                   {13, 17, 11},
                                   {16, 16, 16},
                                   {17, 17, 17},
                                   {18, 35, 34},
                                   {33, 20, 27},
                                   {34, 33, 32},
                                   {59, 31, 43},
                                   {64, 50, 49},
                                   {66, 65, 67}}) {
    SCOPED_TRACE(std::to_string(nx) + "x" + std::to_string(ny) + "x" + std::to_string(nz));
    const Grid grid = cubes(nx, ny, nz);
    const auto plan = MultigridPlan::make(grid, boundary, *a, 0.0);
    ASSERT_TRUE(plan.ok());
    const Field f = filled(grid, "exp(-40*((x-.3)^2+(y-.5)^2+(z-.4)^2))");
    Field u(grid, 7.0);  // what was there before must not matter
    Report report;
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, u, {}, report).ok());
    EXPECT_TRUE(streams(report)) << report.details;
    EXPECT_EQ(report.method, "multigrid");
    EXPECT_LE(report.residual_relative, 1e-8);
    EXPECT_LE(report.iterations, 8);
    EXPECT_NEAR(plain_residual(u, f, filled(grid, "1+x*y+z/3")), report.residual_relative, 3e-10);
    Field again(grid, NAN);
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, again, {}, report).ok());
    EXPECT_EQ(u.values, again.values);  // with vectors of the solve before
  }
}

// The general solver with conjugate gradients from the start is the oracle.
TEST(StreamedMultigrid3, AgreesWithTheGeneralSolverForAllBoundaryKinds) {
  const auto a = ScalarData::parse("1+x*y+z*z");
  const auto value = ScalarData::parse("x-y*z+cos(3*x+y)");
  const ConditionKind kinds[][6] = {{D, D, D, D, D, D}, {N, D, D, D, D, D}, {D, N, D, N, N, D},
                                    {R, R, N, D, D, R}, {N, N, N, N, N, R}, {R, N, R, N, R, N},
                                    {D, D, N, N, R, R}, {N, N, D, D, D, D}};
  for (const auto& faces : kinds)
    for (const auto& [nx, ny, nz] : {std::array{16, 15, 18}, {21, 20, 19}, {19, 19, 12}}) {
      const Grid grid = cubes(nx, ny, nz);
      Boundary boundary;
      std::string name = grid.text();
      for (std::size_t face = 0; face < 6; ++face) {
        FaceCondition& condition = boundary.face[face / 2][face % 2];
        condition.kind = faces[face];
        condition.alpha = 1.5;
        condition.value = *value;
        name += " " + std::string(to_string(faces[face]));
      }
      SCOPED_TRACE(name);
      const Field f = filled(grid, "sin(3*x)+y-z*z");
      Field u[2] = {Field(grid), Field(grid)};
      for (const bool cycles_first : {true, false}) {
        MultigridOptions options;
        options.cycles_first = cycles_first;
        options.tolerance = 1e-11;
        const auto plan = MultigridPlan::make(grid, boundary, *a, -0.5, options);
        ASSERT_TRUE(plan.ok());
        Report report;
        const Status solved = (*plan)->solve(f, boundary, 0, u[cycles_first ? 0 : 1], {}, report);
        ASSERT_TRUE(solved.ok()) << solved.error();
        EXPECT_EQ(streams(report), cycles_first) << report.details;
        EXPECT_LE(report.residual_relative, 1e-11);
        if (cycles_first) {
          EXPECT_LE(report.iterations, 14);
        }
      }
      for (std::size_t i = 0; i < u[0].values.size(); ++i)
        ASSERT_NEAR(u[0].values[i], u[1].values[i], 1e-8);
    }
}

TEST(StreamedMultigrid3, WorkersDoNotChangeABit) {
  const Grid grid = cubes(50, 75, 40);
  Boundary boundary = Boundary::all({D, *ScalarData::parse("x*y+z")});
  boundary.face[1][0] = {N, 0.25};
  const Field f = filled(grid, "exp(-9*((x-.3)^2+(y-.5)^2))");
  for (const Cycle cycle : {Cycle::v, Cycle::w, Cycle::full}) {
    MultigridOptions options;
    options.cycle = cycle;
    const auto plan =
        MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), 0.0, options);
    ASSERT_TRUE(plan.ok());
    Field one(grid);
    Report report;
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, one, {}, report).ok());
    EXPECT_TRUE(streams(report));
    EXPECT_LE(report.iterations, 16);
    for (const std::size_t count : {2, 3, 5}) {
      const auto workers = make_thread_workers(count);
      for (int round = 0; round < 3; ++round) {
        Field many(grid);
        ASSERT_TRUE((*plan)->solve(f, boundary, 0, many, {workers.get()}, report).ok());
        EXPECT_EQ(one.values, many.values) << count;
      }
    }
  }
}

// Workers may come one after the other, beginning with the last.
class OneByOne final : public Workers {
 public:
  [[nodiscard]] std::size_t count() const override { return 4; }
  void run(const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = count(); i-- > 0;) body(i);
  }
};

TEST(StreamedMultigrid3, NeedsNoTwoWorkersAtOnce) {
  const Grid grid = cubes(40, 40, 40);
  const Boundary boundary = Boundary::all({D, 0.0});
  const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), 0.0);
  ASSERT_TRUE(plan.ok());
  OneByOne workers;
  Field u(grid);
  Field v(grid);
  Report report;
  ASSERT_TRUE((*plan)->solve(Field(grid, 1.0), boundary, 0, u, {&workers}, report).ok());
  ASSERT_TRUE((*plan)->solve(Field(grid, 1.0), boundary, 0, v, {}, report).ok());
  EXPECT_EQ(u.values, v.values);
}

TEST(StreamedMultigrid3, LeavesOtherProblemsToTheGeneralSolver) {
  Boundary periodic = Boundary::all({D, 0.0});
  periodic.face[1][0].kind = periodic.face[1][1].kind = P;
  const Boundary fixed = Boundary::all({D, 0.0});
  Boundary free = fixed;  // 34 points coarsen to 18 and 10, whose last cells are 1/2 and 1/4
  free.face[0][1].kind = free.face[2][1].kind = N;
  const std::array lower{0.0, 0.0, 0.0};
  const struct {
    Grid grid;
    Boundary boundary;
  } cases[] = {
      {cubes(5, 7, 9), fixed},    // solved at once
      {cubes(40, 40, 6), fixed},  // too thin for a second coarser level
      {*Grid::make(std::array{20, 20, 20}, lower, std::array{1.0, 1.0, 8.0}), fixed},
      {*Grid::make(std::array{20, 20, 20}, lower, std::array{4.0, 1.0, 2.0}), fixed},
      {cubes(20, 20, 20), periodic},
      {cubes(34, 34, 34), free},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.grid.text());
    const auto plan = MultigridPlan::make(one.grid, one.boundary, *ScalarData::parse("1+x*x"), 0.0);
    ASSERT_TRUE(plan.ok());
    Field u(one.grid);
    Report report;
    const Status solved = (*plan)->solve(Field(one.grid, 1.0), one.boundary, 0, u, {}, report);
    ASSERT_TRUE(solved.ok()) << solved.error();
    EXPECT_FALSE(streams(report)) << report.details;
    EXPECT_LE(report.residual_relative, 1e-8);
  }
}

TEST(StreamedMultigrid3, BearsOneShortLastCell) {
  for (const std::size_t axis : {0, 1, 2}) {
    Boundary boundary = Boundary::all({D, 0.0});
    boundary.face[axis][1].kind = N;
    const Grid grid = cubes(34, 34, 34);
    const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*x"), 0.0);
    ASSERT_TRUE(plan.ok());
    Field u(grid);
    Report report;
    ASSERT_TRUE((*plan)->solve(Field(grid, 1.0), boundary, 0, u, {}, report).ok());
    EXPECT_TRUE(streams(report)) << report.details;
    EXPECT_LE(report.iterations, 10);
  }
}

TEST(StreamedMultigrid3, HandsSlowProblemsToConjugateGradients) {
  const Grid grid = cubes(33, 34, 35);
  const Boundary boundary = Boundary::all({D, 0.0});
  const Field f(grid, -1.0);
  for (const auto& [formula, residual, most] :
       {std::tuple{"if(sin(37*x)*sin(41*y)*cos(29*z)>0, 900, 1)", 1.01e-8, 150},
        {"if((x-.4)^2+(y-.55)^2+(z-.5)^2<.06, 900, 1)", 1.01e-8, 40},
        {"if((x-.4)^2+(y-.55)^2+(z-.5)^2<.06, 1e6, 1)", 1e-5, 80}}) {
    const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse(formula), 0.0);
    ASSERT_TRUE(plan.ok());
    Field u(grid);
    Report report;
    const Status solved = (*plan)->solve(f, boundary, 0, u, {}, report);
    ASSERT_TRUE(solved.ok()) << solved.error();
    EXPECT_EQ(report.method, "pcg");
    EXPECT_LE(report.iterations, most);
    EXPECT_LE(plain_residual(u, f, filled(grid, formula)), residual);
  }
}

// Without conjugate gradients such a problem diverges until nothing is a number any more.
TEST(StreamedMultigrid3, SaysSoWhenItDiverges) {
  const Grid grid = cubes(33, 34, 35);
  const Boundary boundary = Boundary::all({D, 0.0});
  MultigridOptions options;
  options.conjugate_gradient = false;
  for (const char* formula : {"if((x-.4)^2+(y-.55)^2+(z-.5)^2<.06, 900, 1)",
                              "if(sin(37*x)*sin(41*y)*cos(29*z)>0, 900, 1)"}) {
    const auto plan =
        MultigridPlan::make(grid, boundary, *ScalarData::parse(formula), 0.0, options);
    ASSERT_TRUE(plan.ok());
    Field u(grid);
    Report report;
    const Status status = (*plan)->solve(Field(grid, -1.0), boundary, 0, u, {}, report);
    ASSERT_FALSE(status.ok()) << report.residual_relative;
    EXPECT_EQ(status.error().code, Errc::check_failed);
  }
}

TEST(StreamedMultigrid3, GoesBelowWhatSinglePrecisionHolds) {
  const Grid grid = cubes(48, 48, 48);
  const Boundary boundary = Boundary::all({D, *ScalarData::parse("x-y*z")});
  MultigridOptions options;
  options.tolerance = 1e-13;
  const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), -3.0, options);
  ASSERT_TRUE(plan.ok());
  Field u(grid);
  Report report;
  const Status solved = (*plan)->solve(Field(grid, 2.0), boundary, 0, u, {}, report);
  ASSERT_TRUE(solved.ok()) << solved.error();
  EXPECT_TRUE(streams(report));
  EXPECT_LE(report.residual_relative, 1e-12);  // rounding of A u itself
  EXPECT_LE(report.iterations, 16);
}

TEST(StreamedMultigrid3, BeginsWithWhatItIsGiven) {
  const Grid grid = cubes(30, 30, 30);
  const Boundary boundary = Boundary::all({D, 1.0});
  MultigridOptions options;
  options.cycle = Cycle::v;
  const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse("1+x*y"), 0.0, options);
  ASSERT_TRUE(plan.ok());
  Field u(grid);
  Report report;
  ASSERT_TRUE((*plan)->solve(Field(grid, 1.0), boundary, 0, u, {}, report).ok());
  EXPECT_GE(report.iterations, 5);
  ASSERT_TRUE((*plan)->solve(Field(grid, 1.0), boundary, 0, u, {}, report).ok());
  EXPECT_EQ(report.iterations, 0);
}

TEST(StreamedMultigrid3, AnswersNothingWithNothingAndRefusesBadData) {
  const Grid grid = cubes(20, 21, 22);
  const Boundary fixed = Boundary::all({D, 0.0});
  const auto plan = MultigridPlan::make(grid, fixed, *ScalarData::parse("1+x*y"), 0.0);
  ASSERT_TRUE(plan.ok());
  Field u(grid, 3.0);
  Report report;
  ASSERT_TRUE((*plan)->solve(Field(grid), fixed, 0, u, {}, report).ok());
  for (const double v : u.values) ASSERT_EQ(v, 0);
  EXPECT_EQ(report.iterations, 0);
  for (const auto& [i, j, k] :
       {std::array{0, 0, 0}, {19, 20, 21}, {7, 0, 21}, {0, 8, 9}, {10, 10, 10}, {19, 20, 3}}) {
    Field f(grid, 1.0);
    f.at(i, j, k) = NAN;
    const Status status = (*plan)->solve(f, fixed, 0, u, {}, report);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, Errc::out_of_range);
  }
  const Boundary free = Boundary::all({N, 0.0});
  const auto singular = MultigridPlan::make(grid, free, *ScalarData::parse("1+x*y"), 0.0);
  ASSERT_TRUE(singular.ok());
  const Status refused = (*singular)->solve(Field(grid, 1.0), free, 0, u, {}, report);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Errc::refused);
  MultigridOptions impatient;
  impatient.max_iterations = 1;
  impatient.tolerance = 1e-12;
  const auto short_of = MultigridPlan::make(grid, fixed, 1.0, 0.0, impatient);
  ASSERT_TRUE(short_of.ok());
  const Status status = (*short_of)->solve(Field(grid, 1.0), fixed, 0, u, {}, report);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::check_failed);
  EXPECT_NE(u.at(10, 10, 10), 0);  // the best so far
}

}  // namespace
}  // namespace neurolens::pde
