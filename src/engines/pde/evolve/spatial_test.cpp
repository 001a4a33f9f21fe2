// The vectorised spatial operator against its definition, point by point with ghost values.
#include "evolve/spatial.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "evolve/test_problems.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::pde {
namespace {

// u at p, or what the condition of the face makes of the point one step outside it.
double outside(const EvolutionProblem& p, const Field& u, std::array<int, 3> at, int axis, int step,
               double t) {
  const auto a = static_cast<std::size_t>(axis);
  const int n = p.grid.intervals(axis);
  std::array<int, 3> there = at;
  there[a] += step;
  if (there[a] >= 0 && there[a] <= n) return u.at(there[0], there[1], there[2]);
  const FaceCondition& f = p.boundary.face[a][step < 0 ? 0 : 1];
  if (f.kind == ConditionKind::periodic) {
    there[a] = step < 0 ? n - 1 : 1;
    return u.at(there[0], there[1], there[2]);
  }
  there[a] = at[a] - step;
  const Point x{p.grid.coordinate(0, at[0]),
                p.grid.dimensions > 1 ? p.grid.coordinate(1, at[1]) : 0,
                p.grid.dimensions > 2 ? p.grid.coordinate(2, at[2]) : 0, t};
  double slope = f.value.at(x);
  if (f.kind == ConditionKind::robin)
    slope = (slope - f.alpha * u.at(at[0], at[1], at[2])) / f.beta;
  return u.at(there[0], there[1], there[2]) + 2 * p.grid.spacing(axis) * slope;
}

bool is_given(const EvolutionProblem& p, const std::array<int, 3>& at) {
  for (int axis = 0; axis < p.grid.dimensions; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const auto& ends = p.boundary.face[a];
    if (at[a] == 0 && ends[0].kind == ConditionKind::dirichlet) return true;
    if (at[a] == p.grid.intervals(axis) &&
        (ends[1].kind == ConditionKind::dirichlet || ends[1].kind == ConditionKind::periodic))
      return true;
  }
  return false;
}

struct Case {
  const char* name;
  std::array<std::array<ConditionKind, 2>, 3> kinds;
};
constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;
constexpr Case kCases[] = {
    {"dirichlet", {{{D, D}, {D, D}, {D, D}}}}, {"neumann", {{{N, N}, {N, N}, {N, N}}}},
    {"robin", {{{R, R}, {R, R}, {R, R}}}},     {"periodic", {{{P, P}, {P, P}, {P, P}}}},
    {"mixed", {{{D, N}, {R, D}, {P, P}}}},     {"turned", {{{P, P}, {N, R}, {R, D}}}}};

EvolutionProblem problem(const Case& c, Equation equation, int dimensions) {
  EvolutionProblem p;
  p.equation = equation;
  const int points[] = {14, 9, 7};
  const double lower[] = {0, -1, 0.5};
  const double upper[] = {1, 1, 2};
  const auto d = static_cast<std::size_t>(dimensions);
  p.grid = *Grid::make(std::span(points, d), std::span(lower, d), std::span(upper, d));
  for (std::size_t a = 0; a < d; ++a)
    for (std::size_t side = 0; side < 2; ++side)
      p.boundary.face[a][side] = {c.kinds[a][side], formula("1+x*y+z+t"), 1.5, 0.5};
  p.source = formula("x-2*y+z*t");
  p.velocity = {1, -0.5, 2};
  return p;
}

TEST(SpatialOperator, EqualsItsDefinition) {
  for (const Case& c : kCases)
    for (int d = 1; d <= 3; ++d)
      for (const Equation e : {Equation::heat, Equation::advection_diffusion, Equation::burgers}) {
        EvolutionProblem p = problem(c, e, d);
        p.diffusivity = 0.7;
        SpatialOperator space;
        ASSERT_TRUE(space.prepare(p, {}).ok());
        Field u(p.grid);
        Random random(7);
        for (double& v : u.values) v = random.normal();
        const double t = 0.3;
        ASSERT_TRUE(space.impose(u, t).ok());
        Field out(p.grid, 99.0);
        ASSERT_TRUE(space.diffusion(u, t, out).ok());
        space.add_transport(u, out);
        Field s(p.grid);
        ASSERT_TRUE(p.source.fill(p.grid, whole(p.grid), t, s.values.data()).ok());
        for (int k = 0; k < p.grid.points[2]; ++k)
          for (int j = 0; j < p.grid.points[1]; ++j)
            for (int i = 0; i < p.grid.points[0]; ++i) {
              double want = 0;
              if (!is_given(p, {i, j, k})) {
                want = s.at(i, j, k);
                for (int a = 0; a < d; ++a) {
                  const double h = p.grid.spacing(a);
                  const double below = outside(p, u, {i, j, k}, a, -1, t);
                  const double above = outside(p, u, {i, j, k}, a, 1, t);
                  want += 0.7 * (below - 2 * u.at(i, j, k) + above) / (h * h);
                  const double speed = e == Equation::burgers ? u.at(i, j, k)
                                       : e == Equation::heat
                                           ? 0
                                           : p.velocity[static_cast<std::size_t>(a)];
                  want -= speed * (above - below) / (2 * h);
                }
              }
              ASSERT_NEAR(out.at(i, j, k), want, 1e-10 * (1 + std::fabs(want)))
                  << c.name << " " << d << "-D " << to_string(e) << " at " << i << " " << j << " "
                  << k;
            }
      }
}

// Varying k: what leaves a point enters its neighbour, so that the weighted sum over a closed or
// periodic box is that of the source.
TEST(SpatialOperator, ConservesWithVaryingDiffusivity) {
  for (const std::size_t which : {1U, 3U})
    for (int d = 1; d <= 3; ++d) {
      EvolutionProblem p = problem(kCases[which], Equation::heat, d);
      for (auto& axis : p.boundary.face)
        for (FaceCondition& face : axis) face.value = 0.0;
      p.source = 0.0;
      p.diffusivity = formula("1+x*x+.5*sin(3*y)+z");
      SpatialOperator space;
      ASSERT_TRUE(space.prepare(p, {}).ok());
      Field u(p.grid);
      Random random(11);
      for (double& v : u.values) v = random.normal();
      ASSERT_TRUE(space.impose(u, 0).ok());
      Field out(p.grid);
      ASSERT_TRUE(space.diffusion(u, 0, out).ok());
      double sum = 0;
      double size = 0;
      for (int k = 0; k < p.grid.points[2]; ++k)
        for (int j = 0; j < p.grid.points[1]; ++j)
          for (int i = 0; i < p.grid.points[0]; ++i) {
            double w = 1;
            const int at[] = {i, j, k};
            for (int a = 0; a < d && which == 1; ++a)
              w *= at[a] == 0 || at[a] == p.grid.intervals(a) ? 0.5 : 1;
            sum += w * out.at(i, j, k);
            size += std::fabs(w * out.at(i, j, k));
          }
      EXPECT_NEAR(sum / size, 0, 1e-13) << kCases[which].name << " " << d << "-D";
      EXPECT_GT(size, 1);
    }
}

TEST(SpatialOperator, GivesTheSameBitsWithAnyNumberOfWorkers) {
  for (const Equation e : {Equation::heat, Equation::wave, Equation::burgers}) {
    for (const TimeMethod method : {TimeMethod::tr_bdf2, TimeMethod::sdirk, TimeMethod::rk4,
                                    TimeMethod::rk3, TimeMethod::leapfrog}) {
      if ((e == Equation::wave) != (method == TimeMethod::leapfrog)) continue;
      if (e == Equation::burgers && method == TimeMethod::tr_bdf2) continue;
      EvolutionProblem p;
      p.equation = e;
      p.grid = Grid::unit(2, 203);
      p.boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
      p.boundary.face[1][1] = {ConditionKind::robin, 1.0, 1, 2};
      p.initial = formula("sin(2*pi*x)*sin(pi*y)");
      p.diffusivity = 0.1;
      EvolutionOptions o;
      o.method = method;
      o.step = 1e-5;
      o.output_times = {3e-5};
      o.estimate_error = false;
      const auto alone = evolve(p, o);
      ASSERT_TRUE(alone.ok()) << alone.error();
      const auto workers = make_thread_workers(3);
      const auto together = evolve(p, o, {workers.get(), nullptr, {}});
      ASSERT_TRUE(together.ok()) << together.error();
      EXPECT_EQ(alone->states[0].values, together->states[0].values)
          << to_string(e) << " " << to_string(method);
    }
  }
}

}  // namespace
}  // namespace neurolens::pde
