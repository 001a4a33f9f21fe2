// Waves by the leapfrog in its velocity form.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "evolve/evolution.hpp"
#include "kernels/pointwise.hpp"

namespace neurolens::pde {

Status Evolution::run_leapfrog() {
  const double limit = 2 / std::sqrt(space_.diffusion_rate());
  if (options_.step > limit * (1 + 1e-12))
    return Error{
        Errc::refused,
        fmt::format(
            "A step of {:.4g} is unstable for leapfrog here; the largest stable step is {:.4g}.",
            options_.step, limit),
        ""};
  const double want = options_.step > 0 ? options_.step : 0.7 * limit;
  Field v(problem_.grid);
  if (Status s = problem_.initial_velocity.fill(problem_.grid, whole(problem_.grid), options_.start,
                                                v.values.data());
      !s.ok())
    return s.error().at("initial velocity");
  Field a(problem_.grid);
  double t = options_.start;
  NEUROLENS_TRY(space_.diffusion(u_, t, a));
  for (const double target : options_.output_times) {
    if (target == t) {  // the start
      keep(target);
      continue;
    }
    const double needed = std::ceil((target - t) / want * (1 - 1e-12));
    if (!(static_cast<double>(result_.steps) + needed <= static_cast<double>(options_.max_steps)))
      return Error{Errc::check_failed,
                   fmt::format("The time {:.6g} needs {:.2g} steps of {:.2g}; at most {:.2g} are "
                               "taken. Use a coarser grid or an earlier end.",
                               target, needed, want, static_cast<double>(options_.max_steps)),
                   ""};
    const auto count = static_cast<std::uint64_t>(needed);
    const double dt = (target - t) / static_cast<double>(count);
    const double from = t;
    std::uint64_t step = 0;
    for (; step < count && !stopped(t); ++step) {
      const double next = step + 1 == count ? target : from + dt * static_cast<double>(step + 1);
      {
        const Phase p = phase("stage", 4, 6);
        combine(v, {{1, v}, {dt / 2, a}});
        combine(u_, {{1, u_}, {dt, v}});
      }
      t = next;
      NEUROLENS_TRY(space_.impose(u_, t));
      NEUROLENS_TRY(space_.diffusion(u_, t, a));
      const Phase p = phase("stage", 2, 3);
      combine(v, {{1, v}, {dt / 2, a}});
    }
    result_.steps += step;
    result_.smallest_step = std::min(result_.smallest_step, dt);
    result_.largest_step = std::max(result_.largest_step, dt);
    if (!kernels::all_finite(u_.values.size(), u_.values.data()))
      return Error{Errc::check_failed, "The solution overflowed. Scale the data down.", ""};
    if (result_.stopped) break;
    keep(target);
  }
  result_.report.memory += v.bytes() + a.bytes();
  result_.report.details =
      fmt::format("{} steps of at most {:.4g}", result_.steps, result_.largest_step);
  return {};
}

}  // namespace neurolens::pde
