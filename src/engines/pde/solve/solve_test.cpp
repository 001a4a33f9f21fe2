// The front door: problems as text, reports, pictures, files, cache, and what bad input gets.
#include "neurolens/engines/pde/solve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cuda/cuda_solver.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/engines/pde/field_io.hpp"

namespace neurolens::pde {
namespace {

json::Value solved(const SolveRequest& r) {
  const auto answer = run_solve(r);
  EXPECT_TRUE(answer.ok()) << answer.error();
  if (!answer.ok()) return {};
  auto parsed = json::parse(answer->json);
  EXPECT_TRUE(parsed.ok()) << answer->json;
  return parsed.ok() ? *parsed : json::Value{};
}
double number(const json::Value& v, const char* key) {
  return v.find(key) != nullptr ? v.find(key)->as_double().value_or(NAN) : NAN;
}
std::string text(const json::Value& v, const char* key) {
  return v.find(key) != nullptr && v.find(key)->as_string() != nullptr ? *v.find(key)->as_string()
                                                                       : "";
}

TEST(SolveCommand, PoissonReportsMethodResidualErrorAndEstimate) {
  SolveRequest r;
  r.points = "80x80";
  r.domain = "-1:1x-1:1";
  r.exact = "sin(pi*x)*sin(pi*y)";
  r.source = "-2*pi^2*sin(pi*x)*sin(pi*y)";
  r.convergence = 3;
  const json::Value v = solved(r);
  EXPECT_EQ(text(v, "method"), "direct");
  EXPECT_EQ(number(v, "unknowns"), 78 * 78);
  EXPECT_LT(number(v, "residual_relative"), 1e-11);
  EXPECT_NEAR(number(v, "error_estimate") / number(v, "error_max"), 1, 0.1);
  ASSERT_EQ(v.find("convergence")->as_array()->size(), 3u);
  EXPECT_NEAR(number(v.find("convergence")->as_array()->at(2), "order"), 2, 0.1);
  r.order = 4;
  r.points = "81x81";
  const json::Value four = solved(r);
  EXPECT_NEAR(number(four.find("convergence")->as_array()->at(2), "order"), 4, 0.1);
  EXPECT_NEAR(number(four, "error_estimate") / number(four, "error_max"), 1, 0.2);
  r.order = 2;
  r.method = "mg";
  EXPECT_EQ(text(solved(r), "method"), "multigrid");
  r.coefficient = "1+x*y/2";
  r.method = "pcg";
  EXPECT_EQ(text(solved(r), "method"), "pcg");
  r.method = "auto";
  EXPECT_EQ(text(solved(r), "method"), "multigrid");
}

TEST(SolveCommand, EvolvesEquationsGivenAsText) {
  SolveRequest r;
  r.equation = "heat";
  r.points = "33x33";
  r.initial = "sin(pi*x)*sin(pi*y)";
  r.exact = "exp(-2*pi^2*t)*sin(pi*x)*sin(pi*y)";
  r.times = "0.01,0.1";
  const json::Value heat = solved(r);
  EXPECT_EQ(text(heat, "method"), "exact");
  EXPECT_LT(number(heat, "error_max"), 2e-3);
  r.equation = "wave";
  r.exact = "cos(sqrt(2)*pi*t)*sin(pi*x)*sin(pi*y)";
  EXPECT_LT(number(solved(r), "error_max"), 2e-3);
  r.equation = "burgers";
  r.points = "65";
  r.exact = "";
  r.initial = "sin(2*pi*x)";
  r.coefficient = "0.05";
  r.boundary = {"x:periodic"};
  EXPECT_GT(number(solved(r), "steps"), 10);
}

TEST(SolveCommand, SolvesSystems) {
  SolveRequest r;
  r.equation = "ode";
  r.derivatives = {"x=v", "v=-x"};
  r.initial = "x=0,v=1";
  r.times = "0:10:21";
  r.tolerance = 1e-10;
  r.exact = "sin(t)";
  r.conditions = {"v"};
  const json::Value v = solved(r);
  EXPECT_LT(number(v, "error_max"), 1e-7);
  EXPECT_EQ(v.find("events")->as_array()->size(), 3u);
  SolveRequest b;
  b.equation = "bvp";
  b.derivatives = {"u=v", "v=-u"};
  b.conditions = {"u_a", "u_b-1"};
  b.points = "9";
  b.domain = "0:pi/2";
  b.exact = "sin(x)";
  b.tolerance = 1e-8;
  EXPECT_LT(number(solved(b), "error_max"), 1e-8);
}

TEST(SolveCommand, ShowsOrdersOfEveryFamily) {
  const auto order_of = [](const SolveRequest& r) {
    const json::Value v = solved(r);
    const json::Value* rows = v.find("convergence");
    if (rows == nullptr || rows->as_array()->size() != 4) return 0.0;
    EXPECT_GT(number(v, "error_estimate"), 0) << r.equation;
    EXPECT_GT(number(v, "memory_bytes"), 0) << r.equation;
    return number(rows->as_array()->at(3), "order");
  };
  SolveRequest r;
  r.convergence = 4;
  r.equation = "heat";
  r.points = "17x17";
  r.initial = "sin(pi*x)*sin(pi*y)";
  r.exact = "exp(-2*pi^2*t)*sin(pi*x)*sin(pi*y)";
  r.times = "0:0.1:3";
  EXPECT_NEAR(order_of(r), 2, 0.05);
  r.method = "sdirk";
  EXPECT_NEAR(order_of(r), 2, 0.1);
  SolveRequest ode;
  ode.convergence = 4;
  ode.equation = "ode";
  ode.derivatives = {"x=v", "v=-x"};
  ode.initial = "x=0,v=1";
  ode.times = "0:10:21";
  ode.exact = "sin(t)";
  EXPECT_NEAR(order_of(ode), 5, 0.3);  // steps are chosen by the error of a step, not by halving
  SolveRequest bvp;
  bvp.convergence = 4;
  bvp.equation = "bvp";
  bvp.derivatives = {"u=v", "v=-u"};
  bvp.conditions = {"u_a", "u_b-1"};
  bvp.points = "9";
  bvp.domain = "0:pi/2";
  bvp.exact = "sin(x)";
  bvp.tolerance = 1e-2;
  EXPECT_NEAR(order_of(bvp), 4, 0.1);
}

TEST(SolveCommand, SaysWhenNumbersOverflow) {
  SolveRequest r;
  r.source = "1e308*sin(9*x)";
  for (const char* method : {"direct", "mg", "pcg"})
    for (const char* order : {"2", "4"}) {
      r.method = method;
      r.order = order[0] - '0';
      if (r.order == 4 && r.method != "direct") continue;
      const auto answer = run_solve(r);
      ASSERT_FALSE(answer.ok()) << method;
      EXPECT_NE(answer.error().message.find("range of f64"), std::string::npos) << answer.error();
    }
  for (const char* equation : {"heat", "wave"}) {
    SolveRequest e;
    e.equation = equation;
    e.initial = "1e308";
    e.boundary = {"neumann=1e308"};
    const auto answer = run_solve(e);
    ASSERT_FALSE(answer.ok()) << equation;
    EXPECT_NE(answer.error().message.find("overflowed"), std::string::npos) << answer.error();
  }
}

TEST(SolveCommand, AnswersBadInputWithASentenceAndThePlace) {
  const auto failure = [](auto change) {
    SolveRequest r;
    change(r);
    const auto answer = run_solve(r);
    EXPECT_FALSE(answer.ok());
    return answer.ok() ? std::string() : answer.error().text();
  };
  EXPECT_NE(failure([](SolveRequest& r) { r.equation = "poison"; }).find("\"poisson\""),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.points = "2x80"; }).find("--n"), std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.points = "80xmany"; }).find("--n"), std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.domain = "1:0x0:1"; }).find("interval"),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.source = "sin(w)"; }).find("--source: column 5"),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.source = "1/(x-.5)"; }).find("source: x=0.5"),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.boundary = {"xmim:dirichlet=0"}; }).find("\"xmin\""),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.boundary = {"dirichet=0"}; }).find("\"dirichlet\""),
            std::string::npos);
  EXPECT_NE(
      failure([](SolveRequest& r) { r.boundary = {"xmin:periodic"}; }).find("both be periodic"),
      std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) {
              r.boundary = {"neumann=0"};
              r.source = "1";
            }).find("No solution exists"),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) { r.method = "dsst"; }).find("\"dst\""), std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) {
              r.equation = "heat";
              r.method = "rk4";
              r.step = 1;
            }).find("largest stable step"),
            std::string::npos);
  EXPECT_NE(failure([](SolveRequest& r) {
              r.equation = "ode";
              r.derivatives = {"x=x^2"};
              r.initial = "x=1";
              r.times = "2";
            }).find("cannot be met"),
            std::string::npos);
}

