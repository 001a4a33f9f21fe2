#include "neurolens/engines/pde/evolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "direct/box.hpp"
#include "direct/direct_solver.hpp"
#include "evolve/spatial.hpp"
#include "neurolens/base/clock.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

// One run; methods advance u from one time to the next output time.
class Evolution {
 public:
  Evolution(const EvolutionProblem& problem, const EvolutionOptions& options,
            const Context& context)
      : problem_(problem), options_(options), context_(context) {}

  Result<EvolutionResult> run() {
    NEUROLENS_TRY(check_request());
    NEUROLENS_TRY(space_.prepare(problem_));
    u_ = Field(problem_.grid);
    if (Status s = problem_.initial.fill(problem_.grid, whole(problem_.grid), options_.start,
                                         u_.values.data());
        !s.ok())
      return s.error().at("initial");
    NEUROLENS_TRY(choose());
    if (method_ != TimeMethod::exact) NEUROLENS_TRY(space_.impose(u_, options_.start));
    result_.smallest_step = 1e300;
    switch (method_) {
      case TimeMethod::exact:
        NEUROLENS_TRY(run_exact());
        break;
      case TimeMethod::leapfrog:
        NEUROLENS_TRY(run_leapfrog());
        break;
      default:
        NEUROLENS_TRY(run_steps());
        break;
    }
    if (result_.smallest_step > result_.largest_step) result_.smallest_step = result_.largest_step;
    result_.report.method = to_string(method_);
    result_.report.unknowns = problem_.grid.size();
    return std::move(result_);
  }

 private:
  Status check_request() {
    NEUROLENS_TRY(check(problem_.grid));
    NEUROLENS_TRY(check(problem_.grid, problem_.boundary));
    double previous = options_.start;
    if (options_.output_times.empty())
      return Error{Errc::bad_request, "At least one output time is needed.", ""};
    for (const double t : options_.output_times) {
      if (!(t > previous) || !std::isfinite(t))
        return Error{Errc::bad_request,
                     fmt::format("Output times must increase from the start; {} does not.", t), ""};
      previous = t;
    }
    if (!(options_.step >= 0) || !(options_.tolerance > 1e-12 && options_.tolerance < 0.1))
      return Error{Errc::out_of_range, "The step must be >= 0 and the tolerance in (1e-12, 0.1).",
                   ""};
    return {};
  }

  Status choose() {
    const Equation e = problem_.equation;
    const bool constant = !space_.variable();
    const bool still = !space_.data_depend_on_time();
    method_ = options_.method;
    const bool can_be_exact = (e == Equation::heat || e == Equation::wave) && constant && still;
    if (method_ == TimeMethod::automatic) {
      if (can_be_exact && DirectSolver::make_spectral(box()).ok()) {
        method_ = TimeMethod::exact;
        result_.report.why =
            "coefficients are constant and data do not change in time: every mode has a closed "
            "form";
      } else if (e == Equation::wave) {
        method_ = TimeMethod::leapfrog;
        result_.report.why = "data change in time; leapfrog keeps the energy of waves";
      } else if (e == Equation::heat) {
        method_ = TimeMethod::tr_bdf2;
        result_.report.why =
            "data or coefficients vary; diffusion is stiff, TR-BDF2 damps it and controls its step";
      } else {
        method_ = TimeMethod::sdirk;
        result_.report.why =
            "diffusion is stiff and taken implicitly, transport is not and taken explicitly";
      }
    } else {
      result_.report.why = "asked for";
    }
    const bool fits = method_ == TimeMethod::exact      ? can_be_exact
                      : e == Equation::wave             ? method_ == TimeMethod::leapfrog
                      : method_ == TimeMethod::leapfrog ? false
                      : method_ == TimeMethod::tr_bdf2  ? e == Equation::heat
                                                        : true;
    if (!fits)
      return Error{
          Errc::bad_request,
          fmt::format("The method {} does not fit the {} equation{}. Use automatic.",
                      to_string(method_), to_string(e),
                      method_ == TimeMethod::exact ? " with data or coefficients that vary" : ""),
          ""};
    return {};
  }

