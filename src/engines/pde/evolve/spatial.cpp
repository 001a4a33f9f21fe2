#include "evolve/spatial.hpp"
#include "index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace neurolens::pde {
namespace {

std::size_t face_index(const Grid& g, int axis, const std::array<int, 3>& p) {
  const int t0 = axis == 0 ? 1 : 0;
  const int t1 = axis == 2 ? 1 : 2;
  return index(p[index(t0)]) + index(g.points[index(t0)]) * index(p[index(t1)]);
}

}  // namespace

PhaseCost SpatialOperator::per_point(int flops, int numbers) const {
  const auto n = static_cast<std::int64_t>(problem_->grid.size());
  return {Flops{flops * n}, Bytes{8 * numbers * n}};
}

Status SpatialOperator::prepare(const EvolutionProblem& problem, PhaseObserver* observer) {
  problem_ = &problem;
  observer_ = observer;
  k_ = Field(problem.grid);
  const bool wave = problem.equation == Equation::wave;
  const ScalarData k =
      wave ? ScalarData(problem.wave_speed * problem.wave_speed) : problem.diffusivity;
  if (Status s = k.fill(problem.grid, whole(problem.grid), 0, k_.values.data()); !s.ok())
    return s.error().at("diffusivity");
  const auto [low, high] = std::minmax_element(k_.values.begin(), k_.values.end());
  if (!(*low > 0))
    return Error{Errc::out_of_range,
                 fmt::format("The {} must be positive everywhere; it is {:.6g} somewhere.",
                             wave ? "wave speed" : "diffusivity", *low),
                 ""};
  variable_ = *low != *high;
  diffusion_rate_ = 0;
  for (int a = 0; a < problem.grid.dimensions; ++a) {
    const double h = problem.grid.spacing(a);
    diffusion_rate_ += 4 * *high / (h * h);
    for (const FaceCondition& f : problem.boundary.face[index(a)])
      if (f.kind == ConditionKind::robin)
        diffusion_rate_ += 2 * *high * std::fabs(f.alpha / f.beta) / h;
  }
  source_ = Field(problem.grid);
  fresh_ = false;
  return {};
}

bool SpatialOperator::data_depend_on_time() const {
  bool moving = problem_->source.depends_on_time();
  for (int a = 0; a < problem_->grid.dimensions; ++a)
    for (const FaceCondition& f : problem_->boundary.face[index(a)])
      moving = moving || (f.kind != ConditionKind::periodic && f.value.depends_on_time());
  return moving;
}

Status SpatialOperator::refresh(double t) const {
  const Grid& g = problem_->grid;
  if (fresh_ && (t == time_ || !data_depend_on_time())) return {};
  const Phase phase(observer_, "source", per_point(problem_->source.operations(), 1));
  for (int a = 0; a < g.dimensions; ++a)
    for (int side = 0; side < 2; ++side) {
      const FaceCondition& f = problem_->boundary.face[index(a)][index(side)];
      if (f.kind == ConditionKind::periodic) continue;
      auto& values = face_[index(a)][index(side)];
      const Region region = face_region(g, a, side == 1);
      values.resize(region.size());
      if (Status s = f.value.fill(g, region, t, values.data()); !s.ok())
        return s.error().at(face_name(a, side == 1));
    }
  if (Status s = problem_->source.fill(g, whole(g), t, source_.values.data()); !s.ok())
    return s.error().at("source");
  time_ = t;
  fresh_ = true;
  return {};
}

Status SpatialOperator::impose(Field& u, double t) const {
  const Phase phase(observer_, "boundary");
  NEUROLENS_TRY(refresh(t));
  const Grid& g = problem_->grid;
  for (int a = g.dimensions; a-- > 0;)
    for (int side = 0; side < 2; ++side) {
      const ConditionKind kind = problem_->boundary.face[index(a)][index(side)].kind;
      if (kind != ConditionKind::dirichlet && !(kind == ConditionKind::periodic && side == 1))
        continue;
      const Region region = face_region(g, a, side == 1);
      for (int k = region.first[2]; k <= region.last[2]; ++k)
        for (int j = region.first[1]; j <= region.last[1]; ++j)
          for (int i = region.first[0]; i <= region.last[0]; ++i) {
            std::array<int, 3> p{i, j, k};
            if (kind == ConditionKind::dirichlet) {
              u.at(i, j, k) = face_[index(a)][index(side)][face_index(g, a, p)];
            } else {
              p[index(a)] = 0;
              u.at(i, j, k) = u.at(p[0], p[1], p[2]);
            }
          }
    }
  return {};
}

// Calls visit(point, axis, value below, value above, k below, k above, h, at ghosted end) for each
// axis of each unknown point, then visit.done(point).
template <class Visit>
void SpatialOperator::visit(const Visit& visit) const {
  const Grid& g = problem_->grid;
  std::array<int, 3> low{0, 0, 0};
  std::array<int, 3> high{0, 0, 0};
  for (int a = 0; a < g.dimensions; ++a) {
    const auto& ends = problem_->boundary.face[index(a)];
    low[index(a)] = ends[0].kind == ConditionKind::dirichlet ? 1 : 0;
    high[index(a)] =
        g.intervals(a) -
        (ends[1].kind == ConditionKind::dirichlet || ends[1].kind == ConditionKind::periodic ? 1
                                                                                             : 0);
  }
  for (int k = low[2]; k <= high[2]; ++k)
    for (int j = low[1]; j <= high[1]; ++j)
      for (int i = low[0]; i <= high[0]; ++i) visit(std::array<int, 3>{i, j, k});
}

