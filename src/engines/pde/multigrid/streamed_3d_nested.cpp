// What StreamedMultigrid3 begins with: solutions of the coarser levels, from the last one on.
#include <algorithm>

#include "index.hpp"
#include "multigrid/cycles.hpp"
#include "multigrid/streamed_3d.hpp"
#include "multigrid/streamed_3d_right.hpp"

namespace neurolens::pde {

// Dirichlet values of level l, at the nodes that level l + 1 keeps.
void StreamedMultigrid3::inject_fixed(std::size_t l, Work& work) const {
  const Level& fine = levels_[l];
  const Level& coarse = levels_[l + 1];
  const auto& [x, y, z] = coarse.axis;
  const auto kept = [&](std::size_t a, int unknown) {
    const Axis& axis = fine.axis[a];
    return std::min(2 * (unknown + axis.first), axis.n - 1) - axis.first;
  };
  const auto inside = [](const Axis& a, int unknown) { return unknown >= 0 && unknown < a.m; };
  for (int k = -z.first; k < z.n - z.first; ++k)
    for (int j = -y.first; j < y.n - y.first; ++j) {
      const bool free_row = inside(y, j) && inside(z, k);
      for (int i = -x.first; i < x.n - x.first; ++i) {
        if (free_row && inside(x, i)) {
          i = x.m - 1;  // on to the other end of the row
          continue;
        }
        work.levels[l + 1].x[coarse.at(i, j, k)] =
            work.levels[l].x[fine.at(kept(0, i), kept(1, j), kept(2, k))];
      }
    }
}

// x of the last level from its right-hand side; the second round corrects what single precision
// rounds off.
void StreamedMultigrid3::solve_first(Work& work, double scale) const {
  const Level& l = levels_.back();
  const Axis& nx = l.axis[0];
  const Axis& ny = l.axis[1];
  const Axis& nz = l.axis[2];
  Vectors& v = work.levels.back();
  const auto each = [&](const auto& visit) {
    for (int k = 0; k < nz.m; ++k)
      for (int j = 0; j < ny.m; ++j)
        for (int i = 0; i < nx.m; ++i) visit(l.at(i, j, k));
  };
  each([&](std::size_t p) { v.x[p] = 0; });
  for (int round = 0; round < 2; ++round) {
    each([&](std::size_t p) {
      const double here = v.x[p];
      double r =
          v.b[p] + l.ax[p] * (v.x[p + 1] - here) + l.ax[p - 1] * (v.x[p - 1] - here) +
          l.ay[p] * (v.x[p + l.stride] - here) + l.ay[p - l.stride] * (v.x[p - l.stride] - here) +
          l.az[p] * (v.x[p + l.plane] - here) + l.az[p - l.plane] * (v.x[p - l.plane] - here);
      if (!l.extra.empty()) r -= l.extra[p] * here;
      v.f[p] = static_cast<float>(r * scale);
    });
    solve_coarsest(work);
    each([&](std::size_t p) { v.x[p] += static_cast<double>(v.e[p]) / scale; });
  }
}

// to, on level l, = interpolation of `from`, on the next one.
void StreamedMultigrid3::interpolate(std::size_t l, const double* from, double* to,
                                     Work& work) const {
  kernels::PlanePass p = pass(l, work);
  p.source = kernels::StreamSource::exact;
  p.start = kernels::StreamStart::cubic;
  p.apply_only = true;
  p.coarse_x = array(l + 1, from);
  p.level.x = to + levels_[l].origin();
  (void)run(l, p, work);
}

// With solutions u_h = u + c h^2 + ... the next finer one is x + (x - coarser x) / 4, up to h^4:
// that goes to b of level l, which has done its work. x of level l + 1 is overwritten.
void StreamedMultigrid3::extrapolate(std::size_t l, Work& work) const {
  const Level& fine = levels_[l];
  const Level& coarse = levels_[l + 1];
  const auto& [x, y, z] = coarse.axis;
  const AlignedVector<double>& solution = work.levels[l].x;
  AlignedVector<double>& change = work.levels[l + 1].x;
  const auto kept = [&](std::size_t a, int unknown) {
    const Axis& axis = fine.axis[a];
    return std::min(2 * (unknown + axis.first), axis.n - 1) - axis.first;
  };
  for (int k = -z.first; k < z.n - z.first; ++k)
    for (int j = -y.first; j < y.n - y.first; ++j) {
      const double* from = solution.data() + fine.at(0, kept(1, j), kept(2, k));
      double* to = change.data() + coarse.at(0, j, k);
      for (int i = -x.first; i < x.n - x.first; ++i) to[i] = from[kept(0, i)] - to[i];
    }
  AlignedVector<double>& guess = work.levels[l].b;
  interpolate(l, change.data(), guess.data(), work);
  const Axis& nx = fine.axis[0];
  const Axis& ny = fine.axis[1];
  const Axis& nz = fine.axis[2];
  const auto inside = [](const Axis& a, int unknown) { return unknown >= 0 && unknown < a.m; };
  for_pieces(workers_for(l, work), index(nz.m + 2), [&](std::size_t layer) {
    const int k = static_cast<int>(layer) - 1;
    for (int j = -1; j <= ny.m; ++j) {
      const double* from = solution.data() + fine.at(0, j, k);
      double* to = guess.data() + fine.at(0, j, k);
      if (!inside(ny, j) || !inside(nz, k)) {
        std::copy_n(from - 1, nx.m + 2, to - 1);
        continue;
      }
      to[-1] = from[-1];
      for (int i = 0; i < nx.m; ++i) to[i] = from[i] + 0.25 * to[i];
      to[nx.m] = from[nx.m];
    }
  });
}

// Solutions of all levels but the finest; level 1 has its right-hand side. Returns what the finest
// begins with, on level 1.
const double* StreamedMultigrid3::nested_iteration(Work& work, const Right& right,
                                                   double scale) const {
  const std::size_t last = levels_.size() - 1;
  for (std::size_t l = 1; l < last; ++l) (void)restrict_right(l, work, right);
  for (std::size_t l = 0; l < last; ++l) inject_fixed(l, work);
  solve_first(work, scale);
  const double* guess = work.levels[last].x.data();
  for (std::size_t l = last - 1; l > 0; --l) {
    (void)cycle_pass(l, work, right, {.start = kernels::StreamStart::cubic, .scale = scale}, guess);
    coarse_cycle(l + 1, work, true);
    // Extrapolation needs solutions: a second cycle costs a seventh of the one that it saves.
    (void)cycle_pass(l, work, right,
                     {.start = kernels::StreamStart::correct, .unit = 1 / scale, .scale = scale});
    coarse_cycle(l + 1, work, true);
    kernels::PlanePass apply = pass(l, work);
    apply.source = kernels::StreamSource::exact;
    apply.start = kernels::StreamStart::correct;
    apply.apply_only = true;
    apply.unit = 1 / scale;
    apply.coarse_e = array<const float>(l + 1, work.levels[l + 1].e.data());
    (void)run(l, apply, work);
    extrapolate(l, work);
    guess = work.levels[l].b.data();
  }
  return guess;
}

}  // namespace neurolens::pde
