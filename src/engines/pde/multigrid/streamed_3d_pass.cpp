// Passes of StreamedMultigrid3 over its levels, and how workers share them.
#include <algorithm>
#include <atomic>
#include <thread>

#include "index.hpp"
#include "multigrid/cycles.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed_3d.hpp"
#include "multigrid/streamed_3d_right.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPad = 16;
constexpr std::size_t kSlack = 64;  // numbers beside each row of scratch: vectors in pairs
/// What a tile's planes may take of the second cache.
constexpr std::size_t kTileBytes = 1200 << 10;
constexpr int kFewestTileRows = 8;
constexpr int kRestrictRows = 16;  // that one worker takes at a time
constexpr int kSpins = 200;  // looks at another worker's progress before it gets the processor

struct Padded {
  const double* at;
  std::size_t stride, plane;
  static kernels::RightRow row(const void* owner, int j, int k, double*) {
    const auto& self = *static_cast<const Padded*>(owner);
    return {self.at + index(k) * self.plane + index(j) * self.stride, 1};
  }
};

}  // namespace

std::unique_ptr<StreamedMultigrid3::Work> StreamedMultigrid3::take_work(Workers* workers) const {
  std::unique_ptr<Work> work;
  {
    const std::lock_guard lock(spare_mutex_);
    if (!spare_.empty()) {
      work = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (work == nullptr) {
    work = std::make_unique<Work>();
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const std::size_t size = levels_[l].size();
      Vectors& v = work->levels.emplace_back();
      v.e.assign(size, 0.0F);
      v.f.assign(size, 0.0F);
      v.x.assign(size, 0.0);
      if (l > 0) v.b.assign(size, 0.0);
    }
    work->dense.assign(2 * dense_stride_, 0.0F);
  }
  work->workers = workers;
  const std::size_t count = workers == nullptr ? 1 : workers->count();
  while (work->scratch.size() < count) {
    auto& mine = work->scratch.emplace_back(levels_.size());
    for (std::size_t l = 0; l < levels_.size(); ++l) {
      const std::size_t row = levels_[l].stride + 2 * kSlack;
      const std::size_t rows = index(levels_[l].axis[1].m) / 2 + kernels::kQuintic + 2;
      mine[l].narrow.assign(7 * row, 0.0F);
      mine[l].wide.assign(5 * row + rows * levels_[l].stride, 0.0);
    }
  }
  return work;
}

// Only after success: a failed solve may leave values that are not finite.
void StreamedMultigrid3::give_back(std::unique_ptr<Work> work) const {
  const std::lock_guard lock(spare_mutex_);
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(work));
}

kernels::PlaneScratch StreamedMultigrid3::scratch(std::size_t l, std::size_t worker,
                                                  Work& work) const {
  const std::size_t row = levels_[l].stride + 2 * kSlack;
  Scratch& mine = work.scratch[worker][l];
  float* narrow = mine.narrow.data() + kPad;
  double* wide = mine.wide.data() + kPad;
  kernels::PlaneScratch s{};
  s.rest = narrow;
  s.fine = narrow + row;
  s.line = narrow + 2 * row;
  for (std::size_t i = 0; i < 3; ++i) s.gathered[i] = narrow + (3 + i) * row;
  s.nothing = narrow + 6 * row;
  s.b = wide;
  s.wide_line = wide + row;
  s.lines = wide + 5 * row;
  return s;
}

// A pass over level l; its users fill in what it begins with.
kernels::PlanePass StreamedMultigrid3::pass(std::size_t l, Work& work) const {
  const Level& level = levels_[l];
  Vectors& v = work.levels[l];
  const std::size_t at = level.origin();
  const auto or_null = [&](const auto& values) {
    return values.empty() ? nullptr : values.data() + at;
  };
  kernels::PlanePass p{};
  for (std::size_t a = 0; a < 3; ++a) {
    const Axis& axis = level.axis[a];
    p.level.m[a] = axis.m;
    p.axis[a] = {axis.first, axis.n, 0, {}};
    if (l + 1 == levels_.size()) continue;
    p.axis[a].coarse_n = levels_[l + 1].axis[a].n;
    p.axis[a].quintic = {axis.quintic.start.data(), axis.quintic.weight.data(),
                         axis.quintic.regular};
  }
  p.level.stride = level.stride;
  p.level.plane = level.plane;
  p.level.ax = level.ax.data() + at;
  p.level.ay = level.ay.data() + at;
  p.level.az = level.az.data() + at;
  p.level.extra = or_null(level.extra);
  p.level.narrow_ax = level.narrow_ax.data() + at;
  p.level.narrow_ay = level.narrow_ay.data() + at;
  p.level.narrow_az = level.narrow_az.data() + at;
  p.level.narrow_extra = or_null(level.narrow_extra);
  p.level.inverse = level.inverse.data() + at;
  p.level.e = v.e.data() + at;
  p.level.f = v.f.data() + at;
  p.level.x = v.x.data() + at;
  p.omega = static_cast<float>(kernels::kPlaneRelaxation);
  p.unit = p.scale = 1;
  return p;
}

