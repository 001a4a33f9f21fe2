// The passes of StreamedMultigrid over its levels, by one worker or several, and its cycles.
#include <algorithm>
#include <atomic>

#include "index.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed.hpp"
#include "multigrid/streamed_right.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPad = 16;
constexpr std::size_t kSharedNodes = 1
                                     << 18;  // of a level; smaller ones are done before others wake

}  // namespace

std::unique_ptr<StreamedMultigrid::Work> StreamedMultigrid::take_work(Workers& workers) const {
  std::unique_ptr<Work> work;
  {
    const std::lock_guard lock(spare_mutex_);
    if (!spare_.empty()) {
      work = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (work == nullptr) work = make_work();
  work->workers = &workers;
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    const Level& level = levels_[l];
    auto& rings = work->levels[l].rings;
    const std::size_t wanted = is_shared(l) ? workers.count() : 1;
    while (rings.size() < wanted)
      rings.push_back({AlignedVector<double>(level.stride * (kernels::kStreamRowsX + 2) + kPad),
                       AlignedVector<float>(level.stride * 3 + kPad)});
  }
  return work;
}

std::unique_ptr<StreamedMultigrid::Work> StreamedMultigrid::make_work() const {
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

kernels::StreamRings StreamedMultigrid::rings(std::size_t l, Work& work, std::size_t worker) const {
  const Level& level = levels_[l];
  Rings& own = work.levels[l].rings[worker];
  const std::size_t aligned = kPad - index(level.axis[0].first);
  kernels::StreamRings r{};
  double* wide = own.wide.data() + aligned;
  r.x = wide;
  r.b = wide + kernels::kStreamRowsX * level.stride;
  r.line = r.b + level.stride;
  r.rest = own.narrow.data() + aligned;
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
  p.rings = rings(l, work, 0);
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
    p.cubic[a] = {level.axis[a].cubic.start.data(), level.axis[a].cubic.weight.data(),
                  level.axis[a].cubic.regular};
  return p;
}

kernels::StreamResidual StreamedMultigrid::cycle_pass(std::size_t l, Work& work, const Right& right,
                                                      Field& u, const StreamStep& step) const {
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
  if (!step.smoothing) p.coarse_f.at = nullptr;
  return run_pass(l, work, p);
}

bool StreamedMultigrid::is_shared(std::size_t l) const {
  const auto& [x, y] = levels_[l].axis;
  return index(x.n) * index(y.n) >= kSharedNodes;
}

template <class T>
void StreamedMultigrid::clear_rows(std::size_t l, AlignedVector<T>& v, int begin, int end) const {
  const Level& level = levels_[l];
  const auto at = [&](int j) {
    const auto row = v.begin() + static_cast<std::ptrdiff_t>(index(j + 1) * level.stride);
    return j <= 0 ? v.begin() : (j >= level.axis[1].n ? v.end() : row);
  };
  std::fill(at(begin), at(end), T(0));
}

// Bands by as many workers as there are, then the seams between them.
kernels::StreamResidual StreamedMultigrid::run_pass(std::size_t l, Work& work,
                                                    const kernels::StreamPass& pass) const {
  using kernels::StreamPart;
  const Axis& y = levels_[l].axis[1];
  const bool down = pass.coarse_f.at != nullptr;
  const int rows = y.last - y.first;
  const int most = rows / (2 * kernels::stream_seam_rows(pass.sweeps));
  const int bands = is_shared(l) ? std::min(most, static_cast<int>(work.workers->count())) : 1;
  if (bands <= 1) {
    if (down) clear_rows(l + 1, work.levels[l + 1].f, 0, levels_[l + 1].axis[1].n);
    return kernels::stream_pass(pass);
  }
  const auto border = [&](int band) {  // odd, but for the ends of the level
    if (band == 0) return y.first;
    return band == bands ? y.last : (y.first + rows * band / bands) | 1;
  };
  const auto first_coarse = [&](int band) {
    if (band == 0) return 0;
    return band == bands ? levels_[l + 1].axis[1].n
                         : kernels::stream_first_coarse(border(band), pass.sweeps);
  };
  std::vector<kernels::StreamResidual> parts(index(2 * bands - 1));
  const auto share = [&](int count, const auto& make) {
    std::atomic<int> next{0};
    work.workers->run([&](std::size_t worker) {
      for (int i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
        kernels::StreamPass part = pass;
        part.rings = rings(l, work, worker);
        make(i, part);
      }
    });
  };
  share(bands, [&](int band, kernels::StreamPass& part) {
    if (down) clear_rows(l + 1, work.levels[l + 1].f, first_coarse(band), first_coarse(band + 1));
    part.part = StreamPart::band;
    part.begin = border(band);
    part.end = border(band + 1);
    parts[index(band)] = kernels::stream_pass(part);
  });
  share(bands - 1, [&](int seam, kernels::StreamPass& part) {
    part.part = StreamPart::seam;
    part.begin = border(seam + 1);
    parts[index(bands + seam)] = kernels::stream_pass(part);
  });
  kernels::StreamResidual residual{};
  for (const auto& part : parts) {
    residual.before = std::max(residual.before, part.before);
    residual.after = std::max(residual.after, part.after);
  }
  return residual;
}

// Rows of level l in bands, where they do not depend on each other: body(pass of a band).
template <class Body>
void StreamedMultigrid::each_band(std::size_t l, Work& work, const kernels::StreamPass& pass,
                                  int begin, int end, const Body& body) const {
  const int bands = is_shared(l) ? static_cast<int>(work.workers->count()) : 1;
  std::atomic<int> next{0};
  const auto run = [&](std::size_t worker) {
    for (int i = next.fetch_add(1); i < bands; i = next.fetch_add(1)) {
      kernels::StreamPass part = pass;
      part.rings = rings(l, work, worker);
      part.part = kernels::StreamPart::band;
      part.begin = begin + (end - begin) * i / bands;
      part.end = begin + (end - begin) * (i + 1) / bands;
      body(part);
    }
  };
  if (bands == 1)
    run(0);
  else
    work.workers->run(run);
}

// The right-hand side of level l + 1; returns max |b|.
double StreamedMultigrid::restrict_right(std::size_t l, Work& work,
                                         const kernels::StreamPass& pass) const {
  std::mutex mutex;
  double most = 0;
  each_band(l, work, pass, 0, levels_[l + 1].axis[1].n, [&](const kernels::StreamPass& part) {
    auto& coarse = work.levels[l + 1].b;
    clear_rows(l + 1, coarse, part.begin, part.end);
    const double own = kernels::stream_restrict(part, rows(l + 1, coarse.data()));
    const std::lock_guard lock(mutex);
    most = std::max(most, own);
  });
  return most;
}

kernels::StreamPass StreamedMultigrid::coarse_pass(std::size_t l, Work& work) const {
  kernels::StreamPass p{};
  p.level = view(l, work);
  p.rings = rings(l, work, 0);
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
  (void)run_pass(l, work, down);
  coarse_cycle(l + 1, work, true);
  if (options_.cycle == Cycle::w && l + 2 < levels_.size()) coarse_cycle(l + 1, work, false);
  kernels::StreamPass up = coarse_pass(l, work);
  up.coarse_e = rows<const float>(l + 1, coarse.e.data());
  (void)run_pass(l, work, up);
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
    (void)restrict_right(l, work, p);
  }
  for (std::size_t l = 0; l < last; ++l) inject_fixed(l, work, u);
  solve_first(work, scale);
  for (std::size_t l = last - 1; l > 0; --l) {
    (void)cycle_pass(l, work, right, u, {.start = kernels::StreamStart::cubic, .scale = scale});
    coarse_cycle(l + 1, work, true);
    kernels::StreamPass p = pass(l, work, right, u);
    p.start = kernels::StreamStart::correct;
    p.unit = 1 / scale;
    const Axis& y = levels_[l].axis[1];
    each_band(l, work, p, y.first, y.last,
              [](const kernels::StreamPass& part) { kernels::stream_apply(part); });
  }
}

}  // namespace neurolens::pde
