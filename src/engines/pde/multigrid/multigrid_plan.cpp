#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <new>

#include "kernels/pointwise.hpp"
#include "multigrid/cycles.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

// Single precision cycles lose their grip when coefficients of very different size meet in one sum.
constexpr double kMostContrastF32 = 1e3;
constexpr double kSlowestGain = 4;     // of a cycle: below it conjugate gradients take over
constexpr std::size_t kMostSpare = 2;  // sets of vectors kept for solves to come

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace

struct MultigridPlan::State {
  Grid grid;
  Boundary kinds;
  MultigridOptions options;
  bool nullspace = false;
  Level<double> fine;
  bool narrow = true;  ///< Cycles in single precision.
  Hierarchy<float> f32;
  Hierarchy<double> f64;

  AlignedVector<double> face_value;

  // Vectors of one solve.
  struct Work {
    Hierarchy<float>::Vectors f32;
    Hierarchy<double>::Vectors f64;
    AlignedVector<double> x, b, p, q, known;
    Workers* workers = nullptr;
  };
  // Vectors of solves that ended, for the next one: fresh memory costs more than a cycle.
  mutable std::mutex spare_mutex;
  mutable std::vector<std::unique_ptr<Work>> spare;

  [[nodiscard]] static Workers* workers_for(const Shape& shape, const Work& work) {
    return shape.nodes() >= kParallelNodes ? work.workers : nullptr;
  }

  [[nodiscard]] std::unique_ptr<Work> take_work(Workers* workers) const {
    std::unique_ptr<Work> w;
    {
      const std::lock_guard lock(spare_mutex);
      if (!spare.empty()) {
        w = std::move(spare.back());
        spare.pop_back();
      }
    }
    if (w == nullptr) {
      w = std::make_unique<Work>();
      if (narrow)
        w->f32 = f32.make_vectors();
      else
        w->f64 = f64.make_vectors();
      // Ghosts and padding are zero from here on: kernels read them.
      for (auto* v : {&w->x, &w->b, &w->p, &w->q, &w->known}) v->assign(fine.shape.size(), 0.0);
    }
    w->workers = w->f32.workers = w->f64.workers = workers;
    return w;
  }
  // Only after success: a failed solve may leave values that are not finite.
  void give_back(std::unique_ptr<Work> w) const {
    const std::lock_guard lock(spare_mutex);
    if (spare.size() < kMostSpare) spare.push_back(std::move(w));
  }

  template <class Body>
  void rows(const Work& work, const Body& body) const {
    const Shape& s = fine.shape;
    for_rows(
        workers_for(s, work), s.rows(), [&](std::size_t piece, std::size_t begin, std::size_t end) {
          for (std::size_t r = begin; r < end; ++r)
            body(piece, static_cast<int>(r % index(s.n[1])), static_cast<int>(r / index(s.n[1])));
        });
  }
  // Rows of the grid, the far copies of periodic axes included.
  template <class Body>
  void rows_of_grid(const Work& work, const Body& body) const {
    const auto per_plane = index(grid.points[1]);
    for_rows(workers_for(fine.shape, work), per_plane * index(grid.points[2]),
             [&](std::size_t, std::size_t begin, std::size_t end) {
               for (std::size_t r = begin; r < end; ++r)
                 body(static_cast<int>(r % per_plane), static_cast<int>(r / per_plane));
             });
  }
  [[nodiscard]] std::size_t pieces() const {
    return (fine.shape.rows() + kRowsPerTask - 1) / kRowsPerTask;
  }

  // z = M r in the hierarchy's u[0]; r is scaled so that single precision has room.
  template <class T>
  void precondition(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v, const Work& work,
                    double largest, bool first) const {
    const Shape& s = fine.shape;
    rows(work, [&](std::size_t, int j, int k) {
      kernels::narrow_row(index(s.n[0]), work.b.data() + s.at(0, j, k), 1 / largest,
                          v.f[0].data() + s.at(0, j, k));
    });
    one_cycle(levels, v, first);
  }
  template <class T>
  void one_cycle(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v, bool first) const {
    if (first && options.cycle == Cycle::full) {
      levels.full(v);
    } else {
      std::fill(v.u[0].begin(), v.u[0].end(), T(0));
      levels.cycle(0, v, options.cycle == Cycle::w ? 2 : 1);
    }
  }

