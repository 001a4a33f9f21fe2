#include "evolve/spatial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kParallelPoints = 32'768;  // fewer cost less than waking another worker
constexpr int kRowsAtOnce = 16;

std::size_t face_index(const Grid& g, int axis, const std::array<int, 3>& p) {
  const int t0 = axis == 0 ? 1 : 0;
  const int t1 = axis == 2 ? 1 : 2;
  return index(p[index(t0)]) + index(g.points[index(t0)]) * index(p[index(t1)]);
}

bool is_periodic(const FaceCondition& f) {
  return f.kind == ConditionKind::periodic;
}

}  // namespace

PhaseCost SpatialOperator::per_point(int flops, int numbers) const {
  const auto n = static_cast<std::int64_t>(problem_->grid.size());
  return {Flops{flops * n}, Bytes{8 * numbers * n}};
}

Status SpatialOperator::prepare(const EvolutionProblem& problem, const Context& context) {
  problem_ = &problem;
  context_ = context;
  const Grid& g = problem.grid;
  k_ = Field(g);
  const bool wave = problem.equation == Equation::wave;
  const ScalarData k =
      wave ? ScalarData(problem.wave_speed * problem.wave_speed) : problem.diffusivity;
  if (Status s = k.fill(g, whole(g), 0, k_.values.data()); !s.ok())
    return s.error().at("diffusivity");
  const auto [low, high] = std::minmax_element(k_.values.begin(), k_.values.end());
  if (!(*low > 0))
    return Error{Errc::out_of_range,
                 fmt::format("The {} must be positive everywhere; it is {:.6g} somewhere.",
                             wave ? "wave speed" : "diffusivity", *low),
                 ""};
  variable_ = *low != *high;
  diffusion_rate_ = 0;
  for (int a = 0; a < g.dimensions; ++a) {
    const double h = g.spacing(a);
    diffusion_rate_ += 4 * *high / (h * h);
    for (const FaceCondition& f : problem.boundary.face[index(a)])
      if (f.kind == ConditionKind::robin)
        diffusion_rate_ += 2 * *high * std::fabs(f.alpha / f.beta) / h;
    const ConditionKind kinds[] = {face(a, 0).kind, face(a, 1).kind};
    span_[index(a)] = {
        kinds[0] == ConditionKind::dirichlet ? 1 : 0,
        g.intervals(a) -
            (kinds[1] == ConditionKind::dirichlet || kinds[1] == ConditionKind::periodic ? 1 : 0)};
  }
  if (variable_) join_neighbours();
  source_ = Field(g);
  fresh_ = false;
  return {};
}

