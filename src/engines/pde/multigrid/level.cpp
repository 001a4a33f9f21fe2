#include "multigrid/level.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "index.hpp"

namespace neurolens::pde {
namespace {
constexpr int kFewest = 4;  // axes with fewer nodes than this plus one stay as they are
}  // namespace

template <class T>
kernels::StencilRow<T> Level<T>::row(T* u, const T* f, int j, int k) const {
  const std::size_t here = shape.at(0, j, k);
  kernels::StencilRow<T> r{};
  r.u = u + here;
  r.f = f == nullptr ? nullptr : f + here;
  r.inverse = inverse.data() + here;
  r.diagonal = diagonal.data() + here;
  r.ax = face[0].data() + here;
  if (shape.dimensions > 1) {
    const std::size_t s = shape.row_stride();
    r.ay_low = face[1].data() + here - s;
    r.ay_high = face[1].data() + here;
    r.u_y_low = u + here - s;
    r.u_y_high = u + here + s;
  }
  if (shape.dimensions > 2) {
    const std::size_t s = shape.plane_stride();
    r.az_low = face[2].data() + here - s;
    r.az_high = face[2].data() + here;
    r.u_z_low = u + here - s;
    r.u_z_high = u + here + s;
  }
  return r;
}

template <class T>
kernels::StencilGrid<T> Level<T>::grid(T* u, const T* f) const {
  const std::size_t origin = shape.at(0, 0, 0);
  kernels::StencilGrid<T> g{};
  g.u = u + origin;
  g.f = f + origin;
  g.inverse = inverse.data() + origin;
  g.diagonal = diagonal.data() + origin;
  g.ax = face[0].data() + origin;
  if (shape.dimensions > 1) g.ay = face[1].data() + origin;
  if (shape.dimensions > 2) g.az = face[2].data() + origin;
  for (int a = 0; a < 3; ++a) g.n[a] = shape.n[index(a)];
  g.row_stride = shape.dimensions > 1 ? shape.row_stride() : 0;
  g.plane_stride = shape.dimensions > 2 ? shape.plane_stride() : 0;
  return g;
}

template <class T>
void refresh_ghosts(const Shape& shape, T* u) {
  if (shape.periodic[0])
    for (int k = 0; k < shape.n[2]; ++k)
      for (int j = 0; j < shape.n[1]; ++j) {
        u[shape.at(-1, j, k)] = u[shape.at(shape.n[0] - 1, j, k)];
        u[shape.at(shape.n[0], j, k)] = u[shape.at(0, j, k)];
      }
  if (shape.periodic[1])
    for (int k = 0; k < shape.n[2]; ++k) {
      std::copy_n(u + shape.at(0, shape.n[1] - 1, k), shape.n[0], u + shape.at(0, -1, k));
      std::copy_n(u + shape.at(0, 0, k), shape.n[0], u + shape.at(0, shape.n[1], k));
    }
  if (shape.periodic[2])
    for (int j = 0; j < shape.n[1]; ++j) {
      std::copy_n(u + shape.at(0, j, shape.n[2] - 1), shape.n[0], u + shape.at(0, j, -1));
      std::copy_n(u + shape.at(0, j, 0), shape.n[0], u + shape.at(0, j, shape.n[2]));
    }
}
template void refresh_ghosts<float>(const Shape&, float*);
template void refresh_ghosts<double>(const Shape&, double*);

template <class T>
Level<T> make_level(const Network& network) {
  Level<T> level;
  const Shape& s = level.shape = network.shape;
  level.diagonal.assign(s.size(), T{0});
  level.inverse.assign(s.size(), T{0});
  for (int a = 0; a < s.dimensions; ++a)
    level.face[index(a)].assign(network.face[index(a)].begin(), network.face[index(a)].end());
  const std::array<std::size_t, 3> step{1, s.row_stride(), s.plane_stride()};
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::size_t p = s.at(i, j, k);
        if (network.fixed[p] != 0) continue;
        double sum = network.extra[p];
        for (int a = 0; a < s.dimensions; ++a)
          sum += network.face[index(a)][p] + network.face[index(a)][p - step[index(a)]];
        level.diagonal[p] = static_cast<T>(sum);
        level.inverse[p] = static_cast<T>(sum > 0 ? 1 / sum : 0);
      }
  return level;
}
template struct Level<float>;
template struct Level<double>;
template Level<float> make_level<float>(const Network&);
template Level<double> make_level<double>(const Network&);

