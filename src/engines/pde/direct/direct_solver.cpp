#include "direct/direct_solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "direct/eigen.hpp"
#include "direct/narrow.hpp"
#include "direct/robin_modes.hpp"
#include "direct/sweep.hpp"
#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr int kLongestDense = 512;   // explicit bases beyond this cost more than multigrid
constexpr double kSingular = 1e-12;  // relative size below which an eigenvalue counts as zero

// Basis of an axis with Robin ends: eigenvectors of the symmetrised second difference.
// With weights w (box.hpp) the matrix W^(1/2) D W^(-1/2) is symmetric.
bool robin_basis(const BoxAxis& axis, Stage& forward, Stage& inverse, std::vector<double>& symbol) {
  const std::size_t n = index(axis.count);
  std::vector<double> diagonal(n, 2.0);
  std::vector<double> off(n, -1.0);
  std::vector<double> weight(n, 1.0);
  const auto touch = [&](std::size_t at, std::size_t neighbour, const BoxEnd& end) {
    if (end.kind == ConditionKind::dirichlet) return;
    diagonal[at] = (1 + axis.h * end.ratio) / end.weight;
    off[neighbour] /= std::sqrt(end.weight);
    weight[at] = end.weight;
  };
  touch(0, 0, axis.end[0]);
  touch(n - 1, n - 2, axis.end[1]);
  std::vector<double> vectors;
  if (!robin_modes(axis, vectors, symbol)) {
    vectors = symmetric_tridiagonal_eigenvectors(diagonal, off);
    if (vectors.empty()) return false;
    symbol = std::move(diagonal);
  }
  std::vector<double> to_modes(n * n);
  std::vector<double> from_modes(n * n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i) {
      to_modes[k * n + i] = vectors[k * n + i] * std::sqrt(weight[i]);
      from_modes[i * n + k] = vectors[k * n + i] / std::sqrt(weight[i]);
    }
  forward = make_dense_stage(std::move(to_modes), axis.count, axis.count);
  inverse = make_dense_stage(std::move(from_modes), axis.count, axis.count);
  return true;
}

}  // namespace

// With mode symbols s_i >= 0 along the transformed axes, the equations along the last axis are
// B (u_{j-1} - 2 u_j + u_{j+1}) + A u_j = rhs. Without a last axis only A counts.
void DirectSolver::numerator_denominator(const double* s, double& a, double& b) const {
  const int transformed = tridiagonal_ ? box_.dimensions - 1 : box_.dimensions;
  double sum = 0;
  double cross = 0;
  double source = 1;
  std::array<double, 3> x{};
  for (int i = 0; i < transformed; ++i) {
    const BoxAxis& axis = box_.axis[index(i)];
    x[index(i)] = s[i] / (axis.h * axis.h);
    sum += x[index(i)];
    source -= s[i] / 12;
    for (int j = 0; j < i; ++j) {
      const double hj = box_.axis[index(j)].h;
      cross += (hj * hj + axis.h * axis.h) / 12 * x[index(i)] * x[index(j)];
    }
  }
  const bool compact = box_.order == 4;
  a = compact ? -sum + cross + box_.c * source : -sum + box_.c;
  if (!tridiagonal_) {
    b = 1;
    return;
  }
  const double h = box_.axis[index(box_.dimensions - 1)].h;
  b = 1 / (h * h);
  if (!compact) return;
  double mixed = 0;
  for (int i = 0; i < transformed; ++i) {
    const double hi = box_.axis[index(i)].h;
    mixed += (hi * hi + h * h) / 12 * x[index(i)];
  }
  b = (1 - mixed) / (h * h) + box_.c / 12;
}

