#include "direct/direct_solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <thread>

#include "direct/eigen.hpp"

namespace neurolens::pde {
namespace {

constexpr int kLongestDense = 512;      // explicit bases beyond this cost more than multigrid
constexpr double kSingular = 1e-12;     // relative size below which an eigenvalue counts as zero
constexpr std::size_t kModeChunk = 64;  // modes per step of the wavefront
constexpr std::size_t kLines = 16;      // most lines of a batch

std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

std::size_t stage_slots(const Stage& stage) {
  int work = 2 * stage.pairs;
  for (const FftPass& pass : stage.passes) work = std::max(work, 2 * pass.radix);
  return index(stage.slots + work);
}

std::size_t batches_of(std::size_t lines) {
  return (lines + kernels::batch_lines() - 1) / kernels::batch_lines();
}

// Basis of an axis with Robin ends: eigenvectors of the symmetrised second difference.
// With weights w (1/2 at ghosted ends) the matrix W^(1/2) D W^(-1/2) is symmetric.
bool robin_basis(const BoxAxis& axis, Stage& forward, Stage& inverse, std::vector<double>& symbol) {
  const std::size_t n = index(axis.count);
  std::vector<double> diagonal(n, 2.0);
  std::vector<double> off(n, -1.0);
  std::vector<double> weight(n, 1.0);
  const auto touch = [&](std::size_t at, std::size_t neighbour, const BoxEnd& end) {
    if (end.kind == ConditionKind::dirichlet) return;
    diagonal[at] += 2 * axis.h * end.ratio;
    off[neighbour] *= std::sqrt(2.0);
    weight[at] = 0.5;
  };
  touch(0, 0, axis.end[0]);
  touch(n - 1, n - 2, axis.end[1]);
  std::vector<double> vectors = symmetric_tridiagonal_eigenvectors(diagonal, off);
  if (vectors.empty()) return false;
  std::vector<double> to_modes(n * n);
  std::vector<double> from_modes(n * n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t i = 0; i < n; ++i) {
      to_modes[k * n + i] = vectors[k * n + i] * std::sqrt(weight[i]);
      from_modes[i * n + k] = vectors[k * n + i] / std::sqrt(weight[i]);
    }
  forward = make_dense_stage(std::move(to_modes), axis.count, axis.count);
  inverse = make_dense_stage(std::move(from_modes), axis.count, axis.count);
  symbol = std::move(diagonal);
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
          fmt::format("Robin conditions on two axes need an explicit basis, which is kept to {} "
                      "intervals; this axis has {}. Use the multigrid method.",
                      kLongestDense, axis.intervals),
          ""};
    if (box_.order == 4)
      return Error{Errc::unavailable,
                   "Order 4 with Robin conditions is available on one axis only. Use order 2.", ""};
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
      double ghost = 0;
      if (end.ratio != 0) {
        const double h = axis.h;
        double lap = 0;  // minus the tangential laplacian's symbol
        for (int i = 0; i < last; ++i)
          lap += s[i] / (box_.axis[index(i)].h * box_.axis[index(i)].h);
        ghost = box_.order == 4
                    ? -end.ratio * (2 * h * (1 - box_.c * h * h / 6) + h * h * h / 3 * lap)
                    : -end.ratio * 2 * h;
      }
      return (diagonal[q] + ghost) / 2;
    };
    first[q] = end_diagonal(axis.end[0]);
    bottom[q] = end_diagonal(axis.end[1]);
  }
  first_weight_ = axis.end[0].kind == ConditionKind::dirichlet ? 1 : 0.5;
  last_weight_ = axis.end[1].kind == ConditionKind::dirichlet ? 1 : 0.5;
  const std::ptrdiff_t pinned = box_.has_nullspace() ? 0 : -1;
  if (!factors_.build(modes_, axis.count, diagonal.data(), first.data(), bottom.data(), pinned))
    return Error{Errc::refused, "Elimination along one axis is not safe for this operator.", ""};
  return {};
}

