#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/clock.hpp"
#include "ode/dormand_prince.hpp"

namespace neurolens::pde {
namespace {

constexpr double kFinestTolerance = 1e-14;

Status check_request(const OdeProblem& p, const OdeOptions& o) {
  if (!p.f || p.initial.empty())
    return Error{Errc::bad_request, "A right-hand side and initial values are needed.", ""};
  if (o.output_times.empty())
    return Error{Errc::bad_request, "At least one output time is needed.", ""};
  const double direction = o.output_times.back() >= p.start ? 1 : -1;
  double previous = p.start;
  for (std::size_t i = 0; i < o.output_times.size(); ++i) {
    const double t = o.output_times[i];
    if (!std::isfinite(t) ||
        !((t - previous) * direction > 0 || (i == 0 && t == previous && o.output_times.size() > 1)))
      return Error{Errc::bad_request,
                   fmt::format("Output times must move away from the start; {} does not.", t), ""};
    previous = t;
  }
  if (!(o.relative_tolerance >= kFinestTolerance && o.relative_tolerance <= 0.1) ||
      !(o.absolute_tolerance >= 0))
    return Error{Errc::out_of_range,
                 "The relative tolerance must be in [1e-14, 0.1], the absolute one >= 0.", ""};
  for (const double v : p.initial)
    if (!std::isfinite(v))
      return Error{Errc::out_of_range, "Initial values must be finite numbers.", ""};
  if (o.jacobian == JacobianMode::coloured && !p.jacobian &&
      p.sparsity.size() != p.initial.size() * p.initial.size())
    return Error{Errc::bad_request, "A coloured Jacobian needs the n x n sparsity pattern.", ""};
  return {};
}

// By sizes: the states, and vectors of the methods that ran (Dormand-Prince: 7 stages, 5 of dense
// output, 6 others; CVODE: its history and 6 others, for BDF two matrices).
Bytes bytes_of(const OdeResult& result, std::size_t n) {
  std::size_t numbers = (result.states.size() + result.hits.size()) * (n + 1);
  if (result.method.starts_with("dormand-prince")) numbers += 18 * n;
  if (result.method == "adams") numbers += 19 * n;
  if (result.method.ends_with("bdf")) numbers += 12 * n + 2 * n * n;
  return Bytes{static_cast<std::int64_t>(sizeof(double) * numbers)};
}

Result<OdeResult> run(const OdeProblem& problem, const OdeOptions& options) {
  const Nanoseconds begin = system_clock().now();
  OdeResult result;
  double t = problem.start;
  std::vector<double> y = problem.initial;
  std::size_t next = 0;
  if (options.output_times[0] == t) {
    result.times.push_back(t);
    result.states.push_back(y);
    next = 1;
  }
  switch (options.method) {
    case OdeMethod::adams:
    case OdeMethod::bdf: {
      const bool stiff = options.method == OdeMethod::bdf;
      result.method = stiff ? "bdf" : "adams";
      result.why = "asked for";
      NEUROLENS_TRY(run_cvode(problem, options, stiff, t, std::move(y), next, result));
      break;
    }
    default: {
      const bool automatic = options.method == OdeMethod::automatic;
      result.method = "dormand-prince";
      result.why = automatic
                       ? "steps are limited by accuracy, not by stability: the problem is not stiff"
                       : "asked for";
      NEUROLENS_ASSIGN(const bool stiff,
                       run_dormand_prince(problem, options, automatic, t, y, next, result));
      if (!stiff) break;
      result.method = "dormand-prince, then bdf";
      result.why = fmt::format(
          "from t = {:.4g} on stability held the explicit steps down: the problem is stiff", t);
      NEUROLENS_TRY(run_cvode(problem, options, true, t, std::move(y), next, result));
    }
  }
  result.time = system_clock().now() - begin;
  result.memory = bytes_of(result, problem.initial.size());
  return result;
}

}  // namespace

Result<OdeResult> integrate(const OdeProblem& problem, const OdeOptions& options) {
  NEUROLENS_TRY(check_request(problem, options));
  return run(problem, options);
}

std::optional<double> estimate_error(const OdeProblem& problem, const OdeOptions& options,
                                     const OdeResult& result) {
  OdeOptions finer = options;
  finer.relative_tolerance /= 10;
  finer.absolute_tolerance /= 10;
  finer.attention.progress = nullptr;
  if (finer.relative_tolerance < kFinestTolerance) return {};
  const auto better = integrate(problem, finer);
  if (!better.ok()) return {};
  const std::size_t both = std::min(result.states.size(), better->states.size());
  double most = 0;
  for (std::size_t i = 0; i < both; ++i)
    for (std::size_t k = 0; k < problem.initial.size(); ++k)
      most = std::max(most, std::fabs(result.states[i][k] - better->states[i][k]));
  return most;
}

}  // namespace neurolens::pde