Status DirectSolver::plan_axis(int a) {
  const BoxAxis& axis = box_.axis[index(a)];
  AxisPlan& plan = axis_[index(a)];
  if (axis.robin()) {
    if (axis.intervals > kLongestDense)
      return Error{
          Errc::unavailable,
          fmt::format("Robin conditions on two axes of a 3-D box, with c > 0 or with a negative "
                      "ratio need an explicit basis, which is kept to {} intervals; this axis has "
                      "{}. Use fewer points or, for order 2 and c <= 0, the multigrid method.",
                      kLongestDense, axis.intervals),
          ""};
    if (!robin_basis(axis, plan.forward, plan.inverse, plan.symbol))
      return Error{Errc::internal, "The eigenvectors of a Robin axis did not converge.", ""};
    return {};
  }
  plan.forward = make_stage(axis.kind, axis.intervals, false);
  plan.inverse = make_stage(axis.kind, axis.intervals, true);
  plan.scale = scale_of(axis.kind, axis.intervals);
  plan.symbol.resize(index(axis.count));
  for (int q = 0; q < axis.count; ++q)
    plan.symbol[index(q)] = mode_symbol(axis.kind, axis.intervals, q);
  return {};
}

Status DirectSolver::plan_tridiagonal() {
  const int last = box_.dimensions - 1;
  const BoxAxis& axis = box_.axis[index(last)];
  modes_ = 1;
  double scale = 1;
  for (int a = 0; a < last; ++a) {
    modes_ *= index(box_.axis[index(a)].count);
    scale *= axis_[index(a)].scale;
  }
  std::vector<double> diagonal(modes_), first(modes_), bottom(modes_);
  mode_scale_.assign(modes_ + 8, 0.0);
  const std::size_t n0 = last > 0 ? index(box_.axis[0].count) : 1;
  for (std::size_t q = 0; q < modes_; ++q) {
    double s[2] = {last > 0 ? axis_[0].symbol[q % n0] : 0, last > 1 ? axis_[1].symbol[q / n0] : 0};
    double a = 0;
    double b = 0;
    numerator_denominator(s, a, b);
    // The compact stencil's coupling may vanish for a mode (and be negative beyond): it then
    // decouples.
    const double least = 1e-13 / (axis.h * axis.h);
    if (std::fabs(b) < least) b = least;
    diagonal[q] = a / b - 2;
    mode_scale_[q] = 1 / (b * scale);
    const auto end_diagonal = [&](const BoxEnd& end) {
      if (end.kind == ConditionKind::dirichlet) return diagonal[q];
      return (diagonal[q] + 2) * end.weight - (1 + axis.h * end.ratio);
    };
    first[q] = end_diagonal(axis.end[0]);
    bottom[q] = end_diagonal(axis.end[1]);
  }
  first_weight_ = axis.end[0].weight;
  last_weight_ = axis.end[1].weight;
  const std::ptrdiff_t pinned = box_.has_nullspace() ? 0 : -1;
  if (axis.kind == AxisKind::periodic) return plan_cyclic(diagonal, pinned);
  if (!factors_.build(modes_, axis.count, diagonal.data(), first.data(), bottom.data(), pinned))
    return Error{Errc::refused, "Elimination along one axis is not safe for this operator.", ""};
  return {};
}

// A periodic last axis: all rows but the last, bordered by it.
Status DirectSolver::plan_cyclic(const std::vector<double>& diagonal, std::ptrdiff_t pinned) {
  const int rows = box_.axis[index(box_.dimensions - 1)].count;
  const double* const d = diagonal.data();
  const bool definite = std::all_of(diagonal.begin(), diagonal.end(),
                                    [](double value) { return std::fabs(value) >= 2; });
  if (!definite || rows < 3 || !factors_.build(modes_, rows - 1, d, d, d, -1))
    return Error{Errc::refused, "Elimination along one axis is not safe for this operator.", ""};
  border_.build(modes_, rows, d, pinned);
  return {};
}

