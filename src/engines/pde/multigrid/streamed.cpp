#include "multigrid/streamed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "kernels/pointwise.hpp"
#include "multigrid/general.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPad = 16;
constexpr double kTrusted = 1e-3;  // gain of renewed residuals before an exact one is due
constexpr double kSafely = 0.9;    // of the tolerance, when only single precision has seen it

}  // namespace

// b = -(cell volumes) (f + shift) + boundary terms.
struct StreamedMultigrid::Right {
  const StreamedMultigrid* solver = nullptr;
  const Field* source = nullptr;
  double shift = 0;
  std::array<std::array<const double*, 2>, 2> add{};  ///< Per axis and side; null: nothing.
  mutable bool finite = true;

  [[nodiscard]] bool dirichlet_ends() const {
    const Axis& x = solver->levels_.front().axis[0];
    return x.first == 1 && x.last == x.n - 1;
  }
  [[nodiscard]] const double* source_row(int j) const {
    return source->values.data() + index(j) * index(source->grid.points[0]);
  }
  void check_row(int j) const {
    if (!kernels::all_finite(index(source->grid.points[0]), source_row(j))) finite = false;
  }
  void make_row(int j, double* b) const {
    const auto& axis = solver->levels_.front().axis;
    const double* f = source_row(j);
    const double w = j == 0 || j == axis[1].n - 1 ? 0.5 : 1;
    for (int i = axis[0].first; i < axis[0].last; ++i) b[i] = -w * (f[i] + shift);
    if (axis[0].first == 0) b[0] *= 0.5;
    if (axis[0].last == axis[0].n) b[axis[0].n - 1] *= 0.5;
    if (add[0][0] != nullptr) b[0] += add[0][0][j];
    if (add[0][1] != nullptr) b[axis[0].n - 1] += add[0][1][j];
    for (std::size_t side = 0; side < 2; ++side)
      if (add[1][side] != nullptr && j == (side == 0 ? 0 : axis[1].n - 1))
        for (int i = axis[0].first; i < axis[0].last; ++i) b[i] += add[1][side][i];
  }
  static kernels::RightRow row(const void* owner, int j, double* scratch) {
    const auto& self = *static_cast<const Right*>(owner);
    const int n = self.source->grid.points[1];
    // Rows that need nothing are read where they are; the last one, because whole vectors are read.
    if (self.dirichlet_ends() && j > 0 && j < n - 1 && self.shift == 0)
      return {self.source_row(j), -1};
    self.make_row(j, scratch);
    return {scratch, 1};
  }
  static kernels::RightRow checked_row(const void* owner, int j, double* scratch) {
    static_cast<const Right*>(owner)->check_row(j);
    return row(owner, j, scratch);
  }
};

namespace {

struct PaddedRows {
  const double* at;
  std::size_t stride;
  static kernels::RightRow row(const void* owner, int j, double*) {
    const auto& self = *static_cast<const PaddedRows*>(owner);
    return {self.at + index(j) * self.stride, 1};
  }
};

}  // namespace

std::unique_ptr<StreamedMultigrid::Work> StreamedMultigrid::take_work() const {
  {
    const std::lock_guard lock(spare_mutex_);
    if (!spare_.empty()) {
      auto work = std::move(spare_.back());
      spare_.pop_back();
      return work;
    }
  }
  auto work = std::make_unique<Work>();
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    const Level& level = levels_[l];
    Vectors& v = work->levels.emplace_back();
    v.e.assign(level.size(), 0.0F);
    v.f.assign(level.size(), 0.0F);
    if (l > 0) {
      v.x.assign(level.size(), 0.0);
      v.b.assign(level.size(), 0.0);
    }
    v.ring_wide.assign(level.stride * (kernels::kStreamRowsX + 2) + kPad, 0.0);
    v.ring_narrow.assign(level.stride * 3 + kPad, 0.0F);
  }
  work->dense.assign(2 * dense_stride_, 0.0F);
  return work;
}

void StreamedMultigrid::give_back(std::unique_ptr<Work> work) const {
  const std::lock_guard lock(spare_mutex_);
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(work));
}

