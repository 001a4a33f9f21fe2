// Heat and wave whose coefficients are constant and whose data stand still: every eigenvector moves
// by its closed form, whatever the time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "direct/direct_solver.hpp"
#include "evolve/evolution.hpp"
#include "evolve/modes.hpp"
#include "kernels/pointwise.hpp"

namespace neurolens::pde {
namespace {

constexpr std::int64_t kFields = 6;  // at once: f, forcing, speed, start, rate, and f of the check

}  // namespace

// The part of u' that does not depend on u: the source and what the boundary adds.
Status Evolution::take_forcing(const Box& b, double k, const Field& f, BoxData& data,
                               Field& forcing) {
  const Phase p = phase("boundary", 1, 2);
  NEUROLENS_TRY(data.prepare(b, problem_.grid, problem_.boundary, f.values.data(), options_.start));
  std::vector<double> scratch(4 * (b.row_stride() + 16));
  for (int z = 0; z < b.axis[2].count; ++z)
    for (int y = 0; y < b.axis[1].count; ++y) {
      const double* row = data.row(b.axis[1].first + y, b.axis[2].first + z, scratch.data());
      double* to = forcing.values.data() +
                   b.offset(b.axis[0].first, b.axis[1].first + y, b.axis[2].first + z);
      for (int x = 0; x < b.axis[0].count; ++x) to[x] = -k * row[x];
    }
  return {};
}

// Whether laplace(u) = (rate - source) / k holds for the state and its rate (waves: acceleration).
Status Evolution::check_exact(const Box& b, double k, const Field& rate) {
  const Phase p = phase("residual", 4 * problem_.grid.dimensions + 4, 4);
  Field f(problem_.grid);
  NEUROLENS_TRY(
      problem_.source.fill(problem_.grid, whole(problem_.grid), options_.start, f.values.data()));
  for (std::size_t i = 0; i < f.values.size(); ++i)
    f.values[i] = (rate.values[i] - f.values[i]) / k;
  BoxData data;
  NEUROLENS_TRY(data.prepare(b, problem_.grid, problem_.boundary, f.values.data(), options_.start));
  const auto rows =
      static_cast<std::size_t>(b.axis[1].count) * static_cast<std::size_t>(b.axis[2].count);
  const BoxData::Norms norms = data.norms(u_.values.data(), 0, rows);
  result_.residual_relative = norms.rhs > 0 ? norms.residual / norms.rhs : norms.residual;
  return {};
}

Status Evolution::run_exact() {
  const Box b = box();
  std::unique_ptr<DirectSolver> solver;
  {
    const Phase p = phase("plan");
    NEUROLENS_ASSIGN(solver, DirectSolver::make_spectral(b));
    result_.report.memory += Bytes{static_cast<std::int64_t>(solver->plan_bytes())};
    result_.report.memory += Bytes{kFields * u_.bytes().count};
  }
  const bool wave = problem_.equation == Equation::wave;
  const double k = space_.constant_diffusivity();
  Workers& pool = context_.pool();
  // u' = k (A u + boundary) + s: BoxData::row of f = -s/k is -s/k - boundary.
  Field f(problem_.grid);
  {
    const Phase p = phase("source", problem_.source.operations() + 1, 1);
    if (Status s = problem_.source.fill(problem_.grid, whole(problem_.grid), options_.start,
                                        f.values.data());
        !s.ok())
      return s.error().at("source");
    for (double& v : f.values) v /= -k;
  }
  BoxData data;
  Modes modes(*solver, k);
  modes.forcing = Field(problem_.grid);
  NEUROLENS_TRY(take_forcing(b, k, f, data, modes.forcing));
  modes.start = u_;
  if (wave) {
    modes.speed = Field(problem_.grid);
    if (Status s = problem_.initial_velocity.fill(problem_.grid, whole(problem_.grid),
                                                  options_.start, modes.speed.values.data());
        !s.ok())
      return s.error().at("initial velocity");
  }
  {
    Phase p = phase("transform");
    std::vector<Field*> fields{&modes.start, &modes.forcing};
    if (wave) fields.push_back(&modes.speed);
    for (Field* field : fields) {
      solver->expand(field->values.data(), pool);
      p.add(solver->transform_cost());
    }
  }
  Field rate(problem_.grid);
  for (const double time : options_.output_times) {
    if (stopped(result_.times.empty() ? options_.start : result_.times.back())) break;
    const bool last = time == options_.output_times.back();
    const double t = time - options_.start;
    if (t == 0) {  // as it was given, not through the transforms and back
      keep(time);
      continue;
    }
    {
      // A call of sqrt, sin or cos counts as one operation; exponentials are of the axes' modes.
      const Phase p = phase("modes", wave ? 24 : 3, wave ? 4 : 3);
      Field* const checked = last ? &rate : nullptr;
      if (wave) {
        const ModeEnergy energy = modes.wave(t, u_, checked, pool);
        result_.energy_start = energy.start / 2;
        result_.energy_end = energy.now / 2;
      } else {
        modes.heat(t, u_, checked, pool);
      }
    }
    {
      Phase p = phase("transform");
      solver->collapse(u_.values.data(), pool);
      p.add(solver->transform_cost());
      if (last) {
        solver->collapse(rate.values.data(), pool);
        p.add(solver->transform_cost());
      }
    }
    data.finish(u_.values.data());
    if (!kernels::all_finite(u_.values.size(), u_.values.data()))
      return Error{Errc::check_failed, fmt::format("The solution overflowed at t = {:.6g}.", time),
                   ""};
    if (last) NEUROLENS_TRY(check_exact(b, k, rate));
    keep(time);
  }
  result_.report.details = "modes by " + solver->description();
  return {};
}

}  // namespace neurolens::pde