  // A cycle for the residual, added to x: one pass over the fine vectors in double precision, which
  // also leaves the new residual in single precision for the next cycle. Returns max |residual|.
  double correct(Work& work, double largest, double& unit, std::vector<double>& part,
                 bool first) const {
    const Shape& s = fine.shape;
    auto& v = work.f32;
    if (first) {
      unit = largest;
      precondition(f32, v, work, unit, true);
    } else {
      one_cycle(f32, v, false);
    }
    if (s.any_periodic()) refresh_ghosts(s, v.u[0].data());
    std::fill(part.begin(), part.end(), 0.0);
    rows(work, [&](std::size_t piece, int j, int k) {
      const std::size_t at = s.at(0, j, k);
      // The residual is scaled by the size it had before: single precision only needs it near 1.
      const double most =
          kernels::correct_row(index(s.n[0]), fine.row(work.x.data(), nullptr, j, k),
                               f32.levels[0].row(v.u[0].data(), nullptr, j, k), unit, 1 / largest,
                               work.x.data() + at, work.b.data() + at, v.f[0].data() + at);
      part[piece] = std::max(part[piece], most);
    });
    unit = largest;
    return *std::max_element(part.begin(), part.end());
  }
  template <class T>
  void add_levels(Hierarchy<T>& levels, Network network, std::array<double, 3> h) const {
    levels.smoothing = options.smoothing;
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t side = 0; side < 2; ++side)
        levels.fixed[a][side] = kinds.face[a][side].kind == ConditionKind::dirichlet;
    levels.levels.push_back(make_level<T>(network));
    for (;;) {
      Network coarse;
      std::array<AxisMap, 3> map;
      if (!coarsen(network, h, coarse, map)) {
        levels.coarsest.prepare(levels.levels.back());
        return;
      }
      for (std::size_t a = 0; a < 3; ++a)
        if (map[a].coarsened) h[a] *= 2;
      levels.levels.push_back(make_level<T>(coarse));
      levels.maps.push_back(map);
      network = std::move(coarse);
    }
  }

  void remove_mean(Work& work, AlignedVector<double>& v, bool weighted) const;
  Status iterate(Work& work, const Attention& attention, Report& report) const;
  Status build(const ScalarData& a, const ScalarData& c);
  Status right_side(const Field& source, const Boundary& boundary, double t, Work& work, Field& u,
                    Report& report) const;
  [[nodiscard]] double volume(int i, int j, int k) const {
    const std::array<int, 3> p{i, j, k};
    double w = 1;
    for (int a = 0; a < grid.dimensions; ++a)
      if (!fine.shape.periodic[index(a)] && (p[index(a)] == 0 || p[index(a)] == grid.intervals(a)))
        w *= 0.5;
    return w;
  }
};

