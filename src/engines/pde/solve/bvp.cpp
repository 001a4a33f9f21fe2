// Boundary-value problems given as text.
#include <fmt/format.h>

#include <cmath>

#include "neurolens/base/json.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"
#include "solve/system.hpp"

namespace neurolens::pde {
namespace {

// Residuals of the conditions in NAME_a and NAME_b.
Result<std::vector<Expression>> parse_conditions(const SolveRequest& r, const System& system) {
  if (r.conditions.size() != system.names.size())
    return Error{Errc::bad_request,
                 fmt::format("{} conditions are needed, one per component; {} were given.",
                             system.names.size(), r.conditions.size()),
                 "--condition"};
  std::vector<std::string> names;
  for (const std::string& name : system.names) {
    names.push_back(name + "_a");
    names.push_back(name + "_b");
  }
  std::vector<Expression> conditions;
  for (const std::string& text : r.conditions) {
    auto expression = Expression::parse(text, names);
    if (!expression.ok()) return std::move(expression).error().at("--condition");
    conditions.push_back(std::move(expression).value());
  }
  return conditions;
}

void set_mesh(const Grid& grid, const std::vector<Expression>& guess, BvpProblem& p) {
  p.mesh.clear();
  p.guess.clear();
  for (int i = 0; i < grid.points[0]; ++i) {
    const double x = grid.coordinate(0, i);
    p.mesh.push_back(x);
    std::vector<double> y;
    for (const Expression& e : guess) y.push_back(e.evaluate(std::span<const double>(&x, 1)));
    p.guess.push_back(std::move(y));
  }
}

// Errors on the mesh that was asked for and ones with the intervals doubled each time.
Result<std::vector<ConvergenceRow>> convergence_of(const SolveRequest& r, Grid grid,
                                                   const std::vector<Expression>& guess,
                                                   BvpProblem p, BvpOptions o) {
  o.tolerance = kCoarsestBvpTolerance;  // so that no mesh is refined on the way
  o.attention.progress = nullptr;
  std::vector<ConvergenceRow> rows;
  while (static_cast<int>(rows.size()) < r.convergence && !o.attention.cancelled()) {
    set_mesh(grid, guess, p);
    NEUROLENS_ASSIGN(const BvpResult result, solve_bvp(p, o));
    NEUROLENS_ASSIGN(const auto error, error_against(r, "x", result.mesh, result.y));
    ConvergenceRow row{grid, error.value_or(0), {}, result.time};
    row.grid.points[0] = static_cast<int>(result.mesh.size());
    if (!rows.empty() && row.error_max > 0)
      row.order = std::log2(rows.back().error_max / row.error_max);
    rows.push_back(row);
    grid.points[0] = 2 * grid.points[0] - 1;
  }
  return rows;
}

}  // namespace

Result<SolveAnswer> run_bvp(const SolveRequest& r, const Context& context) {
  NEUROLENS_ASSIGN(const System system, parse_system(r, "x"));
  NEUROLENS_ASSIGN(const auto guess, parse_initial(r, system, "x", false));
  NEUROLENS_ASSIGN(const auto conditions, parse_conditions(r, system));
  NEUROLENS_ASSIGN(const Grid grid,
                   parse_grid(r.points.find('x') == std::string::npos ? r.points : "33", r.domain));
  BvpOptions o;
  if (static_cast<std::size_t>(grid.points[0]) > o.max_points)
    return Error{Errc::out_of_range,
                 fmt::format("A first mesh has at most {} points; it is refined where needed.",
                             o.max_points),
                 "--n"};
  BvpProblem p;
  p.f = function_of(system, nullptr);
  p.conditions = [&](std::span<const double> a, std::span<const double> b, std::span<double> out) {
    std::vector<double> v;
    for (std::size_t i = 0; i < a.size(); ++i) {
      v.push_back(a[i]);
      v.push_back(b[i]);
    }
    for (std::size_t i = 0; i < a.size(); ++i) out[i] = conditions[i].evaluate(v);
  };
  set_mesh(grid, guess, p);
  if (r.tolerance > 0) o.tolerance = r.tolerance;
  o.attention = context.attention;
  BvpResult result;
  {
    const Phase phase(context.observer, "collocation");
    BvpProblem observed = p;
    observed.f = function_of(system, context.observer);
    NEUROLENS_ASSIGN(result, solve_bvp(observed, o));
  }
  std::optional<double> estimate;
  if (r.estimate_error) {
    const Phase phase(context.observer, "estimate");
    estimate = estimate_error(p, o, result);
  }
  SolveAnswer answer;
  answer.columns = system.names;
  answer.times = result.mesh;
  answer.table = result.y;
  NEUROLENS_ASSIGN(const auto error, error_against(r, "x", answer.times, answer.table));
  json::Writer w({2});
  w.begin_object()
      .member("equation", "bvp")
      .member("method", "collocation")
      .member("unknowns", static_cast<std::int64_t>(system.names.size() * result.mesh.size()))
      .member("time_ns", result.time)
      .member("memory_bytes", result.memory)
      .member("iterations", result.newton_iterations)
      .member("refinements", result.refinements)
      .member("defect", result.defect)
      .member("error_max", error)
      .member("error_estimate", estimate);
  answer.text = fmt::format(
      "bvp of {} components: collocation of order 4 on {} points, {} refinements, defect "
      "{:.1e}{}\n",
      system.names.size(), result.mesh.size(), result.refinements, result.defect,
      error_text(error, estimate));
  if (r.convergence > 0) {
    NEUROLENS_ASSIGN(const auto rows, convergence_of(r, grid, guess, p, o));
    add_convergence(r, rows, w, answer);
  }
  w.member("stopped", answer.stopped).key("x").numbers(result.mesh);
  write_columns(w, answer);
  w.end_object();
  answer.json = std::move(w).take();
  add_table(r, "bvp", answer);
  return answer;
}

}  // namespace neurolens::pde