TEST(SolveCommand, FallsBackFromCudaAndSaysSo) {
  if (cuda_availability().usable) GTEST_SKIP() << "built with CUDA";
  SolveRequest r;
  r.cuda = true;
  r.source = "1";
  EXPECT_NE(text(solved(r), "why").find("unavailable: built without CUDA"), std::string::npos);
  const Grid grid = Grid::unit(2, 9);
  const auto plan = PoissonPlan::make(grid, Boundary::all({}));
  Field u(grid);
  EXPECT_EQ(cuda_solve(**plan, u, Boundary::all({}), 0, u).error().code, Errc::unavailable);
}

TEST(PlanCache, FindsPlansByContentAndForgetsTheOldest) {
  PlanCache cache;
  const Boundary zero = Boundary::all({ConditionKind::dirichlet, 0.0});
  const Boundary one = Boundary::all({ConditionKind::dirichlet, 1.0});
  const auto first = cache.get(Grid::unit(2, 40), zero, 0, 2);
  const auto again = cache.get(Grid::unit(2, 40), one, 0, 2);  // values are not part of a plan
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->get(), again->get());
  EXPECT_NE(cache.get(Grid::unit(2, 40), zero, -1, 2)->get(), first->get());
  EXPECT_NE(cache.get(Grid::unit(2, 41), zero, 0, 2)->get(), first->get());
  EXPECT_EQ(cache.statistics().hits, 1u);
  EXPECT_EQ(cache.statistics().misses, 3u);
  PlanCache small((*first)->bytes());
  (void)small.get(Grid::unit(2, 40), zero, 0, 2);
  (void)small.get(Grid::unit(2, 40), zero, -1, 2);
  EXPECT_LE(small.statistics().bytes, (*first)->bytes());
}

