/// \file
/// One run of an equation in time: what all methods share. Each method advances u from one output
/// time to the next.
#pragma once

#include <array>
#include <initializer_list>
#include <map>

#include "direct/box.hpp"
#include "evolve/spatial.hpp"
#include "neurolens/engines/pde/evolve.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

/// A linear combination of up to five fields, which must outlive it.
class Sum {
 public:
  struct Part {
    double factor;
    const Field& field;
  };
  Sum(std::initializer_list<Part> parts) {
    for (const Part& part : parts) add(part.factor, part.field.values.data());
  }
  void add(double factor, const double* values) { terms_[count_++] = {factor, values}; }
  void scale(double by) {
    for (kernels::Term& term : terms_) term.factor *= by;
  }
  /// The same of the fields' parts from a point on.
  [[nodiscard]] Sum from(std::size_t point) const {
    Sum out = *this;
    for (std::size_t i = 0; i < count_; ++i) out.terms_[i].values += point;
    return out;
  }
  [[nodiscard]] const kernels::Term* terms() const { return terms_.data(); }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::array<kernels::Term, 5> terms_{};
  std::size_t count_ = 0;
};

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

  // steps.cpp: fixed and controlled steps.
  Status run_steps();
  // methods.cpp: one step of each method, from u_ to next_.
  Status advance(double t, double dt, double& error);
  Status tr_bdf2(double t, double dt, double& error);
  Status sdirk(double t, double dt);
  Status rk4(double t, double dt);
  Status rk3(double t, double dt);
  Status rate(const Field& u, double t, Field& out) const;
  [[nodiscard]] double stable_step() const;
  /// u - g (diffusion of u + source) = `r` at time t. `u` holds a guess where multigrid solves.
  Status implicit(double g, Sum r, double t, Field& u);
  Status solve_stage(double g, const Field& f, double t, Field& u);
  /// out = sum, by all workers; max |out|.
  double combine(Field& out, const Sum& sum) const;
  /// A field of the grid that lives as long as the run, content left over.
  Field& scratch(std::size_t which);

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
  /// Of all that the run holds.
  [[nodiscard]] Bytes memory() const;

  const EvolutionProblem& problem_;
  const EvolutionOptions& options_;
  Context context_;
  SpatialOperator space_;
  TimeMethod method_ = TimeMethod::automatic;
  Field u_, next_;
  std::array<Field, 8> scratch_;
  bool slope_known_ = false;  ///< tr_bdf2: scratch(0) holds the right-hand side of u_.
  EvolutionResult result_;
  bool last_step_ = false;  ///< The step being taken reaches the last output time.
  std::map<double, std::shared_ptr<const PoissonPlan>> direct_;
  std::map<double, std::shared_ptr<const MultigridPlan>> multigrid_;
};

}  // namespace neurolens::pde
