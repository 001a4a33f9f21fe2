// Order of accuracy of every equation in time, with every kind of face in 1-D, 2-D and 3-D, by
// closed forms. Steps shrink with the spacing (or its square, where stability asks for that), so
// that the joint order is 2; orders in time alone come last.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "evolve/test_problems.hpp"
#include "observed_order.hpp"

namespace neurolens::pde {
namespace {

constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;
constexpr auto P = ConditionKind::periodic;
using Ends = std::array<ConditionKind, 2>;
using Faces = std::array<Ends, 3>;
const std::vector<Ends> kEnds = {{D, D}, {N, N}, {R, R}, {P, P}, {D, N}, {R, D}};
constexpr std::string_view kAxes = "xyz";
constexpr double kDiffusivity = 0.2;
constexpr double kThinDiffusivity = 0.1;  // of Burgers: its waves decay as exp(-k d (2 pi)^2 t)
constexpr double kEnd = 0.08;
constexpr double kAlpha = 1.5;  // of Robin faces: alpha u + du/dn

// A solution, its slope along each axis and the source that it needs, as formulas.
struct Exact {
  std::string u, source;
  std::string velocity = "0";  // u_t at the start
  std::array<std::string, 3> slope;
};

// (1 + sin(3 t) / 2) times a wave along each axis, with no symmetry about the box.
// Waves of speed 1 have u_tt for u_t.
Exact moving(Equation equation, int dimensions, const Faces& faces,
             const std::array<double, 3>& velocity) {
  const bool wave_equation = equation == Equation::wave;
  const double k = wave_equation ? 1 : kDiffusivity;
  const auto wave = [&](int axis, int order) {
    const double w = faces[static_cast<std::size_t>(axis)][0] == P ? 2 * M_PI : 1.7 + 0.4 * axis;
    const char* const shape[] = {"sin", "cos", "-sin"};
    return fmt::format("({}*{}({}*{}+{}))", std::pow(w, order), shape[order], w,
                       kAxes[static_cast<std::size_t>(axis)], 0.3 + 0.5 * axis);
  };
  const auto part = [&](int axis, int order) {
    std::string text = "1";
    for (int a = 0; a < dimensions; ++a) text += "*" + wave(a, a == axis ? order : 0);
    return "(" + text + ")";
  };
  const std::string swing = "(1+sin(3*t)/2)*";
  Exact e;
  e.u = swing + part(-1, 0);
  e.source = (wave_equation ? "-4.5*sin(3*t)*" : "1.5*cos(3*t)*") + part(-1, 0);
  e.velocity = "1.5*" + part(-1, 0);
  for (int a = 0; a < dimensions; ++a) {
    const auto at = static_cast<std::size_t>(a);
    e.slope[at] = swing + part(a, 1);
    e.source +=
        fmt::format("+({})*{}{}-{}*{}{}", velocity[at], swing, part(a, 1), k, swing, part(a, 2));
  }
  return e;
}

// Cole and Hopf: u = -2 k phi_s / phi with s = x + y + z, phi = 1 + a cos(w s), phi_t = k d phi_ss.
Exact burgers(int dimensions) {
  const double w = 2 * M_PI;
  const std::string a = fmt::format("(.2*exp({}*t))", -kThinDiffusivity * w * w * dimensions);
  const std::string angle = fmt::format("({}*(x+y+z)+.4)", w);
  const std::string phi = fmt::format("(1+{}*cos{})", a, angle);
  Exact e;
  e.u = fmt::format("{}*{}*sin{}/{}", 2 * kThinDiffusivity * w, a, angle, phi);
  e.slope.fill(fmt::format("{}*{}*(cos{}/{}+{}*(sin{}/{})^2)", 2 * kThinDiffusivity * w * w, a,
                           angle, phi, a, angle, phi));
  return e;
}

Boundary boundary_of(const Exact& exact, const Faces& faces, int dimensions) {
  Boundary b;
  for (std::size_t a = 0; a < static_cast<std::size_t>(dimensions); ++a)
    for (std::size_t side = 0; side < 2; ++side) {
      FaceCondition& face = b.face[a][side];
      face.kind = faces[a][side];
      face.alpha = kAlpha;
      if (face.kind == D) face.value = formula(exact.u);
      const std::string flux = (side == 0 ? "-1*(" : "(") + exact.slope[a] + ")";
      if (face.kind == N) face.value = formula(flux);
      if (face.kind == R) face.value = formula(fmt::format("{}*({})+{}", kAlpha, exact.u, flux));
    }
  return b;
}

double error_of(const EvolutionProblem& problem, const EvolutionOptions& options,
                const ScalarData& exact) {
  const auto result = evolve(problem, options);
  EXPECT_TRUE(result.ok()) << result.error();
  if (!result.ok()) return 1;
  double worst = 0;
  for (std::size_t s = 0; s < result->states.size(); ++s) {
    const Field& u = result->states[s];
    Field e(u.grid);
    EXPECT_TRUE(exact.fill(u.grid, whole(u.grid), result->times[s], e.values.data()).ok());
    for (std::size_t i = 0; i < u.values.size(); ++i)
      worst = std::max(worst, std::fabs(u.values[i] - e.values[i]));
  }
  return worst;
}

// Neighbours in the list on different axes, and below 3-D the same kind on all.
std::vector<Faces> combinations(int dimensions) {
  std::vector<Faces> all;
  for (std::size_t i = 0; i < kEnds.size(); ++i) {
    const auto next = [i](std::size_t by) { return kEnds[(i + by) % kEnds.size()]; };
    if (dimensions < 3) all.push_back({kEnds[i], kEnds[i], kEnds[i]});
    if (dimensions == 2 || (dimensions == 3 && i % 3 != 1))
      all.push_back({kEnds[i], next(1), next(2)});
  }
  return all;
}

std::string text_of(const Faces& faces, int dimensions) {
  std::string text = std::to_string(dimensions) + "-D";
  for (std::size_t a = 0; a < static_cast<std::size_t>(dimensions); ++a)
    for (const auto kind : faces[a]) text += " " + std::string(to_string(kind));
  return text;
}

struct Case {
  Equation equation;
  TimeMethod method;
};
std::string name_of(const testing::TestParamInfo<Case>& run) {
  std::string text =
      fmt::format("{}_{}", to_string(run.param.equation), to_string(run.param.method));
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}
class EvolutionOrder : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Of, EvolutionOrder,
                         testing::Values(Case{Equation::heat, TimeMethod::tr_bdf2},
                                         Case{Equation::heat, TimeMethod::sdirk},
                                         Case{Equation::heat, TimeMethod::rk3},
                                         Case{Equation::wave, TimeMethod::leapfrog},
                                         Case{Equation::advection_diffusion, TimeMethod::sdirk},
                                         Case{Equation::advection_diffusion, TimeMethod::rk4},
                                         Case{Equation::burgers, TimeMethod::sdirk},
                                         Case{Equation::burgers, TimeMethod::rk4}),
                         name_of);

double step_of(TimeMethod method, int dimensions, int n) {
  if (method == TimeMethod::tr_bdf2) return 0.01;
  if (method == TimeMethod::leapfrog) return 2 * kEnd / n;
  if (method == TimeMethod::sdirk) return 4 * kEnd / n;
  return 1.2 / (dimensions * (4 * kDiffusivity * n * n + 0.8 * n));
}

TEST_P(EvolutionOrder, IsTwoWithEveryKindOfFace) {
  const auto [equation, method] = GetParam();
  const bool transport = equation == Equation::advection_diffusion;
  // Explicit and controlled methods take many steps; in 3-D they run the same operators.
  const int most = method == TimeMethod::sdirk || method == TimeMethod::leapfrog ? 3 : 2;
  // Slopes at faces are those of the condition: errors of transport have odd powers of h too.
  const int gap = equation == Equation::heat || equation == Equation::wave ? 2 : 1;
  for (int dimensions = 1; dimensions <= most; ++dimensions)
    for (const Faces& faces : combinations(dimensions)) {
      if (most == 2 && dimensions == 2 && faces[0] != faces[1]) continue;
      SCOPED_TRACE(text_of(faces, dimensions));
      EvolutionProblem p;
      p.equation = equation;
      p.diffusivity = equation == Equation::burgers ? kThinDiffusivity : kDiffusivity;
      if (transport) p.velocity = {0.8, -0.5, 0.3};
      const Exact exact = equation == Equation::burgers
                              ? burgers(dimensions)
                              : moving(equation, dimensions, faces, p.velocity);
      p.boundary = boundary_of(exact, faces, dimensions);
      p.initial = formula(exact.u);
      p.initial_velocity = formula(exact.velocity);
      if (equation != Equation::burgers) p.source = formula(exact.source);
      std::array<double, 3> error{};
      for (int level = 0; level < 3; ++level) {
        const int n = (dimensions == 1 ? 16 : 8) << level;
        p.grid = Grid::unit(dimensions, n + 1);
        EvolutionOptions o;
        o.method = method;
        o.output_times = {kEnd};
        o.tolerance = 1e-5 / (1 << 3 * level);
        o.step = step_of(method, dimensions, n);
        error[static_cast<std::size_t>(level)] = error_of(p, o, formula(exact.u));
      }
      EXPECT_NEAR(order_near(2, error, gap), 2, 0.1)
          << error[0] << " -> " << error[1] << " -> " << error[2];
    }
}

// What one axis adds to a mode that meets homogeneous conditions at both ends.
struct Mode {
  Ends ends;
  const char* shape;
  double wave_number;
  double alpha;  // of its Robin ends: alpha u + du/dn = 0
};
const std::vector<Mode> kModes = {{{D, D}, "sin(pi*A)", M_PI, 0},
                                  {{N, N}, "cos(pi*A)", M_PI, 0},
                                  {{R, R}, "cos(2*(A-.5))", 2, 2 * std::tan(1.0)},
                                  {{P, P}, "sin(2*pi*A+.3)", 2 * M_PI, 0},
                                  {{D, N}, "sin(pi/2*A)", M_PI / 2, 0},
                                  {{R, D}, "sin(2*(1-A))", 2, -2 / std::tan(2.0)}};

class ModeOrder : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Of, ModeOrder,
                         testing::Values(Case{Equation::heat, TimeMethod::exact},
                                         Case{Equation::wave, TimeMethod::exact},
                                         Case{Equation::wave, TimeMethod::leapfrog}),
                         name_of);