Status MultigridPlan::State::build(const ScalarData& a_data, const ScalarData& c_data) {
  Field a(grid);
  Field c(grid);
  if (Status s = a_data.fill(grid, whole(grid), 0, a.values.data()); !s.ok())
    return s.error().at("coefficient");
  if (Status s = c_data.fill(grid, whole(grid), 0, c.values.data()); !s.ok())
    return s.error().at("reaction");
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (!(a.values[i] > 0))
      return Error{
          Errc::out_of_range,
          fmt::format("The coefficient is {:.6g}; it must be positive everywhere.", a.values[i]),
          "coefficient"};
    if (c.values[i] > 0)
      return Error{Errc::out_of_range,
                   fmt::format("The reaction coefficient c is {:.6g}; multigrid needs c <= 0. With "
                               "a constant a and c "
                               "the direct method solves c > 0.",
                               c.values[i]),
                   "reaction"};
  }
  Network network;
  Shape& s = network.shape;
  s.dimensions = grid.dimensions;
  bool floating = std::all_of(c.values.begin(), c.values.end(), [](double v) { return v == 0; });
  for (int axis = 0; axis < grid.dimensions; ++axis) {
    const auto& ends = kinds.face[index(axis)];
    s.periodic[index(axis)] = ends[0].kind == ConditionKind::periodic;
    s.n[index(axis)] = s.periodic[index(axis)] ? grid.intervals(axis) : grid.points[index(axis)];
    for (const auto& end : ends) {
      if (end.kind == ConditionKind::dirichlet ||
          (end.kind == ConditionKind::robin && end.alpha != 0))
        floating = false;
      if (end.kind == ConditionKind::robin && end.alpha / end.beta < 0)
        return Error{Errc::out_of_range,
                     "A Robin condition with alpha / beta < 0 may have no solution; multigrid "
                     "needs alpha / beta >= 0.",
                     ""};
    }
  }
  nullspace = floating;
  fine.shape = s;
  for (int axis = 0; axis < grid.dimensions; ++axis)
    network.face[index(axis)].assign(s.size(), 0.0);
  network.extra.assign(s.size(), 0.0);
  network.fixed.assign(s.size(), 0);
  std::array<double, 3> h{};
  for (int axis = 0; axis < grid.dimensions; ++axis) h[index(axis)] = grid.spacing(axis);
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::array<int, 3> p{i, j, k};
        const std::size_t here = s.at(i, j, k);
        const double w = volume(i, j, k);
        network.extra[here] = -w * c.at(i, j, k);
        for (int axis = 0; axis < grid.dimensions; ++axis) {
          const bool low = p[index(axis)] == 0;
          const bool high = p[index(axis)] == grid.intervals(axis);
          const bool inside = s.periodic[index(axis)] || (!low && !high);
          const double area =
              inside ? w : 2 * w;  // the axis' own half is not part of a face's area
          if (!s.periodic[index(axis)] && (low || high)) {
            const FaceCondition& end = kinds.face[index(axis)][high ? 1 : 0];
            if (end.kind == ConditionKind::dirichlet) network.fixed[here] = 1;
            if (end.kind == ConditionKind::robin)
              network.extra[here] += a.at(i, j, k) * end.alpha / end.beta * area / h[index(axis)];
          }
          if (!s.periodic[index(axis)] && high) continue;
          std::array<int, 3> q = p;
          ++q[index(axis)];
          const double left = a.at(i, j, k);
          const double right = a.at(q[0], q[1], q[2]);
          network.face[index(axis)][here] =
              2 * left * right / (left + right) * area / (h[index(axis)] * h[index(axis)]);
        }
      }
  for (int axis = 0; axis < grid.dimensions; ++axis)
    refresh_ghosts(s, network.face[index(axis)].data());
  fine = make_level<double>(network);
  const auto [low, high] = std::minmax_element(a.values.begin(), a.values.end());
  narrow = *high <= kMostContrastF32 * *low;
  if (narrow)
    add_levels(f32, std::move(network), h);
  else
    add_levels(f64, std::move(network), h);
  return {};
}

