// The levels of StreamedMultigrid3.
#include <algorithm>

#include "index.hpp"
#include "multigrid/cycles.hpp"
#include "multigrid/general.hpp"
#include "multigrid/streamed_3d.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kPad = 16;  // numbers between rows
/// Unknowns of a last level that has no coarser one: an inverse of 0.6 MB.
constexpr std::size_t kMostLast = 400;

/// A last cell shorter than this share of the others ties its two nodes together: sweeps move them
/// one by one, and hardly.
constexpr double kShortest = 0.3;

bool ends_tied(const AxisPositions& levels) {
  return std::any_of(levels.begin(), levels.end(), [](const std::vector<double>& x) {
    return x.back() - x[x.size() - 2] < kShortest * (x[1] - x[0]);
  });
}

// Layers of an axis in memory. Interpolation of fewer nodes than six reads six, some with weight 0.
std::size_t layers(int unknowns) {
  return index(std::max(unknowns + 2, kernels::kQuintic + 1));
}

}  // namespace

std::size_t StreamedMultigrid3::Level::origin() const {
  return plane + stride + kPad;
}

std::size_t StreamedMultigrid3::Level::size() const {
  return plane * layers(axis[2].m) + 2 * kPad;
}

std::size_t StreamedMultigrid3::Level::unknowns() const {
  return index(axis[0].m) * index(axis[1].m) * index(axis[2].m);
}

std::size_t StreamedMultigrid3::Level::at(int i, int j, int k) const {
  return kPad - 1 + index(i + 1) + index(j + 1) * stride + index(k + 1) * plane;
}

void StreamedMultigrid3::add_level(const Network& network) {
  Level& level = levels_.emplace_back();
  const Shape& s = network.shape;
  for (std::size_t a = 0; a < 3; ++a) {
    Axis& axis = level.axis[a];
    axis.n = s.n[a];
    axis.first = system_.dirichlet(static_cast<int>(a), 0) ? 1 : 0;
    axis.m = s.n[a] - axis.first - (system_.dirichlet(static_cast<int>(a), 1) ? 1 : 0);
  }
  const Axis& x = level.axis[0];
  const Axis& y = level.axis[1];
  const Axis& z = level.axis[2];
  level.stride = (index(x.m) + kPad - 1) / kPad * kPad + kPad;
  // Rows and planes whose distance is a power of two would share a few sets of the caches.
  if (level.stride % 128 == 0) level.stride += kPad;
  level.plane = level.stride * layers(y.m);
  if (level.plane % 512 == 0) level.plane += kPad;
  const std::size_t size = level.size();
  const auto copy = [&](const AlignedVector<double>& from, AlignedVector<double>& wide,
                        AlignedVector<float>& narrow) {
    wide.assign(size, 0.0);
    for (int k = -1; k < z.m; ++k)
      for (int j = -1; j < y.m; ++j)
        for (int i = -1; i < x.m; ++i)
          if (i + x.first >= 0 && j + y.first >= 0 && k + z.first >= 0)
            wide[level.at(i, j, k)] = from[s.at(i + x.first, j + y.first, k + z.first)];
    narrow.assign(wide.begin(), wide.end());
  };
  copy(network.face[0], level.ax, level.narrow_ax);
  copy(network.face[1], level.ay, level.narrow_ay);
  copy(network.face[2], level.az, level.narrow_az);
  const bool own =
      std::any_of(network.extra.begin(), network.extra.end(), [](double v) { return v != 0; });
  if (own) copy(network.extra, level.extra, level.narrow_extra);
  level.inverse.assign(size, 0.0F);
  for (int k = 0; k < z.m; ++k)
    for (int j = 0; j < y.m; ++j)
      for (int i = 0; i < x.m; ++i) {
        const std::size_t p = level.at(i, j, k);
        const double diagonal = level.ax[p] + level.ax[p - 1] + level.ay[p] +
                                level.ay[p - level.stride] + level.az[p] +
                                level.az[p - level.plane] + (own ? level.extra[p] : 0);
        if (diagonal > 0)
          level.inverse[p] = static_cast<float>(kernels::kPlaneRelaxation / diagonal);
      }
}

