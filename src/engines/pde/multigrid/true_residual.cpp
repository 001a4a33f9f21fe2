#include "multigrid/true_residual.hpp"

#include <algorithm>
#include <cmath>

#include "index.hpp"

namespace neurolens::pde {
namespace {

/// Numbers at points, or one for all of them.
struct Values {
  double same = 0;
  Field field;

  Status fill(const ScalarData& data, const Grid& grid) {
    if (const auto constant = data.constant()) {
      same = *constant;
      return {};
    }
    NEUROLENS_ASSIGN(field, make_field(grid));
    return data.fill(grid, whole(grid), 0, field.values.data());
  }
  [[nodiscard]] double at(const std::array<int, 3>& p) const {
    return field.values.empty() ? same : field.at(p[0], p[1], p[2]);
  }
};

class TrueResidual {
 public:
  TrueResidual(const EllipticSystem& system, Field& b, Field& u) : system_(system), b_(b), u_(u) {}
  Values a, c;

  void make_right_side(const std::vector<FaceAction>& actions) {
    const auto& points = system_.grid.points;
    for (int k = 0; k < points[2]; ++k)
      for (int j = 0; j < points[1]; ++j)
        for (int i = 0; i < points[0]; ++i) b_.at(i, j, k) *= -system_.volume(i, j, k);
    for (const FaceAction& action : actions) {
      std::size_t at = 0;
      for (int k = action.region.first[2]; k <= action.region.last[2]; ++k)
        for (int j = action.region.first[1]; j <= action.region.last[1]; ++j)
          for (int i = action.region.first[0]; i <= action.region.last[0]; ++i, ++at) {
            if (action.fixed)
              u_.at(i, j, k) = action.value[at];
            else
              b_.at(i, j, k) += action.value[at];
          }
    }
    if (!system_.nullspace) return;
    double sum = 0;
    double weight = 0;
    each([&](const std::array<int, 3>& p) {
      sum += b_.at(p[0], p[1], p[2]);
      weight += system_.volume(p[0], p[1], p[2]);
    });
    each([&](const std::array<int, 3>& p) {
      b_.at(p[0], p[1], p[2]) -= sum / weight * system_.volume(p[0], p[1], p[2]);
    });
  }

  [[nodiscard]] double relative() {
    const auto& n = system_.shape.n;
    rest_.resize(index(system_.grid.points[0]));
    double residual = 0;
    double scale = 0;
    for (int k = 0; k < n[2]; ++k)
      for (int j = 0; j < n[1]; ++j) {
        const bool plain = inside(1, j) && inside(2, k) && n[0] > 4;
        const int from = plain ? 2 : n[0];
        const int to = plain ? n[0] - 2 : n[0];
        for (int i = 0; i < n[0]; ++i) {
          if (i == from) i = to;
          if (i < n[0]) any_point({i, j, k}, residual, scale);
        }
        if (!plain) continue;
        inside_row(j, k, from, to);
        residual = largest(rest_.data(), from, to, residual);
        scale = largest(&b_.at(0, j, k), from, to, scale);
      }
    return scale > 0 ? residual / scale : residual;
  }