  [[nodiscard]] Box box() const {
    return make_box(problem_.grid, problem_.boundary, 0, 2, {0, 1, 2});
  }
  void keep(double t) {
    result_.times.push_back(t);
    result_.states.push_back(u_);
  }

  template <class Apply>
  void each_mode(const Box& b, const Apply& apply) const {
    for (int k = 0; k < b.axis[2].count; ++k)
      for (int j = 0; j < b.axis[1].count; ++j)
        for (int i = 0; i < b.axis[0].count; ++i)
          apply(i, j, k, b.offset(b.axis[0].first + i, b.axis[1].first + j, b.axis[2].first + k));
  }

  Status run_exact() {
    const Box b = box();
    NEUROLENS_ASSIGN(const auto solver, DirectSolver::make_spectral(b));
    const bool wave = problem_.equation == Equation::wave;
    const double k = space_.constant_diffusivity();
    Workers& pool = context_.pool();
    // u' = k (A u + boundary) + s: BoxData::row of f = -s/k is -s/k - boundary.
    Field f(problem_.grid);
    if (Status s = problem_.source.fill(problem_.grid, whole(problem_.grid), options_.start,
                                        f.values.data());
        !s.ok())
      return s.error().at("source");
    for (double& v : f.values) v /= -k;
    BoxData data;
    NEUROLENS_TRY(
        data.prepare(b, problem_.grid, problem_.boundary, f.values.data(), options_.start));
    Field forcing(problem_.grid);
    std::vector<double> scratch(4 * (b.row_stride() + 16));
    for (int z = 0; z < b.axis[2].count; ++z)
      for (int y = 0; y < b.axis[1].count; ++y) {
        const double* row = data.row(b.axis[1].first + y, b.axis[2].first + z, scratch.data());
        double* to = forcing.values.data() +
                     b.offset(b.axis[0].first, b.axis[1].first + y, b.axis[2].first + z);
        for (int x = 0; x < b.axis[0].count; ++x) to[x] = -k * row[x];
      }
    Field speed(problem_.grid);
    if (wave)
      if (Status s = problem_.initial_velocity.fill(problem_.grid, whole(problem_.grid),
                                                    options_.start, speed.values.data());
          !s.ok())
        return s.error().at("initial velocity");
    Field start = u_;
    solver->expand(start.values.data(), pool);
    solver->expand(forcing.values.data(), pool);
    if (wave) solver->expand(speed.values.data(), pool);
    double energy0 = 0;
    double energy1 = 0;
    for (const double time : options_.output_times) {
      const double t = time - options_.start;
      energy0 = energy1 = 0;
      each_mode(b, [&](int i, int j, int m, std::size_t at) {
        const double lambda = -k * std::min(0.0, solver->eigenvalue(i, j, m));  // >= 0
        const double g = forcing.values[at];
        const double u0 = start.values[at];
        double& u = u_.values[at];
        if (!wave) {
          const double decay = std::exp(-lambda * t);
          u = decay * u0 + g * (lambda * t > 1e-12 ? -std::expm1(-lambda * t) / lambda : t);
          return;
        }
        const double w = std::sqrt(lambda);
        const double v0 = speed.values[at];
        double v = 0;
        if (w * t > 1e-9) {
          const double rest = g / lambda;
          u = rest + (u0 - rest) * std::cos(w * t) + v0 / w * std::sin(w * t);
          v = -(u0 - rest) * w * std::sin(w * t) + v0 * std::cos(w * t);
        } else {
          u = u0 + v0 * t + g * t * t / 2;
          v = v0 + g * t;
        }
        energy0 += v0 * v0 + lambda * u0 * u0 - 2 * g * u0;
        energy1 += v * v + lambda * u * u - 2 * g * u;
      });
      solver->collapse(u_.values.data(), pool);
      data.finish(u_.values.data());
      keep(time);
    }
    result_.energy_start = energy0 / 2;
    result_.energy_end = energy1 / 2;
    result_.steps = options_.output_times.size();
    result_.report.details = "modes by " + solver->description();
    return {};
  }

