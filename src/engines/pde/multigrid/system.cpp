#include "multigrid/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {
namespace {

// Products of two coefficients and squares of spacings must stay numbers.
constexpr double kLeastCoefficient = 1e-140;
constexpr double kMostCoefficient = 1e140;

Status check_coefficients(const Field& a, const Field& c) {
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (!(a.values[i] > 0))
      return Error{
          Errc::out_of_range,
          fmt::format("The coefficient is {:.6g}; it must be positive everywhere.", a.values[i]),
          "coefficient"};
    if (a.values[i] < kLeastCoefficient || a.values[i] > kMostCoefficient)
      return Error{Errc::out_of_range,
                   fmt::format("The coefficient is {:.6g}; arithmetic holds for {:.0g} to {:.0g}. "
                               "Multiply the equation by a number.",
                               a.values[i], kLeastCoefficient, kMostCoefficient),
                   "coefficient"};
    if (c.values[i] > 0)
      return Error{Errc::out_of_range,
                   fmt::format("The reaction coefficient c is {:.6g}; multigrid needs c <= 0. With "
                               "a constant a and c "
                               "the direct method solves c > 0.",
                               c.values[i]),
                   "reaction"};
  }
  return {};
}

Status check_ends(EllipticSystem& system) {
  for (int axis = 0; axis < system.grid.dimensions; ++axis)
    for (const auto& end : system.kinds.face[index(axis)]) {
      if (end.kind == ConditionKind::dirichlet ||
          (end.kind == ConditionKind::robin && end.alpha != 0))
        system.nullspace = false;
      if (end.kind == ConditionKind::robin && end.alpha / end.beta < 0)
        return Error{Errc::out_of_range,
                     "A Robin condition with alpha / beta < 0 may have no solution; multigrid "
                     "needs alpha / beta >= 0.",
                     ""};
    }
  return {};
}

// Faces, reaction and Robin terms of one point.
void connect(const EllipticSystem& system, const Field& a, const Field& c, std::array<int, 3> p,
             Network& network) {
  const Grid& grid = system.grid;
  const Shape& s = system.shape;
  const std::size_t here = s.at(p[0], p[1], p[2]);
  const double w = system.volume(p[0], p[1], p[2]);
  const double left = a.at(p[0], p[1], p[2]);
  network.extra[here] = -w * c.at(p[0], p[1], p[2]);
  for (int axis = 0; axis < grid.dimensions; ++axis) {
    const double h = system.spacing[index(axis)];
    const bool low = p[index(axis)] == 0;
    const bool high = p[index(axis)] == grid.intervals(axis);
    const bool inside = s.periodic[index(axis)] || (!low && !high);
    const double area = inside ? w : 2 * w;  // the axis' own half is not part of a face's area
    if (!s.periodic[index(axis)] && (low || high)) {
      const FaceCondition& end = system.kinds.face[index(axis)][high ? 1 : 0];
      if (end.kind == ConditionKind::dirichlet) network.fixed[here] = 1;
      if (end.kind == ConditionKind::robin)
        network.extra[here] += left * end.alpha / end.beta * area / h;
    }
    if (!s.periodic[index(axis)] && high) continue;
    std::array<int, 3> q = p;
    ++q[index(axis)];
    const double right = a.at(q[0], q[1], q[2]);
    network.face[index(axis)][here] = 2 * left * right / (left + right) * area / (h * h);
  }
}

template <class Visit>
void visit(const Region& region, const Visit& body) {
  std::size_t at = 0;
  for (int k = region.first[2]; k <= region.last[2]; ++k)
    for (int j = region.first[1]; j <= region.last[1]; ++j)
      for (int i = region.first[0]; i <= region.last[0]; ++i, ++at) body(at, i, j, k);
}

}  // namespace

double EllipticSystem::volume(int i, int j, int k) const {
  const std::array<int, 3> p{i, j, k};
  double w = 1;
  for (int a = 0; a < grid.dimensions; ++a)
    if (!shape.periodic[index(a)] && (p[index(a)] == 0 || p[index(a)] == grid.intervals(a)))
      w *= 0.5;
  return w;
}