 private:
  /// The larger of `most` and all |values[i]|; what is not a number stays.
  [[nodiscard]] static double largest(const double* values, int from, int to, double most) {
    for (int i = from; i < to; ++i) {
      const double size = std::fabs(values[i]);
      most = size <= most ? most : size;
    }
    return most;
  }
  void any_point(const std::array<int, 3>& p, double& residual, double& scale) const {
    if (fixed(p)) return;
    double moved = b_.at(p[0], p[1], p[2]);
    double rest = moved + system_.volume(p[0], p[1], p[2]) * c.at(p) * here(p);
    for (int axis = 0; axis < system_.grid.dimensions; ++axis) add_axis(p, axis, rest, moved);
    residual = largest(&rest, 0, 1, residual);
    scale = largest(&moved, 0, 1, scale);
  }
  /// Whether neither a point nor its neighbours along the axis lie at an end.
  [[nodiscard]] bool inside(int axis, int m) const {
    return axis >= system_.grid.dimensions || (m > 1 && m + 2 < system_.shape.n[index(axis)]);
  }
  /// b - A u at points [from, to) of a row whose neighbours are no ends, into rest_: loops that
  /// compilers turn into vectors.
  void inside_row(int j, int k, int from, int to) {
    const double* u = &u_.at(0, j, k);
    const double* b = &b_.at(0, j, k);
    double* rest = rest_.data();
    if (c.field.values.empty()) {
      for (int i = from; i < to; ++i) rest[i] = b[i] + c.same * u[i];
    } else {
      const double* c_row = &c.field.values[row_at(j, k)];
      for (int i = from; i < to; ++i) rest[i] = b[i] + c_row[i] * u[i];
    }
    const std::array<std::ptrdiff_t, 3> step{
        1, system_.grid.points[0], std::ptrdiff_t{system_.grid.points[0]} * system_.grid.points[1]};
    for (int axis = 0; axis < system_.grid.dimensions; ++axis) {
      const double h = system_.spacing[index(axis)];
      const double weight = 1 / (h * h);
      const std::ptrdiff_t s = step[index(axis)];
      if (a.field.values.empty()) {
        const double face = a.same * weight;
        for (int i = from; i < to; ++i) rest[i] -= face * (2 * u[i] - u[i - s] - u[i + s]);
        continue;
      }
      const double* a_row = &a.field.values[row_at(j, k)];
      for (int i = from; i < to; ++i) {
        const double low = 2 * a_row[i - s] * a_row[i] / (a_row[i - s] + a_row[i]);
        const double high = 2 * a_row[i] * a_row[i + s] / (a_row[i] + a_row[i + s]);
        rest[i] -= weight * (low * (u[i] - u[i - s]) + high * (u[i] - u[i + s]));
      }
    }
  }
  [[nodiscard]] std::size_t row_at(int j, int k) const {
    return index(system_.grid.points[0]) * (index(j) + index(system_.grid.points[1]) * index(k));
  }
  /// The far copies of periodic axes left out.
  template <class Visit>
  void each(const Visit& visit) const {
    const auto& n = system_.shape.n;
    for (int k = 0; k < n[2]; ++k)
      for (int j = 0; j < n[1]; ++j)
        for (int i = 0; i < n[0]; ++i) visit({i, j, k});
  }
  [[nodiscard]] double here(const std::array<int, 3>& p) const { return u_.at(p[0], p[1], p[2]); }
  [[nodiscard]] bool on_end(const std::array<int, 3>& p, int axis, int side) const {
    return !system_.shape.periodic[index(axis)] &&
           p[index(axis)] == (side == 0 ? 0 : system_.grid.intervals(axis));
  }
  [[nodiscard]] bool fixed(const std::array<int, 3>& p) const {
    for (int axis = 0; axis < system_.grid.dimensions; ++axis)
      for (int side = 0; side < 2; ++side)
        if (on_end(p, axis, side) && system_.dirichlet(axis, side)) return true;
    return false;
  }
  /// Takes what the faces along one axis do to node p from `rest`; Dirichlet parts go to `moved`.
  void add_axis(const std::array<int, 3>& p, int axis, double& rest, double& moved) const {
    const double h = system_.spacing[index(axis)];
    const double w = system_.volume(p[0], p[1], p[2]);
    const double area = on_end(p, axis, 0) || on_end(p, axis, 1) ? 2 * w : w;
    for (int side = 0; side < 2; ++side) {
      if (on_end(p, axis, side)) {
        const FaceCondition& end = system_.kinds.face[index(axis)][index(side)];
        if (end.kind == ConditionKind::robin)
          rest -= a.at(p) * end.alpha / end.beta * area / h * here(p);
        continue;
      }
      // The face lies between two points of the grid, the far copy of a periodic axis counted as
      // one: a may differ there from what it is at the first point.
      const int n = system_.shape.n[index(axis)];
      const bool periodic = system_.shape.periodic[index(axis)];
      std::array<int, 3> low = p;
      if (side == 0) low[index(axis)] += periodic && p[index(axis)] == 0 ? n - 1 : -1;
      std::array<int, 3> high = low;
      ++high[index(axis)];
      const double left = a.at(low);
      const double right = a.at(high);
      const double face = 2 * left * right / (left + right) * area / (h * h);
      std::array<int, 3> q = side == 0 ? low : high;
      if (periodic) q[index(axis)] %= n;
      rest -= face * (here(p) - here(q));
      if (fixed(q)) moved += face * here(q);
    }
  }

  const EllipticSystem& system_;
  Field& b_;
  Field& u_;
  std::vector<double> rest_;  ///< Of a row.
};

}  // namespace

Result<double> true_residual(const EllipticSystem& system, const ScalarData& a, const ScalarData& c,
                             const std::vector<FaceAction>& actions, Field& b, Field& u) {
  TrueResidual work(system, b, u);
  NEUROLENS_TRY(work.a.fill(a, system.grid));
  NEUROLENS_TRY(work.c.fill(c, system.grid));
  work.make_right_side(actions);
  return work.relative();
}

}  // namespace neurolens::pde
