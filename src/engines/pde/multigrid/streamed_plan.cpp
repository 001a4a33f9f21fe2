// The levels of StreamedMultigrid.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "index.hpp"
#include "multigrid/cycles.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPad = 16;  // numbers readable before and behind a row

// Copies rows [0, n1) and the one below them from the network's layout.
template <class T>
void copy_rows(const Shape& from_shape, const AlignedVector<double>& from, std::size_t origin,
               std::size_t stride, AlignedVector<T>& to) {
  for (int j = -1; j < from_shape.n[1]; ++j) {
    const double* row = from.data() + from_shape.at(-1, j, 0);
    T* out = to.data() + origin + index(j + 1) * stride - stride - 1;
    for (int i = 0; i <= from_shape.n[0]; ++i) out[i] = static_cast<T>(row[i]);
  }
}

}  // namespace

std::size_t StreamedMultigrid::Level::origin() const {
  return stride + kPad - index(axis[0].first);  // the first unknown is aligned
}

std::size_t StreamedMultigrid::Level::size() const {
  return stride * index(axis[1].n + 2) + kPad;
}

void StreamedMultigrid::add_level(const Network& network) {
  Level& level = levels_.emplace_back();
  const Shape& s = network.shape;
  for (std::size_t a = 0; a < 2; ++a) {
    Axis& axis = level.axis[a];
    axis.n = s.n[a];
    axis.first = system_.dirichlet(static_cast<int>(a), 0) ? 1 : 0;
    axis.last = s.n[a] - (system_.dirichlet(static_cast<int>(a), 1) ? 1 : 0);
  }
  level.stride = (index(s.n[0]) + kPad - 1) / kPad * kPad + 2 * kPad;
  // Rows whose distance is a power of two would share a few sets of the caches.
  if ((level.stride & (level.stride - 1)) == 0 || level.stride % 1024 == 0) level.stride += kPad;
  const std::size_t size = level.size();
  const std::size_t origin = level.origin();
  level.ax.assign(size, 0.0);
  level.ay.assign(size, 0.0);
  copy_rows(s, network.face[0], origin, level.stride, level.ax);
  copy_rows(s, network.face[1], origin, level.stride, level.ay);
  const bool own =
      std::any_of(network.extra.begin(), network.extra.end(), [](double v) { return v != 0; });
  if (own) {
    level.extra.assign(size, 0.0);
    copy_rows(s, network.extra, origin, level.stride, level.extra);
  }
  level.narrow_ax.assign(level.ax.begin(), level.ax.end());
  level.narrow_ay.assign(level.ay.begin(), level.ay.end());
  level.narrow_extra.assign(level.extra.begin(), level.extra.end());
  level.inverse.assign(size, 0.0F);
  for (int j = level.axis[1].first; j < level.axis[1].last; ++j)
    for (int i = level.axis[0].first; i < level.axis[0].last; ++i) {
      const std::size_t p = origin + index(j) * level.stride + index(i);
      const double diagonal = level.ax[p] + level.ax[p - 1] + level.ay[p] +
                              level.ay[p - level.stride] + (own ? level.extra[p] : 0);
      level.inverse[p] =
          diagonal > 0 ? static_cast<float>(kernels::kStreamRelaxation / diagonal) : 0.0F;
    }
}

std::unique_ptr<StreamedMultigrid> StreamedMultigrid::make(const EllipticSystem& system,
                                                           const MultigridOptions& options,
                                                           const Network& network) {
  if (system.grid.dimensions != 2 || system.shape.any_periodic() ||
      system.contrast > kMostContrastF32 || (options.conjugate_gradient && !options.cycles_first))
    return nullptr;
  std::unique_ptr<StreamedMultigrid> plan(new StreamedMultigrid());
  plan->system_ = system;
  plan->options_ = options;
  plan->add_level(network);
  std::array<AxisPositions, 2> x;
  for (std::size_t a = 0; a < 2; ++a) x[a] = finest_positions(system.grid.points[a]);
  const auto unknowns = [&] {
    const auto& axis = plan->levels_.back().axis;
    return index(axis[0].last - axis[0].first) * index(axis[1].last - axis[1].first);
  };
  std::array<double, 3> h = system.spacing;
  Network present;
  const Network* finer = &network;
  while (unknowns() > kMostDenseUnknowns) {
    Network coarse;
    if (!next_level(*finer, h, x, coarse)) return nullptr;
    plan->add_level(coarse);
    present = std::move(coarse);
    finer = &present;
  }
  if (plan->levels_.size() < 2) return nullptr;
  for (std::size_t a = 0; a < 2; ++a)
    for (std::size_t l = 0; l + 1 < plan->levels_.size(); ++l)
      plan->levels_[l].axis[a].cubic = interpolate_line(x[a][l], x[a][l + 1], 4);
  std::vector<std::size_t> node;
  const auto inverse =
      dense_inverse(make_level<double>(*finer), node, {.singular = system.nullspace});
  if (inverse.empty() || node.size() != unknowns()) return nullptr;
  const std::size_t n = plan->dense_count_ = node.size();
  plan->dense_stride_ = (n + kPad - 1) / kPad * kPad;
  plan->dense_.assign(n * plan->dense_stride_, 0.0F);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      plan->dense_[i * plan->dense_stride_ + j] = static_cast<float>(inverse[i * n + j]);
  return plan;
}

Network StreamedMultigrid::network() const {
  const Level& level = levels_.front();
  Network network;
  Shape& s = network.shape = system_.shape;
  for (std::size_t a = 0; a < 2; ++a) network.face[a].assign(s.size(), 0.0);
  network.extra.assign(s.size(), 0.0);
  network.fixed.assign(s.size(), 1);
  for (int j = 0; j < s.n[1]; ++j)
    for (int i = 0; i < s.n[0]; ++i) {
      const std::size_t p = level.origin() + index(j) * level.stride + index(i);
      const std::size_t q = s.at(i, j, 0);
      network.face[0][q] = level.ax[p];
      network.face[1][q] = level.ay[p];
      if (!level.extra.empty()) network.extra[q] = level.extra[p];
      const bool free = i >= level.axis[0].first && i < level.axis[0].last &&
                        j >= level.axis[1].first && j < level.axis[1].last;
      network.fixed[q] = free ? 0 : 1;
    }
  return network;
}

std::size_t StreamedMultigrid::bytes() const {
  std::size_t total = dense_.size() * sizeof(float);
  for (const Level& l : levels_) {
    total += (l.ax.size() + l.ay.size() + l.extra.size()) * sizeof(double);
    total += (l.narrow_ax.size() + l.narrow_ay.size() + l.narrow_extra.size() + l.inverse.size()) *
             sizeof(float);
  }
  return total;
}

}  // namespace neurolens::pde