std::unique_ptr<StreamedMultigrid3> StreamedMultigrid3::make(const EllipticSystem& system,
                                                             const MultigridOptions& options,
                                                             const Network& network) {
  if (system.grid.dimensions != 3 || system.shape.any_periodic() ||
      system.contrast > kMostContrastF32 || (options.conjugate_gradient && !options.cycles_first))
    return nullptr;
  std::unique_ptr<StreamedMultigrid3> plan(new StreamedMultigrid3());
  plan->system_ = system;
  plan->options_ = options;
  plan->add_level(network);
  std::array<AxisPositions, 3> x;
  for (std::size_t a = 0; a < 3; ++a) x[a] = finest_positions(system.grid.points[a]);
  std::array<double, 3> h = system.spacing;
  Network present;
  const Network* finer = &network;
  while (plan->levels_.back().unknowns() > kMostDenseUnknowns) {
    Network coarse;
    if (!next_level(*finer, h, x, coarse)) {
      if (plan->levels_.back().unknowns() <= kMostLast) break;
      return nullptr;
    }
    plan->add_level(coarse);
    present = std::move(coarse);
    finer = &present;
  }
  if (plan->levels_.size() < 2) return nullptr;
  int tied = 0;  // one such axis costs three cycles, two may cost many
  for (std::size_t a = 0; a < 3; ++a)
    if (!system.dirichlet(static_cast<int>(a), 1) && ends_tied(x[a])) ++tied;
  if (tied > 1) return nullptr;
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t l = 0; l + 1 < plan->levels_.size(); ++l)
      plan->levels_[l].axis[a].quintic = interpolate_line(x[a][l], x[a][l + 1], kernels::kQuintic);
  std::vector<std::size_t> node;
  const auto inverse = dense_inverse(make_level<double>(*finer), node,
                                     {.singular = system.nullspace, .most = kMostLast});
  if (inverse.empty() || node.size() != plan->levels_.back().unknowns()) return nullptr;
  const std::size_t n = plan->dense_count_ = node.size();
  plan->dense_stride_ = (n + kPad - 1) / kPad * kPad;
  plan->dense_.assign(n * plan->dense_stride_, 0.0F);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      plan->dense_[i * plan->dense_stride_ + j] = static_cast<float>(inverse[i * n + j]);
  return plan;
}

Network StreamedMultigrid3::network() const {
  const Level& level = levels_.front();
  const auto& [x, y, z] = level.axis;
  Network network;
  Shape& s = network.shape = system_.shape;
  for (auto& face : network.face) face.assign(s.size(), 0.0);
  network.extra.assign(s.size(), 0.0);
  network.fixed.assign(s.size(), 1);
  for (int k = -1; k < z.m; ++k)
    for (int j = -1; j < y.m; ++j)
      for (int i = -1; i < x.m; ++i) {
        if (i + x.first < 0 || j + y.first < 0 || k + z.first < 0) continue;
        const std::size_t p = level.at(i, j, k);
        const std::size_t q = s.at(i + x.first, j + y.first, k + z.first);
        network.face[0][q] = level.ax[p];
        network.face[1][q] = level.ay[p];
        network.face[2][q] = level.az[p];
        if (!level.extra.empty()) network.extra[q] = level.extra[p];
        network.fixed[q] = i >= 0 && j >= 0 && k >= 0 ? 0 : 1;
      }
  return network;
}

std::size_t StreamedMultigrid3::bytes() const {
  std::size_t total = dense_.size() * sizeof(float);
  for (const Level& l : levels_) {
    total += (l.ax.size() + l.ay.size() + l.az.size() + l.extra.size()) * sizeof(double);
    total += (l.narrow_ax.size() + l.narrow_ay.size() + l.narrow_az.size() + l.narrow_extra.size() +
              l.inverse.size()) *
             sizeof(float);
  }
  return total;
}

}  // namespace neurolens::pde
