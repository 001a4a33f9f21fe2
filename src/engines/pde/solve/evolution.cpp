// Equations in time given as text.
#include <fmt/format.h>

#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

Result<TimeMethod> time_method(const std::string& name) {
  std::vector<std::string> known{"auto"};
  if (name == "auto") return TimeMethod::automatic;
  for (const TimeMethod m : {TimeMethod::exact, TimeMethod::tr_bdf2, TimeMethod::sdirk,
                             TimeMethod::rk4, TimeMethod::rk3, TimeMethod::leapfrog}) {
    if (name == to_string(m)) return m;
    known.emplace_back(to_string(m));
  }
  return Error{Errc::bad_request,
               fmt::format("Unknown method \"{}\".{}", printable(name), did_you_mean(name, known)),
               "--method"};
}

}  // namespace

Result<SolveAnswer> run_evolution(const SolveRequest& r, Equation equation,
                                  const Context& context) {
  EvolutionProblem p;
  p.equation = equation;
  NEUROLENS_ASSIGN(p.grid, parse_grid(r.points, r.domain));
  NEUROLENS_ASSIGN(p.boundary, boundary_of(r, p.grid.dimensions));
  NEUROLENS_ASSIGN(p.source, parse_data(r.source, 0, "--source"));
  NEUROLENS_ASSIGN(p.initial, parse_data(r.initial, 0, "--initial"));
  NEUROLENS_ASSIGN(p.initial_velocity, parse_data(r.initial_velocity, 0, "--initial-velocity"));
  NEUROLENS_ASSIGN(p.diffusivity, parse_data(r.coefficient, 1, "--coefficient"));
  p.wave_speed = r.wave_speed;
  if (!r.velocity.empty()) {
    const auto pieces = split(r.velocity, ',');
    if (static_cast<int>(pieces.size()) > p.grid.dimensions)
      return Error{Errc::bad_request,
                   fmt::format("A velocity here has at most {} components, one per axis; {} were "
                               "given.",
                               p.grid.dimensions, pieces.size()),
                   "--velocity"};
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      NEUROLENS_ASSIGN(p.velocity[i], parse_number(pieces[i], "--velocity"));
      if (!std::isfinite(p.velocity[i]))
        return Error{Errc::bad_request, "The velocity must be finite numbers.", "--velocity"};
    }
  }
  EvolutionOptions o;
  NEUROLENS_ASSIGN(o.method, time_method(r.method));
  NEUROLENS_ASSIGN(o.output_times, parse_times(r.times));
  o.step = r.step;
  if (r.tolerance > 0) o.tolerance = r.tolerance;
  o.estimate_error = r.estimate_error;
  NEUROLENS_ASSIGN(EvolutionResult result, evolve(p, o, context));
  ScalarData exact;
  if (!r.exact.empty()) {
    NEUROLENS_ASSIGN(exact, parse_data(r.exact, 0, "--exact"));
    NEUROLENS_ASSIGN(result.report.error_max, error_against(result, exact));
  }
  const bool stepped = result.steps > 0;
  SolveAnswer answer;
  json::Writer w({2});
  w.begin_object().member("equation", r.equation).member("grid", p.grid.text());
  write_report(w, result.report);
  answer.stopped = result.stopped;
  w.member("residual_relative", result.residual_relative)
      .member("error_max", result.report.error_max)
      .member("error_estimate", result.report.error_estimate)
      .member("steps", static_cast<std::int64_t>(result.steps))
      .member("rejected", static_cast<std::int64_t>(result.rejected));
  w.member("smallest_step", stepped ? std::optional(result.smallest_step) : std::nullopt)
      .member("largest_step", stepped ? std::optional(result.largest_step) : std::nullopt);
  if (equation == Equation::wave && result.report.method == "exact")
    w.member("energy_start", result.energy_start).member("energy_end", result.energy_end);
  w.key("times").numbers(result.times);
  answer.text = fmt::format(
      "{} on {} points to t = {:.4g}: {} ({})\n{}{}{}\nwhy: {}\n", r.equation, p.grid.text(),
      result.times.back(), result.report.method, result.report.details,
      duration(result.report.time),
      result.residual_relative ? fmt::format(", residual {:.2e}", *result.residual_relative) : "",
      error_text(result.report.error_max, result.report.error_estimate), result.report.why);
  if (result.stopped)
    answer.text += fmt::format("stopped at t = {:.6g}, after {} of {} output times\n",
                               result.reached, result.times.size(), o.output_times.size());
  if (r.convergence > 0 && !result.stopped) {
    NEUROLENS_ASSIGN(const auto rows, convergence_table(p, exact, r.convergence, o, context));
    add_convergence(r, rows, w, answer);
  }
  w.member("stopped", answer.stopped).end_object();
  answer.json = std::move(w).take();
  add_pictures(r, result.states.back(),
               fmt::format("{} t = {:.4g}", r.equation, result.times.back()), context.observer,
               answer);
  answer.times = std::move(result.times);
  answer.states = std::move(result.states);
  return answer;
}

}  // namespace neurolens::pde
