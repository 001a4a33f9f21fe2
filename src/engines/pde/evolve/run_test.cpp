// Runs in time: what is kept, when stopped and at the start, what is said of errors, refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "evolve/test_problems.hpp"

namespace neurolens::pde {
namespace {

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