int AxisMap::kept(int i) const {
  if (!coarsened) return i;
  return periodic ? 2 * i : std::min(2 * i, fine - 1);
}

AxisMap::Source AxisMap::sources(int i) const {
  Source s;
  if (!coarsened || i % 2 == 0) {
    s.node[0] = s.node[1] = coarsened ? i / 2 : i;
    return s;
  }
  if (!periodic && i == fine - 1) {
    s.node[0] = s.node[1] = coarse - 1;
    return s;
  }
  s.node[0] = i / 2;
  s.node[1] = periodic ? (i / 2 + 1) % coarse : i / 2 + 1;
  s.weight[0] = s.weight[1] = 0.5F;
  return s;
}

bool coarsen(const Network& fine, const std::array<double, 3>& spacing, Network& coarse,
             std::array<AxisMap, 3>& maps) {
  const Shape& f = fine.shape;
  double smallest = 1e300;
  for (int a = 0; a < f.dimensions; ++a)
    if (f.n[index(a)] > kFewest) smallest = std::min(smallest, spacing[index(a)]);
  bool any = false;
  coarse.shape = f;
  for (int a = 0; a < 3; ++a) {
    AxisMap& m = maps[index(a)];
    m = AxisMap{};
    m.fine = m.coarse = f.n[index(a)];
    m.periodic = f.periodic[index(a)];
    // Only well-coupled axes coarsen: point smoothing is blind to the others.
    if (a >= f.dimensions || m.fine <= kFewest || spacing[index(a)] > 1.5 * smallest) continue;
    m.coarsened = any = true;
    m.coarse = m.periodic ? (m.fine + 1) / 2 : m.fine / 2 + 1;
    coarse.shape.n[index(a)] = m.coarse;
  }
  if (!any) return false;
  const Shape& c = coarse.shape;
  coarse.extra.assign(c.size(), 0.0);
  coarse.fixed.assign(c.size(), 0);
  const std::array<std::size_t, 3> step{1, f.row_stride(), f.plane_stride()};
  for (int a = 0; a < f.dimensions; ++a) coarse.face[index(a)].assign(c.size(), 0.0);
  for (int k = 0; k < c.n[2]; ++k)
    for (int j = 0; j < c.n[1]; ++j)
      for (int i = 0; i < c.n[0]; ++i)
        coarse.fixed[c.at(i, j, k)] =
            fine.fixed[f.at(maps[0].kept(i), maps[1].kept(j), maps[2].kept(k))];

  // Every fine quantity goes to coarse nodes with interpolation's weights; a chain of faces between
  // two coarse nodes counts by its series resistance, once, at its first face.
  for (int k = 0; k < f.n[2]; ++k)
    for (int j = 0; j < f.n[1]; ++j)
      for (int i = 0; i < f.n[0]; ++i) {
        const std::size_t p = f.at(i, j, k);
        const std::array<int, 3> at{i, j, k};
        std::array<AxisMap::Source, 3> source;
        for (int a = 0; a < 3; ++a) source[index(a)] = maps[index(a)].sources(at[index(a)]);
        const auto spread = [&](int along, int first, auto&& add) {
          for (int x = 0; x < 2; ++x)
            for (int y = 0; y < 2; ++y)
              for (int z = 0; z < 2; ++z) {
                const std::array<int, 3> pick{x, y, z};
                double weight = 1;
                std::array<int, 3> node{};
                for (int a = 0; a < 3; ++a) {
                  if (a == along) {
                    weight *= pick[index(a)] == 0 ? 1 : 0;
                    node[index(a)] = first;
                  } else {
                    weight *= source[index(a)].weight[pick[index(a)]];
                    node[index(a)] = source[index(a)].node[pick[index(a)]];
                  }
                }
                if (weight > 0) add(c.at(node[0], node[1], node[2]), weight);
              }
        };
        if (fine.extra[p] != 0)
          spread(-1, 0, [&](std::size_t q, double w) { coarse.extra[q] += w * fine.extra[p]; });
        for (int a = 0; a < f.dimensions; ++a) {
          const AxisMap& m = maps[index(a)];
          double conductance = fine.face[index(a)][p];
          int first = at[index(a)];
          if (m.coarsened) {
            if (first % 2 != 0 && !(m.periodic == false && first == m.fine - 1))
              continue;  // second of a chain
            const bool chained =
                first % 2 == 0 && (first + 1 < m.fine - 1 || (m.periodic && first + 1 < m.fine));
            if (chained) {
              const double next = fine.face[index(a)][p + step[index(a)]];
              conductance = conductance > 0 && next > 0 ? 1 / (1 / conductance + 1 / next) : 0;
            }
            first = first % 2 == 0 ? first / 2 : m.coarse - 1;
          }
          if (conductance <= 0) continue;
          spread(a, first,
                 [&](std::size_t q, double w) { coarse.face[index(a)][q] += w * conductance; });
        }
      }
  // Ghost faces of periodic axes.
  for (int a = 0; a < f.dimensions; ++a) refresh_ghosts(c, coarse.face[index(a)].data());
  return true;
}

