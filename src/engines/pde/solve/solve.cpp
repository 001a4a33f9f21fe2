#include "neurolens/engines/pde/solve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/pde/field_io.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

std::string duration(Nanoseconds t) {
  const auto ns = static_cast<double>(t.count);
  if (ns < 1e4) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e7) return fmt::format("{:.1f} us", ns * 1e-3);
  if (ns < 1e10) return fmt::format("{:.1f} ms", ns * 1e-6);
  return fmt::format("{:.2f} s", ns * 1e-9);
}

void write_report(json::Writer& w, const Report& r) {
  w.member("method", r.method).member("details", r.details).member("why", r.why);
  w.member("unknowns", static_cast<std::int64_t>(r.unknowns))
      .member("iterations", static_cast<std::int64_t>(r.iterations));
  w.member("time_ns", r.time).member("plan_time_ns", r.plan_time).member("memory_bytes", r.memory);
}

Result<Boundary> boundary_of(const SolveRequest& r, int dimensions) {
  Boundary boundary = Boundary::all({ConditionKind::dirichlet, 0.0});
  for (const std::string& text : r.boundary)
    NEUROLENS_TRY(parse_boundary(text, dimensions, boundary));
  return boundary;
}

void add_pictures(const SolveRequest& r, const Field& field, std::string title,
                  SolveAnswer& answer) {
  PlotOptions options;
  options.title = std::move(title);
  if (r.want_svg) answer.svg = plot_svg(field, options);
  if (r.want_png) answer.png = plot_png(field, options);
  if (r.want_npy) answer.npy = to_npy(field);
}

