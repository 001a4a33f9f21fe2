#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <new>

#include "multigrid/general.hpp"
#include "multigrid/streamed.hpp"
#include "multigrid/streamed_3d.hpp"
#include "multigrid/true_residual.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

template <class From, class To>
void convert(const BasicField<From>& from, BasicField<To>& to) {
  std::transform(from.values.begin(), from.values.end(), to.values.begin(),
                 [](From value) { return static_cast<To>(value); });
}

}  // namespace

struct MultigridPlan::State {
  EllipticSystem system;
  ScalarData a, c;
  MultigridOptions options;
  std::unique_ptr<StreamedMultigrid> streamed;  ///< Null when the problem is not of its kind.
  std::unique_ptr<StreamedMultigrid3> planes;   ///< The same in 3-D.
  /// What a solve in single precision computes with. Kept for the next one: fresh memory costs more
  /// than the cycles.
  struct Wide {
    Field source, u;
  };
  mutable std::vector<std::unique_ptr<Wide>> wide;
  mutable std::mutex mutex;
  mutable std::unique_ptr<GeneralMultigrid> general;  ///< Made when first needed.

  std::unique_ptr<Wide> take_wide() const {
    {
      const std::lock_guard lock(mutex);
      if (!wide.empty()) {
        auto taken = std::move(wide.back());
        wide.pop_back();
        return taken;
      }
    }
    return std::make_unique<Wide>(Wide{Field(system.grid), Field(system.grid)});
  }
  void give_back(std::unique_ptr<Wide> used) const {
    const std::lock_guard lock(mutex);
    if (wide.size() < kMostSpare) wide.push_back(std::move(used));
  }

  const GeneralMultigrid& general_solver() const {
    const std::lock_guard lock(mutex);
    if (general == nullptr) {
      // What cycles of bilinear weights are slow for is left to weights that follow the operator.
      EllipticSystem rough = system;
      rough.contrast = std::numeric_limits<double>::infinity();
      general = std::make_unique<GeneralMultigrid>(
          rough, options, streamed != nullptr ? streamed->network() : planes->network());
    }
    return *general;
  }

  Status solve_generally(const Field& source, const std::vector<FaceAction>& actions,
                         bool from_guess, Field& u, const Context& context, Report& report) const {
    const int before = report.iterations;
    const GeneralMultigrid& solver = general_solver();
    const Status outcome = solver.solve(source, actions, from_guess, u, context, report);
    report.iterations += before;
    report.details = fmt::format("{} levels, {}-cycles of {} red-black sweeps{}", solver.levels(),
                                 options.cycle == Cycle::w ? "W" : "V", 2 * options.smoothing,
                                 from_guess ? "" : " after nested iteration");
    return outcome;
  }

  Status solve(const Field& source, const Boundary& boundary, double t, Field& u,
               const Context& context, Report& report) const {
    std::vector<FaceAction> actions;
    {
      const Phase phase(context.observer, "boundary");
      NEUROLENS_TRY(face_actions(system, boundary, t, actions));
    }
    report.iterations = 0;
    if (streamed == nullptr && planes == nullptr)
      return solve_generally(source, actions, options.cycle != Cycle::full, u, context, report);
    using Outcome = StreamedMultigrid::Outcome;
    NEUROLENS_ASSIGN(const Outcome outcome,
                     streamed != nullptr ? streamed->solve(source, actions, u, context, report)
                                         : planes->solve(source, actions, u, context, report));
    switch (outcome) {
      case Outcome::exhausted:
        return not_converged(report, options.tolerance);
      case Outcome::stopped:
        return stopped(report, options.tolerance);
      case Outcome::slow:
        return solve_generally(source, actions, true, u, context, report);
      case Outcome::done:
        break;
    }
    return {};
  }
};

MultigridPlan::MultigridPlan(std::unique_ptr<State> state) : state_(std::move(state)) {}
MultigridPlan::~MultigridPlan() = default;

