#include "direct/box.hpp"

#include <algorithm>
#include <cmath>

#include "direct/one_sided.hpp"
#include "index.hpp"

namespace neurolens::pde {
namespace {

bool fixed(const BoxEnd& end) {
  return end.kind == ConditionKind::dirichlet;
}
bool ghosted(const BoxEnd& end) {
  return end.kind == ConditionKind::neumann || end.kind == ConditionKind::robin;
}

AxisKind kind_of(const BoxEnd& low, const BoxEnd& high) {
  if (low.kind == ConditionKind::periodic) return AxisKind::periodic;
  if (fixed(low)) return fixed(high) ? AxisKind::dirichlet_dirichlet : AxisKind::dirichlet_neumann;
  return fixed(high) ? AxisKind::neumann_dirichlet : AxisKind::neumann_neumann;
}

}  // namespace

std::size_t Box::unknowns() const {
  std::size_t n = 1;
  for (const BoxAxis& a : axis) n *= index(a.count);
  return n;
}

bool Box::has_nullspace() const {
  if (c != 0) return false;
  for (int a = 0; a < dimensions; ++a)
    for (const BoxEnd& end : axis[index(a)].end)
      if (fixed(end) || (end.kind == ConditionKind::robin && end.ratio != 0)) return false;
  return true;
}

Box make_box(const Grid& grid, const Boundary& boundary, double c, int order,
             const std::array<int, 3>& user_axis) {
  Box box;
  box.dimensions = grid.dimensions;
  box.order = order;
  box.c = c;
  box.user_axis = user_axis;
  for (std::size_t a = 0; a < index(grid.dimensions); ++a) {
    BoxAxis& axis = box.axis[a];
    const auto user = index(user_axis[a]);
    for (std::size_t side = 0; side < 2; ++side) {
      const FaceCondition& condition = boundary.face[user][side];
      axis.end[side].kind = condition.kind;
      if (condition.kind == ConditionKind::robin)
        axis.end[side].ratio = condition.alpha / condition.beta;
    }
    axis.kind = kind_of(axis.end[0], axis.end[1]);
    axis.intervals = grid.intervals(user_axis[a]);
    axis.h = grid.spacing(user_axis[a]);
    for (BoxEnd& end : axis.end)
      if (ghosted(end)) end.weight = order == 4 ? (1 + axis.h * end.ratio / 3) / 2 : 0.5;
    axis.first = fixed(axis.end[0]) ? 1 : 0;
    axis.count = unknowns_of(axis.kind, axis.intervals);
  }
  for (std::size_t a = index(grid.dimensions); a < 3; ++a) {
    box.axis[a].intervals = 0;
    box.axis[a].count = 1;
  }
  return box;
}

template <class T>
int BasicBoxData<T>::tangent(int a, int which) const {
  const int first = a == 0 ? 1 : 0;
  const int second = a == 2 ? 1 : 2;
  return which == 0 ? first : second;
}

// Position in a face's arrays of the point (i, j, k): its two tangential indices, lower axis
// fastest.
template <class T>
std::size_t BasicBoxData<T>::face_offset(int a, int i, int j, int k) const {
  const std::array<int, 3> p{i, j, k};
  const int t0 = tangent(a, 0);
  const int t1 = tangent(a, 1);
  return index(p[index(t0)]) + index(box_.points(t0)) * index(p[index(t1)]);
}

template <class T>
Status BasicBoxData<T>::prepare(const Box& box, const Grid& grid, const Boundary& boundary,
                                const T* f, double t) {
  box_ = box;
  f_ = f;
  shift_ = 0;
  left_out_ = 0;
  for (int a = 0; a < box.dimensions; ++a)
    for (int side = 0; side < 2; ++side) {
      Face& face = faces_[index(a)][index(side)];
      face = Face{};
      const int user = box.user_axis[index(a)];
      const FaceCondition& condition = boundary.face[index(user)][index(side)];
      if (condition.kind == ConditionKind::periodic) continue;
      const Region region = face_region(grid, user, side == 1);
      face.value.resize(region.size());
      if (Status filled = condition.value.fill(grid, region, t, face.value.data()); !filled.ok())
        return filled.error().at(face_name(user, side == 1));
      face.known = true;
      if (condition.kind == ConditionKind::robin)
        for (double& v : face.value) v /= condition.beta;
      // The face's points come in the grid's order; swap when the solver's tangential axes are
      // reversed.
      const int t0 = tangent(a, 0);
      const int t1 = tangent(a, 1);
      if (box.dimensions == 3 && box.user_axis[index(t0)] > box.user_axis[index(t1)]) {
        const std::size_t n0 = index(box.points(t0));
        const std::size_t n1 = index(box.points(t1));
        std::vector<double> swapped(face.value.size());
        for (std::size_t p = 0; p < n0; ++p)
          for (std::size_t q = 0; q < n1; ++q) swapped[p + n0 * q] = face.value[q + n1 * p];
        face.value = std::move(swapped);
      }
    }
  for (int a = 0; a < box.dimensions; ++a)
    for (int side = 0; side < 2; ++side)
      if (face(a, side).known && ghosted(box.axis[index(a)].end[index(side)])) make_ghosts(a, side);
  for (int a = 0; a < box.dimensions; ++a)
    for (int side = 0; side < 2; ++side)
      if (face(a, side).known) make_correction(a, side);
  return {};
}

// Turns the boundary value g into G.
template <class T>
void BasicBoxData<T>::make_ghosts(int a, int side) {
  Face& face = faces_[index(a)][index(side)];
  const BoxAxis& axis = box_.axis[index(a)];
  const double h = axis.h;
  const BoxEnd& end = axis.end[index(side)];
  const std::vector<double> g = face.value;
  const int t0 = tangent(a, 0);
  const int t1 = tangent(a, 1);
  const std::size_t n0 = index(box_.points(t0));
  const std::size_t n1 = index(box_.points(t1));
  if (box_.order == 2) {
    for (double& v : face.value) v *= 2 * h;
    return;
  }
  // Second difference along a tangential axis, one-sided at its ends, wrapping when periodic.
  const auto curvature = [&](int t, std::size_t at, std::size_t base, std::size_t step) {
    const int n = box_.axis[index(t)].intervals;
    const auto v = [&](int m) { return g[base + index(m) * step]; };
    const int m = static_cast<int>(at);
    const double h2 = box_.axis[index(t)].h * box_.axis[index(t)].h;
    if (box_.axis[index(t)].kind == AxisKind::periodic)
      return (v(m == 0 ? n - 1 : m - 1) - 2 * v(m) + v(m == n ? 1 : m + 1)) / h2;
    if (m == 0) return curvature_at_end(n, v) / h2;
    if (m == n) return curvature_at_end(n, [&](int depth) { return v(n - depth); }) / h2;
    return (v(m - 1) - 2 * v(m) + v(m + 1)) / h2;
  };
  for (std::size_t j = 0; j < n1; ++j)
    for (std::size_t i = 0; i < n0; ++i) {
      const std::size_t here = i + n0 * j;
      double bend = 0;
      if (n0 > 1) bend += curvature(t0, i, n0 * j, 1);
      if (n1 > 1) bend += curvature(t1, j, i, n0);
      std::array<int, 3> p{};
      p[index(t0)] = static_cast<int>(i);
      p[index(t1)] = static_cast<int>(j);
      const auto source = [&](int depth) {
        p[index(a)] = side == 0 ? depth : axis.intervals - depth;
        return static_cast<double>(f_[box_.offset(p[0], p[1], p[2])]);
      };
      const double slope = slope_at_end(axis.intervals, source) / h;
      const double third = slope + end.ratio * source(0) - box_.c * g[here] - bend;
      face.value[here] = (h * g[here] + h * h * h / 6 * third) / end.weight;
    }
}

// Second difference along t of the known values of face (a, side) at tangential index `at`, with
// the rules at its ends that count every known point of the stencil once.
template <class T>
double BasicBoxData<T>::second_difference(int a, int side, int t, int at, std::size_t base,
                                          std::size_t step) const {
  const Face& face = this->face(a, side);
  const BoxAxis& along = box_.axis[index(t)];
  const bool is_value = fixed(box_.axis[index(a)].end[index(side)]);
  const int n = along.intervals;
  const auto v = [&](int m) { return face.value[base + index(m) * step]; };
  const auto neighbour = [&](int direction) {
    const int m = at + direction;
    if (along.kind == AxisKind::periodic) return v(m < 0 ? n - 1 : (m > n ? 1 : m));
    const int end_side = direction < 0 ? 0 : 1;
    const BoxEnd& end = along.end[index(end_side)];
    const int end_index = end_side == 0 ? 0 : n;
    if (fixed(end)) return m == end_index && is_value && t < a ? 0.0 : v(m);
    if (m >= 0 && m <= n) return v(m);
    const int inside = end_index - direction;
    if (!is_value && a < t)  // the earlier axis extends its values, the later one meets the end
      return beyond_end(n, [&](int depth) { return v(end_index - depth * direction); });
    return along.end_difference(index(end_side), v(end_index), v(inside)) + 2 * v(end_index) -
           v(inside);
  };
  return neighbour(-1) - 2 * v(at) + neighbour(1);
}

template <class T>
void BasicBoxData<T>::make_correction(int a, int side) {
  Face& face = faces_[index(a)][index(side)];
  const double h2 = box_.axis[index(a)].h * box_.axis[index(a)].h;
  const int t0 = tangent(a, 0);
  const int t1 = tangent(a, 1);
  const std::size_t n0 = index(box_.points(t0));
  const std::size_t n1 = index(box_.points(t1));
  face.correction.assign(face.value.size(), 0.0);
  const double own = box_.order == 4 ? 1 / h2 + box_.c / 12 : 1 / h2;
  const auto cross = [&](int t) {
    const double ht2 = box_.axis[index(t)].h * box_.axis[index(t)].h;
    return (h2 + ht2) / (12 * h2 * ht2);
  };
  const BoxAxis& x0 = box_.axis[index(t0)];
  const BoxAxis& x1 = box_.axis[index(t1)];
  if (std::all_of(face.value.begin(), face.value.end(), [](double v) { return v == 0; })) return;
  for (int j = x1.first; j < x1.first + x1.count; ++j)
    for (int i = x0.first; i < x0.first + x0.count; ++i) {
      const std::size_t here = index(i) + n0 * index(j);
      double value = own * face.value[here];
      if (box_.order == 4) {
        if (n0 > 1) value += cross(t0) * second_difference(a, side, t0, i, n0 * index(j), 1);
        if (n1 > 1) value += cross(t1) * second_difference(a, side, t1, j, index(i), n0);
      }
      face.correction[here] = value;
      face.acts = face.acts || value != 0;
    }
}

template <class T>
void BasicBoxData<T>::finish(T* u) const {
  // Periodic copies first, then Dirichlet faces, the lower axis winning on shared edges.
  for (int a = 0; a < box_.dimensions; ++a) {
    if (box_.axis[index(a)].kind != AxisKind::periodic) continue;
    std::array<int, 3> top{box_.axis[0].intervals, box_.axis[1].intervals, box_.axis[2].intervals};
    const int last = top[index(a)];
    top[index(a)] = 0;
    for (int k = 0; k <= top[2]; ++k)
      for (int j = 0; j <= top[1]; ++j)
        for (int i = 0; i <= top[0]; ++i) {
          std::array<int, 3> p{i, j, k};
          const T value = u[box_.offset(i, j, k)];
          p[index(a)] = last;
          u[box_.offset(p[0], p[1], p[2])] = value;
        }
  }
  for (int a = box_.dimensions; a-- > 0;)
    for (int side = 0; side < 2; ++side) {
      if (!fixed(box_.axis[index(a)].end[index(side)]) || !face(a, side).known) continue;
      // The face's values lie in the order of its points: the earlier tangential axis is faster.
      const double* value = face(a, side).value.data();
      const int end = side == 0 ? 0 : box_.axis[index(a)].intervals;
      const auto planes = a == 2 ? 1 : box_.points(2);
      const auto rows = a == 1 ? 1 : box_.points(1);
      for (int k = 0; k < planes; ++k)
        for (int j = 0; j < rows; ++j) {
          T* at = u + box_.offset(a == 0 ? end : 0, a == 1 ? end : j, a == 2 ? end : k);
          const std::size_t n = a == 0 ? 1 : box_.row_stride();
          if (n == 1)
            *at = static_cast<T>(*value);
          else
            std::transform(value, value + n, at, [](double v) { return static_cast<T>(v); });
          value += n;
        }
    }
}

template class BasicBoxData<double>;
template class BasicBoxData<float>;
}  // namespace neurolens::pde
