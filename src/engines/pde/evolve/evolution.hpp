/// \file
/// One run of an equation in time: what all methods share. Each method advances u from one output
/// time to the next.
#pragma once

#include <map>

#include "direct/box.hpp"
#include "evolve/spatial.hpp"
#include "neurolens/engines/pde/evolve.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

class Evolution {
 public:
  Evolution(const EvolutionProblem& problem, const EvolutionOptions& options,
            const Context& context)
      : problem_(problem), options_(options), context_(context) {}

  Result<EvolutionResult> run();

 private:
  Status check_request();
  Status choose();

  // exact.cpp
  Status run_exact();
  Status check_exact(const Box& b, double k, const Field& rate);
  Status take_forcing(const Box& b, double k, const Field& f, BoxData& data, Field& forcing);

  // steps.cpp: fixed and controlled steps, and the methods that take one.
  Status run_steps();
  Status advance(double t, double dt, double& error);
  Status tr_bdf2(double t, double dt, double& error);
  Status sdirk(double t, double dt);
  Status rk4(double t, double dt);
  Status rk3(double t, double dt);
  Status rate(const Field& u, double t, Field& out) const;
  Status implicit(double g, const Field& r, double t, Field& u);
  Status implicit_with_source(double g, Field r, double t, Field& u);
  [[nodiscard]] double stable_step() const;

  // leapfrog.cpp
  Status run_leapfrog();

  [[nodiscard]] Box box() const {
    return make_box(problem_.grid, problem_.boundary, 0, 2, {0, 1, 2});
  }
  /// Announces a phase of `flops` and `numbers` (read or written) per grid point.
  [[nodiscard]] Phase phase(std::string_view name, int flops = 0, int numbers = 0) const;
  void keep(double t);
  /// True once the caller asked to stop; `t` is what was reached.
  bool stopped(double t);
  [[nodiscard]] static double largest(const Field& u);
  /// Fields of the grid that the method holds at once, states left out.
  [[nodiscard]] int working_fields() const;

  const EvolutionProblem& problem_;
  const EvolutionOptions& options_;
  Context context_;
  SpatialOperator space_;
  TimeMethod method_ = TimeMethod::automatic;
  Field u_;
  EvolutionResult result_;
  bool last_step_ = false;  ///< The step being taken reaches the last output time.
  std::map<double, std::shared_ptr<const PoissonPlan>> direct_;
  std::map<double, std::shared_ptr<const MultigridPlan>> multigrid_;
};

}  // namespace neurolens::pde