Result<SolveAnswer> run_elliptic(const SolveRequest& r, const Context& context) {
  EllipticProblem p;
  NEUROLENS_ASSIGN(p.grid, parse_grid(r.points, r.domain));
  NEUROLENS_ASSIGN(p.boundary, boundary_of(r, p.grid.dimensions));
  NEUROLENS_ASSIGN(p.source, parse_data(r.source, 0, "--source"));
  NEUROLENS_ASSIGN(p.coefficient, parse_data(r.coefficient, 1, "--coefficient"));
  NEUROLENS_ASSIGN(p.reaction, parse_data(r.reaction, 0, "--reaction"));
  if (!r.exact.empty()) {
    NEUROLENS_ASSIGN(p.exact, parse_data(r.exact, 0, "--exact"));
  }
  p.order = r.order;
  EllipticOptions o;
  o.estimate_error = r.estimate_error;
  o.use_cuda = r.cuda;
  if (r.tolerance > 0) o.multigrid.tolerance = r.tolerance;
  const std::vector<std::string> known{"auto", "direct", "dst", "multigrid", "mg", "pcg"};
  if (r.method == "direct" || r.method == "dst")
    o.method = EllipticMethod::direct;
  else if (r.method == "multigrid" || r.method == "mg" || r.method == "pcg")
    o.method = EllipticMethod::multigrid;
  else if (r.method != "auto")
    return Error{
        Errc::bad_request,
        fmt::format("Unknown method \"{}\".{}", printable(r.method), did_you_mean(r.method, known)),
        "--method"};
  o.multigrid.conjugate_gradient = r.method != "mg" && r.method != "multigrid";
  o.multigrid.cycles_first = r.method != "pcg";
  NEUROLENS_ASSIGN(EllipticSolution solution, solve_elliptic(p, o, context));
  const Report& report = solution.report;
  SolveAnswer answer;
  json::Writer w({2});
  w.begin_object()
      .member("equation", r.equation)
      .member("grid", p.grid.text())
      .member("order", r.order);
  write_report(w, report);
  w.member("residual_relative", report.residual_relative)
      .member("error_max", report.error_max)
      .member("error_estimate", report.error_estimate);
  w.member("nullspace", report.nullspace)
      .member("compatibility_defect", report.compatibility_defect);
  const double per = static_cast<double>(report.time.count) /
                     static_cast<double>(std::max<std::uint64_t>(1, report.unknowns));
  answer.text = fmt::format(
      "{} on {} points, order {}: {} by {} ({})\n{} for {} unknowns, {:.1f} ns each\nresidual "
      "{:.2e}{}{}\nwhy: {}\n",
      r.equation, p.grid.text(), r.order, report.method, report.details,
      report.iterations > 0 ? fmt::format("{} iterations", report.iterations)
                            : std::string("no iterations"),
      duration(report.time), report.unknowns, per, report.residual_relative,
      report.error_max ? fmt::format(", error {:.3e}", *report.error_max) : "",
      report.error_estimate
          ? fmt::format(", estimated discretisation error {:.1e}", *report.error_estimate)
          : "",
      report.why);
  if (report.nullspace)
    answer.text += fmt::format(
        "u is determined up to a constant: its mean is 0; data were balanced by a share of "
        "{:.1e}\n",
        report.compatibility_defect);
  if (r.convergence > 0) {
    NEUROLENS_ASSIGN(const auto rows, convergence_table(p, r.convergence, o, context));
    const auto asked = static_cast<std::size_t>(r.convergence);
    answer.stopped = rows.size() < asked;
    w.member("stopped", answer.stopped);
    if (rows.size() < asked)
      answer.text += fmt::format("stopped after {} of {} grids\n", rows.size(), asked);
    w.key("convergence").begin_array();
    answer.text += fmt::format("{:>14} {:>12} {:>7} {:>12}\n", "points", "error", "order", "time");
    for (const ConvergenceRow& row : rows) {
      w.begin_object()
          .member("grid", row.grid.text())
          .member("error_max", row.error_max)
          .member("order", row.order)
          .member("time_ns", row.time)
          .end_object();
      answer.text +=
          fmt::format("{:>14} {:>12.3e} {:>7} {:>12}\n", row.grid.text(), row.error_max,
                      row.order ? fmt::format("{:.2f}", *row.order) : "-", duration(row.time));
    }
    w.end_array();
  }
  w.end_object();
  answer.json = std::move(w).take();
  add_pictures(r, solution.u, fmt::format("{} {}", r.equation, p.grid.text()), answer);
  answer.times = {0};
  answer.states.push_back(std::move(solution.u));
  return answer;
}

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
    if (pieces.size() > 3)
      return Error{Errc::bad_request, "A velocity has at most 3 components.", "--velocity"};
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      NEUROLENS_ASSIGN(p.velocity[i], parse_number(pieces[i], "--velocity"));
    }
  }
  EvolutionOptions o;
  NEUROLENS_ASSIGN(o.method, time_method(r.method));
  NEUROLENS_ASSIGN(o.output_times, parse_times(r.times));
  if (!o.output_times.empty() && o.output_times.front() == 0 && o.output_times.size() > 1)
    o.output_times.erase(o.output_times.begin());
  o.step = r.step;
  if (r.tolerance > 0) o.tolerance = r.tolerance;
  NEUROLENS_ASSIGN(EvolutionResult result, evolve(p, o, context));
  std::optional<double> error;
  if (!r.exact.empty()) {
    NEUROLENS_ASSIGN(const ScalarData exact, parse_data(r.exact, 0, "--exact"));
    error = 0;
    for (std::size_t s = 0; s < result.states.size(); ++s) {
      Field e(p.grid);
      NEUROLENS_TRY(exact.fill(p.grid, whole(p.grid), result.times[s], e.values.data()));
      for (std::size_t i = 0; i < e.values.size(); ++i)
        error = std::max(*error, std::fabs(e.values[i] - result.states[s].values[i]));
    }
  }
  SolveAnswer answer;
  json::Writer w({2});
  w.begin_object().member("equation", r.equation).member("grid", p.grid.text());
  write_report(w, result.report);
  answer.stopped = result.stopped;
  w.member("stopped", result.stopped);
  w.member("error_max", error)
      .member("steps", static_cast<std::int64_t>(result.steps))
      .member("rejected", static_cast<std::int64_t>(result.rejected));
  w.member("smallest_step", result.smallest_step).member("largest_step", result.largest_step);
  if (equation == Equation::wave && result.report.method == "exact")
    w.member("energy_start", result.energy_start).member("energy_end", result.energy_end);
  w.key("times").numbers(result.times).end_object();
  answer.json = std::move(w).take();
  answer.text = fmt::format("{} on {} points to t = {:.4g}: {} ({})\n{}{}\nwhy: {}\n", r.equation,
                            p.grid.text(), result.times.back(), result.report.method,
                            result.report.details, duration(result.report.time),
                            error ? fmt::format(", error {:.3e}", *error) : "", result.report.why);
  if (result.stopped)
    answer.text += fmt::format("stopped at t = {:.6g}, after {} of {} output times\n",
                               result.reached, result.times.size(), o.output_times.size());
  const Phase output(context.observer, "output");
  add_pictures(r, result.states.back(),
               fmt::format("{} t = {:.4g}", r.equation, result.times.back()), answer);
  answer.times = std::move(result.times);
  answer.states = std::move(result.states);
  return answer;
}

}  // namespace

Result<SolveAnswer> run_solve(const SolveRequest& request, const Context& context) {
  const std::string& e = request.equation;
  if (e == "poisson") return run_elliptic(request, context);
  for (const Equation known :
       {Equation::heat, Equation::wave, Equation::advection_diffusion, Equation::burgers})
    if (e == to_string(known)) return run_evolution(request, known, context);
  if (e == "ode") return run_ode(request, context);
  if (e == "bvp") return run_bvp(request, context);
  const std::vector<std::string> known{"poisson", "heat", "wave", "advection-diffusion",
                                       "burgers", "ode",  "bvp"};
  return Error{Errc::bad_request,
               fmt::format("Unknown equation \"{}\".{}", printable(e), did_you_mean(e, known)), ""};
}

}  // namespace neurolens::pde