namespace {

// Calls visit(fine row, coarse row, weight) for every pair of rows that interpolation joins.
template <class Visit>
void join_rows(const Shape& fine, const std::array<AxisMap, 3>& maps, const Visit& visit) {
  for (int k = 0; k < fine.n[2]; ++k) {
    const auto z = maps[2].sources(k);
    for (int j = 0; j < fine.n[1]; ++j) {
      const auto y = maps[1].sources(j);
      for (int kz = 0; kz < 2; ++kz)
        for (int jy = 0; jy < 2; ++jy) {
          const float weight = z.weight[kz] * y.weight[jy];
          if (weight > 0) visit(j, k, y.node[jy], z.node[kz], weight);
        }
    }
  }
}

}  // namespace

template <class T>
void restrict_to(const Shape& fine, const Shape& coarse, const std::array<AxisMap, 3>& maps,
                 const T* from, T* to) {
  std::fill_n(to, coarse.size(), T(0));
  const auto n = index(coarse.n[0]);
  const int last = fine.n[0] - 1;
  join_rows(fine, maps, [&](int j, int k, int cj, int ck, T weight) {
    const T* r = from + fine.at(0, j, k);
    T* t = to + coarse.at(0, cj, ck);
    if (!maps[0].coarsened) {
      for (std::size_t i = 0; i < n; ++i) t[i] += weight * r[i];
      return;
    }
    if (maps[0].periodic) {
      for (std::size_t i = 0; i < n; ++i) {
        T sum = r[2 * i];
        const int left = 2 * static_cast<int>(i) - 1;
        if (left > 0)
          sum += T(0.5) * r[left];
        else if (fine.n[0] % 2 == 0)
          sum += T(0.5) * r[last];
        if (2 * static_cast<int>(i) + 1 <= last) sum += T(0.5) * r[2 * i + 1];
        t[i] += weight * sum;
      }
      return;
    }
    if (last % 2 == 0) {
      kernels::restrict_row(n, r, weight, t);  // ghosts of r are zero
      return;
    }
    kernels::restrict_row(n - 2, r, weight, t);
    t[n - 2] += weight * (r[last - 1] + (last >= 3 ? T(0.5) * r[last - 2] : T(0)));
    t[n - 1] += weight * r[last];
  });
}

template <class T>
void prolong_add(const Shape& fine, const Shape& coarse, const std::array<AxisMap, 3>& maps,
                 const T* from, T* to) {
  std::vector<T> line(index(coarse.n[0]) + 1);
  const auto n = index(coarse.n[0]);
  for (int k = 0; k < fine.n[2]; ++k) {
    const auto z = maps[2].sources(k);
    for (int j = 0; j < fine.n[1]; ++j) {
      const auto y = maps[1].sources(j);
      std::fill(line.begin(), line.end(), T(0));
      for (int kz = 0; kz < 2; ++kz)
        for (int jy = 0; jy < 2; ++jy) {
          const T weight = z.weight[kz] * y.weight[jy];
          if (weight == 0) continue;
          const T* t = from + coarse.at(0, y.node[jy], z.node[kz]);
          for (std::size_t i = 0; i < n; ++i) line[i] += weight * t[i];
        }
      T* u = to + fine.at(0, j, k);
      if (!maps[0].coarsened) {
        for (std::size_t i = 0; i < n; ++i) u[i] += line[i];
        continue;
      }
      const int last = fine.n[0] - 1;
      line[n] = line[0];  // periodic neighbour
      if (maps[0].periodic || last % 2 == 0) {
        kernels::prolong_row(index(fine.n[0]), line.data(), u);
      } else {
        kernels::prolong_row(index(last), line.data(), u);
        u[last] += line[n - 1];
      }
    }
  }
}

template void restrict_to<float>(const Shape&, const Shape&, const std::array<AxisMap, 3>&,
                                 const float*, float*);