TEST(FieldIo, NpyRoundTripsAndRefusesWhatIsBroken) {
  Field f(Grid::unit(3, 5));
  for (std::size_t i = 0; i < f.values.size(); ++i) f.values[i] = 0.1 * static_cast<double>(i);
  const std::string bytes = to_npy(f);
  EXPECT_EQ(bytes.size() % 64, (f.values.size() * 8) % 64);
  const auto back = from_npy(bytes);
  ASSERT_TRUE(back.ok()) << back.error();
  EXPECT_EQ(back->shape, (std::vector<std::size_t>{5, 5, 5}));
  EXPECT_TRUE(std::equal(f.values.begin(), f.values.end(), back->values.begin()));
  for (std::size_t cut = 0; cut < bytes.size(); cut += 37)
    EXPECT_FALSE(from_npy(bytes.substr(0, cut)).ok());
}

TEST(FieldIo, PlotsAreWellFormed) {
  for (int d = 1; d <= 3; ++d) {
    Field f(Grid::unit(d, 20));
    for (std::size_t i = 0; i < f.values.size(); ++i)
      f.values[i] = std::sin(0.3 * static_cast<double>(i));
    const std::string svg = plot_svg(f, {"a < b & c"});
    EXPECT_TRUE(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
    const std::string png = plot_png(f);
    EXPECT_EQ(png.substr(1, 3), "PNG");
    EXPECT_EQ(png.substr(png.size() - 8, 4), "IEND");
  }
  Field flat(Grid::unit(2, 9), 3.0);
  flat.values[4] = NAN;
  EXPECT_FALSE(plot_png(flat).empty());
  EXPECT_EQ(plot_svg(flat).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace neurolens::pde
