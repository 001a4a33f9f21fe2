#include "multigrid/streamed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed_right.hpp"

namespace neurolens::pde {
namespace {}  // namespace

// max |right-hand side|, Dirichlet values moved over.
double StreamedMultigrid::size_of_data(const Right& right, const Field& u, Work& work) const {
  const Level& level = levels_.front();
  const auto& [x, y] = level.axis;
  double* row = rings(0, work, 0).b;
  double most = 0;
  for (int j = y.first; j < y.last; ++j) {
    right.make_row(j, row);
    const std::size_t at = level.origin() + index(j) * level.stride;
    if (x.first == 1) row[1] += level.ax[at] * u.at(0, j);
    if (x.last < x.n) row[x.last - 1] += level.ax[at + index(x.last) - 1] * u.at(x.last, j);
    for (int i = x.first; i < x.last; ++i) {
      if (j == 1 && y.first == 1) row[i] += level.ay[at - level.stride + index(i)] * u.at(i, 0);
      if (j == y.last - 1 && y.last < y.n) row[i] += level.ay[at + index(i)] * u.at(i, j + 1);
      most = std::max(most, std::fabs(row[i]));
    }
  }
  return most;
}

// The residual cannot be told from zero below the rounding errors of A u itself.
double StreamedMultigrid::rounding_floor(const Field& u) const {
  const Level& level = levels_.front();
  double most = 0;
  for (int j = level.axis[1].first; j < level.axis[1].last; ++j)
    for (int i = level.axis[0].first; i < level.axis[0].last; ++i) {
      const std::size_t p = level.origin() + index(j) * level.stride + index(i);
      most = std::max(most,
                      (level.ax[p] + level.ax[p - 1] + level.ay[p] + level.ay[p - level.stride]) *
                          std::fabs(u.at(i, j)));
    }
  return 16 * 2.2e-16 * most;
}

void StreamedMultigrid::remove_mean(Field& u) const {
  double sum = 0;
  double weight = 0;
  for (int j = 0; j < u.grid.points[1]; ++j)
    for (int i = 0; i < u.grid.points[0]; ++i) {
      const double w = system_.volume(i, j, 0);
      sum += w * u.at(i, j);
      weight += w;
    }
  for (double& v : u.values) v -= sum / weight;
}

Result<StreamedMultigrid::Outcome> StreamedMultigrid::iterate(Work& work, const Right& right,
                                                              Field& u, bool nested, double data,
                                                              const Attention& attention,
                                                              Report& report) const {
  const StreamStep first{.start = nested ? kernels::StreamStart::cubic : kernels::StreamStart::keep,
                         .scale = 1 / data};
  if (nested) nested_iteration(work, right, u, first.scale);
  const auto pass = [&](const StreamStep& step, bool) {
    return cycle_pass(0, work, right, u, step);
  };
  return stream_cycles(
      options_, data, first, pass(first, false), attention, report, pass,
      [&] { coarse_cycle(1, work, true); }, [&] { return rounding_floor(u); });
}

Result<StreamedMultigrid::Outcome> StreamedMultigrid::solve(const Field& source,
                                                            const std::vector<FaceAction>& actions,
                                                            Field& u, const Context& context,
                                                            Report& report) const {
  auto work = take_work(context.pool());
  const bool nested = options_.cycle == Cycle::full;
  Right right;
  right.solver = this;
  right.source = &source;
  bool known = false;  // some boundary value is not zero
  double data = 0;
  {
    const Phase phase(context.observer, "boundary");
    for (const FaceAction& action : actions) {
      const Region& r = action.region;
      const std::size_t axis = r.first[0] == r.last[0] ? 0 : 1;
      if (!action.fixed) {
        right.add[axis][r.first[axis] == 0 ? 0 : 1] = action.value.data();
        continue;
      }
      std::size_t at = 0;
      for (int j = r.first[1]; j <= r.last[1]; ++j)
        for (int i = r.first[0]; i <= r.last[0]; ++i, ++at) {
          u.at(i, j) = action.value[at];
          known = known || action.value[at] != 0;
        }
    }
    const int n1 = source.grid.points[1];
    if (system_.nullspace) {
      double sum = 0;
      double magnitude = 0;
      double weight = 0;
      double* row = rings(0, *work, 0).b;
      for (int j = 0; j < n1; ++j) {
        right.make_row(j, row);
        for (int i = 0; i < source.grid.points[0]; ++i) {
          sum += row[i];
          magnitude += std::fabs(row[i]);
          weight += system_.volume(i, j, 0);
        }
      }
      report.nullspace = true;
      if (std::isfinite(magnitude))
        NEUROLENS_TRY(check_balance(sum, magnitude, report.compatibility_defect));
      right.shift = sum / weight;
    }
    right.check_row(0);
    right.check_row(n1 - 1);
    kernels::StreamPass p = pass(0, *work, right, u);
    p.right = Right::checked_row;
    data = restrict_right(0, *work, p);
    if (!right.finite)
      return Error{Errc::out_of_range, "The source is not a finite number everywhere.", "source"};
    if (known || !nested) data = size_of_data(right, u, *work);
  }
  Outcome outcome = Outcome::done;
  report.method = "multigrid";
  {
    Phase phase(context.observer, "solve");
    if (data == 0 && nested) {  // nothing acts
      report.iterations = 0;
      report.residual_relative = 0;
      for (int j = levels_[0].axis[1].first; j < levels_[0].axis[1].last; ++j)
        std::fill(
            &u.at(levels_[0].axis[0].first, j),
            &u.at(levels_[0].axis[0].first, j) + levels_[0].axis[0].last - levels_[0].axis[0].first,
            0.0);
    } else {
      NEUROLENS_ASSIGN(outcome, iterate(*work, right, u, nested, data == 0 ? 1 : data,
                                        context.attention, report));
    }
    const auto n = static_cast<std::int64_t>(u.values.size());
    const std::int64_t cycles = report.iterations + (nested ? 2 : 1);
    phase.add({Flops{cycles * n * (20 + 17 * fine_sweeps() + 9 * coarse_sweeps())},
               Bytes{cycles * n * 60}});
  }
  if (system_.nullspace) remove_mean(u);
  report.details = description();
  if (outcome == Outcome::done) give_back(std::move(work));
  return outcome;
}

std::string StreamedMultigrid::description() const {
  return fmt::format("{} levels, {}-cycles of {} red-black sweeps in one pass{}", levels(),
                     options_.cycle == Cycle::w ? "W" : "V", fine_sweeps(),
                     options_.cycle == Cycle::full ? " after nested iteration" : "");
}

}  // namespace neurolens::pde
