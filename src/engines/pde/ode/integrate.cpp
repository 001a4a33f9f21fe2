#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/clock.hpp"
#include "ode/dormand_prince.hpp"

namespace neurolens::pde {
namespace {

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
  if (!(o.relative_tolerance >= 1e-14 && o.relative_tolerance <= 0.1) ||
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

}  // namespace

Result<OdeResult> integrate(const OdeProblem& problem, const OdeOptions& options) {
  NEUROLENS_TRY(check_request(problem, options));
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
  return result;
}

}  // namespace neurolens::pde
