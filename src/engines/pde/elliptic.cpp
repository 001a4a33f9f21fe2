#include "neurolens/engines/pde/elliptic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cuda/cuda_solver.hpp"
#include "neurolens/base/clock.hpp"
#include "richardson.hpp"

namespace neurolens::pde {
namespace {

// The one value of data that do not vary over the grid.
Result<std::optional<double>> constant_value(const ScalarData& data, const Grid& grid,
                                             std::string_view name) {
  if (const auto known = data.constant(); known && std::isfinite(*known)) return known;
  NEUROLENS_ASSIGN(Field field, make_field(grid));
  if (Status s = data.fill(grid, whole(grid), 0, field.values.data()); !s.ok())
    return s.error().at(name);
  const double first = field.values.front();
  for (const double v : field.values)
    if (v != first) return std::optional<double>{};
  return std::optional<double>{first};
}

template <class A, class B>
double largest_difference(const BasicField<A>& a, const BasicField<B>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    most = std::max(most,
                    std::fabs(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i])));
  return most;
}

template <class T>
bool all_finite(const BasicField<T>& u) {
  unsigned bad = 0;
  for (const T v : u.values) bad |= v - v == 0 ? 0U : 1U;  // NaN unless v is finite
  return bad == 0;
}

const Field& wide(const Field& u) {
  return u;
}
Field wide(const FieldF32& u) {
  return to_f64(u);
}

template <class T>
Result<BasicField<T>> make(const Grid& grid) {
  if constexpr (std::is_same_v<T, float>)
    return make_field_f32(grid);
  else
    return make_field(grid);
}

template <class T>
class EllipticRun {
 public:
  EllipticRun(const EllipticProblem& p, const EllipticOptions& o, const Context& context)
      : p_(p), o_(o), context_(context) {}

  using Solution = BasicEllipticSolution<T>;

  Result<Solution> run() {
    const Nanoseconds begin = system_clock().now();
    NEUROLENS_TRY(check(p_.grid));
    NEUROLENS_TRY(check(p_.grid, p_.boundary));
    NEUROLENS_TRY(check_memory(p_.grid, 2 * sizeof(T) / 8.0));  // the source and u
    Solution solution;
    NEUROLENS_ASSIGN(solution.u, make<T>(p_.grid));
    NEUROLENS_ASSIGN(source_, make<T>(p_.grid));
    {
      const Phase phase(context_.observer, "source",
                        {Flops{p_.source.operations() * static_cast<std::int64_t>(p_.grid.size())},
                         Bytes{static_cast<std::int64_t>(sizeof(T) * p_.grid.size())}});
      if (Status s = p_.source.fill(p_.grid, whole(p_.grid), 0, source_.values.data()); !s.ok())
        return s.error().at("source");
    }
    NEUROLENS_ASSIGN(const auto a, constant_value(p_.coefficient, p_.grid, "coefficient"));
    NEUROLENS_ASSIGN(const auto c, constant_value(p_.reaction, p_.grid, "reaction"));
    NEUROLENS_TRY(go_on());
    const bool constant = a.has_value() && c.has_value();
    if (a.has_value() && !(*a > 0))
      return Error{Errc::out_of_range, "The coefficient must be positive.", "coefficient"};
    if (!constant && o_.method == EllipticMethod::direct)
      return Error{Errc::bad_request,
                   "The direct method needs constant coefficients. Use multigrid or automatic.",
                   ""};
    if (p_.order == 4 && (!constant || o_.method == EllipticMethod::multigrid))
      return Error{Errc::bad_request,
                   "Order 4 needs constant coefficients and the direct method. Use order 2.", ""};
    Report& report = solution.report;
    report.unknowns = unknowns();
    report.precision = std::is_same_v<T, float> ? Precision::f32 : Precision::f64;
    bool direct = constant && o_.method != EllipticMethod::multigrid;
    if (direct) {
      const Status solved = run_direct(*a, *c / *a, solution);
      if (!solved.ok()) {
        const bool other_way = o_.method == EllipticMethod::automatic && p_.order == 2 && *c <= 0 &&
                               solved.error().code == Errc::unavailable;
        if (!other_way) return solved.error();
        direct = false;
        report.why =
            "the direct method does not cover these boundary conditions: " + solved.error().message;
      } else {
        report.why = o_.method == EllipticMethod::direct ? "asked for"
                                                         : "coefficients are constant on a box";
      }
    } else {
      report.why =
          o_.method == EllipticMethod::multigrid ? "asked for" : "a coefficient varies in space";
    }
    if (!direct) {
      NEUROLENS_TRY(run_multigrid(solution));
      NEUROLENS_TRY(check_range(solution.u));
    }
    if (o_.use_cuda) {
      const auto cuda = cuda_availability();
      report.why += "; on the CPU, because CUDA is " + cuda.reason;
    }
    if (p_.exact) NEUROLENS_TRY(compare_exact(solution));
    report.memory = Bytes{report.memory.count + 2 * solution.u.bytes().count};
    report.time = system_clock().now() - begin;
    if (o_.estimate_error && !context_.attention.cancelled()) {
      const Phase phase(context_.observer, "estimate");
      NEUROLENS_TRY(estimate(direct, a, c, solution));
    }
    return solution;
  }

