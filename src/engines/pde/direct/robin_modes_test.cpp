// Closed-form eigenvectors of Robin axes against the matrix that they belong to.
#include "direct/robin_modes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {

constexpr auto D = ConditionKind::dirichlet;
constexpr auto N = ConditionKind::neumann;
constexpr auto R = ConditionKind::robin;

BoxAxis axis_of(int intervals, ConditionKind low, ConditionKind high, double ratio_low,
                double ratio_high, int order) {
  Grid grid = Grid::unit(1, intervals + 1);
  Boundary boundary;
  boundary.face[0] = {FaceCondition{low, 0.0, ratio_low, 1.0},
                      FaceCondition{high, 0.0, ratio_high, 1.0}};
  return make_box(grid, boundary, 0, order, {0, 1, 2}).axis[0];
}

TEST(RobinModes, SolveTheirEquationsAndAreOrthonormal) {
  for (const int n : {2, 3, 5, 8, 33, 200})
    for (const int order : {2, 4})
      for (const auto& [low, high] : {std::pair{R, R}, {R, D}, {D, R}, {N, R}, {R, N}})
        for (const double ratio : {0.0, 1e-6, 0.3, 2.0, 50.0, 1e4, 1e9}) {
          SCOPED_TRACE(std::to_string(n) + " order " + std::to_string(order) + " ratio " +
                       std::to_string(ratio));
          const BoxAxis axis = axis_of(n, low, high, ratio, 0.7 * ratio + 0.1, order);
          std::vector<double> v;
          std::vector<double> s;
          ASSERT_TRUE(robin_modes(axis, v, s));
          const auto count = static_cast<std::size_t>(axis.count);
          ASSERT_EQ(s.size(), count);
          const auto weight = [&](std::size_t i) {
            return i == 0 ? axis.end[0].weight : i + 1 == count ? axis.end[1].weight : 1.0;
          };
          const double largest = *std::max_element(s.begin(), s.end());
          double worst = 0;
          for (std::size_t k = 0; k < count; ++k) {
            const auto u = [&](std::size_t i) { return v[k * count + i] / std::sqrt(weight(i)); };
            for (std::size_t i = 0; i < count; ++i) {
              double d2 = 0;
              if (i == 0 && low != D)
                d2 = axis.end_difference(0, u(0), u(1));
              else if (i + 1 == count && high != D)
                d2 = axis.end_difference(1, u(i), u(i - 1));
              else
                d2 = (i > 0 ? u(i - 1) : 0) - 2 * u(i) + (i + 1 < count ? u(i + 1) : 0);
              worst = std::max(worst, std::fabs(d2 + s[k] * u(i)) * std::sqrt(weight(i)));
            }
          }
          EXPECT_LT(worst, 1e-13 * largest);
          double skew = 0;
          for (std::size_t k = 0; k < count; ++k)
            for (std::size_t l = 0; l <= k; ++l) {
              double dot = k == l ? -1 : 0;
              for (std::size_t i = 0; i < count; ++i) dot += v[k * count + i] * v[l * count + i];
              skew = std::max(skew, std::fabs(dot));
            }
          EXPECT_LT(skew, 1e-13);
        }
}

TEST(RobinModes, LeaveNegativeRatiosToOthers) {
  std::vector<double> v;
  std::vector<double> s;
  EXPECT_FALSE(robin_modes(axis_of(8, R, R, -0.5, 1, 2), v, s));
}

}  // namespace
}  // namespace neurolens::pde