Status DirectSolver::plan_division() {
  double largest = std::fabs(box_.c);  // what a single mode may be the rounding of
  double smallest = 1e300;
  for (int k = 0; k < box_.axis[2].count; ++k)
    for (int j = 0; j < box_.axis[1].count; ++j)
      for (int i = 0; i < box_.axis[0].count; ++i) {
        if (i + j + k == 0 && box_.has_nullspace()) continue;
        const auto s = symbols(i, j, k);
        double value = 0;
        double unused = 0;
        numerator_denominator(s.data(), value, unused);
        value = std::fabs(value);
        largest = std::max(largest, value);
        smallest = std::min(smallest, value);
      }
  if (!(smallest > kSingular * largest))
    return Error{
        Errc::refused,
        fmt::format(
            "The problem is singular: c = {:.9g} is an eigenvalue of the discrete Laplacian "
            "with these boundary conditions (distance {:.2g}), so a solution does not exist "
            "or is not unique. Change c or the grid.",
            box_.c, smallest),
        ""};
  return {};
}

Result<std::unique_ptr<DirectSolver>> DirectSolver::make_spectral(const Box& box) {
  std::unique_ptr<DirectSolver> solver(new DirectSolver);
  solver->box_ = box;
  solver->tridiagonal_ = false;
  for (int a = 0; a < box.dimensions; ++a) NEUROLENS_TRY(solver->plan_axis(a));
  std::size_t longest = 0;
  for (const BoxAxis& a : box.axis) longest = std::max(longest, index(a.count));
  solver->ones_.assign(longest + 16, 1.0);
  return solver;
}

DirectSolver::DirectSolver() : desks_(std::make_shared<DeskPool<double>>()) {}

Result<std::unique_ptr<DirectSolver>> DirectSolver::make(const Box& box) {
  for (const BoxAxis& axis : box.axis)
    for (const BoxEnd& end : axis.end)
      if (!(end.weight > 0))
        return Error{
            Errc::refused,
            fmt::format("Order 4 with the Robin ratio {:.6g} needs a spacing below {:.3g}. "
                        "Use more points or order 2.",
                        end.ratio, -3 / end.ratio),
            ""};
  const bool periodic_last = box.axis[index(box.dimensions - 1)].kind == AxisKind::periodic;
  if (!periodic_last || box.dimensions == 2) {
    std::unique_ptr<DirectSolver> solver(new DirectSolver);
    solver->box_ = box;
    for (int a = 0; a + 1 < box.dimensions; ++a) NEUROLENS_TRY(solver->plan_axis(a));
    std::size_t longest = 0;
    for (const BoxAxis& a : box.axis) longest = std::max(longest, index(a.count));
    solver->ones_.assign(longest + 16, 1.0);
    if (const Status planned = solver->plan_tridiagonal(); planned.ok()) return solver;
    // Indefinite: dividing by eigenvalues is safe where elimination without pivoting is not.
  }
  NEUROLENS_ASSIGN(auto solver, make_spectral(box));
  NEUROLENS_TRY(solver->plan_division());
  return solver;
}

std::array<int, 3> DirectSolver::best_order(const Grid& grid, const Boundary& boundary) {
  // The last axis (no transform) may be any but a periodic one; Robin ends must go there. Among the
  // rest, the axis that is dearest to transform; x stays first unless moving it saves a lot, for
  // moving it costs two transposes.
  const Box box = make_box(grid, boundary, 0, 2, {0, 1, 2});
  const int d = grid.dimensions;
  int best = -1;
  double best_value = 0;
  constexpr double kTransposeCost = 12;  // in the units of stage_cost
  for (int a = 0; a < d; ++a) {
    const BoxAxis& axis = box.axis[index(a)];
    if (axis.kind == AxisKind::periodic) continue;
    double value = axis.robin() ? 1e6 + axis.intervals : 2 * stage_cost(axis.kind, axis.intervals);
    if (a == 0 && d > 1) value -= kTransposeCost;
    if (a == d - 1) value += 1;
    if (best < 0 || value > best_value) {
      best = a;
      best_value = value;
    }
  }
  std::array<int, 3> order{0, 1, 2};
  if (best < 0 || best == d - 1) return order;
  std::array<int, 3> moved{0, 1, 2};
  int at = 0;
  for (int a = 0; a < d; ++a)
    if (a != best) moved[index(at++)] = a;
  moved[index(d - 1)] = best;
  return moved;
}

