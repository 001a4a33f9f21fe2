// Twenty-three problems against SciPy (sparse LU, matrix exponential, DOP853, Radau) as an
// independent oracle. Skipped where SciPy is not installed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "neurolens/engines/pde/evolve.hpp"
#include "neurolens/engines/pde/multigrid.hpp"
#include "neurolens/engines/pde/ode.hpp"
#include "source_dir.hpp"

namespace neurolens::pde {
namespace {

// Runs the oracle; an empty result means it is not available.
std::vector<std::vector<double>> ask(const std::vector<std::string>& requests) {
  std::string command =
      "/usr/bin/python3 '" NEUROLENS_SOURCE_DIR "/src/engines/pde/testdata/oracle.py'";
  for (const std::string& r : requests) command += " '" + r + "'";
  FILE* pipe = popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string text;
  char block[4096];
  for (std::size_t n = 0; (n = fread(block, 1, sizeof block, pipe)) > 0;) text.append(block, n);
  if (pclose(pipe) != 0 || text.starts_with("unavailable")) return {};
  std::vector<std::vector<double>> result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    result.emplace_back();
    for (double v = 0; numbers >> v;) result.back().push_back(v);
  }
  return result;
}

std::array<ConditionKind, 2> ends_of(char kind) {
  switch (kind) {
    case 'D':
      return {ConditionKind::dirichlet, ConditionKind::dirichlet};
    case 'N':
      return {ConditionKind::neumann, ConditionKind::neumann};
    case 'M':
      return {ConditionKind::dirichlet, ConditionKind::neumann};
    case 'P':
      return {ConditionKind::periodic, ConditionKind::periodic};
    default:
      return {ConditionKind::robin, ConditionKind::robin};
  }
}

struct Case {
  std::string kinds;
  double c;
};

TEST(Oracle, PoissonAgreesWithSparseLu) {
  std::vector<Case> cases;
  for (const char x : std::string("DNMPR"))
    for (const char y : std::string("DNPR")) cases.push_back({{x, y}, -1.5});
  cases.push_back({"DD", 20.0});  // indefinite
  cases.push_back({"DMN", -0.5});
  cases.push_back({"PRD", 0.0});
  std::vector<std::string> requests;
  for (const Case& c : cases) {
    std::string r = "poisson";
    for (const char k : c.kinds) r += std::string(" ") + k;
    requests.push_back(r + " " + std::to_string(c.c));
  }
  const auto answers = ask(requests);
  if (answers.empty()) GTEST_SKIP() << "SciPy is not installed (python3-scipy)";
  ASSERT_EQ(answers.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(requests[i]);
    const int d = static_cast<int>(cases[i].kinds.size());
    Grid grid = Grid::unit(d, 3);
    const int sizes2[] = {33, 26, 0};
    const int sizes3[] = {17, 14, 9};
    Boundary boundary;
    for (std::size_t a = 0; a < static_cast<std::size_t>(d); ++a) {
      grid.points[a] = (d == 3 ? sizes3 : sizes2)[a] + 1;
      for (std::size_t side = 0; side < 2; ++side)
        boundary.face[a][side] = {ends_of(cases[i].kinds[a])[side], 0.0, 1.5, 0.8};
    }
    Field f(grid);
    ASSERT_TRUE(ScalarData::parse("exp(-3*x)*cos(2*y)+z*x-y^2")
                    ->fill(grid, whole(grid), 0, f.values.data())
                    .ok());
    std::vector<Field> solutions(1, Field(grid));
    const auto plan = PoissonPlan::make(grid, boundary, cases[i].c);
    ASSERT_TRUE(plan.ok()) << plan.error();
    ASSERT_TRUE((*plan)->solve(f, boundary, 0, solutions[0]).ok());
    if (cases[i].c <= 0) {
      MultigridOptions options;
      options.tolerance = 1e-12;
      const auto mg = MultigridPlan::make(grid, boundary, 1.0, cases[i].c, options);
      ASSERT_TRUE(mg.ok()) << mg.error();
      solutions.emplace_back(grid);
      Report report;
      ASSERT_TRUE((*mg)->solve(f, boundary, 0, solutions[1], {}, report).ok());
    }
    std::array<int, 3> first{0, 0, 0};
    std::array<int, 3> last{0, 0, 0};
    for (std::size_t a = 0; a < static_cast<std::size_t>(d); ++a) {
      const char k = cases[i].kinds[a];
      first[a] = k == 'D' || k == 'M' ? 1 : 0;
      last[a] = grid.points[a] - 1 - (k == 'D' || k == 'P' ? 1 : 0);
    }
    for (const Field& u : solutions) {
      std::size_t at = 0;
      for (int z = first[2]; z <= last[2]; ++z)
        for (int y = first[1]; y <= last[1]; ++y)
          for (int x = first[0]; x <= last[0]; ++x) {
            ASSERT_LT(at, answers[i].size());
            ASSERT_NEAR(u.at(x, y, z), answers[i][at++], 1e-9);
          }
      EXPECT_EQ(at, answers[i].size());
    }
  }
}

TEST(Oracle, EvolutionAndIntegrationAgree) {
  const auto answers = ask({"heat", "ode lorenz", "ode vanderpol"});
  if (answers.empty()) GTEST_SKIP() << "SciPy is not installed (python3-scipy)";
  ASSERT_EQ(answers.size(), 3u);
  EvolutionProblem p;
  p.grid = Grid::unit(1, 21);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = *ScalarData::parse("x*(1-x)");
  EvolutionOptions o;
  o.output_times = {0.05};
  const auto heat = evolve(p, o);
  ASSERT_TRUE(heat.ok());
  for (std::size_t i = 0; i < 19; ++i)
    EXPECT_NEAR(heat->states[0].values[i + 1], answers[0][i], 1e-13);

  OdeProblem lorenz;
  lorenz.initial = {1, 1, 1};
  lorenz.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = 10 * (y[1] - y[0]);
    d[1] = y[0] * (28 - y[2]) - y[1];
    d[2] = y[0] * y[1] - 8.0 / 3 * y[2];
    return true;
  };
  OdeOptions options;
  options.output_times = {2};
  options.relative_tolerance = options.absolute_tolerance = 1e-11;
  const auto chaos = integrate(lorenz, options);
  ASSERT_TRUE(chaos.ok()) << chaos.error();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(chaos->states[0][i], answers[1][i], 1e-6);

  OdeProblem stiff;
  stiff.initial = {2, 0};
  stiff.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = y[1];
    d[1] = 1000 * (1 - y[0] * y[0]) * y[1] - y[0];
    return true;
  };
  options.output_times = {500};
  options.relative_tolerance = 1e-9;
  const auto relaxed = integrate(stiff, options);
  ASSERT_TRUE(relaxed.ok()) << relaxed.error();
  EXPECT_EQ(relaxed->method, "dormand-prince, then bdf");
  EXPECT_NEAR(relaxed->states[0][0], answers[2][0], 1e-5);
}

}  // namespace
}  // namespace neurolens::pde