Result<std::shared_ptr<const MultigridPlan>> MultigridPlan::make(const Grid& grid,
                                                                 const Boundary& boundary,
                                                                 const ScalarData& a,
                                                                 const ScalarData& c,
                                                                 const MultigridOptions& options) {
  NEUROLENS_TRY(check(grid));
  NEUROLENS_TRY(check(grid, boundary));
  if (options.smoothing < 1 || options.smoothing > 8 ||
      !(options.tolerance > 1e-15 && options.tolerance < 1) || options.max_iterations < 1)
    return Error{
        Errc::out_of_range,
        "Multigrid needs 1 to 8 sweeps, a tolerance in (1e-15, 1) and at least one iteration.", ""};
  try {
    auto state = std::make_unique<State>();
    state->options = options;
    state->a = a;
    state->c = c;
    Network network;
    NEUROLENS_TRY(make_system(grid, boundary, a, c, state->system, network));
    state->streamed = StreamedMultigrid::make(state->system, options, network);
    state->planes = StreamedMultigrid3::make(state->system, options, network);
    if (state->streamed == nullptr && state->planes == nullptr)
      state->general =
          std::make_unique<GeneralMultigrid>(state->system, options, std::move(network));
    return std::shared_ptr<const MultigridPlan>(new MultigridPlan(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory,
                 fmt::format("Memory for multigrid on {} points ran out.", grid.text()), ""};
  }
}

Status MultigridPlan::solve(const Field& source, const Boundary& boundary, double t, Field& u,
                            const Context& context, Report& report) const {
  const Grid& grid = state_->system.grid;
  if (!(source.grid == grid) || !(u.grid == grid))
    return Error{Errc::bad_request, "The arrays are not on the plan's grid.", ""};
  try {
    const Status solved = state_->solve(source, boundary, t, u, context, report);
    const double tolerance = state_->options.tolerance;
    if (solved.ok() && report.residual_relative > tolerance)
      report.details += fmt::format(
          "; the tolerance {:.2g} is out of reach: rounding of the equations' terms leaves {:.2g}",
          tolerance, report.residual_relative);
    return solved;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the multigrid vectors ran out.", ""};
  }
}

Status MultigridPlan::solve(const FieldF32& source, const Boundary& boundary, double t, FieldF32& u,
                            const Context& context, Report& report) const {
  if (!(source.grid == state_->system.grid) || !(u.grid == state_->system.grid))
    return Error{Errc::bad_request, "The arrays are not on the plan's grid.", ""};
  try {
    std::unique_ptr<State::Wide> wide = state_->take_wide();
    convert(source, wide->source);
    if (state_->options.cycle != Cycle::full) convert(u, wide->u);
    report.precision = Precision::f32;
    const Status outcome = solve(wide->source, boundary, t, wide->u, context, report);
    convert(wide->u, u);
    report.residual_unrounded = report.residual_relative;
    if (outcome.ok()) state_->give_back(std::move(wide));  // others may hold what is not finite
    return outcome;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the multigrid vectors ran out.", ""};
  }
}

Result<double> MultigridPlan::residual(const FieldF32& source, const Boundary& boundary, double t,
                                       const FieldF32& u) const {
  if (!(source.grid == state_->system.grid) || !(u.grid == state_->system.grid))
    return Error{Errc::bad_request, "The arrays are not on the plan's grid.", ""};
  try {
    std::vector<FaceAction> actions;
    NEUROLENS_TRY(face_actions(state_->system, boundary, t, actions));
    Field b = to_f64(source);
    Field wide = to_f64(u);
    return true_residual(state_->system, state_->a, state_->c, actions, b, wide);
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the residual ran out.", ""};
  }
}

Bytes MultigridPlan::bytes() const {
  std::size_t total = state_->streamed == nullptr ? 0 : state_->streamed->bytes();
  if (state_->planes != nullptr) total += state_->planes->bytes();
  const std::lock_guard lock(state_->mutex);
  if (state_->general != nullptr) total += state_->general->bytes();
  return Bytes{static_cast<std::int64_t>(total)};
}

int MultigridPlan::levels() const {
  if (state_->streamed != nullptr) return state_->streamed->levels();
  return state_->planes != nullptr ? state_->planes->levels() : state_->general->levels();
}

}  // namespace neurolens::pde
