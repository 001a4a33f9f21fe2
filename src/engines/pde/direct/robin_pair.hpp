/// \file
/// Robin conditions on both axes of a 2-D box, at any number of points.
///
/// With u given on the faces of one axis (x), the rest is a problem with Dirichlet faces there,
/// whose transforms are fast. What u is on those faces follows from their own equations: in
/// eigenvectors of the other axis (y, robin_modes.hpp) these are 2 x 2 per mode, for a mode's line
/// along x with constant coefficients has closed ends. One solve with zero faces, the faces'
/// equations, one solve with the values found: twice the cost of a Dirichlet problem, and products
/// with an n x n matrix for four vectors. The discrete system is that of box.hpp, solved exactly.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "direct/direct_solver.hpp"

namespace neurolens::pde {

class RobinPair {
 public:
  /// Whether this solver is the one for a box: 2-D, Robin ends on both axes, ratios >= 0, c <= 0,
  /// not singular, and the first axis too long for an explicit basis to be cheaper.
  [[nodiscard]] static bool takes(const Box& box);
  /// Requires takes(make_box(grid, boundary, c, order, user_axis)).
  [[nodiscard]] static Result<std::unique_ptr<RobinPair>> make(const Grid& grid,
                                                               const Boundary& boundary, double c,
                                                               int order,
                                                               const std::array<int, 3>& user_axis);

  /// Solves for all points of u. `data` is prepared for the box itself, f is what it was prepared
  /// with, `boundary` and t too.
  Status solve(const BoxData& data, const Grid& grid, const Boundary& boundary, const double* f,
               double t, double* u, Workers& workers) const;

  [[nodiscard]] std::size_t plan_bytes() const;
  [[nodiscard]] std::string description() const;
  [[nodiscard]] PhaseCost cost() const;

 private:
  RobinPair() = default;
  Status plan_modes();
  [[nodiscard]] bool open(std::size_t side) const {
    return box_.axis[0].end[side].kind != ConditionKind::dirichlet;
  }
  [[nodiscard]] Boundary held(const Boundary& boundary) const;
  void to_modes(std::array<std::vector<double>, 4>& v) const;
  void from_modes(std::array<std::vector<double>, 2>& v) const;

  Box box_;
  std::unique_ptr<DirectSolver> inner_;
  std::vector<double> vectors_;                 ///< Orthonormal modes of y, a row each.
  std::vector<double> root_;                    ///< Square roots of the weights of y.
  std::vector<double> coupling_;                ///< Of neighbours along x, per mode.
  std::array<std::vector<double>, 3> inverse_;  ///< Of the faces' equations: low, cross, high.
};

}  // namespace neurolens::pde