kernels::StreamLevel StreamedMultigrid::view(std::size_t l, Work& work) const {
  const Level& level = levels_[l];
  const std::size_t at = level.origin();
  const auto narrow = [&](const AlignedVector<float>& v) {
    return v.empty() ? nullptr : v.data() + at;
  };
  kernels::StreamLevel view{};
  for (std::size_t a = 0; a < 2; ++a) {
    view.n[a] = level.axis[a].n;
    view.first[a] = level.axis[a].first;
    view.last[a] = level.axis[a].last;
  }
  view.stride = level.stride;
  view.ax = level.ax.data() + at;
  view.ay = level.ay.data() + at;
  view.extra = level.extra.empty() ? nullptr : level.extra.data() + at;
  view.narrow_ax = narrow(level.narrow_ax);
  view.narrow_ay = narrow(level.narrow_ay);
  view.narrow_extra = narrow(level.narrow_extra);
  view.inverse = narrow(level.inverse);
  view.e = work.levels[l].e.data() + at;
  view.f = work.levels[l].f.data() + at;
  return view;
}

kernels::StreamRings StreamedMultigrid::rings(std::size_t l, Work& work) const {
  const Level& level = levels_[l];
  Vectors& v = work.levels[l];
  const std::size_t aligned = kPad - index(level.axis[0].first);
  kernels::StreamRings r{};
  double* wide = v.ring_wide.data() + aligned;
  r.x = wide;
  r.b = wide + kernels::kStreamRowsX * level.stride;
  r.line = r.b + level.stride;
  r.rest = v.ring_narrow.data() + aligned;
  r.gathered = r.rest + 2 * level.stride;
  return r;
}

template <class T>
kernels::StreamRows<T> StreamedMultigrid::rows(std::size_t l, T* data) const {
  const Level& level = levels_[l];
  kernels::StreamRows<T> r{};
  r.at = data + level.origin();
  for (std::size_t a = 0; a < 2; ++a) {
    r.n[a] = level.axis[a].n;
    r.first[a] = level.axis[a].first;
    r.last[a] = level.axis[a].last;
  }
  r.stride = level.stride;
  return r;
}

kernels::StreamPass StreamedMultigrid::pass(std::size_t l, Work& work, const Right& right,
                                            Field& u) const {
  const Level& level = levels_[l];
  kernels::StreamPass p{};
  p.level = view(l, work);
  p.rings = rings(l, work);
  p.source = kernels::StreamSource::exact;
  p.from_zero = true;
  p.x = l == 0 ? u.values.data() : work.levels[l].x.data() + level.origin();
  p.x_stride = l == 0 ? index(u.grid.points[0]) : level.stride;
  p.start = kernels::StreamStart::keep;
  p.right = Right::row;
  p.owner = &right;
  p.plain = l == 0 ? right.source->values.data() : work.levels[l].b.data() + level.origin();
  p.plain_stride = l == 0 ? index(right.source->grid.points[0]) : level.stride;
  p.scale = p.unit = 1;
  p.omega = static_cast<float>(kernels::kStreamRelaxation);
  if (l + 1 == levels_.size()) return p;
  p.coarse_e = rows<const float>(l + 1, work.levels[l + 1].e.data());
  p.coarse_x = rows<const double>(l + 1, work.levels[l + 1].x.data());
  p.coarse_f = rows(l + 1, work.levels[l + 1].f.data());
  for (std::size_t a = 0; a < 2; ++a)
    p.cubic[a] = {level.axis[a].cubic_start.data(), level.axis[a].cubic_weight.data(),
                  level.axis[a].cubic_regular};
  return p;
}

kernels::StreamResidual StreamedMultigrid::cycle_pass(std::size_t l, Work& work, const Right& right,
                                                      Field& u, const Step& step) const {
  kernels::StreamPass p = pass(l, work, right, u);
  const PaddedRows padded{work.levels[l].b.data() + levels_[l].origin(), levels_[l].stride};
  if (l > 0) {
    p.right = PaddedRows::row;
    p.owner = &padded;
  }
  p.source = step.source;
  p.start = step.start;
  p.unit = step.unit;
  p.scale = step.scale;
  p.sweeps = step.smoothing ? fine_sweeps() : 0;
  if (!step.coarse) p.coarse_e.at = nullptr;
  auto& coarse = work.levels[l + 1].f;
  if (step.smoothing) std::fill(coarse.begin(), coarse.end(), 0.0F);
  return kernels::stream_pass(p);
}

