/// \file
/// The discrete system of div(a grad u) + c u = f: a network of conductances between the grid's
/// points, and what boundaries add to its right-hand side. Finite volumes: every equation is
/// multiplied by minus its cell's share of a full cell (1, or a half per boundary axis).
#pragma once

#include <array>
#include <vector>

#include "multigrid/level.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/engines/pde/data.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// Geometry and boundary kinds of one system. A copy of the far points of periodic axes is no
/// unknown of its own.
struct EllipticSystem {
  Grid grid;
  Boundary kinds;
  Shape shape;
  std::array<double, 3> spacing{};
  bool nullspace = false;  ///< Constants solve the homogeneous problem.
  double contrast = 1;     ///< Largest over smallest a.
  /// a on Neumann and Robin faces, in the order of face_region(); empty for others.
  std::array<std::array<std::vector<double>, 2>, 3> face_a;

  /// Share of a full cell.
  [[nodiscard]] double volume(int i, int j, int k) const;
  [[nodiscard]] bool dirichlet(int axis, int side) const {
    return kinds.face[static_cast<std::size_t>(axis)][static_cast<std::size_t>(side)].kind ==
           ConditionKind::dirichlet;
  }
};

/// What face data do: Dirichlet values, and numbers added to the right-hand side.
struct FaceAction {
  bool fixed = false;  ///< `value` is u itself; otherwise it is added to the right-hand side.
  Region region;
  std::vector<double> value;  ///< In the order of `region`.
};

/// The system and its network. Errors: out_of_range where a <= 0, c > 0 or a Robin ratio is
/// negative.
[[nodiscard]] Status make_system(const Grid& grid, const Boundary& kinds, const ScalarData& a,
                                 const ScalarData& c, EllipticSystem& system, Network& network);

/// The actions of all faces at time t; later ones win at shared points. Errors: those of
/// ScalarData::fill.
[[nodiscard]] Status face_actions(const EllipticSystem& system, const Boundary& boundary, double t,
                                  std::vector<FaceAction>& actions);

/// Whether data of a singular problem balance. Errors: refused when they do not.
[[nodiscard]] Status check_balance(double sum, double magnitude, double& defect);

}  // namespace neurolens::pde