  // Solves u - g (diffusion of u at time t) = r for u, diffusion without the source.
  Status implicit(double g, const Field& r, double t, Field& u) {
    Field f(problem_.grid);
    for (std::size_t i = 0; i < f.values.size(); ++i) f.values[i] = -r.values[i] / g;
    if (space_.variable()) {
      auto& plan = multigrid_[g];
      if (plan == nullptr) {
        MultigridOptions o;
        o.tolerance = std::min(1e-9, options_.tolerance * 1e-3);
        o.cycle = Cycle::v;
        NEUROLENS_ASSIGN(plan, MultigridPlan::make(problem_.grid, problem_.boundary,
                                                   problem_.diffusivity, -1 / g, o));
      }
      Report report;
      return plan->solve(f, problem_.boundary, t, u, context_, report);
    }
    const double k = space_.constant_diffusivity();
    for (double& v : f.values) v /= k;
    auto& plan = direct_[g];
    if (plan == nullptr) {
      NEUROLENS_ASSIGN(plan, PoissonPlan::make(problem_.grid, problem_.boundary, -1 / (g * k)));
    }
    return plan->solve(f, problem_.boundary, t, u, context_);
  }
  // r + g s(t), then implicit: the source belongs to the implicit part.
  Status implicit_with_source(double g, Field r, double t, Field& u) {
    Field s(problem_.grid);
    NEUROLENS_TRY(problem_.source.fill(problem_.grid, whole(problem_.grid), t, s.values.data()));
    for (std::size_t i = 0; i < r.values.size(); ++i) r.values[i] += g * s.values[i];
    return implicit(g, r, t, u);
  }

  [[nodiscard]] static double largest(const Field& u) {
    double m = 0;
    for (const double v : u.values) m = std::max(m, std::fabs(v));
    return m;
  }

  // The largest stable step of the explicit parts.
  [[nodiscard]] double stable_step() const {
    const double transport = space_.transport_rate(u_);
    const double diffusion = space_.diffusion_rate();
    if (method_ == TimeMethod::rk4) return 1 / std::max(diffusion / 2.78, transport / 2.78);
    if (method_ == TimeMethod::rk3) return 1 / std::max(diffusion / 2.51, transport / 1.73);
    // Diffusion is implicit; the pair's explicit part meets transport on the imaginary axis.
    return transport > 0 ? 1 / transport : 1e300;
  }