kernels::StreamPass StreamedMultigrid::coarse_pass(std::size_t l, Work& work) const {
  kernels::StreamPass p{};
  p.level = view(l, work);
  p.rings = rings(l, work);
  p.source = kernels::StreamSource::given;
  p.omega = static_cast<float>(kernels::kStreamRelaxation);
  p.sweeps = coarse_sweeps();
  p.scale = 1;
  return p;
}

void StreamedMultigrid::solve_coarsest(Work& work) const {
  const Level& level = levels_.back();
  Vectors& v = work.levels.back();
  float* in = work.dense.data();
  float* out = in + dense_stride_;
  const Axis& x = level.axis[0];
  const Axis& y = level.axis[1];
  const auto width = index(x.last - x.first);
  const auto row = [&](int j) { return level.origin() + index(j) * level.stride + index(x.first); };
  for (int j = y.first; j < y.last; ++j)
    std::copy_n(v.f.data() + row(j), width, in + index(j - y.first) * width);
  kernels::stream_dense(dense_count_, dense_stride_, dense_.data(), in, out);
  for (int j = y.first; j < y.last; ++j)
    std::copy_n(out + index(j - y.first) * width, width, v.e.data() + row(j));
}

void StreamedMultigrid::coarse_cycle(std::size_t l, Work& work, bool from_zero) const {
  if (l + 1 == levels_.size()) return solve_coarsest(work);
  kernels::StreamPass down = coarse_pass(l, work);
  down.from_zero = from_zero;
  auto& coarse = work.levels[l + 1];
  down.coarse_f = rows(l + 1, coarse.f.data());
  std::fill(coarse.f.begin(), coarse.f.end(), 0.0F);
  (void)kernels::stream_pass(down);
  coarse_cycle(l + 1, work, true);
  if (options_.cycle == Cycle::w && l + 2 < levels_.size()) coarse_cycle(l + 1, work, false);
  kernels::StreamPass up = coarse_pass(l, work);
  up.coarse_e = rows<const float>(l + 1, coarse.e.data());
  (void)kernels::stream_pass(up);
}

// Dirichlet values of level l, at the nodes that level l + 1 keeps.
void StreamedMultigrid::inject_fixed(std::size_t l, Work& work, const Field& u) const {
  const Level& fine = levels_[l];
  const Level& coarse = levels_[l + 1];
  const auto value = [&](int i, int j) {
    i = std::min(2 * i, fine.axis[0].n - 1);
    j = std::min(2 * j, fine.axis[1].n - 1);
    return l == 0 ? u.at(i, j)
                  : work.levels[l].x[fine.origin() + index(j) * fine.stride + index(i)];
  };
  const Axis& x = coarse.axis[0];
  const Axis& y = coarse.axis[1];
  for (int j = 0; j < y.n; ++j)
    for (int i = 0; i < x.n; ++i) {
      const bool free_row = j >= y.first && j < y.last;
      if (free_row && i >= x.first && i < x.last) {
        i = x.last - 1;  // on to the other end of the row
        continue;
      }
      work.levels[l + 1].x[coarse.origin() + index(j) * coarse.stride + index(i)] = value(i, j);
    }
}

// x of the last level from its right-hand side. What single precision rounds off is smooth and
// small, and the next level's pass takes it up.
void StreamedMultigrid::solve_first(Work& work, double scale) const {
  const Level& l = levels_.back();
  Vectors& v = work.levels.back();
  const auto& [x, y] = l.axis;
  for (int j = y.first; j < y.last; ++j)
    for (int i = x.first; i < x.last; ++i) {
      const std::size_t p = l.origin() + index(j) * l.stride + index(i);
      double r = v.b[p];
      if (i == x.first && i > 0) r += l.ax[p - 1] * v.x[p - 1];
      if (i + 1 == x.last && x.last < x.n) r += l.ax[p] * v.x[p + 1];
      if (j == y.first && j > 0) r += l.ay[p - l.stride] * v.x[p - l.stride];
      if (j + 1 == y.last && y.last < y.n) r += l.ay[p] * v.x[p + l.stride];
      v.f[p] = static_cast<float>(r * scale);
    }
  solve_coarsest(work);
  for (int j = y.first; j < y.last; ++j)
    for (int i = x.first; i < x.last; ++i) {
      const std::size_t p = l.origin() + index(j) * l.stride + index(i);
      v.x[p] = static_cast<double>(v.e[p]) / scale;
    }
}

