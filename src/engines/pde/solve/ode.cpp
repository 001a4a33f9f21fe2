// Initial-value problems given as text.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "solve/answer.hpp"
#include "solve/parse.hpp"
#include "solve/system.hpp"

namespace neurolens::pde {
namespace {

Result<OdeMethod> method_of(const std::string& name) {
  const std::vector<std::pair<std::string, OdeMethod>> methods{
      {"auto", OdeMethod::automatic},
      {"dormand-prince", OdeMethod::dormand_prince},
      {"adams", OdeMethod::adams},
      {"bdf", OdeMethod::bdf}};
  const auto found =
      std::find_if(methods.begin(), methods.end(), [&](const auto& m) { return m.first == name; });
  if (found == methods.end()) {
    std::vector<std::string> known;
    for (const auto& m : methods) known.push_back(m.first);
    return Error{
        Errc::bad_request,
        fmt::format("Unknown method \"{}\".{}", printable(name), did_you_mean(name, known)),
        "--method"};
  }
  return found->second;
}

Result<OdeProblem> problem_of(const SolveRequest& r, const System& system) {
  NEUROLENS_ASSIGN(const auto initial, parse_initial(r, system, "t", true));
  OdeProblem p;
  p.f = function_of(system, nullptr);
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
  return p;
}

Result<OdeOptions> options_of(const SolveRequest& r) {
  OdeOptions o;
  NEUROLENS_ASSIGN(o.method, method_of(r.method));
  o.first_step = r.step;
  if (r.tolerance > 0) {
    o.relative_tolerance = r.tolerance;
    o.absolute_tolerance = r.tolerance * 1e-3;
  }
  NEUROLENS_ASSIGN(o.output_times, parse_times(r.times));
  return o;
}

// How the error falls when the tolerance does, a tenth from row to row: the order is that in the
// number of steps.
Status add_tolerances(const SolveRequest& r, const OdeProblem& problem, OdeOptions options,
                      json::Writer& w, SolveAnswer& answer) {
  if (r.convergence == 0 || answer.stopped) return {};
  options.attention.progress = nullptr;
  w.key("convergence").begin_array();
  answer.text += fmt::format("{:>14} {:>8} {:>12} {:>7} {:>12}\n", "tolerance", "steps", "error",
                             "order", "time");
  double before = 0;
  double steps_before = 0;
  for (int level = 0; level < r.convergence; ++level) {
    const auto result = integrate(problem, options);
    if (options.attention.cancelled()) {
      answer.stopped = true;
      answer.text += fmt::format("stopped after {} of {} tolerances\n", level, r.convergence);
      break;
    }
    if (!result.ok()) return result.error();
    NEUROLENS_ASSIGN(const auto error, error_against(r, "t", result->times, result->states));
    const auto steps = static_cast<double>(result->steps);
    std::optional<double> order;
    if (before > 0 && *error > 0 && steps > steps_before)
      order = std::log(before / *error) / std::log(steps / steps_before);
    w.begin_object()
        .member("tolerance", options.relative_tolerance)
        .member("steps", static_cast<std::int64_t>(result->steps))
        .member("error_max", error)
        .member("order", order)
        .member("time_ns", result->time)
        .end_object();
    answer.text += fmt::format("{:>14.1e} {:>8} {:>12.3e} {:>7} {:>12}\n",
                               options.relative_tolerance, result->steps, *error,
                               order ? fmt::format("{:.2f}", *order) : "-", duration(result->time));
    before = *error;
    steps_before = steps;
    options.relative_tolerance = std::max(options.relative_tolerance / 10, 1e-14);
    options.absolute_tolerance /= 10;
  }
  w.end_array();
  return {};
}

}  // namespace

Result<SolveAnswer> run_ode(const SolveRequest& r, const Context& context) {
  NEUROLENS_ASSIGN(const System system, parse_system(r, "t"));
  NEUROLENS_ASSIGN(OdeProblem p, problem_of(r, system));
  NEUROLENS_ASSIGN(OdeOptions o, options_of(r));
  o.attention = context.attention;
  OdeResult result;
  {
    const Phase phase(context.observer, "steps");
    OdeProblem observed = p;
    observed.f = function_of(system, context.observer);
    NEUROLENS_ASSIGN(result, integrate(observed, o));
  }
  if (result.stopped && result.times.empty())
    return Error{Errc::cancelled, "Stopped before the first output time.", ""};
  std::optional<double> estimate;
  if (r.estimate_error && !result.stopped) {
    const Phase phase(context.observer, "estimate");
    estimate = estimate_error(p, o, result);
  }
  const Phase phase(context.observer, "output");
  SolveAnswer answer;
  answer.columns = system.names;
  answer.times = std::move(result.times);
  answer.table = std::move(result.states);
  answer.stopped = result.stopped;
  NEUROLENS_ASSIGN(const auto error, error_against(r, "t", answer.times, answer.table));
  json::Writer w({2});
  w.begin_object()
      .member("equation", "ode")
      .member("method", result.method)
      .member("why", result.why)
      .member("unknowns", static_cast<std::int64_t>(system.names.size()))
      .member("time_ns", result.time)
      .member("memory_bytes", result.memory)
      .member("steps", static_cast<std::int64_t>(result.steps))
      .member("rejected", static_cast<std::int64_t>(result.rejected))
      .member("evaluations", static_cast<std::int64_t>(result.evaluations))
      .member("jacobians", static_cast<std::int64_t>(result.jacobians))
      .member("error_max", error)
      .member("error_estimate", estimate);
  answer.text =
      fmt::format("ode of {} components to t = {:.4g}: {}, {} steps, {} evaluations{}\nwhy: {}\n",
                  system.names.size(), answer.times.back(), result.method, result.steps,
                  result.evaluations, error_text(error, estimate), result.why);
  for (std::size_t k = 0; k < answer.columns.size(); ++k)
    answer.text += fmt::format("{} = {:.10g}\n", answer.columns[k], answer.table.back()[k]);
  if (result.stopped)
    answer.text += fmt::format("stopped after {} of {} output times\n", answer.times.size(),
                               o.output_times.size());
  w.key("events").begin_array();
  for (const OdeEventHit& hit : result.hits) {
    w.begin_object().member("t", hit.t).member("event", static_cast<std::int64_t>(hit.event));
    w.key("y").numbers(hit.y).end_object();
    answer.text += fmt::format("event {} at t = {:.10g}\n", hit.event + 1, hit.t);
  }
  w.end_array();
  NEUROLENS_TRY(add_tolerances(r, p, o, w, answer));
  w.member("stopped", answer.stopped).key("times").numbers(answer.times);
  write_columns(w, answer);
  w.end_object();
  answer.json = std::move(w).take();
  add_table(r, "ode", answer);
  return answer;
}

}  // namespace neurolens::pde
