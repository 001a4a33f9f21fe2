// Coefficients that jump by up to a million, off the grid's lines, in thin layers, on cells a
// hundred times as long as wide: conjugate gradients converge from wherever they start, and what is
// reported is the residual of the answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto P = ConditionKind::periodic;

constexpr const char* kBoard = "if(sin(37*x)*sin(41*y)>0, 900, 1)";
constexpr const char* kCubes = "if(sin(17*x)*sin(21*y)*sin(13*z)>0, 900, 1)";

struct Rough {
  const char* coefficient;
  int dimensions;
  int points;
  ConditionKind kind;
  double length_y;  ///< Of the box; 1 along the others.
  int most;         ///< Iterations.
};

// max |volume f + sum of fluxes| / max |volume f| by arithmetic of its own, differences first.
double flux_residual(const Field& u, const Field& f, const ScalarData& a_data, ConditionKind kind) {
  const Grid& grid = u.grid;
  Field a(grid);
  EXPECT_TRUE(a_data.fill(grid, whole(grid), 0, a.values.data()).ok());
  double worst = 0;
  double scale = 0;
  std::array<int, 3> n{1, 1, 1};
  for (int d = 0; d < grid.dimensions; ++d)
    n[static_cast<std::size_t>(d)] = grid.intervals(d) + (kind == P ? 0 : 1);
  for (int k = 0; k < n[2]; ++k)
    for (int j = 0; j < n[1]; ++j)
      for (int i = 0; i < n[0]; ++i) {
        const std::array<int, 3> p{i, j, k};
        double volume = 1;
        bool fixed = false;
        for (std::size_t d = 0; d < static_cast<std::size_t>(grid.dimensions); ++d)
          if (kind != P && (p[d] == 0 || p[d] == n[d] - 1)) {
            volume /= 2;
            fixed = kind == D;
          }
        if (fixed) continue;
        double sum = -volume * f.at(i, j, k);
        for (std::size_t d = 0; d < static_cast<std::size_t>(grid.dimensions); ++d) {
          const double h = grid.spacing(static_cast<int>(d));
          const bool end = kind != P && (p[d] == 0 || p[d] == n[d] - 1);
          for (const int step : {-1, 1}) {
            std::array<int, 3> q = p;
            q[d] += step;
            if (kind == P) q[d] = (q[d] + n[d]) % n[d];
            if (q[d] < 0 || q[d] >= n[d]) continue;
            // The face's own two points; beyond the last one of a periodic axis lies its copy.
            const std::array<int, 3> low = step > 0 ? p : q;
            std::array<int, 3> high = low;
            ++high[d];
            const double one = a.at(low[0], low[1], low[2]);
            const double two = a.at(high[0], high[1], high[2]);
            sum += 2 * one * two / (one + two) * (end ? 2 * volume : volume) / (h * h) *
                   (u.at(q[0], q[1], q[2]) - u.at(i, j, k));
          }
        }
        worst = std::max(worst, std::fabs(sum));
        scale = std::max(scale, std::fabs(volume * f.at(i, j, k)));
      }
  return worst / scale;
}

class RoughCoefficients : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(From, RoughCoefficients, testing::Bool(),
                         [](const auto& run) { return run.param ? "Cycles" : "TheStart"; });

