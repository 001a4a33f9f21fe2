#include "neurolens/engines/pde/evolve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "direct/direct_solver.hpp"
#include "evolve/evolution.hpp"
#include "neurolens/base/clock.hpp"
#include "richardson.hpp"

namespace neurolens::pde {
namespace {
constexpr double kWorkingArrays = 4;  // of the leanest method, beside the states that are kept
}  // namespace

Result<EvolutionResult> Evolution::run() {
  NEUROLENS_TRY(check_request());
  {
    const Phase p = phase("initial", 0, 1);
    NEUROLENS_TRY(space_.prepare(problem_, context_));
    u_ = Field(problem_.grid);
    if (Status s = problem_.initial.fill(problem_.grid, whole(problem_.grid), options_.start,
                                         u_.values.data());
        !s.ok())
      return s.error().at("initial");
  }
  NEUROLENS_TRY(choose());
  NEUROLENS_TRY(space_.impose(u_, options_.start));
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
  result_.report.memory = memory();
  return std::move(result_);
}

Status Evolution::check_request() {
  NEUROLENS_TRY(check(problem_.grid));
  NEUROLENS_TRY(check(problem_.grid, problem_.boundary));
  const auto& times = options_.output_times;
  if (times.empty()) return Error{Errc::bad_request, "At least one output time is needed.", ""};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool follows = i == 0 ? times[i] >= options_.start : times[i] > times[i - 1];
    if (!follows || !std::isfinite(times[i]))
      return Error{Errc::bad_request,
                   fmt::format("Output times must increase from the start; {} does not.", times[i]),
                   ""};
  }
  if (!(times.back() > options_.start))
    return Error{Errc::bad_request, "The last output time must lie after the start.", ""};
  if (!(options_.step >= 0) || !(options_.tolerance > 1e-12 && options_.tolerance < 0.1))
    return Error{Errc::out_of_range, "The step must be >= 0 and the tolerance in (1e-12, 0.1).",
                 ""};
  for (const double v : problem_.velocity)
    if (!std::isfinite(v))
      return Error{Errc::out_of_range, "The velocity must be finite numbers.", "velocity"};
  if (!(problem_.wave_speed > 0) || !std::isfinite(problem_.wave_speed))
    return Error{Errc::out_of_range, "The speed of waves must be a positive number.", "wave speed"};
  return check_memory(problem_.grid, kWorkingArrays + static_cast<double>(times.size()));
}

Status Evolution::choose() {
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

Phase Evolution::phase(std::string_view name, int flops, int numbers) const {
  const auto n = static_cast<std::int64_t>(problem_.grid.size());
  return {context_.observer, name, {Flops{flops * n}, Bytes{8 * numbers * n}}};
}

void Evolution::keep(double t) {
  const Phase p = phase("output", 0, 2);
  result_.times.push_back(t);
  result_.states.push_back(u_);
}

bool Evolution::stopped(double t) {
  result_.reached = t;
  const double length = options_.output_times.back() - options_.start;
  if (context_.attention.progress != nullptr)
    context_.attention.report("solving", (t - options_.start) / length);
  if (context_.attention.cancelled()) result_.stopped = true;
  return result_.stopped;
}

Bytes Evolution::memory() const {
  Bytes sum = result_.report.memory + space_.bytes() + u_.bytes() + next_.bytes();
  for (const Field& field : scratch_) sum += field.bytes();
  for (const Field& state : result_.states) sum += state.bytes();
  for (const auto& [g, plan] : direct_) sum += plan->bytes();
  for (const auto& [g, plan] : multigrid_) sum += plan->bytes();
  return sum;
}

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

namespace {

// Half the resolution in space and time; nothing where that cannot be had.
std::optional<double> estimate(const EvolutionProblem& problem, const EvolutionOptions& options,
                               const EvolutionResult& result, const Context& context) {
  const auto grid = coarser(problem.grid);
  const bool possible = problem.initial.is_function() && problem.initial_velocity.is_function() &&
                        problem.source.is_function() && problem.diffusivity.is_function() &&
                        all_functions(problem.boundary, problem.grid.dimensions);
  if (!grid || !possible) return {};
  const Phase phase(context.observer, "estimate");
  EvolutionProblem coarse = problem;
  coarse.grid = *grid;
  EvolutionOptions o = options;
  o.estimate_error = false;
  o.step = 2 * result.largest_step;
  if (result.report.method == to_string(TimeMethod::tr_bdf2)) {
    o.step = 2 * options.step;
    o.tolerance = std::min(8 * options.tolerance, 0.05);
  }
  const auto rough =
      evolve(coarse, o, {context.workers, nullptr, {nullptr, context.attention.cancel}});
  if (!rough.ok() || rough->stopped) return {};
  double most = 0;
  for (std::size_t i = 0; i < result.states.size(); ++i)
    if (result.times[i] != options.start)
      most = std::max(most, expected_error(result.states[i], rough->states[i], 2));
  return most;
}

}  // namespace

Result<EvolutionResult> evolve(const EvolutionProblem& problem, const EvolutionOptions& options,
                               const Context& context) {
  const Nanoseconds begin = system_clock().now();
  try {
    auto result = Evolution(problem, options, context).run();
    if (!result.ok()) return result;
    result->report.time = system_clock().now() - begin;
    if (result->states.empty())
      return Error{
          Errc::cancelled,
          fmt::format("Stopped at t = {:.6g}, before the first output time.", result->reached), ""};
    if (options.estimate_error && !result->stopped)
      result->report.error_estimate = estimate(problem, options, *result, context);
    return result;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory,
                 "Memory for the states ran out. Use fewer points or output times.", ""};
  }
}

}  // namespace neurolens::pde
