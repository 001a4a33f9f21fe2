// Systems of ordinary differential equations given as formulas.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "neurolens/engines/pde/field_io.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

struct System {
  std::vector<std::string> names;      // components
  std::vector<std::string> variables;  // the independent one, then the components
  std::vector<Expression> derivative;
};

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), fits);
}

Result<System> parse_system(const SolveRequest& r, const std::string& independent) {
  System s;
  NEUROLENS_ASSIGN(const auto pairs, parse_assignments(r.derivatives, "--derivative"));
  if (pairs.empty())
    return Error{Errc::bad_request, "At least one NAME=EXPRESSION is needed, such as x=-x.",
                 "--derivative"};
  if (pairs.size() > 60)
    return Error{Errc::too_large, "At most 60 components can be given as formulas.",
                 "--derivative"};
  s.variables.push_back(independent);
  for (const auto& [name, text] : pairs) {
    if (!is_name(name))
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not a name: letters, digits and _, a letter first.",
                               printable(name)),
                   "--derivative"};
    if (std::find(s.variables.begin(), s.variables.end(), name) != s.variables.end())
      return Error{Errc::duplicate_name, fmt::format("\"{}\" is given twice.", printable(name)),
                   "--derivative"};
    s.names.push_back(name);
    s.variables.push_back(name);
  }
  for (const auto& [name, text] : pairs) {
    auto expression = Expression::parse(text, s.variables);
    if (!expression.ok()) return std::move(expression).error().at("--derivative " + name);
    s.derivative.push_back(std::move(expression).value());
  }
  return s;
}

// Each call is a phase of its own when somebody observes.
OdeFunction function_of(const System& s, PhaseObserver* observer) {
  PhaseCost cost;
  for (const Expression& e : s.derivative)
    cost.flops += Flops{static_cast<std::int64_t>(e.operations())};
  cost.bytes = Bytes{static_cast<std::int64_t>(16 * s.derivative.size())};
  return [s, observer, cost, values = std::vector<double>(s.variables.size())](
             double t, std::span<const double> y, std::span<double> d) mutable {
    const Phase phase(observer, "right-hand side", cost);
    values[0] = t;
    std::copy(y.begin(), y.end(), values.begin() + 1);
    for (std::size_t i = 0; i < d.size(); ++i) d[i] = s.derivative[i].evaluate(values);
    return true;
  };
}

// Initial values or guesses per component, in terms of the independent variable.
Result<std::vector<Expression>> parse_initial(const SolveRequest& r, const System& s,
                                              const std::string& independent, bool required) {
  NEUROLENS_ASSIGN(const auto pairs,
                   parse_assignments(r.initial.empty() ? std::vector<std::string>{}
                                                       : std::vector<std::string>{r.initial},
                                     "--initial"));
  const std::vector<std::string> variables{independent};
  std::vector<Expression> result;
  for (const std::string& name : s.names) {
    const auto found =
        std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == name; });
    if (found == pairs.end() && required)
      return Error{Errc::bad_request,
                   fmt::format("No initial value is given for \"{}\". Write --initial {}=VALUE.",
                               name, name),
                   "--initial"};
    auto expression = Expression::parse(found == pairs.end() ? "0" : found->second, variables);
    if (!expression.ok()) return std::move(expression).error().at("--initial " + name);
    result.push_back(std::move(expression).value());
  }
  for (const auto& [name, text] : pairs)
    if (std::find(s.names.begin(), s.names.end(), name) == s.names.end())
      return Error{
          Errc::bad_request,
          fmt::format("\"{}\" is not a component.{}", printable(name), did_you_mean(name, s.names)),
          "--initial"};
  return result;
}

void add_table(const SolveRequest& r, const std::string& title, SolveAnswer& answer) {
  if (!r.want_svg) return;
  std::vector<std::vector<double>> lines(answer.columns.size());
  for (const auto& row : answer.table)
    for (std::size_t k = 0; k < lines.size(); ++k) lines[k].push_back(row[k]);
  PlotOptions options;
  options.title = title;
  answer.svg = plot_lines_svg(answer.times, lines, answer.columns, options);
}