Status make_system(const Grid& grid, const Boundary& kinds, const ScalarData& a_data,
                   const ScalarData& c_data, EllipticSystem& system, Network& network) {
  Field a(grid);
  Field c(grid);
  if (Status s = a_data.fill(grid, whole(grid), 0, a.values.data()); !s.ok())
    return s.error().at("coefficient");
  if (Status s = c_data.fill(grid, whole(grid), 0, c.values.data()); !s.ok())
    return s.error().at("reaction");
  NEUROLENS_TRY(check_coefficients(a, c));
  system.grid = grid;
  system.kinds = kinds;
  system.nullspace = std::all_of(c.values.begin(), c.values.end(), [](double v) { return v == 0; });
  NEUROLENS_TRY(check_ends(system));
  const auto [low, high] = std::minmax_element(a.values.begin(), a.values.end());
  system.contrast = *high / *low;
  Shape& s = system.shape;
  s.dimensions = grid.dimensions;
  for (int axis = 0; axis < grid.dimensions; ++axis) {
    const auto& ends = kinds.face[index(axis)];
    s.periodic[index(axis)] = ends[0].kind == ConditionKind::periodic;
    s.n[index(axis)] = s.periodic[index(axis)] ? grid.intervals(axis) : grid.points[index(axis)];
    system.spacing[index(axis)] = grid.spacing(axis);
    for (std::size_t side = 0; side < 2; ++side) {
      if (ends[side].kind != ConditionKind::neumann && ends[side].kind != ConditionKind::robin)
        continue;
      const Region region = face_region(grid, axis, side == 1);
      auto& values = system.face_a[index(axis)][side];
      values.resize(region.size());
      visit(region, [&](std::size_t at, int i, int j, int k) { values[at] = a.at(i, j, k); });
    }
  }
  network.shape = s;
  for (int axis = 0; axis < grid.dimensions; ++axis)
    network.face[index(axis)].assign(s.size(), 0.0);
  network.extra.assign(s.size(), 0.0);
  network.fixed.assign(s.size(), 0);
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) connect(system, a, c, {i, j, k}, network);
  for (int axis = 0; axis < grid.dimensions; ++axis)
    refresh_ghosts(s, network.face[index(axis)].data());
  return {};
}

Status face_actions(const EllipticSystem& system, const Boundary& boundary, double t,
                    std::vector<FaceAction>& actions) {
  const Grid& grid = system.grid;
  for (int axis = grid.dimensions; axis-- > 0;)
    for (int side = 0; side < 2; ++side) {
      const FaceCondition& face = boundary.face[index(axis)][index(side)];
      if (face.kind == ConditionKind::periodic) continue;
      FaceAction action;
      action.fixed = face.kind == ConditionKind::dirichlet;
      action.region = face_region(grid, axis, side == 1);
      action.value.resize(action.region.size());
      if (Status filled = face.value.fill(grid, action.region, t, action.value.data());
          !filled.ok())
        return filled.error().at(face_name(axis, side == 1));
      if (!action.fixed) {
        const auto& a = system.face_a[index(axis)][index(side)];
        visit(action.region, [&](std::size_t at, int i, int j, int k) {
          if (face.kind == ConditionKind::robin) action.value[at] /= face.beta;
          action.value[at] *= a[at] * 2 * system.volume(i, j, k) / grid.spacing(axis);
        });
      }
      actions.push_back(std::move(action));
    }
  return {};
}

Status check_balance(double sum, double magnitude, double& defect) {
  defect = magnitude > 0 ? std::fabs(sum) / magnitude : 0;
  if (defect <= kMaxCompatibilityDefect) return {};
  return Error{
      Errc::refused,
      fmt::format(
          "No solution exists: with these boundary conditions the source and the boundary fluxes "
          "must balance, but a share of {:.2g} is left over. Subtract the mean from the source, "
          "or fix u on one face.",
          defect),
      ""};
}

}  // namespace neurolens::pde
