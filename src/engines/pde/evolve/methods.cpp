// One step of each Runge-Kutta method, implicit and explicit, from u_ to next_.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "evolve/evolution.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kChunk = 16'384;  // points that a worker takes at a time

}  // namespace

Field& Evolution::scratch(std::size_t which) {
  if (scratch_[which].values.empty()) scratch_[which] = Field(problem_.grid);
  return scratch_[which];
}

double Evolution::combine(Field& out, const Sum& sum) const {
  const std::size_t n = out.values.size();
  const std::size_t chunks = (n + kChunk - 1) / kChunk;
  std::vector<double> most(chunks);
  const auto take = [&](std::size_t c) {
    const Sum part = sum.from(c * kChunk);
    most[c] = kernels::combine(std::min(kChunk, n - c * kChunk), part.terms(), part.count(),
                               out.values.data() + c * kChunk);
  };
  if (chunks < 2 || context_.pool().count() == 1) {
    for (std::size_t c = 0; c < chunks; ++c) take(c);
  } else {
    std::atomic<std::size_t> next{0};
    context_.pool().run([&](std::size_t) {
      for (std::size_t c = next++; c < chunks; c = next++) take(c);
    });
  }
  return *std::max_element(most.begin(), most.end());
}

Status Evolution::solve_stage(double g, const Field& f, double t, Field& u) {
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
  auto& plan = direct_[g];
  if (plan == nullptr) {
    const Phase p = phase("plan");
    NEUROLENS_ASSIGN(plan, PoissonPlan::make(problem_.grid, problem_.boundary,
                                             -1 / (g * space_.constant_diffusivity())));
  }
  NEUROLENS_TRY(plan->solve(f, problem_.boundary, t, u, context_));
  if (!last_step_) return {};
  const Phase p = phase("residual", 4 * problem_.grid.dimensions + 2, 2);
  NEUROLENS_ASSIGN(result_.residual_relative, plan->residual(f, problem_.boundary, t, u, context_));
  return {};
}

Status Evolution::implicit(double g, Sum r, double t, Field& u) {
  NEUROLENS_ASSIGN(const double* source, space_.source(t));
  if (source != nullptr) r.add(g, source);
  // The solvers take laplace(u) - u / (g k) = f; multigrid keeps k in its operator.
  r.scale(-1 / (space_.variable() ? g : g * space_.constant_diffusivity()));
  Field& f = scratch(7);
  combine(f, r);
  return solve_stage(g, f, t, u);
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
  Field& f0 = scratch(0);
  Field& f1 = scratch(1);
  Field& f2 = scratch(2);
  Field& middle = scratch(3);
  if (!slope_known_) NEUROLENS_TRY(space_.diffusion(u_, t, f0));
  slope_known_ = true;
  if (space_.variable()) middle.values = u_.values;
  NEUROLENS_TRY(implicit(g, {{1, u_}, {g, f0}}, t + gamma * dt, middle));
  const double w = 1 / (gamma * (2 - gamma));
  if (space_.variable()) next_.values = middle.values;
  NEUROLENS_TRY(implicit(g, {{w, middle}, {1 - w, u_}}, t + dt, next_));
  NEUROLENS_TRY(space_.diffusion(middle, t + gamma * dt, f1));
  NEUROLENS_TRY(space_.diffusion(next_, t + dt, f2));
  const double k = 2 * dt * (-3 * gamma * gamma + 4 * gamma - 2) / (12 * (2 - gamma));
  Field& spare = scratch(7);
  error =
      combine(spare, {{k / gamma, f0}, {-k / (gamma * (1 - gamma)), f1}, {k / (1 - gamma), f2}});
  error /= options_.tolerance * std::max(combine(spare, {{1, next_}}), 1e-10);
  if (error <= 1) std::swap(f0, f2);  // where the next step begins
  return {};
}

// Ascher, Ruuth, Spiteri 1997, the (2,2,2) pair.
Status Evolution::sdirk(double t, double dt) {
  const Phase p = phase("stage", 10, 9);
  const double gamma = 1 - std::sqrt(0.5);
  const double delta = 1 - 1 / (2 * gamma);
  Field& i1 = scratch(0);
  Field& u1 = scratch(1);
  Field& e0 = scratch(2);
  Field& e1 = scratch(3);
  Sum first{{1, u_}};
  Sum second{{1, u_}};
  if (space_.has_transport()) {
    std::fill(e0.values.begin(), e0.values.end(), 0.0);
    space_.add_transport(u_, e0);
    first.add(gamma * dt, e0.values.data());
    second.add(delta * dt, e0.values.data());
  }
  if (space_.variable()) u1.values = u_.values;
  NEUROLENS_TRY(implicit(gamma * dt, first, t + gamma * dt, u1));
  NEUROLENS_TRY(space_.diffusion(u1, t + gamma * dt, i1));
  second.add((1 - gamma) * dt, i1.values.data());
  if (space_.has_transport()) {
    std::fill(e1.values.begin(), e1.values.end(), 0.0);
    space_.add_transport(u1, e1);
    second.add((1 - delta) * dt, e1.values.data());
  }
  if (space_.variable()) next_.values = u1.values;
  return implicit(gamma * dt, second, t + dt, next_);
}

Status Evolution::rate(const Field& u, double t, Field& out) const {
  NEUROLENS_TRY(space_.diffusion(u, t, out));
  space_.add_transport(u, out);
  return {};
}

Status Evolution::rk4(double t, double dt) {
  const Phase p = phase("stage", 14, 21);
  Field& k = scratch(0);
  Field& stage = scratch(1);
  const double at[4] = {0, 0.5, 0.5, 1};
  const double weight[4] = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};
  for (int s = 0; s < 4; ++s) {
    NEUROLENS_TRY(rate(s == 0 ? u_ : stage, t + at[s] * dt, k));
    const Field& sum = s == 0 ? u_ : next_;
    combine(next_, {{1, sum}, {weight[s] * dt, k}});
    if (s == 3) break;
    combine(stage, {{1, u_}, {at[s + 1] * dt, k}});
    NEUROLENS_TRY(space_.impose(stage, t + at[s + 1] * dt));
  }
  return space_.impose(next_, t + dt);
}

// Shu and Osher 1988.
Status Evolution::rk3(double t, double dt) {
  const Phase p = phase("stage", 15, 12);
  Field& k = scratch(0);
  const double old_share[3] = {0, 0.75, 1.0 / 3};
  const double at[3] = {0, 1, 0.5};
  const double ends[3] = {1, 0.5, 1};
  for (int s = 0; s < 3; ++s) {
    const Field& v = s == 0 ? u_ : next_;
    NEUROLENS_TRY(rate(v, t + at[s] * dt, k));
    const double fresh = 1 - old_share[s];
    combine(next_, {{old_share[s], u_}, {fresh, v}, {fresh * dt, k}});
    NEUROLENS_TRY(space_.impose(next_, t + ends[s] * dt));
  }
  return {};
}

}  // namespace neurolens::pde
