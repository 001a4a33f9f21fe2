/// \file
/// The right-hand side of an equation in time on grid points, order 2, with ghost points at Neumann
/// and Robin faces. Transport uses central differences.
#pragma once

#include <array>
#include <vector>

#include "kernels/evolve.hpp"
#include "neurolens/engines/pde/evolve.hpp"

namespace neurolens::pde {

class SpatialOperator {
 public:
  /// Errors: those of ScalarData::fill; out_of_range where the diffusivity is not positive.
  /// The observer of `context` hears of right-hand sides, transport, boundary and source; its
  /// workers share the rows.
  Status prepare(const EvolutionProblem& problem, const Context& context);

  /// Sets the points of u that are given: Dirichlet values at time t, periodic copies.
  Status impose(Field& u, double t) const;
  /// out = diffusion + source at the points that are not given, 0 elsewhere. u must be imposed at
  /// t.
  Status diffusion(const Field& u, double t, Field& out) const;
  /// out += transport terms (nothing for heat and wave).
  void add_transport(const Field& u, Field& out) const;

  [[nodiscard]] bool has_transport() const {
    return problem_->equation == Equation::advection_diffusion ||
           problem_->equation == Equation::burgers;
  }
  /// The source at time t; null where there is none. Until the next call.
  Result<const double*> source(double t) const;
  /// Of the fields kept here.
  [[nodiscard]] Bytes bytes() const;

  /// Bounds of the spectrum for stability: diffusion rate and transport rate (sum of |v| / h).
  [[nodiscard]] double diffusion_rate() const { return diffusion_rate_; }
  [[nodiscard]] double transport_rate(const Field& u) const;
  [[nodiscard]] bool variable() const { return variable_; }
  [[nodiscard]] double constant_diffusivity() const { return k_.values.front(); }
  [[nodiscard]] bool data_depend_on_time() const;

 private:
  /// What a row (j, k) of points has around it.
  struct Row {
    kernels::NeighbourRows rows;
    kernels::Conductances a;
    std::size_t begin = 0;  ///< Its first point in a field.
    int j = 0, k = 0;
  };
  /// The points of an axis that are not given: [first, last].
  struct Span {
    int first = 0, last = 0;
  };
  void join_neighbours();
  Status refresh(double t) const;
  [[nodiscard]] Row row(const Field& u, int j, int k) const;
  /// fill(row, out) for each row that holds points that are not given; `blank` says whether the
  /// other points of `out` become 0.
  template <class Fill>
  void each_row(const Field& u, bool blank, Field& out, const Fill& fill) const;
  [[nodiscard]] const FaceCondition& face(int axis, int side) const {
    return problem_->boundary.face[static_cast<std::size_t>(axis)][static_cast<std::size_t>(side)];
  }
  /// The outward derivative that the condition of a face gives at a point: x index `i` of `row`.
  [[nodiscard]] double slope(int axis, int side, const Row& row, int i) const;
  [[nodiscard]] double diffusion_at_end(const Row& row, int side) const;
  [[nodiscard]] double transport_at_end(const Row& row, int side, const double* velocity) const;
  void add_fluxes(const Row& row, double* out) const;
  void add_face_transport(const Row& row, double* out) const;
  [[nodiscard]] PhaseCost per_point(int flops, int numbers) const;

  const EvolutionProblem* problem_ = nullptr;
  Context context_;
  Field k_;
  bool variable_ = false;
  double diffusion_rate_ = 0;
  std::array<Span, 3> span_;
  std::array<Field, 3> joined_;  ///< Varying k: at a point, what joins it to the next, over h^2.
  // Face values and source at the time of the last refresh.
  mutable double time_ = 0;
  mutable bool fresh_ = false;
  mutable std::array<std::array<std::vector<double>, 2>, 3> face_;
  mutable Field source_;
};

}  // namespace neurolens::pde