Workers* StreamedMultigrid3::workers_for(std::size_t l, const Work& work) const {
  const bool many = work.workers != nullptr && work.workers->count() > 1;
  return many && levels_[l].unknowns() >= kParallelNodes ? work.workers : nullptr;
}

int StreamedMultigrid3::tile_rows(std::size_t l, const kernels::PlanePass& pass,
                                  int workers) const {
  const Level& level = levels_[l];
  const int m = level.axis[1].m;
  const int lag = kernels::plane_lag(pass);
  // e, f, three faces and the inverse; x and wide faces of three planes.
  const std::size_t row =
      level.stride * (index(lag + 2) * 24 + (pass.source == kernels::StreamSource::exact ? 96 : 0));
  const int fitting = std::max(kFewestTileRows, static_cast<int>(kTileBytes / row) - lag);
  int tiles = (m + fitting - 1) / fitting;
  if (workers > 1)  // as many for each, and enough that their ends meet late
    tiles = std::min(std::max(tiles, 2 * workers), std::max(1, m / kFewestTileRows));
  return (m + tiles - 1) / tiles;
}

kernels::StreamResidual StreamedMultigrid3::run(std::size_t l, const kernels::PlanePass& pass,
                                                Work& work) const {
  Workers* pool = workers_for(l, work);
  const int workers = pool == nullptr ? 1 : static_cast<int>(pool->count());
  const int m = levels_[l].axis[1].m;
  const int rows = tile_rows(l, pass, workers);
  const int tiles = (m + rows - 1) / rows;
  const int steps = kernels::plane_steps(pass);
  const auto tile = [&](int number) {
    return kernels::PlaneTile{number * rows, std::min(m, (number + 1) * rows), number + 1 == tiles};
  };
  kernels::StreamResidual all{};
  if (workers == 1) {
    const kernels::PlaneScratch mine = scratch(l, 0, work);
    for (int number = 0; number < tiles; ++number)
      for (int t = 0; t < steps; ++t) kernels::plane_step(pass, tile(number), t, mine, all);
    return all;
  }
  // A tile is begun when all before it are: the first one that is not done can always go on.
  struct alignas(64) Progress {
    std::atomic<int> steps{0};
  };
  std::vector<Progress> done(index(tiles));
  std::vector<kernels::StreamResidual> part(index(workers));
  std::atomic<int> next{0};
  pool->run([&](std::size_t worker) {
    const kernels::PlaneScratch mine = scratch(l, worker, work);
    kernels::StreamResidual most{};
    for (int number = next++; number < tiles; number = next++) {
      for (int t = 0; t < steps; ++t) {
        for (int spin = 0;
             number > 0 && done[index(number - 1)].steps.load(std::memory_order_acquire) <= t;
             ++spin)
          if (spin > kSpins) std::this_thread::yield();
        kernels::plane_step(pass, tile(number), t, mine, most);
        done[index(number)].steps.store(t + 1, std::memory_order_release);
      }
    }
    part[worker] = most;
  });
  for (const auto& one : part) {
    all.before = kernels::larger_of(all.before, one.before);
    all.after = kernels::larger_of(all.after, one.after);
  }
  return all;
}