std::optional<double> error_against(const SolveRequest& r, const std::string& independent,
                                    const SolveAnswer& answer, Status& status) {
  if (r.exact.empty()) return {};
  const std::vector<std::string> variables{independent};
  auto exact = Expression::parse(r.exact, variables);
  if (!exact.ok()) {
    status = std::move(exact).error().at("--exact");
    return {};
  }
  double worst = 0;
  for (std::size_t i = 0; i < answer.times.size(); ++i)
    worst =
        std::max(worst, std::fabs(exact->evaluate(std::span<const double>(&answer.times[i], 1)) -
                                  answer.table[i][0]));
  return worst;
}

}  // namespace

Result<SolveAnswer> run_ode(const SolveRequest& r, const Context& context) {
  NEUROLENS_ASSIGN(const System system, parse_system(r, "t"));
  NEUROLENS_ASSIGN(const auto initial, parse_initial(r, system, "t", true));
  OdeProblem p;
  p.f = function_of(system, context.observer);
  if (!r.domain.empty()) {
    NEUROLENS_ASSIGN(p.start, parse_number(split(r.domain, ':').front(), "--domain"));
  }
  for (const Expression& e : initial)
    p.initial.push_back(e.evaluate(std::span<const double>(&p.start, 1)));
  for (const std::string& text : r.conditions) {
    auto expression = Expression::parse(text, system.variables);
    if (!expression.ok()) return std::move(expression).error().at("--event");
    p.events.push_back({[e = std::move(expression).value()](double t, std::span<const double> y) {
                          std::vector<double> v{t};
                          v.insert(v.end(), y.begin(), y.end());
                          return e.evaluate(v);
                        },
                        0, false});
  }
  OdeOptions o;
  const std::vector<std::pair<std::string, OdeMethod>> methods{
      {"auto", OdeMethod::automatic},
      {"dormand-prince", OdeMethod::dormand_prince},
      {"adams", OdeMethod::adams},
      {"bdf", OdeMethod::bdf}};
  const auto found = std::find_if(methods.begin(), methods.end(),
                                  [&](const auto& m) { return m.first == r.method; });
  if (found == methods.end()) {
    std::vector<std::string> known;
    for (const auto& m : methods) known.push_back(m.first);
    return Error{
        Errc::bad_request,
        fmt::format("Unknown method \"{}\".{}", printable(r.method), did_you_mean(r.method, known)),
        "--method"};
  }
  o.method = found->second;
  o.first_step = r.step;
  if (r.tolerance > 0) {
    o.relative_tolerance = r.tolerance;
    o.absolute_tolerance = r.tolerance * 1e-3;
  }
  NEUROLENS_ASSIGN(o.output_times, parse_times(r.times));
  o.attention = context.attention;
  OdeResult result;
  {
    const Phase phase(context.observer, "steps");
    NEUROLENS_ASSIGN(result, integrate(p, o));
  }
  std::optional<double> estimate;
  if (r.estimate_error && !result.stopped) {
    const Phase phase(context.observer, "estimate");
    OdeProblem unobserved = p;
    unobserved.f = function_of(system, nullptr);
    estimate = estimate_error(unobserved, o, result);
  }
  if (result.stopped && result.times.empty())
    return Error{Errc::cancelled, "Stopped before the first output time.", ""};
  const Phase phase(context.observer, "output");
  SolveAnswer answer;
  answer.columns = system.names;
  answer.times = std::move(result.times);
  answer.table = std::move(result.states);
  Status status;
  const auto error = error_against(r, "t", answer, status);
  NEUROLENS_TRY(status);
  json::Writer w({2});
  w.begin_object()
      .member("equation", "ode")
      .member("method", result.method)
      .member("why", result.why);
  w.member("unknowns", static_cast<std::int64_t>(system.names.size()))
      .member("time_ns", result.time);
  w.member("steps", static_cast<std::int64_t>(result.steps))
      .member("rejected", static_cast<std::int64_t>(result.rejected));
  w.member("evaluations", static_cast<std::int64_t>(result.evaluations))
      .member("jacobians", static_cast<std::int64_t>(result.jacobians));
  answer.stopped = result.stopped;
  w.member("stopped", result.stopped);
  w.member("memory_bytes", result.memory)
      .member("error_max", error)
      .member("error_estimate", estimate);
  w.key("events").begin_array();
  for (const OdeEventHit& hit : result.hits) {
    w.begin_object().member("t", hit.t).member("event", static_cast<std::int64_t>(hit.event));
    w.key("y").numbers(hit.y).end_object();
  }
  w.end_array().key("times").numbers(answer.times);
  for (std::size_t k = 0; k < answer.columns.size(); ++k) {
    std::vector<double> column;
    for (const auto& row : answer.table) column.push_back(row[k]);
    w.key("y_" + answer.columns[k]).numbers(column);
  }
  w.end_object();
  answer.json = std::move(w).take();
  answer.text = fmt::format(
      "ode of {} components to t = {:.4g}: {}, {} steps, {} evaluations{}\nwhy: {}\n",
      system.names.size(), answer.times.empty() ? p.start : answer.times.back(), result.method,
      result.steps, result.evaluations, error_text(error, estimate), result.why);
  for (std::size_t k = 0; k < answer.columns.size() && !answer.table.empty(); ++k)
    answer.text += fmt::format("{} = {:.10g}\n", answer.columns[k], answer.table.back()[k]);
  if (result.stopped)
    answer.text += fmt::format("stopped after {} of {} output times\n", answer.times.size(),
                               o.output_times.size());
  for (const OdeEventHit& hit : result.hits)
    answer.text += fmt::format("event {} at t = {:.10g}\n", hit.event + 1, hit.t);
  add_table(r, "ode", answer);
  return answer;
}