// b = -(cell volumes) f + boundary terms, for unknowns; u gets its Dirichlet values.
Status MultigridPlan::State::right_side(const Field& source, const Boundary& boundary, double t,
                                        Work& work, Field& u, Report& report) const {
  const Shape& s = fine.shape;
  if (!kernels::all_finite(source.values.size(), source.values.data()))
    return Error{Errc::out_of_range, "The source is not a finite number everywhere.", "source"};
  const auto n = index(s.n[0]);
  rows(work, [&](std::size_t, int j, int k) {
    const std::size_t row = index(grid.points[0]) * (index(j) + index(grid.points[1]) * index(k));
    const double* f = source.values.data() + row;
    double* b = work.b.data() + s.at(0, j, k);
    const double w = -volume(1, j, k);
    for (std::size_t i = 0; i < n; ++i) b[i] = w * f[i];
    b[0] = -volume(0, j, k) * f[0];
    b[n - 1] = -volume(s.n[0] - 1, j, k) * f[n - 1];
    double* x = work.x.data() + s.at(0, j, k);
    if (options.cycle == Cycle::full)
      std::fill_n(x, n, 0.0);
    else
      std::copy_n(u.values.data() + row, n, x);
  });
  for (int axis = grid.dimensions; axis-- > 0;)
    for (int side = 0; side < 2; ++side) {
      const FaceCondition& face = boundary.face[index(axis)][index(side)];
      if (face.kind == ConditionKind::periodic) continue;
      const Region region = face_region(grid, axis, side == 1);
      std::vector<double> value(region.size());
      if (Status filled = face.value.fill(grid, region, t, value.data()); !filled.ok())
        return filled.error().at(face_name(axis, side == 1));
      std::size_t at = 0;
      for (int k = region.first[2]; k <= region.last[2]; ++k)
        for (int j = region.first[1]; j <= region.last[1]; ++j)
          for (int i = region.first[0]; i <= region.last[0]; ++i, ++at) {
            if (i >= s.n[0] || j >= s.n[1] || k >= s.n[2])
              continue;  // the far copy of a periodic axis
            const std::size_t p = s.at(i, j, k);
            if (face.kind == ConditionKind::dirichlet) {
              work.x[p] = value[at];
            } else {
              const double flux =
                  face.kind == ConditionKind::robin ? value[at] / face.beta : value[at];
              work.b[p] += face_value[p] * flux * 2 * volume(i, j, k) / grid.spacing(axis);
            }
          }
    }
  if (!nullspace) return {};
  double sum = 0;
  double magnitude = 0;
  double weight = 0;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::size_t p = s.at(i, j, k);
        if (fine.diagonal[p] == 0) continue;
        sum += work.b[p];
        magnitude += std::fabs(work.b[p]);
        weight += volume(i, j, k);
      }
  report.nullspace = true;
  report.compatibility_defect = magnitude > 0 ? std::fabs(sum) / magnitude : 0;
  if (report.compatibility_defect > kMaxCompatibilityDefect)
    return Error{
        Errc::refused,
        fmt::format(
            "No solution exists: with these boundary conditions the source and the boundary fluxes "
            "must balance, but a share of {:.2g} is left over. Subtract the mean from the source, "
            "or fix u on one face.",
            report.compatibility_defect),
        ""};
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) work.b[s.at(i, j, k)] -= sum / weight * volume(i, j, k);
  return {};
}

void MultigridPlan::State::remove_mean(Work&, AlignedVector<double>& v, bool weighted) const {
  const Shape& s = fine.shape;
  double sum = 0;
  double weight = 0;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const double w = weighted ? volume(i, j, k) : 1;
        sum += w * v[s.at(i, j, k)];
        weight += w;
      }
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) v[s.at(i, j, k)] -= sum / weight;
}

