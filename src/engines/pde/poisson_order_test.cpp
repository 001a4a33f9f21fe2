// The order of accuracy of the direct solver by manufactured solutions: every dimension, every kind
// of face against every other, both stencils, with and without a reaction term. Residuals on the
// way are at rounding level.
#include <gtest/gtest.h>

#include <algorithm>

#include "manufactured.hpp"
#include "observed_order.hpp"

namespace neurolens::pde {
namespace {

// Each kind against each, both ways where a line's two ends differ in what the solver does.
const std::vector<Ends> kEnds = {{D, D}, {N, N}, {R, R}, {P, P}, {D, N},
                                 {N, D}, {R, D}, {D, R}, {N, R}, {R, N}};

void check_order(const Manufactured& m, int n, int order) {
  SCOPED_TRACE(name_of(m) + " order " + std::to_string(order));
  std::array<double, 3> error{};
  for (int level = 0; level < 3; ++level) {
    const int f = 1 << level;
    const Outcome outcome = solve(m, {f * n, f * (n + 3), f * (n + 1)}, order);
    EXPECT_LT(outcome.residual, 1e-11);
    error[static_cast<std::size_t>(level)] = outcome.error;
  }
  EXPECT_NEAR(order_near(order, error, 2), order, 0.1)
      << error[0] << " -> " << error[1] << " -> " << error[2];
}

class PoissonOrder : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Of, PoissonOrder, testing::Values(2, 4),
                         [](const auto& run) { return std::to_string(run.param); });

TEST_P(PoissonOrder, OneDimensionEveryPairOfEnds) {
  for (const double c : {0.0, -3.0})
    for (const auto& ends : kEnds) check_order(make(1, c, ends), 20, GetParam());
}

TEST_P(PoissonOrder, TwoDimensionsEveryPairOfEndsOnEachAxis) {
  for (const double c : {0.0, -3.0})
    for (const auto& x : kEnds)
      for (const auto& y : kEnds) check_order(make(2, c, x, y), 20, GetParam());
}

TEST_P(PoissonOrder, ThreeDimensionsEveryKindOnEachAxis) {
  for (std::size_t x = 0; x < 4; ++x)
    for (std::size_t y = 0; y < 4; ++y)
      for (std::size_t z = 0; z < 4; ++z)
        check_order(make(3, 0, kEnds[x], kEnds[y], kEnds[z]), 10, GetParam());
}

// Every two axes meet in every two pairs of ends: a Latin square.
TEST_P(PoissonOrder, ThreeDimensionsMixedEnds) {
  for (std::size_t x = 0; x < kEnds.size(); ++x)
    for (std::size_t y = 0; y < kEnds.size(); ++y)
      check_order(make(3, -3, kEnds[x], kEnds[y], kEnds[(x + y) % kEnds.size()]), 10, GetParam());
}

TEST(PoissonIndefinite, HelmholtzShowsItsOrder) {
  check_order(make(2, 55.0, {D, D}, {D, N}), 40, 2);
  check_order(make(2, 90.0, {P, P}, {D, D}), 40, 2);
  check_order(make(2, 30.0, {R, D}, {N, R}), 40, 2);
  check_order(make(2, 30.0, {R, D}, {N, R}), 20, 4);
}

}  // namespace
}  // namespace neurolens::pde