Status SpatialOperator::diffusion(const Field& u, double t, Field& out) const {
  // Per axis two face coefficients (4 each), two fluxes (2), their sums and the division (5).
  const Phase phase(observer_, "right-hand side", per_point(17 * problem_->grid.dimensions, 4));
  NEUROLENS_TRY(refresh(t));
  const Grid& g = problem_->grid;
  std::fill(out.values.begin(), out.values.end(), 0.0);
  visit([&](const std::array<int, 3>& p) {
    const double here = u.at(p[0], p[1], p[2]);
    const double k_here = k_.at(p[0], p[1], p[2]);
    double sum = source_.at(p[0], p[1], p[2]);
    for (int a = 0; a < g.dimensions; ++a) {
      const double h = g.spacing(a);
      const int n = g.intervals(a);
      const auto neighbour = [&](int direction, double& k_face) {
        std::array<int, 3> q = p;
        int m = p[index(a)] + direction;
        const int side = direction < 0 ? 0 : 1;
        const FaceCondition& f = problem_->boundary.face[index(a)][index(side)];
        double ghost = 0;
        if (f.kind == ConditionKind::periodic) {
          if (m < 0) m = n - 1;
        } else if (m < 0 || m > n) {
          m = p[index(a)] - direction;
          double slope = face_[index(a)][index(side)][face_index(g, a, p)];
          if (f.kind == ConditionKind::robin) slope = (slope - f.alpha * here) / f.beta;
          ghost = 2 * h * slope;
        }
        q[index(a)] = m;
        const double k_there = k_.at(q[0], q[1], q[2]);
        k_face = 2 * k_here * k_there / (k_here + k_there);
        return std::pair<double, double>{u.at(q[0], q[1], q[2]), ghost};
      };
      double k_low = 0;
      double k_high = 0;
      const auto [below, ghost_low] = neighbour(-1, k_low);
      const auto [above, ghost_high] = neighbour(1, k_high);
      // Mirrored neighbours carry the face's own coefficient for the boundary flux.
      sum +=
          (k_low * (below - here) + k_high * (above - here) + k_here * (ghost_low + ghost_high)) /
          (h * h);
    }
    out.at(p[0], p[1], p[2]) = sum;
  });
  return {};
}

void SpatialOperator::add_transport(const Field& u, Field& out) const {
  const Equation e = problem_->equation;
  if (e != Equation::advection_diffusion && e != Equation::burgers) return;
  const Phase phase(observer_, "transport", per_point(4 * problem_->grid.dimensions + 1, 3));
  const Grid& g = problem_->grid;
  visit([&](const std::array<int, 3>& p) {
    double sum = 0;
    for (int a = 0; a < g.dimensions; ++a) {
      const int n = g.intervals(a);
      std::array<int, 3> low = p;
      std::array<int, 3> high = p;
      const auto& ends = problem_->boundary.face[index(a)];
      double slope = 0;
      const bool bounded = ends[0].kind != ConditionKind::periodic;
      if (bounded && (p[index(a)] == 0 || p[index(a)] == n)) {
        const int side = p[index(a)] == 0 ? 0 : 1;  // the derivative is what the condition says
        const FaceCondition& f = ends[index(side)];
        slope = face_[index(a)][index(side)][face_index(g, a, p)];
        if (f.kind == ConditionKind::robin)
          slope = (slope - f.alpha * u.at(p[0], p[1], p[2])) / f.beta;
        if (side == 0) slope = -slope;
      } else {
        low[index(a)] = p[index(a)] == 0 ? n - 1 : p[index(a)] - 1;
        high[index(a)] = p[index(a)] + 1;
        slope =
            (u.at(high[0], high[1], high[2]) - u.at(low[0], low[1], low[2])) / (2 * g.spacing(a));
      }
      sum +=
          (e == Equation::burgers ? u.at(p[0], p[1], p[2]) : problem_->velocity[index(a)]) * slope;
    }
    out.at(p[0], p[1], p[2]) -= sum;
  });
}

double SpatialOperator::transport_rate(const Field& u) const {
  const Equation e = problem_->equation;
  if (e != Equation::advection_diffusion && e != Equation::burgers) return 0;
  double fastest = 0;
  if (e == Equation::burgers)
    for (const double v : u.values) fastest = std::max(fastest, std::fabs(v));
  double rate = 0;
  for (int a = 0; a < problem_->grid.dimensions; ++a)
    rate += (e == Equation::burgers ? fastest : std::fabs(problem_->velocity[index(a)])) /
            problem_->grid.spacing(a);
  return rate;
}

}  // namespace neurolens::pde
