// The residual of the discrete system, by folding neighbours at the faces back into the box. The 5-
// and 7-point sums away from faces are taken straight.
#include <algorithm>
#include <cmath>

#include "direct/box.hpp"
#include "index.hpp"

namespace neurolens::pde {
namespace {

bool fixed(const BoxEnd& end) {
  return end.kind == ConditionKind::dirichlet;
}
}  // namespace

BoxData::Norms BoxData::norms(const double* u, std::size_t begin, std::size_t end) const {
  Norms result;
  const Box& b = box_;
  std::vector<double> scratch(4 * (b.row_stride() + 16));
  const auto rows = index(b.axis[1].count);
  std::array<double, 3> inverse{};  // 1 / h^2
  double centre = b.c;
  for (int a = 0; a < b.dimensions; ++a) {
    inverse[index(a)] = 1 / (b.axis[index(a)].h * b.axis[index(a)].h);
    centre -= 2 * inverse[index(a)];
  }
  const bool compact = b.order == 4;
  // Value of u at a neighbour, boundaries as the homogeneous stencil sees them: known values live
  // in the corrections, so Dirichlet points count 0 and ghosts mirror (Robin: minus its share of
  // u).
  const auto fold = [&](int a, int m, bool& zero) {
    const BoxAxis& axis = b.axis[index(a)];
    const int n = axis.intervals;
    if (axis.kind == AxisKind::periodic) return m < 0 ? n - 1 : (m >= n ? m - n : m);
    if ((m <= 0 && fixed(axis.end[0])) || (m >= n && fixed(axis.end[1]))) zero = true;
    if (m < 0) return -m;
    return m > n ? 2 * n - m : m;
  };
  const auto value = [&](int i, int j, int k) {
    bool zero = false;
    const int x = fold(0, i, zero);
    const int y = b.dimensions > 1 ? fold(1, j, zero) : 0;
    const int z = b.dimensions > 2 ? fold(2, k, zero) : 0;
    return zero ? 0.0 : u[b.offset(x, y, z)];
  };
  for (std::size_t r = begin; r < end; ++r) {
    const int j = b.axis[1].first + static_cast<int>(r % rows);
    const int k = b.axis[2].first + static_cast<int>(r / rows);
    const double* rhs = row(j, k, scratch.data());
    // Away from every face of the slower axes the 5- or 7-point sum needs no folding.
    bool plain = b.order == 2;
    const std::array<int, 3> line{0, j, k};
    for (int a = 1; a < b.dimensions; ++a) {
      const BoxAxis& axis = b.axis[index(a)];
      plain = plain && line[index(a)] - 1 >= (fixed(axis.end[0]) ? 1 : 0) &&
              line[index(a)] + 1 <= axis.intervals - (fixed(axis.end[1]) ? 1 : 0);
    }
    const std::array<std::size_t, 3> step{1, b.row_stride(), b.plane_stride()};
    for (int m = 0; m < b.axis[0].count; ++m) {
      if (plain && m > 0 && m + 1 < b.axis[0].count) {
        const double* at = u + b.offset(b.axis[0].first + m, j, k);
        double sum = centre * *at;
        for (std::size_t a = 0; a < index(b.dimensions); ++a) {
          const auto s = static_cast<std::ptrdiff_t>(step[a]);
          sum += inverse[a] * (at[-s] + at[s]);
        }
        result.residual = std::max(result.residual, std::fabs(rhs[m] - sum));
        result.rhs = std::max(result.rhs, std::fabs(rhs[m]));
        result.sum += rhs[m];
        result.weight += 1;
        result.magnitude += std::fabs(rhs[m]);
        continue;
      }
      const int i = b.axis[0].first + m;
      std::array<int, 3> p{i, j, k};
      const double here = u[b.offset(i, j, k)];
      double sum = centre * here;
      const auto neighbours = [&](int a) {
        std::array<int, 3> q = p;
        q[index(a)] = p[index(a)] - 1;
        double s = value(q[0], q[1], q[2]);
        q[index(a)] = p[index(a)] + 1;
        return s + value(q[0], q[1], q[2]);
      };
      std::array<double, 3> second{};
      for (int a = 0; a < b.dimensions; ++a) {
        const double s = neighbours(a);
        second[index(a)] = s - 2 * here;
        sum += inverse[index(a)] * s;
      }
      // Robin's share of u in the ghost points.
      double weight = 1;
      for (int a = 0; a < b.dimensions; ++a) {
        const BoxAxis& axis = b.axis[index(a)];
        for (int side = 0; side < 2; ++side) {
          if (p[index(a)] != (side == 0 ? 0 : axis.intervals) || axis.kind == AxisKind::periodic)
            continue;
          weight *= 0.5;
          const double ratio = axis.end[index(side)].ratio;
          if (ratio == 0) continue;
          // ghost part g(u) = -ratio (2h (1 - c h^2/6) u - h^3/3 laplace_tangential u) for order 4.
          const double h = axis.h;
          if (!compact) {
            sum -= inverse[index(a)] * ratio * 2 * h * here;
            continue;
          }
          // B_a applied to g(u), its bending terms to leading order by symbols of the tangential
          // axes; fourth differences of u at tangential neighbours are needed exactly.
          const auto ghost_at = [&](std::array<int, 3> q) {
            const double mid = value(q[0], q[1], q[2]);
            double lap = 0;
            for (int t = 0; t < b.dimensions; ++t) {
              if (t == a) continue;
              std::array<int, 3> s = q;
              s[index(t)] = q[index(t)] - 1;
              double around = value(s[0], s[1], s[2]);
              s[index(t)] = q[index(t)] + 1;
              around += value(s[0], s[1], s[2]);
              lap += inverse[index(t)] * (around - 2 * mid);
            }
            return -ratio * (2 * h * (1 - b.c * h * h / 6) * mid - h * h * h / 3 * lap);
          };
          const double own = ghost_at(p);
          double applied = (inverse[index(a)] + b.c / 12) * own;
          for (int t = 0; t < b.dimensions; ++t) {
            if (t == a) continue;
            const double ht2 = b.axis[index(t)].h * b.axis[index(t)].h;
            std::array<int, 3> q = p;
            q[index(t)] = p[index(t)] - 1;
            // Odd or even continuation of g beyond the ends follows that of u.
            const auto at_index = [&](int position) {
              const BoxAxis& along = b.axis[index(t)];
              if (along.kind != AxisKind::periodic &&
                  ((position == 0 && fixed(along.end[0])) ||
                   (position == along.intervals && fixed(along.end[1]))))
                return 0.0;
              q[index(t)] = position < 0                 ? -position
                            : position > along.intervals ? 2 * along.intervals - position
                                                         : position;
              if (along.kind == AxisKind::periodic)
                q[index(t)] = (position + along.intervals) % along.intervals;
              return ghost_at(q);
            };
            const double low = at_index(p[index(t)] - 1);
            const double high = at_index(p[index(t)] + 1);
            applied += (h * h + ht2) / (12 * h * h * ht2) * (low - 2 * own + high);
          }
          sum += applied;
        }
      }
      if (compact) {
        for (int a = 0; a < b.dimensions; ++a) sum += b.c / 12 * second[index(a)];
        for (int a = 0; a < b.dimensions; ++a)
          for (int t = a + 1; t < b.dimensions; ++t) {
            double corners = 0;
            for (const int da : {-1, 1})
              for (const int dt : {-1, 1}) {
                std::array<int, 3> q = p;
                q[index(a)] += da;
                q[index(t)] += dt;
                corners += value(q[0], q[1], q[2]);
              }
            const double cross = corners - 2 * second[index(a)] - 2 * second[index(t)] - 4 * here;
            sum += (1 / inverse[index(a)] + 1 / inverse[index(t)]) / 12 * inverse[index(a)] *
                   inverse[index(t)] * cross;
          }
      }
      const double target = rhs[m];
      result.residual = std::max(result.residual, std::fabs(target - sum));
      result.rhs = std::max(result.rhs, std::fabs(target));
      result.sum += weight * target;
      result.weight += weight;
      result.magnitude += weight * std::fabs(target);
    }
  }
  return result;
}

}  // namespace neurolens::pde