// Harmonic means: what passes a face is exact for layers.
void SpatialOperator::join_neighbours() {
  const Grid& g = problem_->grid;
  const std::array<std::size_t, 3> stride{1, index(g.points[0]),
                                          index(g.points[0]) * index(g.points[1])};
  for (int a = 0; a < g.dimensions; ++a) {
    Field& joined = joined_[index(a)];
    joined = Field(g);
    const double h = g.spacing(a);
    const std::size_t step = stride[index(a)];
    for (std::size_t p = 0; p + step < g.size(); ++p) {  // the last ones of an axis are not read
      const double here = k_.values[p];
      const double there = k_.values[p + step];
      joined.values[p] = 2 * here * there / (here + there) / (h * h);
    }
  }
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
  const Phase phase(context_.observer, "source", per_point(problem_->source.operations(), 1));
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
  const Phase phase(context_.observer, "boundary");
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

SpatialOperator::Row SpatialOperator::row(const Field& u, int j, int k) const {
  const Grid& g = problem_->grid;
  const auto begin_of = [&](int y, int z) {
    return index(g.points[0]) * (index(y) + index(g.points[1]) * index(z));
  };
  Row out;
  out.begin = begin_of(j, k);
  out.j = j;
  out.k = k;
  out.rows.u = u.values.data() + out.begin;
  out.rows.axes = index(g.dimensions - 1);
  for (int a = 0; a < g.dimensions; ++a)
    out.a.constant[a] = k_.values.front() / (g.spacing(a) * g.spacing(a));
  if (variable_) out.a.x = joined_[0].values.data() + out.begin;
  for (int a = 1; a < g.dimensions; ++a) {
    const int at = a == 1 ? j : k;
    const int n = g.intervals(a);
    // Outside: the last but one of a periodic axis, the mirror image of a bounded one.
    const int below = at > 0 ? at - 1 : (is_periodic(face(a, 0)) ? n - 1 : 1);
    const int above = at < n ? at + 1 : n - 1;
    const auto row_at = [&](int m) { return a == 1 ? begin_of(m, k) : begin_of(j, m); };
    const std::size_t axis = index(a - 1);
    out.rows.low[axis] = u.values.data() + row_at(below);
    out.rows.high[axis] = u.values.data() + row_at(above);
    if (!variable_) continue;
    const double* joined = joined_[index(a)].values.data();
    const bool mirrored = at == 0 && !is_periodic(face(a, 0));
    out.a.low[axis] = joined + row_at(mirrored ? 0 : below);
    out.a.high[axis] = joined + row_at(at < n ? at : n - 1);
  }
  return out;
}

template <class Fill>
void SpatialOperator::each_row(const Field& u, bool blank, Field& out, const Fill& fill) const {
  const Grid& g = problem_->grid;
  const int rows = g.points[1] * g.points[2];
  const auto one = [&](int r) {
    const int j = r % g.points[1];
    const int k = r / g.points[1];
    double* to = out.values.data() + index(g.points[0]) * index(r);
    const bool given = (g.dimensions > 1 && (j < span_[1].first || j > span_[1].last)) ||
                       (g.dimensions > 2 && (k < span_[2].first || k > span_[2].last));
    if (given) {
      if (blank) std::fill(to, to + g.points[0], 0.0);
      return;
    }
    if (blank) {
      std::fill(to, to + span_[0].first, 0.0);
      std::fill(to + span_[0].last + 1, to + g.points[0], 0.0);
    }
    fill(row(u, j, k), to);
  };
  if (g.size() < kParallelPoints || context_.pool().count() == 1) {
    for (int r = 0; r < rows; ++r) one(r);
    return;
  }
  std::atomic<int> next{0};
  context_.pool().run([&](std::size_t) {
    for (int r = next.fetch_add(kRowsAtOnce); r < rows; r = next.fetch_add(kRowsAtOnce))
      for (int end = std::min(rows, r + kRowsAtOnce); r < end; ++r) one(r);
  });
}

double SpatialOperator::slope(int axis, int side, const Row& row, int i) const {
  const FaceCondition& f = face(axis, side);
  const double value =
      face_[index(axis)][index(side)][face_index(problem_->grid, axis, {i, row.j, row.k})];
  return f.kind == ConditionKind::robin ? (value - f.alpha * row.rows.u[i]) / f.beta : value;
}

// The first or last point of a row, whose neighbour in x is no neighbour in memory.
double SpatialOperator::diffusion_at_end(const Row& row, int side) const {
  const int n = problem_->grid.intervals(0);
  const int i = side == 0 ? 0 : n;
  const double* u = row.rows.u;
  const double here = u[i];
  double sum = source_.values[row.begin + index(i)];
  const auto add = [&](double a, double there) { sum += a * (there - here); };
  const int inner = side == 0 ? 0 : n - 1;  // the face inside
  const double x = row.a.x != nullptr ? row.a.x[inner] : row.a.constant[0];
  if (is_periodic(face(0, 0))) {  // only the first point is not given
    add(x, u[1]);
    add(row.a.x != nullptr ? row.a.x[n - 1] : row.a.constant[0], u[n - 1]);
  } else {
    add(2 * x, u[side == 0 ? 1 : n - 1]);
    sum += 2 * k_.values[row.begin + index(i)] * slope(0, side, row, i) / problem_->grid.spacing(0);
  }
  for (std::size_t axis = 0; axis < row.rows.axes; ++axis) {
    const double constant = row.a.constant[axis + 1];
    add(row.a.x != nullptr ? row.a.low[axis][i] : constant, row.rows.low[axis][i]);
    add(row.a.x != nullptr ? row.a.high[axis][i] : constant, row.rows.high[axis][i]);
  }
  return sum;
}

// What the conditions of faces in y and z let through.
void SpatialOperator::add_fluxes(const Row& row, double* out) const {
  const Grid& g = problem_->grid;
  for (int a = 1; a < g.dimensions; ++a) {
    const int at = a == 1 ? row.j : row.k;
    for (int side = 0; side < 2; ++side) {
      if (at != (side == 0 ? 0 : g.intervals(a)) || is_periodic(face(a, side))) continue;
      for (int i = span_[0].first; i <= span_[0].last; ++i)
        out[i] += 2 * k_.values[row.begin + index(i)] * slope(a, side, row, i) / g.spacing(a);
    }
  }
}

Status SpatialOperator::diffusion(const Field& u, double t, Field& out) const {
  // Per axis: two differences, two products and two sums; one of each less for one constant k.
  const Grid& g = problem_->grid;
  const Phase phase(
      context_.observer, "right-hand side",
      per_point((variable_ ? 6 : 5) * g.dimensions, 3 + (variable_ ? g.dimensions : 0)));
  NEUROLENS_TRY(refresh(t));
  const int n = g.intervals(0);
  each_row(u, true, out, [&](const Row& row, double* to) {
    kernels::diffuse_row(1, index(n), row.rows, row.a, source_.values.data() + row.begin, to);
    if (span_[0].first == 0) to[0] = diffusion_at_end(row, 0);
    if (span_[0].last == n) to[n] = diffusion_at_end(row, 1);
    add_fluxes(row, to);
  });
  return {};
}

// At a bounded face the derivative along its normal is what the condition says.
double SpatialOperator::transport_at_end(const Row& row, int side, const double* velocity) const {
  const int n = problem_->grid.intervals(0);
  const int i = side == 0 ? 0 : n;
  const double* u = row.rows.u;
  const double twice = 2 * problem_->grid.spacing(0);  // velocities are over 2 h
  double sum = is_periodic(face(0, 0))
                   ? velocity[0] * (u[1] - u[n - 1])
                   : velocity[0] * twice * slope(0, side, row, i) * (side == 0 ? -1 : 1);
  for (std::size_t axis = 0; axis < row.rows.axes; ++axis)
    sum += velocity[axis + 1] * (row.rows.high[axis][i] - row.rows.low[axis][i]);
  return problem_->equation == Equation::burgers ? sum * u[i] : sum;
}

// Mirrored rows cancel in differences; what the condition says instead.
void SpatialOperator::add_face_transport(const Row& row, double* out) const {
  const Grid& g = problem_->grid;
  const bool burgers = problem_->equation == Equation::burgers;
  for (int a = 1; a < g.dimensions; ++a) {
    const int at = a == 1 ? row.j : row.k;
    for (int side = 0; side < 2; ++side) {
      if (at != (side == 0 ? 0 : g.intervals(a)) || is_periodic(face(a, side))) continue;
      for (int i = span_[0].first; i <= span_[0].last; ++i) {
        const double speed = burgers ? row.rows.u[i] : problem_->velocity[index(a)];
        out[i] -= speed * slope(a, side, row, i) * (side == 0 ? -1 : 1);
      }
    }
  }
}

void SpatialOperator::add_transport(const Field& u, Field& out) const {
  if (!has_transport()) return;
  const Grid& g = problem_->grid;
  const Phase phase(context_.observer, "transport", per_point(3 * g.dimensions + 1, 3));
  const bool burgers = problem_->equation == Equation::burgers;
  double velocity[3] = {0, 0, 0};
  for (int a = 0; a < g.dimensions; ++a)
    velocity[a] = (burgers ? 1 : problem_->velocity[index(a)]) / (2 * g.spacing(a));
  const int n = g.intervals(0);
  each_row(u, false, out, [&](const Row& row, double* to) {
    kernels::transport_row(1, index(n), row.rows, velocity, burgers, to);
    if (span_[0].first == 0) to[0] -= transport_at_end(row, 0, velocity);
    if (span_[0].last == n) to[n] -= transport_at_end(row, 1, velocity);
    add_face_transport(row, to);
  });
}

Result<const double*> SpatialOperator::source(double t) const {
  if (problem_->source.is_zero()) return static_cast<const double*>(nullptr);
  NEUROLENS_TRY(refresh(t));
  return source_.values.data();
}

Bytes SpatialOperator::bytes() const {
  Bytes sum = k_.bytes() + source_.bytes();
  for (const Field& joined : joined_) sum += joined.bytes();
  return sum;
}

double SpatialOperator::transport_rate(const Field& u) const {
  if (!has_transport()) return 0;
  const Equation e = problem_->equation;
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