Result<SolveAnswer> run_bvp(const SolveRequest& r, const Context& context) {
  NEUROLENS_ASSIGN(const System system, parse_system(r, "x"));
  NEUROLENS_ASSIGN(const auto guess, parse_initial(r, system, "x", false));
  const std::size_t n = system.names.size();
  if (r.conditions.size() != n)
    return Error{Errc::bad_request,
                 fmt::format("{} conditions are needed, one per component; {} were given.", n,
                             r.conditions.size()),
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
  NEUROLENS_ASSIGN(const Grid grid,
                   parse_grid(r.points.find('x') == std::string::npos ? r.points : "33", r.domain));
  BvpProblem p;
  p.f = function_of(system, context.observer);
  p.conditions = [&](std::span<const double> a, std::span<const double> b, std::span<double> out) {
    std::vector<double> v;
    for (std::size_t i = 0; i < n; ++i) {
      v.push_back(a[i]);
      v.push_back(b[i]);
    }
    for (std::size_t i = 0; i < n; ++i) out[i] = conditions[i].evaluate(v);
  };
  for (int i = 0; i < grid.points[0]; ++i) {
    const double x = grid.coordinate(0, i);
    p.mesh.push_back(x);
    std::vector<double> y;
    for (const Expression& e : guess) y.push_back(e.evaluate(std::span<const double>(&x, 1)));
    p.guess.push_back(std::move(y));
  }
  BvpOptions o;
  if (r.tolerance > 0) o.tolerance = r.tolerance;
  o.attention = context.attention;
  BvpResult result;
  {
    const Phase phase(context.observer, "collocation");
    NEUROLENS_ASSIGN(result, solve_bvp(p, o));
  }
  SolveAnswer answer;
  answer.columns = system.names;
  answer.times = result.mesh;
  answer.table = result.y;
  Status status;
  const auto error = error_against(r, "x", answer, status);
  NEUROLENS_TRY(status);
  json::Writer w({2});
  w.begin_object()
      .member("equation", "bvp")
      .member("method", "collocation")
      .member("unknowns", static_cast<std::int64_t>(n * result.mesh.size()));
  w.member("time_ns", result.time)
      .member("iterations", result.newton_iterations)
      .member("refinements", result.refinements);
  w.member("defect", result.defect).member("error_max", error).key("x").numbers(result.mesh);
  for (std::size_t k = 0; k < n; ++k) {
    std::vector<double> column;
    for (const auto& row : answer.table) column.push_back(row[k]);
    w.key("y_" + answer.columns[k]).numbers(column);
  }
  w.end_object();
  answer.json = std::move(w).take();
  answer.text = fmt::format(
      "bvp of {} components: collocation of order 4 on {} points, {} refinements, defect "
      "{:.1e}{}\n",
      n, result.mesh.size(), result.refinements, result.defect,
      error ? fmt::format(", error {:.3e}", *error) : "");
  add_table(r, "bvp", answer);
  return answer;
}

}  // namespace neurolens::pde
