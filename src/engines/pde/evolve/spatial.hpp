/// \file
/// The right-hand side of an equation in time on grid points, order 2, with ghost points at Neumann
/// and Robin faces. Transport uses central differences.
#pragma once

#include "neurolens/engines/pde/evolve.hpp"

namespace neurolens::pde {

class SpatialOperator {
 public:
  /// Errors: those of ScalarData::fill; out_of_range where the diffusivity is not positive.
  /// `observer` may be null; it hears of right-hand sides, transport, boundary and source.
  Status prepare(const EvolutionProblem& problem, PhaseObserver* observer);

  /// Sets the points of u that are given: Dirichlet values at time t, periodic copies.
  Status impose(Field& u, double t) const;
  /// out = diffusion + source at the points that are not given, 0 elsewhere. u must be imposed at
  /// t.
  Status diffusion(const Field& u, double t, Field& out) const;
  /// out += transport terms (nothing for heat and wave).
  void add_transport(const Field& u, Field& out) const;

  /// Bounds of the spectrum for stability: diffusion rate and transport rate (sum of |v| / h).
  [[nodiscard]] double diffusion_rate() const { return diffusion_rate_; }
  [[nodiscard]] double transport_rate(const Field& u) const;
  [[nodiscard]] bool variable() const { return variable_; }
  [[nodiscard]] double constant_diffusivity() const { return k_.values.front(); }
  [[nodiscard]] bool data_depend_on_time() const;

 private:
  template <class Visit>
  void visit(const Visit& visit) const;
  Status refresh(double t) const;
  [[nodiscard]] PhaseCost per_point(int flops, int numbers) const;
  const EvolutionProblem* problem_ = nullptr;
  PhaseObserver* observer_ = nullptr;
  Field k_;
  bool variable_ = false;
  double diffusion_rate_ = 0;
  // Face values and source at the time of the last refresh.
  mutable double time_ = 0;
  mutable bool fresh_ = false;
  mutable std::array<std::array<std::vector<double>, 2>, 3> face_;
  mutable Field source_;
};

}  // namespace neurolens::pde