 private:
  [[nodiscard]] Status go_on() const {
    if (!context_.attention.cancelled()) return {};
    return Error{Errc::cancelled, "Stopped before the solve; nothing was computed.", ""};
  }
  [[nodiscard]] std::uint64_t unknowns() const {
    std::uint64_t n = 1;
    for (int axis = 0; axis < p_.grid.dimensions; ++axis) {
      int count = p_.grid.points[static_cast<std::size_t>(axis)];
      const auto& ends = p_.boundary.face[static_cast<std::size_t>(axis)];
      if (ends[0].kind == ConditionKind::periodic) count -= 1;
      for (const auto& end : ends) count -= end.kind == ConditionKind::dirichlet ? 1 : 0;
      n *= static_cast<std::uint64_t>(count);
    }
    return n;
  }

  [[nodiscard]] static Status check_range(const BasicField<T>& u) {
    if (std::is_same_v<T, float> && !all_finite(u))
      return Error{Errc::out_of_range,
                   "The solution leaves the range of single precision (largest: 3.4e38). Scale the "
                   "problem or use f64.",
                   ""};
    return {};
  }

  Result<std::shared_ptr<const PoissonPlan>> plan_for(double c, int order) {
    if (o_.cache != nullptr) return o_.cache->get(p_.grid, p_.boundary, c, order);
    return PoissonPlan::make(p_.grid, p_.boundary, c, order);
  }

  Status run_direct(double a, double c, Solution& solution) {
    Report& report = solution.report;
    const Nanoseconds begin = system_clock().now();
    std::shared_ptr<const PoissonPlan> plan;
    {
      const Phase phase(context_.observer, "plan");
      NEUROLENS_ASSIGN(plan, plan_for(c, p_.order));
    }
    report.plan_time = system_clock().now() - begin;
    if (a != 1)
      for (T& v : source_.values) v = static_cast<T>(static_cast<double>(v) / a);
    NEUROLENS_TRY(plan->solve(source_, p_.boundary, 0, solution.u, context_, &report));
    NEUROLENS_TRY(check_range(solution.u));
    {
      const auto n = static_cast<std::int64_t>(report.unknowns);
      const Phase phase(
          context_.observer, "residual",
          {Flops{n * (4 * p_.grid.dimensions + 2)}, Bytes{n * std::int64_t{2 * sizeof(T)}}});
      NEUROLENS_ASSIGN(report.residual_relative,
                       plan->residual(source_, p_.boundary, 0, solution.u, context_));
    }
    report.method = "direct";
    report.details = plan->description();
    report.memory = plan->bytes();
    return {};
  }

  Status run_multigrid(Solution& solution) {
    const Nanoseconds begin = system_clock().now();
    std::shared_ptr<const MultigridPlan> plan;
    {
      const Phase phase(context_.observer, "plan");
      NEUROLENS_ASSIGN(plan, MultigridPlan::make(p_.grid, p_.boundary, p_.coefficient, p_.reaction,
                                                 o_.multigrid));
    }
    solution.report.plan_time = system_clock().now() - begin;
    const std::size_t iterate = std::is_same_v<T, float> ? 16 * p_.grid.size() : 0;  // in f64
    solution.report.memory = plan->bytes() + Bytes{static_cast<std::int64_t>(iterate)};
    NEUROLENS_TRY(plan->solve(source_, p_.boundary, 0, solution.u, context_, solution.report));
    if constexpr (std::is_same_v<T, float>) {
      const Phase phase(context_.observer, "residual");
      NEUROLENS_ASSIGN(solution.report.residual_relative,
                       plan->residual(source_, p_.boundary, 0, solution.u));
    }
    return {};
  }

