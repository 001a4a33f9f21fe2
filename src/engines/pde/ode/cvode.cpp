#include <cvode/cvode.h>
#include <cvode/cvode_ls.h>
#include <fmt/format.h>
#include <nvector/nvector_serial.h>
#include <sundials/sundials_config.h>
#include <sunlinsol/sunlinsol_dense.h>
#include <sunmatrix/sunmatrix_dense.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "ode/dormand_prince.hpp"

namespace neurolens::pde {
namespace {

// What CVODE's callbacks see.
struct Bridge {
  const OdeProblem* problem = nullptr;
  const Attention* attention = nullptr;
  OdeResult* result = nullptr;
  std::vector<std::vector<std::size_t>> colours;  // columns that share no row
  std::size_t n = 0;
};

std::span<double> view(N_Vector v, std::size_t n) {
  return {N_VGetArrayPointer(v), n};
}

int right_side(double t, N_Vector y, N_Vector out, void* data) {
  const auto& b = *static_cast<Bridge*>(data);
  ++b.result->evaluations;
  if (b.attention->cancelled()) return -1;  // ends the run
  const auto values = view(out, b.n);
  if (!b.problem->f(t, view(y, b.n), values)) return 1;
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }) ? 0
                                                                                              : 1;
}

int roots(double t, N_Vector y, double* out, void* data) {
  const auto& b = *static_cast<Bridge*>(data);
  for (std::size_t e = 0; e < b.problem->events.size(); ++e)
    out[e] = b.problem->events[e].value(t, view(y, b.n));
  return 0;
}

int given_jacobian(double t, N_Vector y, N_Vector, SUNMatrix matrix, void* data, N_Vector, N_Vector,
                   N_Vector) {
  const auto& b = *static_cast<Bridge*>(data);
  ++b.result->jacobians;
  std::vector<double> j(b.n * b.n);
  if (!b.problem->jacobian(t, view(y, b.n), j)) return 1;
  for (std::size_t row = 0; row < b.n; ++row)
    for (std::size_t column = 0; column < b.n; ++column)
      SM_ELEMENT_D(matrix, static_cast<sunindextype>(row), static_cast<sunindextype>(column)) =
          j[row * b.n + column];
  return 0;
}

// Differences, all columns of one colour at once.
int coloured_jacobian(double t, N_Vector y, N_Vector fy, SUNMatrix matrix, void* data, N_Vector t1,
                      N_Vector t2, N_Vector) {
  const auto& b = *static_cast<Bridge*>(data);
  ++b.result->jacobians;
  const auto y0 = view(y, b.n);
  const auto f0 = view(fy, b.n);
  const auto moved = view(t1, b.n);
  const auto f1 = view(t2, b.n);
  for (const auto& colour : b.colours) {
    std::copy(y0.begin(), y0.end(), moved.begin());
    for (const std::size_t j : colour) moved[j] += 1.5e-8 * std::max(std::fabs(y0[j]), 1e-5);
    ++b.result->evaluations;
    if (!b.problem->f(t, moved, f1)) return 1;
    for (const std::size_t j : colour)
      for (std::size_t i = 0; i < b.n; ++i)
        if (b.problem->sparsity[i * b.n + j] != 0)
          SM_ELEMENT_D(matrix, static_cast<sunindextype>(i), static_cast<sunindextype>(j)) =
              (f1[i] - f0[i]) / (moved[j] - y0[j]);
  }
  return 0;
}

// Greedy: each column joins the first group with which it shares no row.
std::vector<std::vector<std::size_t>> colour_columns(const std::vector<std::uint8_t>& pattern,
                                                     std::size_t n) {
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::vector<std::uint8_t>> taken;
  for (std::size_t j = 0; j < n; ++j) {
    std::size_t g = 0;
    for (; g < groups.size(); ++g) {
      bool free = true;
      for (std::size_t i = 0; i < n && free; ++i)
        free = pattern[i * n + j] == 0 || taken[g][i] == 0;
      if (free) break;
    }
    if (g == groups.size()) {
      groups.emplace_back();
      taken.emplace_back(n, 0);
    }
    groups[g].push_back(j);
    for (std::size_t i = 0; i < n; ++i) taken[g][i] |= pattern[i * n + j];
  }
  return groups;
}

// CVODE writes its complaints to stderr unless told otherwise; what failed is in its return values.
#if SUNDIALS_VERSION_MAJOR >= 7
int start(SUNContext* context) {
  const auto created = SUNContext_Create(SUN_COMM_NULL, context);
  return created != 0 ? created : SUNContext_ClearErrHandlers(*context);
}
int silence(void*) {
  return 0;
}
#else
int start(SUNContext* context) {
  return SUNContext_Create(nullptr, context);
}
int silence(void* memory) {
  return CVodeSetErrHandlerFn(
      memory, [](int, const char*, const char*, char*, void*) {}, nullptr);
}
#endif

// Everything that must be freed, in the right order.
struct Solver {
  SUNContext context = nullptr;
  N_Vector y = nullptr;
  SUNMatrix matrix = nullptr;
  SUNLinearSolver linear = nullptr;
  SUNNonlinearSolver fixed_point = nullptr;
  void* memory = nullptr;
  ~Solver() {
    if (memory != nullptr) CVodeFree(&memory);
    if (fixed_point != nullptr) SUNNonlinSolFree(fixed_point);
    if (linear != nullptr) SUNLinSolFree(linear);
    if (matrix != nullptr) SUNMatDestroy(matrix);
    if (y != nullptr) N_VDestroy(y);
    if (context != nullptr) SUNContext_Free(&context);
  }
};

