#include "neurolens/engines/pde/solve.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

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
      "{:.2e}{}\nwhy: {}\n",
      r.equation, p.grid.text(), r.order, report.method, report.details,
      report.iterations > 0 ? fmt::format("{} iterations", report.iterations)
                            : std::string("no iterations"),
      duration(report.time), report.unknowns, per, report.residual_relative,
      error_text(report.error_max, report.error_estimate), report.why);
  if (report.nullspace)
    answer.text += fmt::format(
        "u is determined up to a constant: its mean is 0; data were balanced by a share of "
        "{:.1e}\n",
        report.compatibility_defect);
  if (r.convergence > 0) {
    NEUROLENS_ASSIGN(const auto rows, convergence_table(p, r.convergence, o, context));
    add_convergence(r, rows, w, answer);
    w.member("stopped", answer.stopped);
  }
  w.end_object();
  answer.json = std::move(w).take();
  add_pictures(r, solution.u, fmt::format("{} {}", r.equation, p.grid.text()), context.observer,
               answer);
  answer.times = {0};
  answer.states.push_back(std::move(solution.u));
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
