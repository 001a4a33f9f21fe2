#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "multigrid/cycles.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {
namespace {

// Single precision cycles lose their grip when coefficients of very different size meet in one sum.
constexpr double kMostContrastF32 = 1e3;

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
    AlignedVector<double> x, b, p, q;
    Workers* workers = nullptr;
  };

  [[nodiscard]] static Workers* workers_for(const Shape& shape, const Work& work) {
    return shape.nodes() >= kParallelNodes ? work.workers : nullptr;
  }

  [[nodiscard]] Work make_work(Workers* workers) const {
    Work w;
    w.workers = workers;
    if (narrow)
      w.f32 = f32.make_vectors(workers);
    else
      w.f64 = f64.make_vectors(workers);
    const std::size_t n = fine.shape.size();
    w.x.assign(n, 0.0);
    w.b.assign(n, 0.0);
    w.p.assign(n, 0.0);
    w.q.assign(n, 0.0);
    return w;
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
    if (first && options.cycle == Cycle::full) {
      levels.full(v);
    } else {
      std::fill(v.u[0].begin(), v.u[0].end(), T(0));
      levels.cycle(0, v, options.cycle == Cycle::w ? 2 : 1);
    }
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
      if (!coarsen(network, h, coarse, map)) return;
      for (std::size_t a = 0; a < 3; ++a)
        if (map[a].coarsened) h[a] *= 2;
      levels.levels.push_back(make_level<T>(coarse));
      levels.maps.push_back(map);
      network = std::move(coarse);
    }
  }

  void remove_mean(Work& work, AlignedVector<double>& v, bool weighted) const;
  Status iterate(Work& work, Report& report) const;
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
  double sum = 0;
  double magnitude = 0;
  double weight = 0;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        if (!std::isfinite(source.at(i, j, k)))
          return Error{Errc::out_of_range, "The source is not a finite number everywhere.",
                       "source"};
        work.b[s.at(i, j, k)] = -volume(i, j, k) * source.at(i, j, k);
        work.x[s.at(i, j, k)] = options.cycle == Cycle::full ? 0.0 : u.at(i, j, k);
      }
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
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::size_t p = s.at(i, j, k);
        if (fine.diagonal[p] == 0) continue;
        sum += work.b[p];
        magnitude += std::fabs(work.b[p]);
        weight += volume(i, j, k);
      }
  if (!nullspace) return {};
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
Status MultigridPlan::State::iterate(Work& work, Report& report) const {
  const Shape& s = fine.shape;
  const auto n = index(s.n[0]);
  const bool periodic = s.periodic[0] || s.periodic[1] || s.periodic[2];
  std::vector<double> part(pieces() * 2);
  const auto largest_row = [](std::size_t count, const double* r) {
    double m = 0;
    for (std::size_t i = 0; i < count; ++i) m = std::max(m, std::fabs(r[i]));
    return m;
  };
  // The right-hand side proper: Dirichlet values moved over.
  AlignedVector<double> known(s.size(), 0.0);
  double scale = 0;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      for (int i = 0; i < s.n[0]; ++i) {
        const std::size_t p = s.at(i, j, k);
        if (fine.diagonal[p] == 0) known[p] = work.x[p];
      }
  if (periodic) refresh_ghosts(s, known.data());
  rows(work, [&](std::size_t, int j, int k) {
    kernels::residual_row(n, fine.row(known.data(), work.b.data(), j, k),
                          work.q.data() + s.at(0, j, k));
  });
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      scale = std::max(scale, largest_row(n, work.q.data() + s.at(0, j, k)));
  if (periodic) refresh_ghosts(s, work.x.data());
  rows(work, [&](std::size_t, int j, int k) {
    kernels::residual_row(n, fine.row(work.x.data(), work.b.data(), j, k),
                          work.q.data() + s.at(0, j, k));
  });
  std::swap(work.b, work.q);
  double largest = 0;
  for (int k = 0; k < s.n[2]; ++k)
    for (int j = 0; j < s.n[1]; ++j)
      largest = std::max(largest, largest_row(n, work.b.data() + s.at(0, j, k)));
  if (scale == 0) scale = 1;
  double rz_old = 0;
  double alpha_old = 0;
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
    State::Work work = state.make_work(context.workers);
    {
      const Phase phase(context.observer, "boundary");
      NEUROLENS_TRY(state.right_side(source, boundary, t, work, u, report));
    }
    Status outcome;
    {
      Phase phase(context.observer, "solve");
      outcome = state.iterate(work, report);
      const auto n = static_cast<std::int64_t>(state.fine.shape.nodes());
      phase.add({Flops{report.iterations * n * 90}, Bytes{report.iterations * n * 180}});
    }
    if (state.nullspace) state.remove_mean(work, work.x, true);
    const Shape& s = state.fine.shape;
    for (int k = 0; k < state.grid.points[2]; ++k)
      for (int j = 0; j < state.grid.points[1]; ++j)
        for (int i = 0; i < state.grid.points[0]; ++i)
          u.at(i, j, k) = work.x[s.at(i % s.n[0], j % s.n[1], k % s.n[2])];
    report.method = state.options.conjugate_gradient ? "pcg" : "multigrid";
    report.details =
        fmt::format("{} levels, {}-cycles of {} red-black sweeps{}", levels(),
                    state.options.cycle == Cycle::w ? "W" : "V", 2 * state.options.smoothing,
                    state.options.cycle == Cycle::full ? " after nested iteration" : "");
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