// The exact method leaves the error of space alone; leapfrog's step goes with the spacing.
TEST_P(ModeOrder, IsTwoWithEveryKindOfFace) {
  const auto [equation, method] = GetParam();
  for (int dimensions = 1; dimensions <= 3; ++dimensions)
    for (std::size_t i = 0; i < kModes.size(); ++i)
      for (const std::size_t turn : {0, 1}) {
        if (turn == 0 && dimensions == 3) continue;
        EvolutionProblem p;
        p.equation = equation;
        p.wave_speed = 1.3;
        p.diffusivity = kDiffusivity;
        double squares = 0;
        std::string shape = "1";
        SCOPED_TRACE(std::to_string(dimensions) + "-D from " + kModes[i].shape);
        for (std::size_t a = 0; a < static_cast<std::size_t>(dimensions); ++a) {
          const Mode& mode = kModes[(i + turn * a) % kModes.size()];
          for (std::size_t side = 0; side < 2; ++side)
            p.boundary.face[a][side] = {mode.ends[side], 0.0, mode.alpha, 1.0};
          squares += mode.wave_number * mode.wave_number;
          std::string factor = mode.shape;
          factor.replace(factor.find('A'), 1, 1, kAxes[a]);
          shape += "*" + factor;
        }
        p.initial = formula(shape);
        const std::string motion = equation == Equation::heat
                                       ? fmt::format("exp({}*t)*", -kDiffusivity * squares)
                                       : fmt::format("cos({}*t)*", 1.3 * std::sqrt(squares));
        std::array<double, 3> error{};
        for (int level = 0; level < 3; ++level) {
          const int n = (dimensions == 3 ? 8 : 16) << level;
          p.grid = Grid::unit(dimensions, n + 1);
          EvolutionOptions o;
          o.method = method;
          o.output_times = {0.1, 0.3};
          if (method == TimeMethod::leapfrog) o.step = 0.2 / n;
          error[static_cast<std::size_t>(level)] = error_of(p, o, formula(motion + shape));
        }
        EXPECT_NEAR(order_near(2, error, 2), 2, 0.1)
            << error[0] << " -> " << error[1] << " -> " << error[2];
      }
}

