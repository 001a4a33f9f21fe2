#include "multigrid/general.hpp"

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "kernels/pointwise.hpp"

namespace neurolens::pde {
namespace {

constexpr int kMostRounds = 4;

// The network that made a level. What remains of a diagonal beside its faces is the node's own
// unless it is the rounding of their sum.
Network network_of(const Level<double>& level) {
  Network network;
  const Shape& s = network.shape = level.shape;
  for (int a = 0; a < s.dimensions; ++a) network.face[index(a)] = level.face[index(a)];
  network.extra.assign(s.size(), 0.0);
  network.fixed.assign(s.size(), 0);
  const std::array<std::size_t, 3> step{1, s.row_stride(), s.plane_stride()};
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::size_t p = s.at(i, j, k);
        const double diagonal = level.diagonal[p];
        network.fixed[p] = diagonal == 0 ? 1 : 0;
        double rest = diagonal;
        for (int a = 0; a < s.dimensions; ++a)
          rest -= level.face[index(a)][p] + level.face[index(a)][p - step[index(a)]];
        network.extra[p] = rest > 1e-14 * diagonal ? rest : 0.0;
      }
  return network;
}

}  // namespace

GeneralMultigrid::GeneralMultigrid(const EllipticSystem& system, const MultigridOptions& options,
                                   Network network)
    : system_(system), options_(options), fine_(make_level<double>(network)) {
  narrow_ = system.contrast <= kMostContrastF32;
  if (narrow_) {
    add_levels(f32_, std::move(network));
  } else {
    wide_ = std::make_unique<Hierarchy<double>>();
    add_levels(*wide_, std::move(network));
  }
}

const Hierarchy<double>& GeneralMultigrid::wide() const {
  const std::lock_guard lock(wide_mutex_);
  if (wide_ == nullptr) {
    auto levels = std::make_unique<Hierarchy<double>>();
    add_levels(*levels, network_of(fine_));
    wide_ = std::move(levels);
  }
  return *wide_;
}

template <class T>
void GeneralMultigrid::add_levels(Hierarchy<T>& levels, Network network) const {
  std::array<double, 3> h = system_.spacing;
  levels.smoothing = options_.smoothing;
  for (int a = 0; a < 3; ++a)
    for (int side = 0; side < 2; ++side)
      levels.fixed[index(a)][index(side)] = system_.dirichlet(a, side);
  levels.levels.push_back(make_level<T>(network));
  for (;;) {
    Network coarse;
    std::array<AxisMap, 3> map;
    if (!coarsen(network, h, coarse, map)) {
      levels.coarsest.prepare(make_level<double>(network), system_.nullspace);
      return;
    }
    for (std::size_t a = 0; a < 3; ++a)
      if (map[a].coarsened) h[a] *= 2;
    levels.levels.push_back(make_level<T>(coarse));
    levels.maps.push_back(map);
    network = std::move(coarse);
  }
}

std::unique_ptr<GeneralMultigrid::Work> GeneralMultigrid::take_work(Workers* workers) const {
  std::unique_ptr<Work> w;
  {
    const std::lock_guard lock(spare_mutex_);
    if (!spare_.empty()) {
      w = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (w == nullptr) {
    w = std::make_unique<Work>();
    if (narrow_)
      w->f32 = f32_.make_vectors();
    else
      w->f64 = wide_->make_vectors();
    // Ghosts and padding are zero from here on: kernels read them.
    for (auto* v : {&w->x, &w->b, &w->p, &w->q, &w->known}) v->assign(fine_.shape.size(), 0.0);
  }
  w->narrow = narrow_;
  w->workers = w->f32.workers = w->f64.workers = workers;
  return w;
}

// Only after success: a failed solve may leave values that are not finite.
void GeneralMultigrid::give_back(std::unique_ptr<Work> work) const {
  const std::lock_guard lock(spare_mutex_);
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(work));
}

// b = -(cell volumes) f + boundary terms, for unknowns; x gets its Dirichlet values.
Status GeneralMultigrid::right_side(const Field& source, const std::vector<FaceAction>& actions,
                                    const Field& u, Work& work, Report& report) const {
  const Shape& s = fine_.shape;
  const Grid& grid = system_.grid;
  if (!kernels::all_finite(source.values.size(), source.values.data()))
    return Error{Errc::out_of_range, "The source is not a finite number everywhere.", "source"};
  const auto n = index(s.n[0]);
  rows(work, [&](std::size_t, int j, int k) {
    const std::size_t row = index(grid.points[0]) * (index(j) + index(grid.points[1]) * index(k));
    const double* f = source.values.data() + row;
    double* b = work.b.data() + s.at(0, j, k);
    const double w = -system_.volume(1, j, k);
    for (std::size_t i = 0; i < n; ++i) b[i] = w * f[i];
    b[0] = -system_.volume(0, j, k) * f[0];
    b[n - 1] = -system_.volume(s.n[0] - 1, j, k) * f[n - 1];
    double* x = work.x.data() + s.at(0, j, k);
    if (work.from_guess)
      std::copy_n(u.values.data() + row, n, x);
    else
      std::fill_n(x, n, 0.0);
  });
  for (const FaceAction& action : actions) {
    const Region& region = action.region;
    std::size_t at = 0;
    for (int k = region.first[2]; k <= region.last[2]; ++k)
      for (int j = region.first[1]; j <= region.last[1]; ++j)
        for (int i = region.first[0]; i <= region.last[0]; ++i, ++at) {
          if (i >= s.n[0] || j >= s.n[1] || k >= s.n[2])
            continue;  // the far copy of a periodic axis
          const std::size_t p = s.at(i, j, k);
          if (action.fixed)
            work.x[p] = action.value[at];
          else
            work.b[p] += action.value[at];
        }
  }
  return system_.nullspace ? balance(work, report) : Status{};
}

template <class Visit>
void GeneralMultigrid::for_volumes(const Visit& visit) const {
  const Shape& s = fine_.shape;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) visit(s.at(i, j, k), system_.volume(i, j, k));
}

