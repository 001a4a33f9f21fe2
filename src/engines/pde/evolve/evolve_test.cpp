// Equations in time: closed forms, order of accuracy in space and time, energy, maximum principle,
// refusals.
#include "neurolens/engines/pde/evolve.hpp"
#include "observed_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {

ScalarData formula(const char* text) {
  auto data = ScalarData::parse(text);
  EXPECT_TRUE(data.ok()) << data.error();
  return std::move(data).value();
}

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

// u = cos(t) sin(2x+1) with a moving Dirichlet value and a moving flux.
EvolutionProblem moving(int n) {
  EvolutionProblem p;
  const int points[] = {n + 1};
  const double lower[] = {0};
  const double upper[] = {1};
  p.grid = *Grid::make(points, lower, upper);
  p.boundary.face[0][0] = {ConditionKind::dirichlet, formula("cos(t)*sin(1)")};
  p.boundary.face[0][1] = {ConditionKind::neumann, formula("2*cos(t)*cos(3)")};
  p.initial = formula("sin(2*x+1)");
  p.source = formula("-sin(t)*sin(2*x+1)+4*cos(t)*sin(2*x+1)");
  return p;
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

// Stops when the second report of progress arrives after the first output.
class StopLater final : public Progress {
 public:
  explicit StopLater(double share) : share_(share) {}
  void update(std::string_view, std::optional<double> fraction) override {
    if (fraction.value_or(0) >= share_) token.cancel();
  }
  CancelToken token;

 private:
  double share_;
};

TEST(Evolve, KeepsTheStatesItReachedWhenStopped) {
  for (const TimeMethod method : {TimeMethod::tr_bdf2, TimeMethod::rk4, TimeMethod::exact}) {
    EvolutionProblem p;
    p.grid = Grid::unit(1, 33);
    p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
    p.initial = formula("sin(pi*x)");
    EvolutionOptions o;
    o.method = method;
    o.output_times = {0.01, 0.02, 0.03, 0.04};
    const auto whole_run = evolve(p, o);
    ASSERT_TRUE(whole_run.ok()) << whole_run.error();
    EXPECT_FALSE(whole_run->stopped);
    StopLater after(0.4);
    Context context;
    context.attention = {&after, &after.token};
    const auto part = evolve(p, o, context);
    ASSERT_TRUE(part.ok()) << part.error();
    EXPECT_TRUE(part->stopped);
    ASSERT_GE(part->states.size(), 1U);
    ASSERT_LT(part->states.size(), 4U);
    EXPECT_EQ(part->states[0].values, whole_run->states[0].values);
    StopLater at_once(0);
    context.attention = {&at_once, &at_once.token};
    const auto nothing = evolve(p, o, context);
    ASSERT_FALSE(nothing.ok());
    EXPECT_EQ(nothing.error().code, Errc::cancelled);
  }
}

// A Robin face of negative ratio feeds what it touches: modes grow, in closed form as step by step.
TEST(Evolve, ExactMethodsGrowWhereAFaceFeedsThem) {
  for (const Equation e : {Equation::heat, Equation::wave}) {
    EvolutionProblem p;
    p.equation = e;
    p.grid = Grid::unit(2, 33);
    p.boundary = Boundary::all({ConditionKind::neumann, 0.0});
    p.boundary.face[0][1] = {ConditionKind::robin, 0.5, -2, 1};
    p.initial = formula("1+x*x*y");
    p.source = formula("1-x");
    EvolutionOptions o;
    o.output_times = {0.5, 1};
    const auto exact = evolve(p, o);
    ASSERT_TRUE(exact.ok()) << exact.error();
    EXPECT_EQ(exact->report.method, "exact");
    EXPECT_LT(*exact->residual_relative, 1e-10);
    o.method = e == Equation::heat ? TimeMethod::rk4 : TimeMethod::leapfrog;
    o.step = e == Equation::heat ? 0 : 1e-4;
    const auto steps = evolve(p, o);
    ASSERT_TRUE(steps.ok()) << steps.error();
    const double grown = exact->states[1].at(32, 32);
    EXPECT_GT(grown, 10);
    for (std::size_t i = 0; i < exact->states[1].values.size(); ++i)
      ASSERT_NEAR(exact->states[1].values[i], steps->states[1].values[i], 1e-5 * grown)
          << to_string(e) << " " << i;
  }
}

TEST(Evolve, KeepsTheStartWhenAskedFor) {
  for (const TimeMethod method :
       {TimeMethod::tr_bdf2, TimeMethod::rk4, TimeMethod::exact, TimeMethod::leapfrog}) {
    EvolutionProblem p;
    p.grid = Grid::unit(1, 17);
    p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
    p.initial = formula("x*(1-x)");
    if (method == TimeMethod::leapfrog) p.equation = Equation::wave;
    EvolutionOptions o;
    o.method = method;
    o.output_times = {0, 0.1};
    const auto result = evolve(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    EXPECT_EQ(result->times, o.output_times);
    ASSERT_EQ(result->states.size(), 2U);
    EXPECT_EQ(result->states[0].at(8), 0.25);
    o.output_times = {0};
    EXPECT_EQ(evolve(p, o).error().code, Errc::bad_request);
  }
}

// Problems whose solution is known, one per method: what is expected of the error has to be near
// it, and the residual near rounding.
TEST(Evolve, KnowsItsErrorAndItsResidual) {
  const auto check = [](const EvolutionProblem& p, const EvolutionOptions& o, const char* exact,
                        double share) {
    const auto result = evolve(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    const auto error = error_against(*result, formula(exact));
    ASSERT_TRUE(error.ok());
    const std::string which = result->report.method;
    ASSERT_TRUE(result->report.error_estimate.has_value()) << which;
    EXPECT_NEAR(*result->report.error_estimate / *error, 1, share) << which << " " << *error;
    const bool solves =
        which == "exact" || which == "tr-bdf2" || (which == "sdirk" && p.grid.dimensions == 1);
    if (solves) {
      ASSERT_TRUE(result->residual_relative.has_value()) << which;
      EXPECT_LT(*result->residual_relative, 1e-9) << which;
      EXPECT_GT(*result->residual_relative, 0) << which;
    }
    EXPECT_GT(result->report.memory.count, result->states[0].bytes().count) << which;
  };
  EvolutionProblem heat;
  heat.grid = Grid::unit(2, 40);  // 39 intervals: the coarser grid shares no inner point
  heat.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  heat.initial = formula("sin(pi*x)*sin(2*pi*y)");
  EvolutionOptions o;
  o.output_times = {0.02, 0.05};
  check(heat, o, "exp(-5*pi^2*t)*sin(pi*x)*sin(2*pi*y)", 0.1);
  EvolutionProblem wave = heat;
  wave.equation = Equation::wave;
  wave.initial = formula("sin(pi*x)*sin(pi*y)");
  check(wave, o, "cos(sqrt(2)*pi*t)*sin(pi*x)*sin(pi*y)", 0.1);
  o.method = TimeMethod::leapfrog;
  o.output_times = {0.5};
  check(wave, o, "cos(sqrt(2)*pi*t)*sin(pi*x)*sin(pi*y)", 0.2);
  o.method = TimeMethod::sdirk;
  o.step = 0.02;
  o.output_times = {1};
  check(moving(64), o, "cos(t)*sin(2*x+1)", 0.3);
  o.method = TimeMethod::tr_bdf2;
  o.step = 0;
  check(moving(32), o, "cos(t)*sin(2*x+1)", 0.3);
}

TEST(Evolve, EstimatesNothingFromArraysOrTinyGrids) {
  EvolutionProblem p;
  p.grid = Grid::unit(1, 8);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("sin(pi*x)");
  const auto tiny = evolve(p, {});
  ASSERT_TRUE(tiny.ok());
  EXPECT_FALSE(tiny->report.error_estimate.has_value());
  p.grid = Grid::unit(1, 17);
  p.initial = ScalarData::array(std::vector<double>(17, 1.0));
  const auto given = evolve(p, {});
  ASSERT_TRUE(given.ok());
  EXPECT_FALSE(given->report.error_estimate.has_value());
}

TEST(Evolve, ShowsItsOrderOverGrids) {
  EvolutionOptions o;
  o.output_times = {0.5};
  for (const TimeMethod method : {TimeMethod::tr_bdf2, TimeMethod::sdirk, TimeMethod::rk4}) {
    o.method = method;
    const auto rows = convergence_table(moving(16), formula("cos(t)*sin(2*x+1)"), 3, o);
    ASSERT_TRUE(rows.ok()) << rows.error();
    ASSERT_EQ(rows->size(), 3U);
    EXPECT_FALSE(rows->front().order.has_value());
    EXPECT_NEAR(*rows->back().order, 2, 0.15) << to_string(method);
  }
  EXPECT_EQ(convergence_table(moving(16), 0.0, 1, o).error().code, Errc::out_of_range);
}

TEST(Evolve, RefusesAnUnstableStepAndNamesTheLimit) {
  EvolutionProblem p;
  p.grid = Grid::unit(1, 101);
  p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  p.initial = formula("sin(pi*x)");
  EvolutionOptions o;
  o.method = TimeMethod::rk4;
  o.step = 1e-3;
  const auto result = evolve(p, o);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Errc::refused);
  EXPECT_NE(result.error().message.find("largest stable step is 6.95e-05"), std::string::npos)
      << result.error();
  o.method = TimeMethod::leapfrog;
  EXPECT_EQ(evolve(p, o).error().code, Errc::bad_request);
}

}  // namespace
}  // namespace neurolens::pde