double DirectSolver::eigenvalue(int i, int j, int k) const {
  const double s[3] = {axis_[0].symbol[index(i)],
                       box_.dimensions > 1 ? axis_[1].symbol[index(j)] : 0,
                       box_.dimensions > 2 ? axis_[2].symbol[index(k)] : 0};
  double a = 0;
  double b = 0;
  numerator_denominator(s, a, b);
  if (box_.order == 4) {
    double source = 1;
    for (int m = 0; m < box_.dimensions; ++m) source -= s[m] / 12;
    a /= source;
  }
  return a;
}

std::size_t DirectSolver::plan_bytes() const {
  std::size_t total = factors_.bytes() + border_.bytes() + mode_scale_.size() * sizeof(double);
  for (const AxisPlan& a : axis_)
    for (const Stage* s : {&a.forward, &a.inverse}) {
      total += (s->matrix.size() + s->join_twiddle.size() + s->join_dense.size()) * sizeof(double);
      total += s->slot_a.size() * 40;
      for (const FftPass& p : s->passes)
        total += (p.twiddle.size() + p.dense.size()) * sizeof(double);
    }
  const std::lock_guard lock(narrow_mutex_);
  return total + (narrow_ != nullptr ? narrow_->bytes() : 0);
}

std::string DirectSolver::description() const {
  std::string text;
  const int transformed = tridiagonal_ ? box_.dimensions - 1 : box_.dimensions;
  for (int a = 0; a < transformed; ++a) {
    const BoxAxis& axis = box_.axis[index(a)];
    const char* name = axis.robin()                                 ? "explicit basis"
                       : axis.kind == AxisKind::dirichlet_dirichlet ? "DST-I"
                       : axis.kind == AxisKind::neumann_neumann     ? "DCT-I"
                       : axis.kind == AxisKind::periodic            ? "FFT"
                       : axis.kind == AxisKind::dirichlet_neumann   ? "DST-III"
                                                                    : "DCT-III";
    text += fmt::format("{}{} along {}", text.empty() ? "" : ", ", name,
                        "xyz"[box_.user_axis[index(a)]]);
  }
  if (tridiagonal_)
    text += fmt::format("{}{} solves along {}", text.empty() ? "" : ", ",
                        border_.empty() ? "tridiagonal" : "cyclic tridiagonal",
                        "xyz"[box_.user_axis[index(box_.dimensions - 1)]]);
  return text;
}

PhaseCost DirectSolver::transform_cost() const {
  double per_unknown = 0;
  for (int a = 0; a < box_.dimensions; ++a)
    per_unknown += 2.5 * std::log2(static_cast<double>(std::max(2, box_.axis[index(a)].intervals)));
  const auto n = static_cast<double>(box_.unknowns());
  return {Flops{static_cast<std::int64_t>(per_unknown * n)},
          Bytes{static_cast<std::int64_t>(16 * box_.dimensions * n)}};
}

PhaseCost DirectSolver::cost() const {
  double per_unknown = 0;
  const int transformed = tridiagonal_ ? box_.dimensions - 1 : box_.dimensions;
  for (int a = 0; a < transformed; ++a)
    per_unknown +=
        2 * 2.5 * std::log2(static_cast<double>(std::max(2, box_.axis[index(a)].intervals)));
  per_unknown += tridiagonal_ ? 6 : 2;
  const auto n = static_cast<double>(box_.unknowns());
  return {Flops{static_cast<std::int64_t>(per_unknown * n)},
          Bytes{static_cast<std::int64_t>(32 * n)}};
}

}  // namespace neurolens::pde