// Conjugate gradients with the cycle as preconditioner (flexible: beta from the change of r, since
// a single precision cycle is not exactly symmetric), or plain correction. b becomes the residual.
Status MultigridPlan::State::iterate(Work& work, const Attention& attention, Report& report) const {
  const Shape& s = fine.shape;
  const auto n = index(s.n[0]);
  const bool periodic = s.periodic[0] || s.periodic[1] || s.periodic[2];
  std::vector<double> part(pieces() * 2);
  const auto largest_row = [](std::size_t count, const double* r) {
    double m = 0;
    for (std::size_t i = 0; i < count; ++i) m = std::max(m, std::fabs(r[i]));
    return m;
  };
  // The right-hand side proper, Dirichlet values moved over, gives the scale; the residual of the
  // first guess is the same when that is zero.
  const auto residual_into_q = [&](AlignedVector<double>& v) {
    if (periodic) refresh_ghosts(s, v.data());
    std::fill(part.begin(), part.end(), 0.0);
    rows(work, [&](std::size_t piece, int j, int k) {
      double* q = work.q.data() + s.at(0, j, k);
      kernels::residual_row(n, fine.row(v.data(), work.b.data(), j, k), q);
      part[piece] = std::max(part[piece], largest_row(n, q));
    });
    return *std::max_element(part.begin(), part.end());
  };
  double scale = 0;
  if (options.cycle != Cycle::full) {
    AlignedVector<double>& known = work.known;
    for (std::size_t p = 0; p < known.size(); ++p)
      known[p] = fine.diagonal[p] == 0 ? work.x[p] : 0.0;
    scale = residual_into_q(known);
  }
  double largest = residual_into_q(work.x);
  if (options.cycle == Cycle::full) scale = largest;
  std::swap(work.b, work.q);
  if (scale == 0) scale = 1;
  double rz_old = 0;
  double alpha_old = 0;
  double cycle_unit = 1;
  bool correcting = narrow && (options.cycles_first || !options.conjugate_gradient);
  report.method = "multigrid";
  // The residual cannot be told from zero below the rounding errors of A u itself.
  const auto rounding_floor = [&] {
    double most = 0;
    for (std::size_t i = 0; i < work.x.size(); ++i)
      most = std::max(most, fine.diagonal[i] * std::fabs(work.x[i]));
    return 16 * 2.2e-16 * most;
  };
  for (report.iterations = 0; largest > options.tolerance * scale; ++report.iterations) {
    if (report.iterations % 8 == 7 && largest <= rounding_floor()) break;
    if (report.iterations >= options.max_iterations || !std::isfinite(largest)) {
      report.residual_relative = largest / scale;
      return Error{
          Errc::check_failed,
          fmt::format(
              "The residual is {:.2g} after {} iterations; the tolerance {:.2g} was not met. Raise "
              "max_iterations or use more smoothing or a W-cycle.",
              largest / scale, report.iterations, options.tolerance),
          ""};
    }
    if (attention.cancelled()) {
      report.residual_relative = largest / scale;
      return Error{Errc::cancelled,
                   fmt::format("Stopped after {} iterations, at a residual of {:.2g} instead of "
                               "{:.2g}.",
                               report.iterations, largest / scale, options.tolerance),
                   ""};
    }
    if (correcting) {
      const double before = largest;
      largest = correct(work, before, cycle_unit, part, report.iterations == 0);
      const bool slow = report.iterations > 0 && before < kSlowestGain * largest;
      correcting = !options.conjugate_gradient || !slow;
      continue;
    }
    report.method = options.conjugate_gradient ? "pcg" : "multigrid";
    const double unit = largest;
    if (narrow)
      precondition(f32, work.f32, work, largest, report.iterations == 0);
    else
      precondition(f64, work.f64, work, largest, report.iterations == 0);
    const auto with_z = [&](std::size_t at, const auto& use) {
      if (narrow)
        use(work.f32.u[0].data() + at);
      else
        use(work.f64.u[0].data() + at);
    };
    // beta = (r - r_old) z / (r_old z_old) = (r z + alpha_old q z ...): r_old = r + alpha_old q.
    std::fill(part.begin(), part.end(), 0.0);
    rows(work, [&](std::size_t piece, int j, int k) {
      double rz = 0;
      double qz = 0;
      const std::size_t at = s.at(0, j, k);
      with_z(at, [&](const auto* z) {
        kernels::two_dots_row(n, work.b.data() + at, work.q.data() + at, z, &rz, &qz);
      });
      part[2 * piece] += rz;
      part[2 * piece + 1] += qz;
    });
    double rz = 0;
    double qz = 0;
    for (std::size_t i = 0; i < pieces(); ++i) {
      rz += part[2 * i];
      qz += part[2 * i + 1];
    }
    rz *= unit;
    qz *= unit;
    // r - r_old = -alpha q, hence beta = -alpha (q z) / (r_old z_old).
    const double beta = options.conjugate_gradient && report.iterations > 0 && rz_old != 0
                            ? -alpha_old * qz / rz_old
                            : 0;
    rows(work, [&](std::size_t, int j, int k) {
      const std::size_t at = s.at(0, j, k);
      with_z(at,
             [&](const auto* z) { kernels::direction_row(n, z, unit, beta, work.p.data() + at); });
    });
    if (periodic) refresh_ghosts(s, work.p.data());
    std::fill(part.begin(), part.end(), 0.0);
    rows(work, [&](std::size_t piece, int j, int k) {
      part[piece] += kernels::apply_row(n, fine.row(work.p.data(), nullptr, j, k),
                                        work.q.data() + s.at(0, j, k));
    });
    double pq = 0;
    for (std::size_t i = 0; i < pieces(); ++i) pq += part[i];
    // r p = r z, for r is orthogonal to the previous direction.
    const double alpha = options.conjugate_gradient ? (pq != 0 ? rz / pq : 0) : 1;
    std::fill(part.begin(), part.end(), 0.0);
    rows(work, [&](std::size_t piece, int j, int k) {
      const std::size_t at = s.at(0, j, k);
      part[piece] = std::max(part[piece],
                             kernels::update_row(n, alpha, work.p.data() + at, work.q.data() + at,
                                                 work.x.data() + at, work.b.data() + at));
    });
    largest = *std::max_element(part.begin(), part.end());
    rz_old = rz;
    alpha_old = alpha;
    if (alpha == 0 && largest > options.tolerance * scale)
      report.iterations = options.max_iterations - 1;
  }
  report.residual_relative = largest / scale;
  return {};
}

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
    state->grid = grid;
    state->kinds = boundary;
    state->options = options;
    NEUROLENS_TRY(state->build(a, c));
    // a at the unknowns, for the fluxes of Neumann and Robin faces.
    const Shape& s = state->fine.shape;
    Field values(grid);
    NEUROLENS_TRY(a.fill(grid, whole(grid), 0, values.values.data()));
    state->face_value.assign(s.size(), 0.0);
    for (int k = 0; k < s.n[2]; ++k)
      for (int j = 0; j < s.n[1]; ++j)
        for (int i = 0; i < s.n[0]; ++i) state->face_value[s.at(i, j, k)] = values.at(i, j, k);
    return std::shared_ptr<const MultigridPlan>(new MultigridPlan(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory,
                 fmt::format("Memory for multigrid on {} points ran out.", grid.text()), ""};
  }
}

