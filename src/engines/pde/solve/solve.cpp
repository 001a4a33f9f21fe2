#include "neurolens/engines/pde/solve.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

void keep_state(Field&& field, SolveAnswer& answer) {
  answer.states.push_back(std::move(field));
}
void keep_state(FieldF32&& field, SolveAnswer& answer) {
  answer.states_f32.push_back(std::move(field));
}

// What rounding leaves of a residual, for people.
std::string rounding_text(const Report& r) {
  if (r.precision == Precision::f64) return "";
  if (!r.residual_unrounded) return " (of u in f32)";
  return fmt::format(" (of u in f32; {:.2e} before rounding)", *r.residual_unrounded);
}

template <class T>
Result<SolveAnswer> tell_elliptic(const SolveRequest& r, const EllipticProblem& p,
                                  const EllipticOptions& o, const Context& context,
                                  BasicEllipticSolution<T> solution);

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
  if (r.precision == "f32") {
    NEUROLENS_ASSIGN(auto solution, solve_elliptic_f32(p, o, context));
    return tell_elliptic(r, p, o, context, std::move(solution));
  }
  NEUROLENS_ASSIGN(auto solution, solve_elliptic(p, o, context));
  return tell_elliptic(r, p, o, context, std::move(solution));
}

template <class T>
Result<SolveAnswer> tell_elliptic(const SolveRequest& r, const EllipticProblem& p,
                                  const EllipticOptions& o, const Context& context,
                                  BasicEllipticSolution<T> solution) {
  const Report& report = solution.report;
  SolveAnswer answer;
  json::Writer w({2});
  w.begin_object()
      .member("equation", r.equation)
      .member("grid", p.grid.text())
      .member("order", r.order)
      .member("precision", to_string(report.precision));
  write_report(w, report);
  w.member("residual_relative", report.residual_relative)
      .member("residual_unrounded", report.residual_unrounded)
      .member("error_max", report.error_max)
      .member("error_estimate", report.error_estimate);
  w.member("nullspace", report.nullspace)
      .member("compatibility_defect", report.compatibility_defect);
  const double per = static_cast<double>(report.time.count) /
                     static_cast<double>(std::max<std::uint64_t>(1, report.unknowns));
  answer.text = fmt::format(
      "{} on {} points, order {}{}: {} by {} ({})\n{} for {} unknowns, {:.1f} ns each\nresidual "
      "{:.2e}{}{}\nwhy: {}\n",
      r.equation, p.grid.text(), r.order, report.precision == Precision::f32 ? ", f32" : "",
      report.method, report.details,
      report.iterations > 0 ? fmt::format("{} iterations", report.iterations)
                            : std::string("no iterations"),
      duration(report.time), report.unknowns, per, report.residual_relative, rounding_text(report),
      error_text(report.error_max, report.error_estimate), report.why);
  if (report.nullspace)
    answer.text += fmt::format(
        "u is determined up to a constant: its mean is 0; data were balanced by a share of "
        "{:.1e}\n",
        report.compatibility_defect);
  if (r.convergence > 0) {
    NEUROLENS_ASSIGN(const auto rows,
                     convergence_table(p, r.convergence, o, context, report.precision));
    add_convergence(r, rows, w, answer);
    w.member("stopped", answer.stopped);
  }
  w.end_object();
  answer.json = std::move(w).take();
  add_pictures(r, solution.u, fmt::format("{} {}", r.equation, p.grid.text()), context.observer,
               answer);
  answer.times = {0};
  keep_state(std::move(solution.u), answer);
  return answer;
}

}  // namespace

Result<SolveAnswer> run_solve(const SolveRequest& request, const Context& context) {
  const std::string& e = request.equation;
  if (request.precision != "f64" && request.precision != "f32")
    return Error{
        Errc::bad_request,
        fmt::format("The precision is f64 or f32, not \"{}\".", printable(request.precision)),
        "--precision"};
  if (request.precision == "f32" && e != "poisson")
    return Error{
        Errc::bad_request,
        fmt::format("Single precision is there for poisson only; {} runs in f64.", printable(e)),
        "--precision"};
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