Error failure(int flag, double t) {
  switch (flag) {
    case CV_TOO_MUCH_WORK:
      return {Errc::check_failed,
              fmt::format("The most steps allowed were not enough; t = {:.6g} was reached.", t),
              ""};
    case CV_TOO_MUCH_ACC:
      return {Errc::check_failed,
              fmt::format("The tolerance is below what rounding allows at t = {:.6g}.", t), ""};
    case CV_ERR_FAILURE:
    case CV_CONV_FAILURE:
      return {Errc::check_failed,
              fmt::format("The tolerance cannot be met at t = {:.9g}: steps shrank to nothing. The "
                          "solution may be singular there.",
                          t),
              ""};
    case CV_RHSFUNC_FAIL:
    case CV_FIRST_RHSFUNC_ERR:
    case CV_REPTD_RHSFUNC_ERR:
      return {Errc::check_failed,
              fmt::format("The right-hand side is not a finite number near t = {:.9g}.", t), ""};
    default:
      return {Errc::internal, fmt::format("CVODE ended with code {} at t = {:.6g}.", flag, t), ""};
  }
}

}  // namespace

Status run_cvode(const OdeProblem& problem, const OdeOptions& options, bool stiff, double t,
                 std::vector<double> y, std::size_t next, OdeResult& result) {
  Bridge bridge{&problem, &options.attention, &result, {}, y.size()};
  Solver s;
  const auto n = static_cast<sunindextype>(y.size());
  if (start(&s.context) != 0) return Error{Errc::out_of_memory, "CVODE could not start.", ""};
  s.y = N_VMake_Serial(n, y.data(), s.context);
  s.memory = CVodeCreate(stiff ? CV_BDF : CV_ADAMS, s.context);
  if (s.y == nullptr || s.memory == nullptr)
    return Error{Errc::out_of_memory, "Memory for CVODE ran out.", ""};
  int flag = silence(s.memory);
  flag |= CVodeInit(s.memory, right_side, t, s.y);
  flag |= CVodeSStolerances(s.memory, options.relative_tolerance, options.absolute_tolerance);
  flag |= CVodeSetUserData(s.memory, &bridge);
  flag |= CVodeSetMaxNumSteps(s.memory, static_cast<long>(options.max_steps));
  if (options.first_step > 0) flag |= CVodeSetInitStep(s.memory, options.first_step);
  if (stiff) {
    s.matrix = SUNDenseMatrix(n, n, s.context);
    s.linear = SUNLinSol_Dense(s.y, s.matrix, s.context);
    if (s.matrix == nullptr || s.linear == nullptr)
      return Error{Errc::out_of_memory, "Memory for the Jacobian ran out.", ""};
    flag |= CVodeSetLinearSolver(s.memory, s.linear, s.matrix);
    if (problem.jacobian) {
      flag |= CVodeSetJacFn(s.memory, given_jacobian);
    } else if (options.jacobian == JacobianMode::coloured) {
      bridge.colours = colour_columns(problem.sparsity, y.size());
      flag |= CVodeSetJacFn(s.memory, coloured_jacobian);
    }
  } else {
    s.fixed_point = SUNNonlinSol_FixedPoint(s.y, 2, s.context);
    flag |= CVodeSetNonlinearSolver(s.memory, s.fixed_point);
  }
  if (!problem.events.empty()) {
    flag |= CVodeRootInit(s.memory, static_cast<int>(problem.events.size()), roots);
    std::vector<int> directions;
    for (const OdeEvent& e : problem.events) directions.push_back(e.direction);
    flag |= CVodeSetRootDirection(s.memory, directions.data());
    flag |= CVodeSetNoInactiveRootWarn(s.memory);
  }
  if (flag < 0) return Error{Errc::internal, "CVODE refused its settings.", ""};
  std::vector<int> found(problem.events.size());
  while (next < options.output_times.size() && !result.ended_by_event) {
    flag = CVode(s.memory, options.output_times[next], s.y, &t, CV_NORMAL);
    if (flag < 0 && options.attention.cancelled()) {
      result.stopped = true;
      break;
    }
    if (flag < 0) return failure(flag, t);
    if (flag != CV_ROOT_RETURN) {
      result.times.push_back(options.output_times[next++]);
      result.states.push_back(y);
      continue;
    }
    (void)CVodeGetRootInfo(s.memory, found.data());
    for (std::size_t e = 0; e < found.size(); ++e) {
      if (found[e] == 0) continue;
      result.hits.push_back({t, e, y});
      result.ended_by_event = result.ended_by_event || problem.events[e].terminal;
    }
  }
  long count = 0;
  if (CVodeGetNumSteps(s.memory, &count) == 0) result.steps += static_cast<std::uint64_t>(count);
  if (CVodeGetNumErrTestFails(s.memory, &count) == 0)
    result.rejected += static_cast<std::uint64_t>(count);
  if (stiff && CVodeGetNumJacEvals(s.memory, &count) == 0)
    result.jacobians = static_cast<std::uint64_t>(count);
  if (stiff && CVodeGetNumLinRhsEvals(s.memory, &count) == 0)
    result.evaluations += static_cast<std::uint64_t>(count);
  return {};
}

}  // namespace neurolens::pde