Status MultigridPlan::solve(const Field& source, const Boundary& boundary, double t, Field& u,
                            const Context& context, Report& report) const {
  const State& state = *state_;
  if (!(source.grid == state.grid) || !(u.grid == state.grid))
    return Error{Errc::bad_request, "The arrays are not on the plan's grid.", ""};
  try {
    std::unique_ptr<State::Work> taken = state.take_work(context.workers);
    State::Work& work = *taken;
    {
      const Phase phase(context.observer, "boundary");
      NEUROLENS_TRY(state.right_side(source, boundary, t, work, u, report));
    }
    Status outcome;
    {
      Phase phase(context.observer, "solve");
      outcome = state.iterate(work, context.attention, report);
      const auto n = static_cast<std::int64_t>(state.fine.shape.nodes());
      phase.add({Flops{report.iterations * n * 90}, Bytes{report.iterations * n * 180}});
    }
    if (state.nullspace) state.remove_mean(work, work.x, true);
    const Shape& s = state.fine.shape;
    state.rows_of_grid(work, [&](int j, int k) {
      const double* x = work.x.data() + s.at(0, j % s.n[1], k % s.n[2]);
      double* to = &u.at(0, j, k);
      std::copy_n(x, s.n[0], to);
      if (s.periodic[0]) to[s.n[0]] = x[0];
    });
    report.details =
        fmt::format("{} levels, {}-cycles of {} red-black sweeps{}", levels(),
                    state.options.cycle == Cycle::w ? "W" : "V", 2 * state.options.smoothing,
                    state.options.cycle == Cycle::full ? " after nested iteration" : "");
    if (outcome.ok()) state.give_back(std::move(taken));
    return outcome;
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the multigrid vectors ran out.", ""};
  }
}

Bytes MultigridPlan::bytes() const {
  std::size_t total = state_->fine.bytes();
  for (const auto& level : state_->f32.levels) total += level.bytes();
  for (const auto& level : state_->f64.levels) total += level.bytes();
  return Bytes{static_cast<std::int64_t>(total)};
}

int MultigridPlan::levels() const {
  return static_cast<int>(std::max(state_->f32.levels.size(), state_->f64.levels.size()));
}

}  // namespace neurolens::pde