TEST_P(RoughCoefficients, ConvergeByConjugateGradients) {
  const Rough cases[] = {
      {kBoard, 2, 101, D, 1, 60},
      {kBoard, 2, 101, N, 1, 70},
      {kBoard, 2, 101, P, 1, 80},
      {kBoard, 2, 101, D, 100, 60},
      {kBoard, 2, 101, D, 0.01, 30},
      {kBoard, 3, 33, D, 1, 80},
      {"if(sin(37*x)*sin(41*y)>0, 1e4, 1)", 2, 101, D, 1, 60},
      {"if(sin(37*x)*sin(41*y)>0, 1e4, 1)", 2, 101, N, 1, 90},
      {"if(sin(37*x)*sin(41*y)>0, 1e6, 1)", 2, 101, D, 1, 70},
      {"if(sin(37*x)*sin(41*y)>0, 1e6, 1)", 2, 101, D, 100, 130},
      {"if(sin(3*x+30*y)>0, 1e6, 1)", 2, 101, D, 1, 30},
      {"if(abs(x-.503)<.004, 1e4, 1)", 2, 101, D, 1, 30},
      {"if(abs(x-.503)<.004, 1e-4, 1)", 2, 101, D, 1, 20},
      {"if(abs(x+.3*y-.503)<.02, 1e6, 1)", 2, 101, N, 1, 100},
      {"if(abs(x+.3*y-.503)<.02, 1e-6, 1)", 2, 101, D, 100, 20},
      {kCubes, 3, 25, D, 1, 90},
      {kCubes, 3, 25, N, 1, 90},
      {kCubes, 3, 25, D, 100, 80},
      {"if(sin(17*x)*sin(21*y)*sin(13*z)>0, 1e6, 1)", 3, 25, N, 1, 200},
  };
  for (const Rough& one : cases) {
    SCOPED_TRACE(std::string(one.coefficient) + " " + std::to_string(one.dimensions) + "-D " +
                 std::string(to_string(one.kind)) + " length " + std::to_string(one.length_y));
    Grid grid = Grid::unit(one.dimensions, one.points);
    grid.upper[1] = one.length_y;
    const auto a = ScalarData::parse(one.coefficient);
    ASSERT_TRUE(a.ok());
    const Boundary boundary = Boundary::all({one.kind, 0.0});
    MultigridOptions options;
    options.cycles_first = GetParam();
    const auto plan = MultigridPlan::make(grid, boundary, *a, 0.0, options);
    ASSERT_TRUE(plan.ok()) << plan.error();
    Field f(grid);
    // Balanced over the unit square as the cells' volumes sum it, for Neumann and periodic faces.
    ASSERT_TRUE(ScalarData::parse("cos(2*pi*x)")->fill(grid, whole(grid), 0, f.values.data()).ok());
    Field u(grid);
    Report report;
    const Status solved = (*plan)->solve(f, boundary, 0, u, {}, report);
    ASSERT_TRUE(solved.ok()) << solved.error();
    EXPECT_LE(report.iterations, one.most);
    EXPECT_NEAR(flux_residual(u, f, *a, one.kind), report.residual_relative,
                std::max(2e-9, report.residual_relative));
    if (report.residual_relative <= options.tolerance) continue;
    EXPECT_NE(report.details.find("out of reach: rounding"), std::string::npos) << report.details;
    EXPECT_LE(report.residual_relative, 5e-6);
  }
}

// The change from single to double precision on the way is part of the answer, not of the timing.
TEST(RoughCoefficient, WorkersAndSolvesBeforeDoNotChangeABit) {
  const Grid grid = Grid::unit(3, 33);
  const Boundary boundary = Boundary::all({N, 0.0});
  const auto plan = MultigridPlan::make(grid, boundary, *ScalarData::parse(kCubes), 0.0);
  ASSERT_TRUE(plan.ok());
  Field f(grid);
  ASSERT_TRUE(ScalarData::parse("cos(2*pi*x)")->fill(grid, whole(grid), 0, f.values.data()).ok());
  Field serial(grid);
  Field parallel(grid);
  Report report;
  ASSERT_TRUE((*plan)->solve(f, boundary, 0, serial, {}, report).ok());
  EXPECT_EQ(report.method, "pcg");
  const auto workers = make_thread_workers(3);
  ASSERT_TRUE((*plan)->solve(f, boundary, 0, parallel, {workers.get()}, report).ok());
  EXPECT_EQ(serial.values, parallel.values);
}

}  // namespace
}  // namespace neurolens::pde