  Status run_steps() {
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
      while (t < target) {
        if (result_.steps + result_.rejected >= options_.max_steps)
          return Error{Errc::check_failed,
                       fmt::format("{} steps were not enough; t = {:.6g} was reached.",
                                   options_.max_steps, t),
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
      keep(target);
    }
    result_.report.details = fmt::format("{} steps, {} rejected", result_.steps, result_.rejected);
    return {};
  }

  Status advance(double t, double dt, double& error) {
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
  Status tr_bdf2(double t, double dt, double& error) {
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
      r.values[i] = 2 * k * dt *
                    (f0.values[i] / gamma - f1.values[i] / (gamma * (1 - gamma)) +
                     f2.values[i] / (1 - gamma));
    error = 0;
    for (std::size_t i = 0; i < n; ++i) error = std::max(error, std::fabs(r.values[i]));
    error /= options_.tolerance * std::max(largest(next), 1e-10);
    u_ = std::move(next);
    return {};
  }

  // Ascher, Ruuth, Spiteri 1997, the (2,2,2) pair.
  Status sdirk(double t, double dt) {
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

  Status rate(const Field& u, double t, Field& out) const {
    NEUROLENS_TRY(space_.diffusion(u, t, out));
    space_.add_transport(u, out);
    return {};
  }

  Status rk4(double t, double dt) {
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
  Status rk3(double t, double dt) {
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

  Status run_leapfrog() {
    const double limit = 2 / std::sqrt(space_.diffusion_rate());
    if (options_.step > limit * (1 + 1e-12))
      return Error{
          Errc::refused,
          fmt::format(
              "A step of {:.4g} is unstable for leapfrog here; the largest stable step is {:.4g}.",
              options_.step, limit),
          ""};
    const double want = options_.step > 0 ? options_.step : 0.7 * limit;
    const std::size_t n = u_.values.size();
    Field v(problem_.grid);
    if (Status s = problem_.initial_velocity.fill(problem_.grid, whole(problem_.grid),
                                                  options_.start, v.values.data());
        !s.ok())
      return s.error().at("initial velocity");
    Field a(problem_.grid);
    double t = options_.start;
    NEUROLENS_TRY(space_.diffusion(u_, t, a));
    for (const double target : options_.output_times) {
      const auto count = static_cast<std::uint64_t>(std::ceil((target - t) / want * (1 - 1e-12)));
      if (result_.steps + count > options_.max_steps)
        return Error{Errc::check_failed,
                     fmt::format("{} steps are not enough.", options_.max_steps), ""};
      const double dt = (target - t) / static_cast<double>(count);
      const double from = t;
      for (std::uint64_t step = 0; step < count; ++step) {  // velocity form of the leapfrog
        const double next = step + 1 == count ? target : from + dt * static_cast<double>(step + 1);
        for (std::size_t i = 0; i < n; ++i) {
          v.values[i] += dt / 2 * a.values[i];
          u_.values[i] += dt * v.values[i];
        }
        t = next;
        NEUROLENS_TRY(space_.impose(u_, t));
        NEUROLENS_TRY(space_.diffusion(u_, t, a));
        for (std::size_t i = 0; i < n; ++i) v.values[i] += dt / 2 * a.values[i];
      }
      result_.steps += count;
      result_.smallest_step = std::min(result_.smallest_step, dt);
      result_.largest_step = std::max(result_.largest_step, dt);
      if (!std::isfinite(largest(u_)))
        return Error{Errc::check_failed, "The solution overflowed.", ""};
      keep(target);
    }
    result_.report.details =
        fmt::format("{} steps of at most {:.4g}", result_.steps, result_.largest_step);
    return {};
  }

  const EvolutionProblem& problem_;
  const EvolutionOptions& options_;
  Context context_;
  SpatialOperator space_;
  TimeMethod method_ = TimeMethod::automatic;
  Field u_;
  EvolutionResult result_;
  std::map<double, std::shared_ptr<const PoissonPlan>> direct_;
  std::map<double, std::shared_ptr<const MultigridPlan>> multigrid_;
};

}  // namespace

std::string_view to_string(Equation e) {
  switch (e) {
    case Equation::heat:
      return "heat";
    case Equation::wave:
      return "wave";
    case Equation::burgers:
      return "burgers";
    default:
      return "advection-diffusion";
  }
}

std::string_view to_string(TimeMethod m) {
  switch (m) {
    case TimeMethod::exact:
      return "exact";
    case TimeMethod::tr_bdf2:
      return "tr-bdf2";
    case TimeMethod::sdirk:
      return "sdirk";
    case TimeMethod::rk4:
      return "rk4";
    case TimeMethod::rk3:
      return "rk3";
    case TimeMethod::leapfrog:
      return "leapfrog";
    default:
      return "automatic";
  }
}

Result<EvolutionResult> evolve(const EvolutionProblem& problem, const EvolutionOptions& options,
                               const Context& context) {
  const Nanoseconds begin = system_clock().now();
  try {
    const Phase phase(context.observer, "step");
    auto result = Evolution(problem, options, context).run();
    if (result.ok()) result->report.time = system_clock().now() - begin;
    return result;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the states ran out.", ""};
  }
}

}  // namespace neurolens::pde