double StreamedMultigrid3::restrict_right(std::size_t l, Work& work, const Right& right) const {
  kernels::PlanePass p = pass(l, work);
  const Padded padded{l == 0 ? nullptr : work.levels[l].b.data() + levels_[l].origin(),
                      levels_[l].stride, levels_[l].plane};
  p.right = l == 0 ? Right::checked_row : Padded::row;
  p.owner = l == 0 ? static_cast<const void*>(&right) : &padded;
  const auto coarse = array(l + 1, work.levels[l + 1].b.data());
  const int m = levels_[l].axis[1].m;
  const int tiles = (m + kRestrictRows - 1) / kRestrictRows;
  Workers* pool = workers_for(l, work);
  std::vector<double> part(pool == nullptr ? 1 : pool->count());
  std::atomic<int> next{0};
  const auto share = [&](std::size_t worker) {
    const std::size_t row = levels_[l].stride + 2 * kSlack;
    double* wide = work.scratch[worker][l].wide.data() + kPad;
    // The last one is of zeros: nothing else writes there.
    double* const rows[4] = {wide + row, wide + 2 * row, wide + 3 * row, wide + 4 * row};
    for (int t = next++; t < tiles; t = next++) {
      const kernels::PlaneTile tile{t * kRestrictRows, (t + 1) * kRestrictRows, t + 1 == tiles};
      part[worker] =
          kernels::larger_of(part[worker], kernels::plane_restrict(p, coarse, tile, wide, rows));
    }
  };
  if (pool == nullptr)
    share(0);
  else
    pool->run(share);
  double most = 0;
  for (const double one : part) most = kernels::larger_of(most, one);
  return most;
}

kernels::StreamResidual StreamedMultigrid3::cycle_pass(std::size_t l, Work& work,
                                                       const Right& right, const StreamStep& step,
                                                       const double* guess, Field* out) const {
  kernels::PlanePass p = pass(l, work);
  const Padded padded{l == 0 ? nullptr : work.levels[l].b.data() + levels_[l].origin(),
                      levels_[l].stride, levels_[l].plane};
  p.right = l == 0 ? Right::row : Padded::row;
  p.owner = l == 0 ? static_cast<const void*>(&right) : &padded;
  p.source = step.source;
  p.start = step.start;
  p.unit = step.unit;
  p.scale = step.scale;
  p.halves = step.smoothing ? fine_halves() : 0;
  if (step.coarse) p.coarse_e = array<const float>(l + 1, work.levels[l + 1].e.data());
  if (guess != nullptr) p.coarse_x = array(l + 1, guess);
  p.coarse_f = array(l + 1, work.levels[l + 1].f.data());
  if (out != nullptr) {
    const auto& n = out->grid.points;
    const auto& [x, y, z] = levels_[0].axis;
    p.out = &out->at(x.first, y.first, z.first);
    p.out_stride = index(n[0]);
    p.out_plane = index(n[0]) * index(n[1]);
  }
  return run(l, p, work);
}

void StreamedMultigrid3::solve_coarsest(Work& work) const {
  const Level& level = levels_.back();
  const Axis& x = level.axis[0];
  const Axis& y = level.axis[1];
  const Axis& z = level.axis[2];
  Vectors& v = work.levels.back();
  float* in = work.dense.data();
  float* out = in + dense_stride_;
  const auto width = index(x.m);
  const auto each_row = [&](const auto& visit) {
    std::size_t number = 0;
    for (int k = 0; k < z.m; ++k)
      for (int j = 0; j < y.m; ++j, number += width) visit(level.at(0, j, k), number);
  };
  each_row([&](std::size_t at, std::size_t number) {
    std::copy_n(v.f.data() + at, width, in + number);
  });
  kernels::stream_dense(dense_count_, dense_stride_, dense_.data(), in, out);
  each_row([&](std::size_t at, std::size_t number) {
    std::copy_n(out + number, width, v.e.data() + at);
  });
}

void StreamedMultigrid3::coarse_cycle(std::size_t l, Work& work, bool from_zero) const {
  if (l + 1 == levels_.size()) return solve_coarsest(work);
  kernels::PlanePass down = pass(l, work);
  down.source = kernels::StreamSource::given;
  down.halves = coarse_halves();
  kernels::PlanePass up = down;
  down.from_zero = from_zero;
  down.coarse_f = array(l + 1, work.levels[l + 1].f.data());
  up.coarse_e = array<const float>(l + 1, work.levels[l + 1].e.data());
  (void)run(l, down, work);
  coarse_cycle(l + 1, work, true);
  if (options_.cycle == Cycle::w && l + 2 < levels_.size()) coarse_cycle(l + 1, work, false);
  (void)run(l, up, work);
}

}  // namespace neurolens::pde