// Solutions of all levels but the finest; right-hand sides have been restricted.
void StreamedMultigrid::nested_iteration(Work& work, const Right& right, Field& u,
                                         double scale) const {
  const std::size_t last = levels_.size() - 1;
  for (std::size_t l = 1; l < last; ++l) {
    kernels::StreamPass p = pass(l, work, right, u);
    const PaddedRows padded{work.levels[l].b.data() + levels_[l].origin(), levels_[l].stride};
    p.right = PaddedRows::row;
    p.owner = &padded;
    auto& coarse = work.levels[l + 1].b;
    std::fill(coarse.begin(), coarse.end(), 0.0);
    (void)kernels::stream_restrict(p, rows(l + 1, coarse.data()));
  }
  for (std::size_t l = 0; l < last; ++l) inject_fixed(l, work, u);
  solve_first(work, scale);
  for (std::size_t l = last - 1; l > 0; --l) {
    (void)cycle_pass(l, work, right, u, {.start = kernels::StreamStart::cubic, .scale = scale});
    coarse_cycle(l + 1, work, true);
    kernels::StreamPass p = pass(l, work, right, u);
    p.start = kernels::StreamStart::correct;
    p.unit = 1 / scale;
    kernels::stream_apply(p);
  }
}

// max |right-hand side|, Dirichlet values moved over.
double StreamedMultigrid::size_of_data(const Right& right, const Field& u, Work& work) const {
  const Level& level = levels_.front();
  const auto& [x, y] = level.axis;
  double* row = rings(0, work).b;
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
  const double goal = options_.tolerance * data;
  using kernels::StreamSource;
  using kernels::StreamStart;
  Step step{.start = nested ? StreamStart::cubic : StreamStart::keep, .scale = 1 / data};
  if (nested) nested_iteration(work, right, u, step.scale);
  kernels::StreamResidual residual = cycle_pass(0, work, right, u, step);
  double exact = residual.before;  // at the last exact pass
  int slow = 0;
  for (report.iterations = 0; !(residual.before <= goal) || step.source != StreamSource::exact;
       ++report.iterations) {
    const double before = residual.before;
    report.residual_relative = before / data;
    if (report.iterations % 8 == 7 && before <= rounding_floor(u)) break;
    if (report.iterations >= options_.max_iterations || !std::isfinite(before))
      return Outcome::exhausted;
    if (attention.cancelled()) return Outcome::stopped;
    if (slow >= 2 && options_.conjugate_gradient) return Outcome::slow;
    // Where smoothing has done enough, its correction is all that is missing.
    const bool last = residual.after <= kSafely * goal;
    const bool renew = !last && residual.after > kTrusted * exact;
    if (!last) coarse_cycle(1, work, true);
    step = {.source = renew ? StreamSource::renewed : StreamSource::exact,
            .start = StreamStart::correct,
            .unit = 1 / step.scale,
            .scale = renew ? step.scale : 1 / before,
            .smoothing = !last,
            .coarse = !last};
    residual = cycle_pass(0, work, right, u, step);
    slow = residual.before * kSlowestGain > before ? slow + 1 : 0;
    if (last && residual.before > goal)  // single precision had promised too much
      residual = cycle_pass(0, work, right, u, {.scale = step.scale});
    if (!renew) exact = residual.before;
  }
  report.residual_relative = residual.before / data;
  return Outcome::done;
}

Result<StreamedMultigrid::Outcome> StreamedMultigrid::solve(const Field& source,
                                                            const std::vector<FaceAction>& actions,
                                                            Field& u, const Context& context,
                                                            Report& report) const {
  auto work = take_work();
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
      double* row = rings(0, *work).b;
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
    auto& coarse = work->levels[1].b;
    std::fill(coarse.begin(), coarse.end(), 0.0);
    data = kernels::stream_restrict(p, rows(1, coarse.data()));
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