  Status compare_exact(Solution& solution) {
    NEUROLENS_ASSIGN(Field exact, make_field(p_.grid));
    if (Status s = p_.exact->fill(p_.grid, whole(p_.grid), 0, exact.values.data()); !s.ok())
      return s.error().at("exact");
    if (solution.report.nullspace) {  // equal up to a constant: compare at equal mean
      double shift = 0;
      for (std::size_t i = 0; i < exact.values.size(); ++i)
        shift += static_cast<double>(solution.u.values[i]) - exact.values[i];
      shift /= static_cast<double>(exact.values.size());
      for (double& v : exact.values) v += shift;
    }
    solution.report.error_max = largest_difference(solution.u, exact);
    return {};
  }

  Status estimate(bool direct, const std::optional<double>& a, const std::optional<double>& c,
                  Solution& solution) {
    if (direct && p_.order == 2) {
      if (const auto better = plan_for(*c / *a, 4); better.ok()) {
        BasicField<T> u(p_.grid);
        NEUROLENS_TRY((*better)->solve(source_, p_.boundary, 0, u, context_));
        solution.report.error_estimate = largest_difference(u, solution.u);
        return {};
      }
    }
    const auto grid = coarser(p_.grid);
    if (!grid || !p_.source.is_function() || !p_.coefficient.is_function() ||
        !p_.reaction.is_function() || !all_functions(p_.boundary, p_.grid.dimensions))
      return {};
    EllipticProblem coarse = p_;
    coarse.exact.reset();
    coarse.grid = *grid;
    EllipticOptions options = o_;
    options.estimate_error = false;
    const auto rough =
        solve_elliptic(coarse, options, {context_.workers, nullptr, context_.attention});
    if (!rough.ok()) return {};
    solution.report.error_estimate = expected_error(wide(solution.u), rough->u, p_.order);
    return {};
  }

  const EllipticProblem& p_;
  const EllipticOptions& o_;
  Context context_;
  BasicField<T> source_;
};

}  // namespace

Result<EllipticSolution> solve_elliptic(const EllipticProblem& problem,
                                        const EllipticOptions& options, const Context& context) {
  return EllipticRun<double>(problem, options, context).run();
}

Result<EllipticSolutionF32> solve_elliptic_f32(const EllipticProblem& problem,
                                               const EllipticOptions& options,
                                               const Context& context) {
  return EllipticRun<float>(problem, options, context).run();
}

Result<std::vector<ConvergenceRow>> convergence_table(const EllipticProblem& problem, int levels,
                                                      const EllipticOptions& options,
                                                      const Context& context, Precision precision) {
  if (!problem.exact)
    return Error{Errc::bad_request, "A convergence table needs the exact solution.", ""};
  if (levels < 2 || levels > 12)
    return Error{Errc::out_of_range, "A convergence table has 2 to 12 levels.", ""};
  std::vector<ConvergenceRow> rows;
  EllipticProblem p = problem;
  EllipticOptions o = options;
  o.estimate_error = false;
  for (int level = 0; level < levels; ++level) {
    if (level > 0 && context.attention.cancelled()) break;  // the grids so far are kept
    Report report;
    if (precision == Precision::f32) {
      NEUROLENS_ASSIGN(const auto solution, solve_elliptic_f32(p, o, context));
      report = solution.report;
    } else {
      NEUROLENS_ASSIGN(const auto solution, solve_elliptic(p, o, context));
      report = solution.report;
    }
    ConvergenceRow row{p.grid, *report.error_max, {}, report.time};
    if (!rows.empty() && row.error_max > 0)
      row.order = std::log2(rows.back().error_max / row.error_max);
    rows.push_back(row);
    for (std::size_t a = 0; a < static_cast<std::size_t>(p.grid.dimensions); ++a)
      p.grid.points[a] = 2 * p.grid.points[a] - 1;
  }
  return rows;
}

}  // namespace neurolens::pde
