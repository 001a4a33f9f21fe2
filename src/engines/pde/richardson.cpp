#include "richardson.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr int kFewest = 8;

/// The four points of an axis around a position, and their shares in its value.
struct Around {
  int first = 0;
  std::array<double, 4> weight{1, 0, 0, 0};
  int count = 1;
};

// For each of `coarse` intervals + 1 positions among `fine` intervals.
std::vector<Around> around(int fine, int coarse) {
  std::vector<Around> out;
  for (int i = 0; i <= coarse; ++i) {
    const double at = static_cast<double>(i) * fine / coarse;
    Around a;
    a.first = std::clamp(static_cast<int>(at) - 1, 0, fine - 3);
    a.count = 4;
    for (int p = 0; p < 4; ++p) {
      double w = 1;
      for (int q = 0; q < 4; ++q)
        if (q != p) w *= (at - a.first - q) / (p - q);
      a.weight[index(p)] = w;
    }
    out.push_back(a);
  }
  return out;
}

}  // namespace

std::optional<Grid> coarser(const Grid& grid) {
  Grid out = grid;
  for (int axis = 0; axis < grid.dimensions; ++axis) {
    if (grid.intervals(axis) < kFewest) return {};
    out.points[index(axis)] = grid.intervals(axis) / 2 + 1;
  }
  return out;
}

double expected_error(const Field& fine, const Field& coarse, int order) {
  std::array<std::vector<Around>, 3> axis{{{Around{}}, {Around{}}, {Around{}}}};
  double ratio = 1e300;
  for (int a = 0; a < fine.grid.dimensions; ++a) {
    axis[index(a)] = around(fine.grid.intervals(a), coarse.grid.intervals(a));
    ratio = std::min(ratio, coarse.grid.spacing(a) / fine.grid.spacing(a));
  }
  const auto at = [&](const Around& x, const Around& y, const Around& z) {
    double sum = 0;
    for (int k = 0; k < z.count; ++k)
      for (int j = 0; j < y.count; ++j) {
        double row = 0;
        for (int i = 0; i < x.count; ++i)
          row += x.weight[index(i)] * fine.at(x.first + i, y.first + j, z.first + k);
        sum += row * y.weight[index(j)] * z.weight[index(k)];
      }
    return sum;
  };
  double most = 0;
  std::size_t p = 0;
  for (const Around& z : axis[2])
    for (const Around& y : axis[1])
      for (const Around& x : axis[0])
        most = std::max(most, std::fabs(at(x, y, z) - coarse.values[p++]));
  return most / (std::pow(ratio, order) - 1);
}

bool all_functions(const Boundary& boundary, int dimensions) {
  for (int axis = 0; axis < dimensions; ++axis)
    for (const FaceCondition& face : boundary.face[index(axis)])
      if (face.kind != ConditionKind::periodic && !face.value.is_function()) return false;
  return true;
}

}  // namespace neurolens::pde