Status DirectSolver::plan_division() {
  double largest = 0;
  double smallest = 1e300;
  for (int k = 0; k < box_.axis[2].count; ++k)
    for (int j = 0; j < box_.axis[1].count; ++j)
      for (int i = 0; i < box_.axis[0].count; ++i) {
        if (i + j + k == 0 && box_.has_nullspace()) continue;
        const double s[3] = {axis_[0].symbol[index(i)],
                             box_.dimensions > 1 ? axis_[1].symbol[index(j)] : 0,
                             box_.dimensions > 2 ? axis_[2].symbol[index(k)] : 0};
        double value = 0;
        double unused = 0;
        numerator_denominator(s, value, unused);
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

Result<std::unique_ptr<DirectSolver>> DirectSolver::make(const Box& box) {
  if (box.order == 4 && box.dimensions > 1)
    for (const BoxAxis& axis : box.axis)
      for (const BoxAxis& other : box.axis)
        if (axis.robin() && &axis != &other && other.intervals > 0 &&
            other.kind != AxisKind::periodic)
          return Error{Errc::unavailable,
                       "Order 4 with a Robin face needs the other axes to be periodic: where it "
                       "meets another face "
                       "the compact stencil loses its order. Use order 2.",
                       ""};
  const bool periodic_last = box.axis[index(box.dimensions - 1)].kind == AxisKind::periodic;
  if (!periodic_last) {
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

std::size_t DirectSolver::buffer_doubles() const {
  std::size_t slots = 1;
  for (int a = 0; a < box_.dimensions; ++a)
    slots = std::max(
        {slots, stage_slots(axis_[index(a)].forward), stage_slots(axis_[index(a)].inverse)});
  return slots * kernels::batch_lines() + 64;
}

Status DirectSolver::solve(const BoxData& data, double* u, Workers& workers) const {
  try {
    if (!tridiagonal_)
      solve_spectral(data, u, workers);
    else if (box_.dimensions == 1)
      solve_single_row_modes(data, u);
    else if (box_.dimensions == 2)
      solve_wavefront(data, u, workers);
    else
      solve_planes(data, u, workers);
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the transform buffers ran out.", ""};
  }
  return {};
}

// 1-D: one tridiagonal system.
void DirectSolver::solve_single_row_modes(const BoxData& data, double* u) const {
  const BoxAxis& axis = box_.axis[0];
  std::vector<double> scratch(4 * (box_.row_stride() + 16));
  const double* rhs = data.row(0, 0, scratch.data());
  const kernels::Factors factors = factors_.view();
  double* x = u + axis.first;
  const auto n = index(axis.count);
  double previous = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const double m = factors.count[j] > 0 ? factors.table[j][0] : factors.limit[0];
    const double weight = j == 0 ? first_weight_ : (j == n - 1 ? last_weight_ : 1.0);
    previous = x[j] = (rhs[j] * mode_scale_[0] * weight - previous) * m;
  }
  for (std::size_t j = n - 1; j-- > 0;) {
    const double m = factors.count[j] > 0 ? factors.table[j][0] : factors.limit[0];
    x[j] -= m * x[j + 1];
  }
}

// 2-D. Batches of rows are transformed by any worker; the recurrence down the rows passes through
// the batches in order, chunk of modes by chunk: batch b may eliminate a chunk once batch b - 1
// has. The arithmetic is the same for any number of workers.
void DirectSolver::solve_wavefront(const BoxData& data, double* u, Workers& workers) const {
  const std::size_t lines = kernels::batch_lines();
  const BoxAxis& rows = box_.axis[1];
  const std::size_t batches = batches_of(index(rows.count));
  const std::size_t chunk = workers.count() > 1 ? kModeChunk : modes_ + kModeChunk;
  // Chunks begin at cache lines of the rows, as tiles do.
  const double* first_row = u + box_.offset(box_.axis[0].first, rows.first, 0);
  const std::size_t lead =
      (64 - reinterpret_cast<std::uintptr_t>(first_row) % 64) % 64 / sizeof(double);
  const auto chunk_begin = [&](std::size_t c) {
    return c == 0 ? 0 : std::min(modes_, c * chunk + lead);
  };
  const std::size_t chunks = modes_ > lead ? (modes_ - lead + chunk - 1) / chunk : 1;
  kernels::Factors factors = factors_.view();
  factors.first_weight = first_weight_;
  factors.last_weight = last_weight_;
  AlignedVector<double> carry_down(modes_ + 16, 0.0);
  AlignedVector<double> carry_up(modes_ + 16, 0.0);
  std::vector<std::atomic<std::size_t>> done(2 * batches);
  std::atomic<std::size_t> next{0};
  std::vector<AlignedVector<double>> buffers(workers.count());
  std::vector<std::vector<double>> scratches(workers.count());
  for (auto& b : buffers) b.resize(buffer_doubles());
  for (auto& s : scratches) s.resize(lines * box_.row_stride() + 4 * (box_.row_stride() + 16));

  const auto wait_for = [&](std::size_t flag, std::size_t count) {
    int turns = 0;
    while (done[flag].load(std::memory_order_acquire) < count)
      if (++turns > 200) std::this_thread::yield();
  };
  const auto target_rows = [&](std::size_t batch, std::array<double*, kLines>& out) {
    const std::size_t first = batch * lines;
    const std::size_t count = std::min(lines, index(rows.count) - first);
    for (std::size_t l = 0; l < count; ++l)
      out[l] = u + box_.offset(box_.axis[0].first, rows.first + static_cast<int>(first + l), 0);
    return count;
  };
  const auto forward = [&](std::size_t batch, std::size_t worker) {
    double* buffer = buffers[worker].data();
    double* scratch = scratches[worker].data();
    double* scratch_rows = scratch + 4 * (box_.row_stride() + 16);
    std::array<double*, kLines> out{};
    const std::size_t count = target_rows(batch, out);
    std::array<const double*, kLines> in{};
    for (std::size_t l = 0; l < lines; ++l) {
      const std::size_t row = std::min(batch * lines + l, index(rows.count) - 1);
      in[l] = data.row(rows.first + static_cast<int>(row), 0, scratch);
      if (in[l] != scratch) continue;
      double* kept = scratch_rows + l * box_.row_stride();
      std::copy_n(scratch, index(box_.axis[0].count), kept);
      in[l] = kept;
    }
    kernels::gather_rows(axis_[0].forward, in.data(), buffer);
    kernels::transform(axis_[0].forward, buffer);
    for (std::size_t c = 0; c < chunks; ++c) {
      if (batch > 0) wait_for(batch - 1, c + 1);
      kernels::scatter_eliminate(axis_[0].forward, buffer, mode_scale_.data(), count, out.data(),
                                 factors, static_cast<int>(batch * lines), chunk_begin(c),
                                 c + 1 == chunks ? modes_ : chunk_begin(c + 1), carry_down.data());
      done[batch].store(c + 1, std::memory_order_release);
    }
  };
  const auto backward = [&](std::size_t batch, std::size_t worker) {
    double* buffer = buffers[worker].data();
    std::array<double*, kLines> out{};
    const std::size_t count = target_rows(batch, out);
    // The batch's own elimination is complete: batch + 1's substitution (or the last elimination)
    // says so.
    wait_for(batches - 1, chunks);
    kernels::clear_unused(axis_[0].inverse, buffer);
    for (std::size_t c = 0; c < chunks; ++c) {
      if (batch + 1 < batches) wait_for(batches + batch + 1, c + 1);
      kernels::substitute_gather(
          axis_[0].inverse, count, out.data(), factors, static_cast<int>(batch * lines),
          chunk_begin(c), c + 1 == chunks ? modes_ : chunk_begin(c + 1), carry_up.data(), buffer);
      done[batches + batch].store(c + 1, std::memory_order_release);
    }
    kernels::transform(axis_[0].inverse, buffer);
    kernels::scatter_rows(axis_[0].inverse, buffer, ones_.data(), count, out.data());
  };
  const std::function<void(std::size_t)> body = [&](std::size_t worker) {
    for (;;) {
      const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= 2 * batches) return;
      if (task < batches)
        forward(task, worker);
      else
        backward(2 * batches - 1 - task, worker);
    }
  };
  workers.run(body);
}

// Transforms the unknown rows along axis 0, from the right-hand side or in place.
void DirectSolver::transform_rows(bool forward, const BoxData* data, double* u,
                                  Workers& workers) const {
  const std::size_t lines = kernels::batch_lines();
  const Stage& stage = forward ? axis_[0].forward : axis_[0].inverse;
  const std::size_t rows = index(box_.axis[1].count) * index(box_.axis[2].count);
  const std::size_t batches = batches_of(rows);
  std::atomic<std::size_t> next{0};
  const std::function<void(std::size_t)> body = [&](std::size_t) {
    AlignedVector<double> buffer(buffer_doubles());
    std::vector<double> scratch(
        data != nullptr ? lines * box_.row_stride() + 4 * (box_.row_stride() + 16) : 0);
    for (;;) {
      const std::size_t batch = next.fetch_add(1, std::memory_order_relaxed);
      if (batch >= batches) return;
      const std::size_t count = std::min(lines, rows - batch * lines);
      std::array<double*, kLines> out{};
      std::array<const double*, kLines> in{};
      for (std::size_t l = 0; l < lines; ++l) {
        const std::size_t row = std::min(batch * lines + l, rows - 1);
        const int j = box_.axis[1].first + static_cast<int>(row % index(box_.axis[1].count));
        const int k = box_.axis[2].first + static_cast<int>(row / index(box_.axis[1].count));
        out[l] = u + box_.offset(box_.axis[0].first, j, k);
        in[l] = out[l];
        if (data == nullptr) continue;
        in[l] = data->row(j, k, scratch.data());
        if (in[l] != scratch.data()) continue;
        double* kept = scratch.data() + 4 * (box_.row_stride() + 16) + l * box_.row_stride();
        std::copy_n(scratch.data(), index(box_.axis[0].count), kept);
        in[l] = kept;
      }
      kernels::gather_rows(stage, in.data(), buffer.data());
      kernels::transform(stage, buffer.data());
      kernels::scatter_rows(stage, buffer.data(), ones_.data(), count, out.data());
    }
  };
  workers.run(body);
}

// Transforms in place along axis a >= 1; lanes are neighbouring columns.
void DirectSolver::transform_axis(int a, bool forward, double* u, Workers& workers) const {
  const std::size_t lines = kernels::batch_lines();
  const Stage& stage = forward ? axis_[index(a)].forward : axis_[index(a)].inverse;
  const int other = 3 - a;  // the axis that is neither 0 nor a
  const std::size_t width = index(box_.axis[0].count);
  const std::size_t per_line = batches_of(width);
  const std::size_t tasks = per_line * index(box_.axis[index(other)].count);
  const auto stride = static_cast<std::ptrdiff_t>(a == 1 ? box_.row_stride() : box_.plane_stride());
  std::atomic<std::size_t> next{0};
  const std::function<void(std::size_t)> body = [&](std::size_t) {
    AlignedVector<double> buffer(buffer_doubles());
    for (;;) {
      const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks) return;
      std::array<int, 3> p{box_.axis[0].first + static_cast<int>(task % per_line * lines), 0, 0};
      p[index(a)] = box_.axis[index(a)].first;
      p[index(other)] = box_.axis[index(other)].first + static_cast<int>(task / per_line);
      const std::size_t count = std::min(lines, width - task % per_line * lines);
      double* at = u + box_.offset(p[0], p[1], p[2]);
      kernels::gather_columns(stage, at, stride, count, buffer.data());
      kernels::transform(stage, buffer.data());
      kernels::scatter_columns(stage, buffer.data(), ones_.data(), count, at, stride);
    }
  };
  workers.run(body);
}

void DirectSolver::expand(double* u, Workers& workers) const {
  if (box_.dimensions == 1) {
    AlignedVector<double> buffer(buffer_doubles());
    double* at = u + box_.axis[0].first;
    kernels::gather_columns(axis_[0].forward, at, 1, 1, buffer.data());
    kernels::transform(axis_[0].forward, buffer.data());
    kernels::scatter_columns(axis_[0].forward, buffer.data(), ones_.data(), 1, at, 1);
    return;
  }
  transform_rows(true, nullptr, u, workers);
  for (int a = 1; a < box_.dimensions; ++a) transform_axis(a, true, u, workers);
}

void DirectSolver::collapse(double* u, Workers& workers) const {
  double scale = 1;
  for (int a = 0; a < box_.dimensions; ++a) scale *= axis_[index(a)].scale;
  for (int k = 0; k < box_.axis[2].count; ++k)
    for (int j = 0; j < box_.axis[1].count; ++j) {
      double* row =
          u + box_.offset(box_.axis[0].first, box_.axis[1].first + j, box_.axis[2].first + k);
      for (int i = 0; i < box_.axis[0].count; ++i) row[i] /= scale;
    }
  if (box_.dimensions == 1) {
    AlignedVector<double> buffer(buffer_doubles());
    double* at = u + box_.axis[0].first;
    kernels::gather_columns(axis_[0].inverse, at, 1, 1, buffer.data());
    kernels::transform(axis_[0].inverse, buffer.data());
    kernels::scatter_columns(axis_[0].inverse, buffer.data(), ones_.data(), 1, at, 1);
    return;
  }
  for (int a = box_.dimensions; a-- > 1;) transform_axis(a, false, u, workers);
  transform_rows(false, nullptr, u, workers);
}

// All axes transformed: divide by the eigenvalues.
void DirectSolver::divide_axis(double* u, Workers& workers) const {
  const auto rows = index(box_.axis[1].count);
  const std::size_t total = rows * index(box_.axis[2].count);
  std::atomic<std::size_t> next{0};
  workers.run([&](std::size_t) {
    for (;;) {
      const std::size_t row = next.fetch_add(1, std::memory_order_relaxed);
      if (row >= total) return;
      const int j = static_cast<int>(row % rows);
      const int k = static_cast<int>(row / rows);
      double* at =
          u + box_.offset(box_.axis[0].first, box_.axis[1].first + j, box_.axis[2].first + k);
      for (int i = 0; i < box_.axis[0].count; ++i) {
        const double s[3] = {axis_[0].symbol[index(i)],
                             box_.dimensions > 1 ? axis_[1].symbol[index(j)] : 0,
                             box_.dimensions > 2 ? axis_[2].symbol[index(k)] : 0};
        double a = 0;
        double b = 0;
        numerator_denominator(s, a, b);
        const bool singular = i + j + k == 0 && box_.has_nullspace();
        at[i] = singular ? 0.0 : at[i] / a;
      }
    }
  });
}

void DirectSolver::solve_spectral(const BoxData& data, double* u, Workers& workers) const {
  if (box_.dimensions == 1) {
    std::vector<double> scratch(4 * (box_.row_stride() + 16));
    const double* rhs = data.row(0, 0, scratch.data());
    std::copy_n(rhs, index(box_.axis[0].count), u + box_.axis[0].first);
    expand(u, workers);
  } else {
    transform_rows(true, &data, u, workers);
    for (int a = 1; a < box_.dimensions; ++a) transform_axis(a, true, u, workers);
  }
  divide_axis(u, workers);
  collapse(u, workers);
}

// 3-D: each plane is transformed along its two axes while it is in cache, then takes its step of
// the elimination; planes are shared between workers by a wavefront as in 2-D, chunks being rows of
// modes.
void DirectSolver::solve_planes(const BoxData& data, double* u, Workers& workers) const {
  const std::size_t lines = kernels::batch_lines();
  const BoxAxis& x = box_.axis[0];
  const BoxAxis& y = box_.axis[1];
  const BoxAxis& z = box_.axis[2];
  const auto nx = index(x.count);
  const auto ny = index(y.count);
  const auto planes = index(z.count);
  const kernels::Factors factors = factors_.view();
  std::vector<std::atomic<std::size_t>> done(2 * planes);
  std::atomic<std::size_t> next{0};
  std::vector<AlignedVector<double>> buffers(workers.count());
  std::vector<std::vector<double>> scratches(workers.count());
  for (auto& b : buffers) b.resize(buffer_doubles());
  for (auto& s : scratches) s.resize(lines * box_.row_stride() + 4 * (box_.row_stride() + 16));
  const auto wait_for = [&](std::size_t flag, std::size_t count) {
    int turns = 0;
    while (done[flag].load(std::memory_order_acquire) < count)
      if (++turns > 200) std::this_thread::yield();
  };
  const auto row_at = [&](std::size_t j, std::size_t k) {
    return u + box_.offset(x.first, y.first + static_cast<int>(j), z.first + static_cast<int>(k));
  };
  const auto columns = [&](std::size_t k, const Stage& stage, double* buffer) {
    const auto stride = static_cast<std::ptrdiff_t>(box_.row_stride());
    for (std::size_t i = 0; i < nx; i += lines) {
      double* at = row_at(0, k) + i;
      const std::size_t width = std::min(lines, nx - i);
      kernels::gather_columns(stage, at, stride, width, buffer);
      kernels::transform(stage, buffer);
      kernels::scatter_columns(stage, buffer, ones_.data(), width, at, stride);
    }
  };
  const auto rows = [&](std::size_t k, const Stage& stage, double* buffer, double* scratch) {
    for (std::size_t first = 0; first < ny; first += lines) {
      std::array<double*, kLines> out{};
      std::array<const double*, kLines> in{};
      for (std::size_t l = 0; l < lines; ++l) {
        const std::size_t j = std::min(first + l, ny - 1);
        in[l] = out[l] = row_at(j, k);
        if (scratch == nullptr) continue;
        in[l] = data.row(y.first + static_cast<int>(j), z.first + static_cast<int>(k), scratch);
        if (in[l] != scratch) continue;
        double* kept = scratch + 4 * (box_.row_stride() + 16) + l * box_.row_stride();
        std::copy_n(scratch, nx, kept);
        in[l] = kept;
      }
      kernels::gather_rows(stage, in.data(), buffer);
      kernels::transform(stage, buffer);
      kernels::scatter_rows(stage, buffer, ones_.data(), std::min(lines, ny - first), out.data());
    }
  };
  // Factors of plane k for the modes of row j: the table is one long row of modes per plane, of
  // which the first `own` numbers of this row come from the table and the rest from the limit.
  const auto with_factors = [&](std::size_t k, std::size_t j, const auto& apply) {
    const auto open = static_cast<std::size_t>(factors.count[k]);
    const std::size_t at = j * nx;
    const std::size_t own = open > at ? std::min(nx, open - at) : 0;
    if (own > 0) apply(std::size_t{0}, own, factors.table[k] + at);
    if (own < nx) apply(own, nx - own, factors.limit + at + own);
  };
  const auto forward = [&](std::size_t k, std::size_t worker) {
    rows(k, axis_[0].forward, buffers[worker].data(), scratches[worker].data());
    columns(k, axis_[1].forward, buffers[worker].data());
    const double weight = (k == 0 ? first_weight_ : 1.0) * (k + 1 == planes ? last_weight_ : 1.0);
    for (std::size_t j = 0; j < ny; ++j) {
      if (k > 0) wait_for(k - 1, j + 1);
      with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
        kernels::eliminate_row(count, row_at(j, k) + from, mode_scale_.data() + j * nx + from,
                               weight, k > 0 ? row_at(j, k - 1) + from : nullptr, factor);
      });
      done[k].store(j + 1, std::memory_order_release);
    }
  };
  const auto substitute = [&](std::size_t k) {
    for (std::size_t j = 0; j < ny; ++j) {
      if (k + 1 < planes) {
        wait_for(planes + k + 1, j + 1);
        with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
          kernels::substitute_row(count, row_at(j, k) + from, row_at(j, k + 1) + from, factor);
        });
      }
      done[planes + k].store(j + 1, std::memory_order_release);
    }
  };
  const auto inverse = [&](std::size_t k, std::size_t worker) {
    columns(k, axis_[1].inverse, buffers[worker].data());
    rows(k, axis_[0].inverse, buffers[worker].data(), nullptr);
  };
  workers.run([&](std::size_t worker) {
    for (;;) {
      const std::size_t k = next.fetch_add(1, std::memory_order_relaxed);
      if (k >= planes) return;
      forward(k, worker);
    }
  });
  // Substitution climbs from the last plane; a plane is transformed back once the one above has
  // read it.
  next = 0;
  workers.run([&](std::size_t worker) {
    for (;;) {
      const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= planes) return;
      const std::size_t k = planes - 1 - task;
      substitute(k);
      if (k + 1 < planes) inverse(k + 1, worker);
      if (k == 0) inverse(0, worker);
    }
  });
}

std::size_t DirectSolver::plan_bytes() const {
  std::size_t total = factors_.bytes() + mode_scale_.size() * sizeof(double);
  for (const AxisPlan& a : axis_)
    for (const Stage* s : {&a.forward, &a.inverse}) {
      total += (s->matrix.size() + s->join_twiddle.size() + s->join_dense.size()) * sizeof(double);
      total += s->slot_a.size() * 40;
      for (const FftPass& p : s->passes)
        total += (p.twiddle.size() + p.dense.size()) * sizeof(double);
    }
  return total;
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
    text += fmt::format("{}tridiagonal solves along {}", text.empty() ? "" : ", ",
                        "xyz"[box_.user_axis[index(box_.dimensions - 1)]]);
  return text;
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
