// Equations in time: closed forms, order of accuracy in space and time, energy, maximum principle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evolve/test_problems.hpp"
#include "observed_order.hpp"

namespace neurolens::pde {
namespace {

double run(const EvolutionProblem& p, const EvolutionOptions& o, const ScalarData& exact) {
  const auto result = evolve(p, o);
  EXPECT_TRUE(result.ok()) << result.error();
  if (!result.ok()) return 1;
  const auto error = error_against(*result, exact);
  EXPECT_TRUE(error.ok()) << error.error();
  return error.ok() ? *error : 1;
}

TEST(Heat, ExactMethodHasOrderTwoInSpaceForEveryDimension) {
  const char* initial[] = {"sin(pi*x)", "sin(pi*x)*cos(pi*y)", "sin(pi*x)*cos(pi*y)*sin(2*pi*z)"};
  const char* exact[] = {"exp(-.5*pi^2*t)*sin(pi*x)", "exp(-1*pi^2*t)*sin(pi*x)*cos(pi*y)",
                         "exp(-3*pi^2*t)*sin(pi*x)*cos(pi*y)*sin(2*pi*z)"};
  for (int d = 1; d <= 3; ++d) {
    double error[2];
    for (int level = 0; level < 2; ++level) {
      EvolutionProblem p;
      p.grid = Grid::unit(d, (d == 3 ? 17 : 33) * (level + 1) - level);
      p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
      p.boundary.face[1] = {FaceCondition{ConditionKind::neumann},
                            FaceCondition{ConditionKind::neumann}};
      p.boundary.face[2] = {FaceCondition{ConditionKind::periodic},
                            FaceCondition{ConditionKind::periodic}};
      p.initial = formula(initial[d - 1]);
      p.diffusivity = 0.5;
      EvolutionOptions o;
      o.output_times = {0.05, 0.1};
      error[level] = run(p, o, formula(exact[d - 1]));
    }
    EXPECT_NEAR(std::log2(error[0] / error[1]), 2, 0.1) << d << "-D";
  }
}

TEST(Heat, ImplicitMethodsHonourMovingBoundariesWithOrderTwo) {
  for (const TimeMethod method : {TimeMethod::tr_bdf2, TimeMethod::sdirk}) {
    double error[2];
    for (int level = 0; level < 2; ++level) {
      EvolutionOptions o;
      o.method = method;
      o.step = 0.1 / (level + 1);
      o.tolerance = method == TimeMethod::tr_bdf2 && level == 1 ? 1e-7 : 1e-5;
      error[level] = run(moving(level == 0 ? 64 : 128), o, formula("cos(t)*sin(2*x+1)"));
    }
    EXPECT_LT(error[1], 5e-4);
    EXPECT_LT(error[1], error[0] / 2.5) << to_string(method);
  }
}

TEST(Heat, FixedStepMethodsShowTheirOrderInTime) {
  // Against the exact evolution of the same semi-discrete system, so that only time counts.
  EvolutionProblem p;
  p.grid = Grid::unit(1, 17);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("x*(1-x)*exp(x)");
  p.source = formula("1+x");
  EvolutionOptions reference;
  reference.output_times = {0.1};
  const auto truth = evolve(p, reference);
  ASSERT_TRUE(truth.ok()) << truth.error();
  EXPECT_EQ(truth->report.method, "exact");
  for (const auto& [method, step, order] : {std::tuple{TimeMethod::rk4, 0.0025, 4},
                                            {TimeMethod::rk3, 0.002, 3},
                                            {TimeMethod::sdirk, 0.01, 2}}) {
    std::array<double, 3> error{};
    for (std::size_t level = 0; level < 3; ++level) {
      EvolutionOptions o = reference;
      o.method = method;
      o.step = step / (1 << level);
      const auto result = evolve(p, o);
      ASSERT_TRUE(result.ok()) << result.error();
      error[level] = 0;
      for (std::size_t i = 0; i < result->states[0].values.size(); ++i)
        error[level] = std::max(
            error[level], std::fabs(result->states[0].values[i] - truth->states[0].values[i]));
    }
    EXPECT_NEAR(order_in_the_limit(error, 1), order, 0.1)
        << to_string(method) << " " << error[0] << " " << error[1] << " " << error[2];
  }
}

TEST(Heat, VariableDiffusivityKeepsTheMaximumPrinciple) {
  EvolutionProblem p;
  p.grid = Grid::unit(2, 33);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("if((x-.5)^2+(y-.5)^2<.05,1,0)");
  p.diffusivity = formula("1+10*step(x-.5)");
  EvolutionOptions o;
  o.output_times = {0.001, 0.01, 0.1};
  o.tolerance = 1e-3;
  const auto result = evolve(p, o);
  ASSERT_TRUE(result.ok()) << result.error();
  double top = 1;
  for (const Field& u : result->states) {
    const auto [low, high] = std::minmax_element(u.values.begin(), u.values.end());
    EXPECT_GE(*low, -2e-3);
    EXPECT_LE(*high, top + 2e-3);
    top = *high;
  }
  EXPECT_LT(top, 0.3);
}

TEST(Wave, ExactMethodKeepsEnergyForALongTime) {
  EvolutionProblem p;
  p.equation = Equation::wave;
  p.grid = Grid::unit(2, 40);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("exp(-60*((x-.4)^2+(y-.5)^2))*x*(1-x)*y*(1-y)");
  p.initial_velocity = formula("x*(1-x)*y*(1-y)");
  EvolutionOptions o;
  o.output_times = {1000};
  const auto result = evolve(p, o);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_NEAR(result->energy_end / result->energy_start, 1, 1e-12);
}

// A hundred periods: a method that damps loses amplitude, one that feeds gains it.
TEST(Wave, LeapfrogKeepsTheAmplitudeForALongTime) {
  EvolutionProblem p;
  p.equation = Equation::wave;
  p.grid = Grid::unit(1, 65);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("sin(pi*x)");
  EvolutionOptions o;
  o.method = TimeMethod::leapfrog;
  o.output_times.clear();
  for (int i = 1; i <= 400; ++i) o.output_times.push_back(0.497 * i);
  const auto result = evolve(p, o);
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_GT(result->steps, 10'000U);
  double late = 0;
  for (std::size_t s = 0; s < result->states.size(); ++s) {
    double most = 0;
    for (const double v : result->states[s].values) most = std::max(most, std::fabs(v));
    EXPECT_LE(most, 1 + 1e-4) << result->times[s];
    if (s >= 200) late = std::max(late, most);
  }
  EXPECT_GT(late, 1 - 1e-4);
}

TEST(Wave, BothMethodsHaveOrderTwo) {
  for (const TimeMethod method : {TimeMethod::exact, TimeMethod::leapfrog}) {
    std::array<double, 3> error{};
    for (int level = 0; level < 3; ++level) {
      EvolutionProblem p;
      p.equation = Equation::wave;
      p.grid = Grid::unit(2, (32 << level) + 1);
      p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
      p.initial = formula("sin(pi*x)*sin(2*pi*y)");
      p.wave_speed = 1.3;
      EvolutionOptions o;
      o.method = method;
      o.output_times = {0.37, 0.9};
      error[static_cast<std::size_t>(level)] =
          run(p, o, formula("cos(1.3*pi*sqrt(5)*t)*sin(pi*x)*sin(2*pi*y)"));
    }
    EXPECT_NEAR(order_in_the_limit(error, 2), 2, 0.1) << to_string(method);
  }
}

TEST(AdvectionDiffusion, HasOrderTwo) {
  for (const TimeMethod method : {TimeMethod::sdirk, TimeMethod::rk4, TimeMethod::rk3}) {
    std::array<double, 3> error{};
    for (int level = 0; level < 3; ++level) {
      EvolutionProblem p;
      p.equation = Equation::advection_diffusion;
      p.grid = Grid::unit(2, (24 << level) + 1);
      p.boundary = Boundary::all({ConditionKind::periodic});
      p.initial = formula("sin(2*pi*x)*sin(2*pi*y)");
      p.velocity = {1, 0.5, 0};
      p.diffusivity = 0.01;
      EvolutionOptions o;
      o.method = method;
      o.output_times = {0.25};
      if (method == TimeMethod::sdirk) o.step = 0.01 / (1 << level);
      error[static_cast<std::size_t>(level)] =
          run(p, o, formula("exp(-.08*pi^2*t)*sin(2*pi*(x-t))*sin(2*pi*(y-.5*t))"));
    }
    EXPECT_NEAR(order_in_the_limit(error, 2), 2, 0.1) << to_string(method);
  }
}

TEST(Burgers, TravellingFrontHasOrderTwo) {
  // u = (1 - tanh((x - t/2 - 1) / (4 k))) / 2 on [0, 3].
  std::array<double, 3> error{};
  for (int level = 0; level < 3; ++level) {
    EvolutionProblem p;
    p.equation = Equation::burgers;
    const int points[] = {(100 << level) + 1};
    const double lower[] = {0};
    const double upper[] = {3};
    p.grid = *Grid::make(points, lower, upper);
    p.diffusivity = 0.05;
    const ScalarData exact = formula("(1-tanh((x-t/2-1)/.2))/2");
    p.boundary = Boundary::all({ConditionKind::dirichlet, exact});
    p.initial = exact;
    EvolutionOptions o;
    o.output_times = {0.5, 1.0};
    o.step = 0.01 / (1 << level);
    error[static_cast<std::size_t>(level)] = run(p, o, exact);
  }
  EXPECT_NEAR(order_in_the_limit(error, 2), 2, 0.1);
}

}  // namespace
}  // namespace neurolens::pde