template void restrict_to<double>(const Shape&, const Shape&, const std::array<AxisMap, 3>&,
                                  const double*, double*);
template void prolong_add<float>(const Shape&, const Shape&, const std::array<AxisMap, 3>&,
                                 const float*, float*);
template void prolong_add<double>(const Shape&, const Shape&, const std::array<AxisMap, 3>&,
                                  const double*, double*);

namespace {

bool dropped(const AxisMap& m, int i) {
  return m.coarsened && i % 2 != 0 && (m.periodic || i != m.fine - 1);
}

// Visits every fine node that is between kept ones along exactly `between` axes, with its faces
// along those axes: visit(node, faces) where faces holds up to 6 (neighbour, coefficient) pairs.
struct FaceList {
  std::array<std::size_t, 6> node{};
  std::array<double, 6> a{};
  int count = 0;
  double sum = 0;
};
template <class Visit>
void visit_between(const Level<double>& fine, const std::array<AxisMap, 3>& maps, int between,
                   const Visit& visit) {
  const Shape& s = fine.shape;
  const std::array<std::size_t, 3> step{1, s.row_stride(), s.plane_stride()};
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::array<int, 3> at{i, j, k};
        int odd = 0;
        for (std::size_t a = 0; a < 3; ++a) odd += dropped(maps[a], at[a]) ? 1 : 0;
        if (odd != between) continue;
        const std::size_t p = s.at(i, j, k);
        FaceList faces;
        for (std::size_t a = 0; a < 3; ++a) {
          if (!dropped(maps[a], at[a])) continue;
          for (const int direction : {-1, 1}) {
            std::array<int, 3> q = at;
            q[a] += direction;
            if (maps[a].periodic) q[a] = (q[a] + maps[a].fine) % maps[a].fine;
            const double value = fine.face[a][direction < 0 ? p - step[a] : p];
            faces.node[index(faces.count)] = s.at(q[0], q[1], q[2]);
            faces.a[index(faces.count++)] = value;
            faces.sum += value;
          }
        }
        if (faces.sum > 0) visit(p, faces);
      }
}

template <class Visit>
void visit_kept(const Shape& fine, const Shape& coarse, const std::array<AxisMap, 3>& maps,
                const Visit& visit) {
  for (int k = 0; k < coarse.n[2]; ++k)
    for (int j = 0; j < coarse.n[1]; ++j)
      for (int i = 0; i < coarse.n[0]; ++i)
        visit(fine.at(maps[0].kept(i), maps[1].kept(j), maps[2].kept(k)), coarse.at(i, j, k));
}

}  // namespace

void restrict_weighted(const Level<double>& fine, const Shape& coarse,
                       const std::array<AxisMap, 3>& maps, const double* from, double* to,
                       AlignedVector<double>& scratch) {
  scratch.assign(from, from + fine.shape.size());
  for (const int between : {3, 2, 1})
    visit_between(fine, maps, between, [&](std::size_t p, const FaceList& faces) {
      const double share = scratch[p] / faces.sum;
      for (int i = 0; i < faces.count; ++i)
        scratch[faces.node[index(i)]] += faces.a[index(i)] * share;
    });
  std::fill_n(to, coarse.size(), 0.0);
  visit_kept(fine.shape, coarse, maps, [&](std::size_t f, std::size_t c) { to[c] = scratch[f]; });
}

void prolong_weighted(const Level<double>& fine, const Shape& coarse,
                      const std::array<AxisMap, 3>& maps, const double* from, double* to,
                      AlignedVector<double>& scratch) {
  scratch.assign(fine.shape.size(), 0.0);
  visit_kept(fine.shape, coarse, maps, [&](std::size_t f, std::size_t c) { scratch[f] = from[c]; });
  for (const int between : {1, 2, 3})
    visit_between(fine, maps, between, [&](std::size_t p, const FaceList& faces) {
      double sum = 0;
      for (int i = 0; i < faces.count; ++i)
        sum += faces.a[index(i)] * scratch[faces.node[index(i)]];
      scratch[p] = sum / faces.sum;
    });
  for (int k = 0; k < fine.shape.n[2]; ++k)
    for (int j = 0; j < fine.shape.n[1]; ++j)
      for (int i = 0; i < fine.shape.n[0]; ++i) {
        const std::size_t p = fine.shape.at(i, j, k);
        to[p] += scratch[p];
      }
}

}  // namespace neurolens::pde
