// Initial- and boundary-value problems against closed forms and published answers.
#include "neurolens/engines/pde/ode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {

bool oscillator(double, std::span<const double> y, std::span<double> d) {
  d[0] = y[1];
  d[1] = -y[0];
  return true;
}

bool robertson(double, std::span<const double> y, std::span<double> d) {
  d[0] = -0.04 * y[0] + 1e4 * y[1] * y[2];
  d[2] = 3e7 * y[1] * y[1];
  d[1] = -d[0] - d[2];
  return true;
}

TEST(Ode, EveryMethodMeetsItsToleranceWithDenseOutput) {
  for (const OdeMethod method :
       {OdeMethod::automatic, OdeMethod::dormand_prince, OdeMethod::adams, OdeMethod::bdf})
    for (const double tolerance : {1e-5, 1e-9}) {
      OdeProblem p;
      p.f = oscillator;
      p.initial = {0, 1};
      OdeOptions o;
      o.method = method;
      o.relative_tolerance = o.absolute_tolerance = tolerance;
      for (int i = 1; i <= 50; ++i) o.output_times.push_back(0.2 * i);
      const auto result = integrate(p, o);
      ASSERT_TRUE(result.ok()) << result.error();
      ASSERT_EQ(result->times.size(), 50u);
      for (std::size_t i = 0; i < 50; ++i)
        EXPECT_NEAR(result->states[i][0], std::sin(result->times[i]), 300 * tolerance)
            << result->method;
    }
}

TEST(Ode, DormandPrinceHasOrderFiveAndRunsBackwards) {
  double error[2];
  for (int level = 0; level < 2; ++level) {
    OdeProblem p;
    p.f = [](double t, std::span<const double> y, std::span<double> d) {
      d[0] = std::cos(t) * y[0];
      return true;
    };
    p.initial = {1};
    OdeOptions o;
    o.method = OdeMethod::dormand_prince;
    o.relative_tolerance = level == 0 ? 1e-6 : 1e-11;
    o.absolute_tolerance = 0;
    o.output_times = {-3.0};
    const auto result = integrate(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    error[level] = std::fabs(result->states[0][0] - std::exp(std::sin(-3.0)));
    // Work grows as tolerance^(-1/5).
    if (level == 1) {
      EXPECT_LT(result->steps, 400u);
    }
  }
  EXPECT_LT(error[1], 1e-9);
  EXPECT_LT(error[1], error[0]);
}

TEST(Ode, RecognisesStiffnessAndMeetsThePublishedRobertsonAnswer) {
  for (const int mode : {0, 1, 2}) {
    OdeProblem p;
    p.f = robertson;
    p.initial = {1, 0, 0};
    OdeOptions o;
    o.output_times = {0.4, 40, 4e3};
    o.relative_tolerance = 1e-8;
    o.absolute_tolerance = 1e-12;
    if (mode == 1) {
      o.method = OdeMethod::bdf;
      p.jacobian = [](double, std::span<const double> y, std::span<double> j) {
        const double rows[9] = {-0.04,       1e4 * y[2], 1e4 * y[1], 0.04, -1e4 * y[2] - 6e7 * y[1],
                                -1e4 * y[1], 0,          6e7 * y[1], 0};
        std::copy(rows, rows + 9, j.begin());
        return true;
      };
    }
    if (mode == 2) {
      o.method = OdeMethod::bdf;
      o.jacobian = JacobianMode::coloured;
      p.sparsity = {1, 1, 1, 1, 1, 1, 0, 1, 0};
    }
    const auto result = integrate(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    if (mode == 0) {
      EXPECT_EQ(result->method, "dormand-prince, then bdf");
    }
    EXPECT_NEAR(result->states[0][0], 0.98517211386, 1e-6);
    EXPECT_NEAR(result->states[1][0], 0.71582706872, 1e-6);
    EXPECT_NEAR(result->states[2][0], 0.18320225775, 2e-6);
    EXPECT_LT(result->steps, 3000u);
  }
}

TEST(Ode, FindsEvents) {
  for (const OdeMethod method : {OdeMethod::dormand_prince, OdeMethod::bdf}) {
    OdeProblem p;
    p.f = oscillator;
    p.initial = {0, 1};
    p.events.push_back({[](double, std::span<const double> y) { return y[1]; }, -1, false});
    p.events.push_back({[](double, std::span<const double> y) { return y[0] + 0.5; }, 0, true});
    OdeOptions o;
    o.method = method;
    o.relative_tolerance = o.absolute_tolerance = 1e-9;
    o.output_times = {1, 2, 3, 10};
    const auto result = integrate(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    EXPECT_TRUE(result->ended_by_event);
    EXPECT_EQ(result->times.size(), 3u);
    ASSERT_EQ(result->hits.size(), 2u);
    EXPECT_NEAR(result->hits[0].t, M_PI / 2, 1e-6);
    EXPECT_NEAR(result->hits[1].t, M_PI + M_PI / 6, 1e-6);
  }
}

TEST(Ode, SaysWhenTheToleranceCannotBeMet) {
  for (const OdeMethod method : {OdeMethod::dormand_prince, OdeMethod::bdf}) {
    OdeProblem p;
    p.f = [](double, std::span<const double> y, std::span<double> d) {
      d[0] = y[0] * y[0];
      return true;
    };
    p.initial = {1};  // blows up at t = 1
    OdeOptions o;
    o.method = method;
    o.output_times = {2};
    const auto result = integrate(p, o);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Errc::check_failed);
  }
  EXPECT_EQ(integrate({}, {}).error().code, Errc::bad_request);
}

TEST(Bvp, SolvesLinearNonlinearPeriodicAndLayerProblems) {
  // y'' = -y, y(0) = 0, y(pi/2) = 1.
  BvpProblem p;
  p.f = oscillator;
  p.conditions = [](std::span<const double> a, std::span<const double> b, std::span<double> r) {
    r[0] = a[0];
    r[1] = b[0] - 1;
  };
  p.mesh = {0, 0.5, 1, M_PI / 2};
  p.guess.assign(4, {0.5, 0.5});
  BvpOptions o;
  o.tolerance = 1e-8;
  const auto sine = solve_bvp(p, o);
  ASSERT_TRUE(sine.ok()) << sine.error();
  EXPECT_NEAR(sine->at(0.7)[0], std::sin(0.7), 1e-8);

  // Bratu: y'' + e^y = 0, lower branch: y(1/2) = 0.140539214...
  p.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = y[1];
    d[1] = -std::exp(y[0]);
    return true;
  };
  p.conditions = [](std::span<const double> a, std::span<const double> b, std::span<double> r) {
    r[0] = a[0];
    r[1] = b[0];
  };
  p.mesh = {0, 0.25, 0.5, 0.75, 1};
  p.guess.assign(5, {0, 0});
  const auto bratu = solve_bvp(p, o);
  ASSERT_TRUE(bratu.ok()) << bratu.error();
  EXPECT_NEAR(bratu->at(0.5)[0], 0.14053921440, 1e-8);

  // A layer: e y'' = y, y(0) = y(1) = 1, e = 1e-4.
  p.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = y[1];
    d[1] = 1e4 * y[0];
    return true;
  };
  p.conditions = [](std::span<const double> a, std::span<const double> b, std::span<double> r) {
    r[0] = a[0] - 1;
    r[1] = b[0] - 1;
  };
  p.guess.assign(5, {1, 0});
  o.tolerance = 1e-6;
  const auto layer = solve_bvp(p, o);
  ASSERT_TRUE(layer.ok()) << layer.error();
  EXPECT_NEAR(layer->at(0.02)[0], std::exp(-2.0), 1e-6);
  EXPECT_GT(layer->refinements, 0);
  double narrowest = 1;
  for (std::size_t i = 1; i < layer->mesh.size(); ++i)
    narrowest = std::min(narrowest, layer->mesh[i] - layer->mesh[i - 1]);
  EXPECT_LT(narrowest,
            layer->mesh[layer->mesh.size() / 2 + 1] - layer->mesh[layer->mesh.size() / 2]);

  // Conditions that couple both ends: y' = y, y(0) + y(1) = 1.
  p.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = y[0];
    return true;
  };
  p.conditions = [](std::span<const double> a, std::span<const double> b, std::span<double> r) {
    r[0] = a[0] + b[0] - 1;
  };
  p.guess.assign(5, {1});
  o.tolerance = 1e-9;
  const auto coupled = solve_bvp(p, o);
  ASSERT_TRUE(coupled.ok()) << coupled.error();
  EXPECT_NEAR(coupled->y[0][0], 1 / (1 + std::exp(1.0)), 1e-9);
}

