// Step by step: implicit and explicit Runge-Kutta methods with fixed or controlled steps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/evolution.hpp"

namespace neurolens::pde {

// Solves u - g (diffusion of u at time t) = r for u, diffusion without the source.
Status Evolution::implicit(double g, const Field& r, double t, Field& u) {
  Field f(problem_.grid);
  for (std::size_t i = 0; i < f.values.size(); ++i) f.values[i] = -r.values[i] / g;
  if (space_.variable()) {
    auto& plan = multigrid_[g];
    if (plan == nullptr) {
      const Phase p = phase("plan");
      MultigridOptions o;
      o.tolerance = std::min(1e-9, options_.tolerance * 1e-3);
      o.cycle = Cycle::v;
      NEUROLENS_ASSIGN(plan, MultigridPlan::make(problem_.grid, problem_.boundary,
                                                 problem_.diffusivity, -1 / g, o));
    }
    Report report;
    NEUROLENS_TRY(plan->solve(f, problem_.boundary, t, u, context_, report));
    result_.residual_relative =
        std::max(result_.residual_relative.value_or(0), report.residual_relative);
    return {};
  }
  const double k = space_.constant_diffusivity();
  for (double& v : f.values) v /= k;
  auto& plan = direct_[g];
  if (plan == nullptr) {
    const Phase p = phase("plan");
    NEUROLENS_ASSIGN(plan, PoissonPlan::make(problem_.grid, problem_.boundary, -1 / (g * k)));
  }
  NEUROLENS_TRY(plan->solve(f, problem_.boundary, t, u, context_));
  if (!last_step_) return {};
  const Phase p = phase("residual", 4 * problem_.grid.dimensions + 2, 2);
  NEUROLENS_ASSIGN(result_.residual_relative, plan->residual(f, problem_.boundary, t, u, context_));
  return {};
}
// r + g s(t), then implicit: the source belongs to the implicit part.
Status Evolution::implicit_with_source(double g, Field r, double t, Field& u) {
  if (!problem_.source.is_zero()) {
    const Phase p = phase("source", problem_.source.operations() + 2, 3);
    Field s(problem_.grid);
    if (Status filled =
            problem_.source.fill(problem_.grid, whole(problem_.grid), t, s.values.data());
        !filled.ok())
      return filled.error().at("source");
    for (std::size_t i = 0; i < r.values.size(); ++i) r.values[i] += g * s.values[i];
  }
  return implicit(g, r, t, u);
}

// The largest stable step of the explicit parts.
double Evolution::stable_step() const {
  const double transport = space_.transport_rate(u_);
  const double diffusion = space_.diffusion_rate();
  if (method_ == TimeMethod::rk4) return 1 / std::max(diffusion / 2.78, transport / 2.78);
  if (method_ == TimeMethod::rk3) return 1 / std::max(diffusion / 2.51, transport / 1.73);
  // Diffusion is implicit; the pair's explicit part meets transport on the imaginary axis.
  return transport > 0 ? 1 / transport : 1e300;
}

Status Evolution::run_steps() {
  double t = options_.start;
  const double length = options_.output_times.back() - options_.start;
  const bool controlled = method_ == TimeMethod::tr_bdf2;
  double dt = options_.step > 0 ? options_.step
              : controlled      ? length / 256
                                : std::min(length / 256, 0.7 * stable_step());
  if (!controlled && options_.step > 0 && options_.step > stable_step() * (1 + 1e-12))
    return Error{Errc::refused,
                 fmt::format("A step of {:.4g} is unstable for {} here; the largest stable step "
                             "is {:.4g}. Use that, or an "
                             "implicit method.",
                             options_.step, to_string(method_), stable_step()),
                 ""};
  for (const double target : options_.output_times) {
    while (t < target && !stopped(t)) {
      if (result_.steps + result_.rejected >= options_.max_steps)
        return Error{
            Errc::check_failed,
            fmt::format("{} steps were not enough; t = {:.6g} was reached.", options_.max_steps, t),
            ""};
      if (!controlled && options_.step == 0 && problem_.equation == Equation::burgers)
        dt = std::min(dt, 0.7 * stable_step());
      if (!controlled && options_.step > 0 && options_.step > stable_step() * (1 + 1e-9))
        return Error{
            Errc::refused,
            fmt::format(
                "At t = {:.4g} the step {:.4g} became unstable; at most {:.4g} is stable now.", t,
                options_.step, stable_step()),
            ""};
      // Land on the target with equal steps no longer than dt.
      const double count = std::ceil((target - t) / dt * (1 - 1e-12));
      const double step = count <= 1 ? target - t : (controlled ? dt : (target - t) / count);
      last_step_ = count <= 1 && target == options_.output_times.back();
      double error = 0;
      Field before;
      if (controlled) before = u_;
      NEUROLENS_TRY(advance(t, step, error));
      if (!std::isfinite(largest(u_)))
        return Error{Errc::check_failed, fmt::format("The solution overflowed at t = {:.6g}.", t),
                     ""};
      if (controlled && error > 1) {
        u_ = before;
        ++result_.rejected;
        dt = step / 2;
        if (dt < 1e-14 * length)
          return Error{Errc::check_failed,
                       fmt::format("The tolerance cannot be met at t = {:.6g}.", t), ""};
        continue;
      }
      t = count <= 1 ? target : t + step;
      ++result_.steps;
      result_.smallest_step = std::min(result_.smallest_step, step);
      result_.largest_step = std::max(result_.largest_step, step);
      // Steps change by factors of two, so that plans are found again.
      if (controlled && error < 0.08) dt = 2 * dt;
    }
    if (result_.stopped) break;
    keep(target);
  }
  result_.report.details = fmt::format("{} steps, {} rejected", result_.steps, result_.rejected);
  return {};
}

Status Evolution::advance(double t, double dt, double& error) {
  switch (method_) {
    case TimeMethod::tr_bdf2:
      return tr_bdf2(t, dt, error);
    case TimeMethod::sdirk:
      return sdirk(t, dt);
    case TimeMethod::rk3:
      return rk3(t, dt);
    default:
      return rk4(t, dt);
  }
}

// Bank et al. 1985; error constant after Hosea and Shampine 1996.
Status Evolution::tr_bdf2(double t, double dt, double& error) {
  // Its own part: sums of fields and the estimate of the error; the rest are phases inside.
  const Phase p = phase("stage", 17, 16);
  const double gamma = 2 - std::sqrt(2.0);
  const double g = gamma / 2 * dt;
  const std::size_t n = u_.values.size();
  Field f0(problem_.grid);
  NEUROLENS_TRY(space_.diffusion(u_, t, f0));
  Field r(problem_.grid);
  for (std::size_t i = 0; i < n; ++i) r.values[i] = u_.values[i] + g * f0.values[i];
  Field middle = u_;
  NEUROLENS_TRY(implicit_with_source(g, r, t + gamma * dt, middle));
  const double w = 1 / (gamma * (2 - gamma));
  for (std::size_t i = 0; i < n; ++i) r.values[i] = w * middle.values[i] - (w - 1) * u_.values[i];
  Field next = middle;
  NEUROLENS_TRY(implicit_with_source(g, r, t + dt, next));
  Field f1(problem_.grid);
  Field f2(problem_.grid);
  NEUROLENS_TRY(space_.diffusion(middle, t + gamma * dt, f1));
  NEUROLENS_TRY(space_.diffusion(next, t + dt, f2));
  const double k = (-3 * gamma * gamma + 4 * gamma - 2) / (12 * (2 - gamma));
  for (std::size_t i = 0; i < n; ++i)
    r.values[i] =
        2 * k * dt *
        (f0.values[i] / gamma - f1.values[i] / (gamma * (1 - gamma)) + f2.values[i] / (1 - gamma));
  error = 0;
  for (std::size_t i = 0; i < n; ++i) error = std::max(error, std::fabs(r.values[i]));
  error /= options_.tolerance * std::max(largest(next), 1e-10);
  u_ = std::move(next);
  return {};
}

// Ascher, Ruuth, Spiteri 1997, the (2,2,2) pair.
Status Evolution::sdirk(double t, double dt) {
  const Phase p = phase("stage", 10, 9);
  const double gamma = 1 - std::sqrt(0.5);
  const double delta = 1 - 1 / (2 * gamma);
  const std::size_t n = u_.values.size();
  Field e0(problem_.grid);
  space_.add_transport(u_, e0);
  Field r(problem_.grid);
  for (std::size_t i = 0; i < n; ++i) r.values[i] = u_.values[i] + gamma * dt * e0.values[i];
  Field u1 = u_;
  NEUROLENS_TRY(implicit_with_source(gamma * dt, r, t + gamma * dt, u1));
  Field e1(problem_.grid);
  Field i1(problem_.grid);
  NEUROLENS_TRY(space_.diffusion(u1, t + gamma * dt, i1));
  space_.add_transport(u1, e1);
  for (std::size_t i = 0; i < n; ++i)
    r.values[i] = u_.values[i] + dt * (delta * e0.values[i] + (1 - delta) * e1.values[i] +
                                       (1 - gamma) * i1.values[i]);
  NEUROLENS_TRY(implicit_with_source(gamma * dt, r, t + dt, u1));
  u_ = std::move(u1);
  return {};
}

Status Evolution::rate(const Field& u, double t, Field& out) const {
  NEUROLENS_TRY(space_.diffusion(u, t, out));
  space_.add_transport(u, out);
  return {};
}

Status Evolution::rk4(double t, double dt) {
  const Phase p = phase("stage", 14, 21);
  const std::size_t n = u_.values.size();
  Field k(problem_.grid);
  Field sum = u_;
  Field stage = u_;
  const double at[4] = {0, 0.5, 0.5, 1};
  const double weight[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  for (int s = 0; s < 4; ++s) {
    NEUROLENS_TRY(rate(stage, t + at[s] * dt, k));
    for (std::size_t i = 0; i < n; ++i) sum.values[i] += weight[s] * dt * k.values[i];
    if (s == 3) break;
    for (std::size_t i = 0; i < n; ++i)
      stage.values[i] = u_.values[i] + at[s + 1] * dt * k.values[i];
    NEUROLENS_TRY(space_.impose(stage, t + at[s + 1] * dt));
  }
  u_ = std::move(sum);
  return space_.impose(u_, t + dt);
}

// Shu and Osher 1988.
Status Evolution::rk3(double t, double dt) {
  const Phase p = phase("stage", 15, 12);
  const std::size_t n = u_.values.size();
  Field k(problem_.grid);
  Field v = u_;
  const double old_share[3] = {0, 0.75, 1.0 / 3};
  const double at[3] = {0, 1, 0.5};
  const double ends[3] = {1, 0.5, 1};
  for (int s = 0; s < 3; ++s) {
    NEUROLENS_TRY(rate(v, t + at[s] * dt, k));
    for (std::size_t i = 0; i < n; ++i)
      v.values[i] =
          old_share[s] * u_.values[i] + (1 - old_share[s]) * (v.values[i] + dt * k.values[i]);
    NEUROLENS_TRY(space_.impose(v, t + ends[s] * dt));
  }
  u_ = std::move(v);
  return {};
}

}  // namespace neurolens::pde