// Against the exact evolution of the same system of differences, so that only time counts.
TEST(TimeOrder, OfTrBdf2AndLeapfrogIsTwo) {
  EvolutionProblem p;
  p.grid = Grid::unit(1, 17);
  p.boundary = Boundary::all({N, 0.0});
  p.initial = formula("cos(pi*x)+cos(2*pi*x)/2");
  EvolutionOptions o;
  o.output_times = {0.125};
  const auto heat = evolve(p, o);
  ASSERT_TRUE(heat.ok()) << heat.error();
  p.equation = Equation::wave;
  const auto wave = evolve(p, o);
  ASSERT_TRUE(wave.ok()) << wave.error();
  const auto distance = [](const EvolutionResult& one, const EvolutionResult& two) {
    double most = 0;
    for (std::size_t i = 0; i < one.states[0].values.size(); ++i)
      most = std::max(most, std::fabs(one.states[0].values[i] - two.states[0].values[i]));
    return most;
  };
  std::array<double, 3> leapfrog{};
  std::array<double, 3> tr_bdf2{};
  for (std::size_t level = 0; level < 3; ++level) {
    p.equation = Equation::wave;
    o.method = TimeMethod::leapfrog;
    o.step = 0.03125 / (1 << level);
    const auto waves = evolve(p, o);
    ASSERT_TRUE(waves.ok()) << waves.error();
    leapfrog[level] = distance(*waves, *wave);
    p.equation = Equation::heat;
    o.method = TimeMethod::tr_bdf2;
    // An eighth of the tolerance per step halves every step of the controlled sequence.
    o.step = 0.002 / (1 << level);
    o.tolerance = 1e-3 / (1 << 3 * level);
    const auto steps = evolve(p, o);
    ASSERT_TRUE(steps.ok()) << steps.error();
    tr_bdf2[level] = distance(*steps, *heat);
  }
  EXPECT_NEAR(order_near(2, leapfrog, 2), 2, 0.1);
  EXPECT_NEAR(order_near(2, tr_bdf2, 1), 2, 0.1);
}

}  // namespace
}  // namespace neurolens::pde
