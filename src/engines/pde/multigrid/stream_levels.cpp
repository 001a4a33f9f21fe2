#include "multigrid/stream_levels.hpp"

#include <algorithm>

#include "index.hpp"

namespace neurolens::pde {

AxisPositions finest_positions(int points) {
  AxisPositions x(1);
  for (int i = 0; i < points; ++i) x[0].push_back(i);
  return x;
}

bool next_level(const Network& finer, std::array<double, 3>& h, std::span<AxisPositions> x,
                Network& coarse) {
  std::array<AxisMap, 3> map;
  if (!coarsen(finer, h, coarse, map)) return false;
  for (std::size_t a = 0; a < x.size(); ++a)
    if (!map[a].coarsened) return false;
  for (std::size_t a = 0; a < x.size(); ++a) {
    h[a] *= 2;
    std::vector<double> line;
    for (int i = 0; i < map[a].coarse; ++i) line.push_back(x[a].back()[index(map[a].kept(i))]);
    x[a].push_back(std::move(line));
  }
  return true;
}

LineInterpolation interpolate_line(const std::vector<double>& fine,
                                   const std::vector<double>& coarse, int points) {
  LineInterpolation out;
  const int n = static_cast<int>(coarse.size());
  const int taken = std::min(points, n);
  out.start.reserve(fine.size());
  out.weight.reserve(fine.size() * index(points));
  int cell = 0;
  for (const double at : fine) {
    while (cell + 1 < n - 1 && coarse[index(cell + 1)] <= at) ++cell;
    const int start = std::clamp(cell - (points / 2 - 1), 0, n - taken);
    out.start.push_back(start);
    for (int i = 0; i < points; ++i) {
      double w = i < taken ? 1 : 0;
      for (int j = 0; j < taken && i < taken; ++j)
        if (i != j)
          w *= (at - coarse[index(start + j)]) /
               (coarse[index(start + i)] - coarse[index(start + j)]);
      out.weight.push_back(w);
    }
  }
  const bool even = coarse[index(n - 1)] - coarse[index(n - 2)] ==
                    coarse[1] - coarse[0];  // positions are sums of halves: exact
  out.regular = std::max(0, n - points / 2 - (even ? 0 : 1));
  return out;
}

}  // namespace neurolens::pde