TEST(Bvp, KnowsItsError) {
  BvpProblem p;
  p.f = [](double, std::span<const double> y, std::span<double> d) {
    d[0] = y[1];
    d[1] = -y[0];
    return true;
  };
  p.conditions = [](std::span<const double> a, std::span<const double> b, std::span<double> r) {
    r[0] = a[0];
    r[1] = b[0] - 1;
  };
  for (int i = 0; i <= 10; ++i) {
    p.mesh.push_back(M_PI / 20 * i);
    p.guess.push_back({0, 0});
  }
  BvpOptions o;
  o.tolerance = 1e-3;
  const auto result = solve_bvp(p, o);
  ASSERT_TRUE(result.ok()) << result.error();
  double error = 0;
  for (std::size_t i = 0; i < result->mesh.size(); ++i)
    error = std::max({error, std::fabs(result->y[i][0] - std::sin(result->mesh[i])),
                      std::fabs(result->y[i][1] - std::cos(result->mesh[i]))});
  const auto expected = estimate_error(p, o, *result);
  ASSERT_TRUE(expected.has_value());
  EXPECT_NEAR(*expected / error, 1, 0.05) << error;
  EXPECT_GT(result->memory.count, 0);
}

TEST(Ode, KnowsItsErrorWithinAFactor) {
  for (const OdeMethod method : {OdeMethod::dormand_prince, OdeMethod::adams, OdeMethod::bdf}) {
    OdeProblem p;
    p.f = [](double, std::span<const double> y, std::span<double> d) {
      d[0] = y[1];
      d[1] = -y[0];
      return true;
    };
    p.initial = {0, 1};
    OdeOptions o;
    o.method = method;
    o.output_times = {0, 2, 5, 10};
    const auto result = integrate(p, o);
    ASSERT_TRUE(result.ok()) << result.error();
    double error = 0;
    for (std::size_t i = 0; i < result->times.size(); ++i)
      error = std::max({error, std::fabs(result->states[i][0] - std::sin(result->times[i])),
                        std::fabs(result->states[i][1] - std::cos(result->times[i]))});
    const auto expected = estimate_error(p, o, *result);
    ASSERT_TRUE(expected.has_value());
    EXPECT_GT(*expected, error / 2) << result->method;
    EXPECT_LT(*expected, error * 2) << result->method;
    EXPECT_GT(result->memory.count, 0);
    o.relative_tolerance = 5e-14;
    EXPECT_FALSE(estimate_error(p, o, *result).has_value());
  }
}

}  // namespace
}  // namespace neurolens::pde