Status GeneralMultigrid::balance(Work& work, Report& report) const {
  double sum = 0;
  double magnitude = 0;
  double weight = 0;
  for_volumes([&](std::size_t p, double volume) {
    if (fine_.diagonal[p] == 0) return;
    sum += work.b[p];
    magnitude += std::fabs(work.b[p]);
    weight += volume;
  });
  report.nullspace = true;
  NEUROLENS_TRY(check_balance(sum, magnitude, report.compatibility_defect));
  for_volumes([&](std::size_t p, double volume) { work.b[p] -= sum / weight * volume; });
  return {};
}

void GeneralMultigrid::remove_mean(AlignedVector<double>& v) const {
  double sum = 0;
  double weight = 0;
  for_volumes([&](std::size_t p, double w) {
    sum += w * v[p];
    weight += w;
  });
  for_volumes([&](std::size_t p, double) { v[p] -= sum / weight; });
}

void GeneralMultigrid::copy_out(const Work& work, Field& u) const {
  const Shape& s = fine_.shape;
  const Grid& grid = system_.grid;
  const auto per_plane = index(grid.points[1]);
  // Rows of the grid, the far copies of periodic axes included.
  for_rows(workers_for(s, work), per_plane * index(grid.points[2]),
           [&](std::size_t, std::size_t begin, std::size_t end) {
             for (std::size_t r = begin; r < end; ++r) {
               const int j = static_cast<int>(r % per_plane);
               const int k = static_cast<int>(r / per_plane);
               const double* x = work.x.data() + s.at(0, j % s.n[1], k % s.n[2]);
               double* to = &u.at(0, j, k);
               std::copy_n(x, s.n[0], to);
               if (s.periodic[0]) to[s.n[0]] = x[0];
             }
           });
}

Status GeneralMultigrid::solve(const Field& source, const std::vector<FaceAction>& actions,
                               bool from_guess, Field& u, const Context& context,
                               Report& report) const {
  std::unique_ptr<Work> taken = take_work(context.workers);
  Work& work = *taken;
  work.from_guess = from_guess;
  Status outcome;
  int iterations = 0;
  bool renewed = false;
  // Conjugate gradients renew their residual, which drifts away from that of x by what large
  // residuals on the way were rounded by: they begin again until the residual of x itself will do.
  for (int round = 0; round < kMostRounds; ++round) {
    {
      const Phase phase(context.observer, "boundary");
      NEUROLENS_TRY(right_side(source, actions, u, work, report));
    }
    Phase phase(context.observer, "solve");
    const std::string before = report.method;
    outcome = iterate(work, context.attention, report);
    iterations += report.iterations;
    const auto n = static_cast<std::int64_t>(fine_.shape.nodes());
    phase.add({Flops{report.iterations * n * 90}, Bytes{report.iterations * n * 180}});
    renewed = report.method == "pcg" && report.iterations > 0;
    if (round > 0) report.method = before;
    if (!outcome.ok() || !renewed) break;
    copy_out(work, u);
    work.from_guess = true;
  }
  report.iterations = iterations;
  if (outcome.ok() && renewed) {  // what is reported is the residual of x, not the renewed one
    NEUROLENS_TRY(right_side(source, actions, u, work, report));
    outcome = check_answer(work, report);
  }
  if (system_.nullspace) remove_mean(work.x);
  copy_out(work, u);
  if (outcome.ok()) give_back(std::move(taken));
  return outcome;
}

std::size_t GeneralMultigrid::bytes() const {
  std::size_t total = fine_.bytes();
  for (const auto& level : f32_.levels) total += level.bytes();
  const std::lock_guard lock(wide_mutex_);
  if (wide_ != nullptr)
    for (const auto& level : wide_->levels) total += level.bytes();
  return total;
}

int GeneralMultigrid::levels() const {
  return static_cast<int>(narrow_ ? f32_.levels.size() : wide_->levels.size());
}

}  // namespace neurolens::pde
