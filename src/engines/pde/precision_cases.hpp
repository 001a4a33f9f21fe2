/// \file
/// Problems that tests of single precision share.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "neurolens/engines/pde/data.hpp"

namespace neurolens::pde {

using Ends = std::array<ConditionKind, 2>;
inline constexpr auto D = ConditionKind::dirichlet;
inline constexpr auto N = ConditionKind::neumann;
inline constexpr auto R = ConditionKind::robin;
inline constexpr auto P = ConditionKind::periodic;
inline constexpr double kEps = 0x1p-24;  // what rounding to single precision loses at most

struct Case {
  int dimensions;
  std::array<int, 3> points;
  std::array<Ends, 3> kinds;
  double c = 0;
};

inline Grid grid_of(const Case& x) {
  Grid grid = Grid::unit(x.dimensions, 3);
  for (std::size_t a = 0; a < static_cast<std::size_t>(x.dimensions); ++a)
    grid.points[a] = x.points[a];
  return grid;
}

inline bool singular(const Case& x) {
  bool all = x.c == 0;
  for (std::size_t a = 0; a < static_cast<std::size_t>(x.dimensions); ++a)
    for (const auto kind : x.kinds[a]) all = all && (kind == N || kind == P);
  return all;
}

// Values that are not zero on any face, but where a singular problem needs balance.
inline Boundary boundary_of(const Case& x) {
  Boundary b;
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t side = 0; side < 2; ++side) {
      b.face[a][side].kind = x.kinds[a][side];
      b.face[a][side].alpha = 1.5;
      b.face[a][side].beta = 0.8;
      const double base = side == 0 ? 0.9 : 1.3;
      if (!singular(x))
        b.face[a][side].value = ScalarData::Function([base](const Point& p) {
          return base + 0.4 * std::sin(2 * p.x + 1) + 0.3 * p.y - 0.2 * p.y * p.z;
        });
    }
  return b;
}

inline FieldF32 source_of(const Case& x) {
  FieldF32 f(grid_of(x));
  const Grid& g = f.grid;
  for (int k = 0; k < g.points[2]; ++k)
    for (int j = 0; j < g.points[1]; ++j)
      for (int i = 0; i < g.points[0]; ++i) {
        const double px = g.coordinate(0, i);
        const double py = x.dimensions > 1 ? g.coordinate(1, j) : 0;
        const double pz = x.dimensions > 2 ? g.coordinate(2, k) : 0;
        double v = std::cos(2 * M_PI * px) * (1 + std::cos(2 * M_PI * py)) +
                   0.5 * std::cos(2 * M_PI * pz + 2 * M_PI * px);
        if (!singular(x)) v += std::exp(-9 * (px - 0.4) * (px - 0.4) - 6 * py * py) + pz;
        f.at(i, j, k) = static_cast<float>(v);
      }
  return f;
}

template <class T>
double largest(const BasicField<T>& u) {
  double m = 0;
  for (const T v : u.values) m = std::max(m, std::fabs(static_cast<double>(v)));
  return m;
}

inline double difference(const FieldF32& a, const Field& b) {
  double m = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    m = std::max(m, std::fabs(static_cast<double>(a.values[i]) - b.values[i]));
  return m;
}

}  // namespace neurolens::pde
