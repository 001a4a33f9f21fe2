#include "multigrid/streamed_3d.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed_3d_right.hpp"

namespace neurolens::pde {
namespace {}  // namespace

// x gets u's fixed values, or all of u.
void StreamedMultigrid3::take_fixed(const Field& u, bool all, Work& work) const {
  const Level& level = levels_.front();
  const auto& [x, y, z] = level.axis;
  const auto inside = [](const Axis& a, int node) {
    return node >= a.first && node < a.first + a.m;
  };
  for (int k = 0; k < z.n; ++k)
    for (int j = 0; j < y.n; ++j) {
      const double* from = u.values.data() + (index(k) * index(y.n) + index(j)) * index(x.n);
      double* to = work.levels[0].x.data() + level.at(-x.first, j - y.first, k - z.first);
      if (all || !inside(y, j) || !inside(z, k)) {
        std::copy_n(from, x.n, to);
        continue;
      }
      if (x.first == 1) to[0] = from[0];
      if (x.first + x.m < x.n) to[x.n - 1] = from[x.n - 1];
    }
}

void StreamedMultigrid3::copy_out(const Work& work, Field& u) const {
  const Level& level = levels_.front();
  const auto& [x, y, z] = level.axis;
  for (int k = 0; k < z.m; ++k)
    for (int j = 0; j < y.m; ++j)
      std::copy_n(work.levels[0].x.data() + level.at(0, j, k), x.m,
                  &u.at(x.first, j + y.first, k + z.first));
}

// max |right-hand side|, Dirichlet values moved over: the residual of nothing.
double StreamedMultigrid3::size_of_data(const Right& right, Work& work) const {
  const Level& level = levels_.front();
  const auto& [x, y, z] = level.axis;
  for (int k = 0; k < z.m; ++k)
    for (int j = 0; j < y.m; ++j)
      std::fill_n(work.levels[0].x.data() + level.at(0, j, k), x.m, 0.0);
  return cycle_pass(0, work, right, {.smoothing = false}).before;
}

// The residual cannot be told from zero below the rounding errors of A u itself.
double StreamedMultigrid3::rounding_floor(const Work& work) const {
  const Level& l = levels_.front();
  const auto& [x, y, z] = l.axis;
  double most = 0;
  for (int k = 0; k < z.m; ++k)
    for (int j = 0; j < y.m; ++j)
      for (int i = 0; i < x.m; ++i) {
        const std::size_t p = l.at(i, j, k);
        const double diagonal =
            l.ax[p] + l.ax[p - 1] + l.ay[p] + l.ay[p - l.stride] + l.az[p] + l.az[p - l.plane];
        most = std::max(most, diagonal * std::fabs(work.levels[0].x[p]));
      }
  return 16 * 2.2e-16 * most;
}

void StreamedMultigrid3::remove_mean(Field& u) const {
  double sum = 0;
  double weight = 0;
  std::size_t p = 0;
  for (int k = 0; k < u.grid.points[2]; ++k)
    for (int j = 0; j < u.grid.points[1]; ++j)
      for (int i = 0; i < u.grid.points[0]; ++i, ++p) {
        const double w = system_.volume(i, j, k);
        sum += w * u.values[p];
        weight += w;
      }
  for (double& v : u.values) v -= sum / weight;
}

// Data of a singular problem must balance; what is left of them by rounding is taken off.
Status StreamedMultigrid3::balance(Right& right, const Work& work, Report& report) const {
  const auto& n = right.source->grid.points;
  AlignedVector<double> row(work.scratch[0][0].wide.size());
  double sum = 0;
  double magnitude = 0;
  double weight = 0;
  for (int k = 0; k < n[2]; ++k)
    for (int j = 0; j < n[1]; ++j) {
      right.make_row(j, k, row.data());
      for (int i = 0; i < n[0]; ++i) {
        sum += row[index(i)];
        magnitude += std::fabs(row[index(i)]);
        weight += system_.volume(i, j, k);
      }
    }
  report.nullspace = true;
  if (std::isfinite(magnitude))
    NEUROLENS_TRY(check_balance(sum, magnitude, report.compatibility_defect));
  right.shift = sum / weight;
  return {};
}

Result<StreamedMultigrid3::Outcome> StreamedMultigrid3::iterate(Work& work, const Right& right,
                                                                Field& u, bool nested, double data,
                                                                const Attention& attention,
                                                                Report& report) const {
  const StreamStep first{.start = nested ? kernels::StreamStart::cubic : kernels::StreamStart::keep,
                         .scale = 1 / data};
  const double* guess = nested ? nested_iteration(work, right, first.scale) : nullptr;
  bool written = false;  // u is x
  const auto pass = [&](const StreamStep& step, bool last) {
    // A pass that only smooths after the last one leaves x as it was written.
    written = last || (written && step.start == kernels::StreamStart::keep);
    return cycle_pass(0, work, right, step, {}, last ? &u : nullptr);
  };
  const Outcome outcome = stream_cycles(
      options_, data, first, cycle_pass(0, work, right, first, guess), attention, report, pass,
      [&] { coarse_cycle(1, work, true); }, [&] { return rounding_floor(work); });
  if (!written) copy_out(work, u);
  return outcome;
}

Result<StreamedMultigrid3::Outcome> StreamedMultigrid3::solve(
    const Field& source, const std::vector<FaceAction>& actions, Field& u, const Context& context,
    Report& report) const {
  auto work = take_work(context.workers);
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
      const std::size_t axis = r.first[0] == r.last[0] ? 0 : r.first[1] == r.last[1] ? 1 : 2;
      if (!action.fixed) {
        right.add[axis][r.first[axis] == 0 ? 0 : 1] = action.value.data();
        continue;
      }
      std::size_t at = 0;
      for (int k = r.first[2]; k <= r.last[2]; ++k)
        for (int j = r.first[1]; j <= r.last[1]; ++j)
          for (int i = r.first[0]; i <= r.last[0]; ++i, ++at) {
            u.at(i, j, k) = action.value[at];
            known = known || action.value[at] != 0;
          }
    }
    take_fixed(u, false, *work);
    if (system_.nullspace) NEUROLENS_TRY(balance(right, *work, report));
    right.check_boundary();
    data = restrict_right(0, *work, right);
    if (!right.finite)
      return Error{Errc::out_of_range, "The source is not a finite number everywhere.", "source"};
    if (known) data = size_of_data(right, *work);
    if (!nested) take_fixed(u, true, *work);
  }
  Outcome outcome = Outcome::done;
  report.method = "multigrid";
  {
    Phase phase(context.observer, "solve");
    if (data == 0 && nested) {  // nothing acts
      report.iterations = 0;
      report.residual_relative = 0;
      for (auto& x : work->levels) std::fill(x.x.begin(), x.x.end(), 0.0);
      copy_out(*work, u);
    } else {
      NEUROLENS_ASSIGN(outcome, iterate(*work, right, u, nested, data == 0 ? 1 : data,
                                        context.attention, report));
    }
    const auto n = static_cast<std::int64_t>(u.values.size());
    const std::int64_t cycles = report.iterations + (nested ? 2 : 1);
    phase.add({Flops{cycles * n * (40 + 8 * fine_halves() + 2 * coarse_halves())},
               Bytes{cycles * n * 60}});
  }
  if (system_.nullspace) remove_mean(u);
  report.details = description();
  if (outcome == Outcome::done) give_back(std::move(work));
  return outcome;
}

std::string StreamedMultigrid3::description() const {
  return fmt::format("{} levels, {}-cycles of {} red-black sweeps in one pass{}", levels(),
                     options_.cycle == Cycle::w ? "W" : "V", fine_halves() / 2,
                     options_.cycle == Cycle::full ? " after nested iteration" : "");
}

}  // namespace neurolens::pde
