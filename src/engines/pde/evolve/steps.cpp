// Time in fixed or controlled steps.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/evolution.hpp"
#include "kernels/pointwise.hpp"

namespace neurolens::pde {

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
  // What a constant step cannot reach is refused before hours are spent on it; steps of Burgers'
  // equation grow while its waves decay.
  const double needed = controlled ? 0 : length / dt;
  const double slack = problem_.equation == Equation::burgers && options_.step == 0 ? 1e3 : 1;
  if (needed > slack * static_cast<double>(options_.max_steps))
    return Error{
        Errc::check_failed,
        fmt::format("The end needs about {:.2g} steps of {:.2g}; at most {:.2g} are taken. "
                    "Use a coarser grid, an implicit method or an earlier end.",
                    needed, dt, static_cast<double>(options_.max_steps)),
        ""};
  next_ = Field(problem_.grid);
  for (const double target : options_.output_times) {
    while (t < target && !stopped(t)) {
      if (result_.steps + result_.rejected >= options_.max_steps)
        return Error{
            Errc::check_failed,
            fmt::format(
                "{} steps were not enough; t = {:.6g} was reached. Raise the tolerance, use "
                "a coarser grid or an earlier end.",
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
      last_step_ = count <= 1 && target == options_.output_times.back();
      double error = 0;
      NEUROLENS_TRY(advance(t, step, error));
      if (!kernels::all_finite(next_.values.size(), next_.values.data()))
        return Error{Errc::check_failed,
                     fmt::format("The solution overflowed at t = {:.6g}. Scale the data down, or "
                                 "end before it grows so large.",
                                 t),
                     ""};
      if (controlled && error > 1) {
        ++result_.rejected;
        dt = step / 2;
        if (dt < 1e-14 * length)
          return Error{Errc::check_failed,
                       fmt::format("The tolerance cannot be met at t = {:.6g}: the step shrank to "
                                   "nothing. Raise it, or look for a jump or a pole of the data "
                                   "there.",
                                   t),
                       ""};
        continue;
      }
      std::swap(u_, next_);
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

}  // namespace neurolens::pde
