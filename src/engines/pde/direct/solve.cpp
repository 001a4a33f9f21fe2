// One solve: by transforms along all axes, or by transforms and a wavefront of eliminations (2-D).
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <type_traits>

#include "direct/direct_solver.hpp"
#include "direct/narrow.hpp"
#include "direct/sweep.hpp"
#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kLeastChunk = 64;  // modes per step of the wavefront
constexpr std::size_t kSteps = 16;       // at most so many for a row
// Of u. Rows of anything larger have left the caches before they are substituted; written past
// them, they need not be read first.
constexpr std::size_t kBeyondCaches = std::size_t{48} << 20;

template <class T>
std::size_t batches_of(std::size_t lines) {
  return (lines + kernels::lines_of<T>() - 1) / kernels::lines_of<T>();
}

}  // namespace

template <class T>
std::size_t DirectSolver::buffer_numbers() const {
  std::size_t slots = 1;
  for (int a = 0; a < box_.dimensions; ++a)
    slots = std::max({slots, index(buffer_slots(axis_[index(a)].forward)),
                      index(buffer_slots(axis_[index(a)].inverse))});
  return slots * kernels::lines_of<T>() + 64;
}

template <class T>
Status DirectSolver::solve(BasicBoxData<T>& data, T* u, Workers& workers) const {
  try {
    // Boundary values over h^2 beside a source would cost its digits: they are transformed apart.
    if (std::is_same_v<T, float> && tridiagonal_) data.leave_out_ends(box_.dimensions - 1);
    if (!tridiagonal_) {
      solve_spectral(data, u, workers);
    } else if (box_.dimensions == 1) {
      if constexpr (std::is_same_v<T, double>) solve_single_row_modes(data, u);
    } else if (box_.dimensions == 2) {
      solve_wavefront(data, u, workers);
    } else {
      solve_planes(data, u, workers);
    }
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
template <class T>
void DirectSolver::solve_wavefront(const BasicBoxData<T>& data, T* u, Workers& workers) const {
  const std::size_t lines = kernels::lines_of<T>();
  const BoxAxis& rows = box_.axis[1];
  const std::size_t batches = batches_of<T>(index(rows.count));
  const std::size_t step = std::max(kLeastChunk, modes_ / kSteps / 8 * 8);
  const std::size_t chunk = workers.count() > 1 ? step : modes_ + step;
  // Chunks begin at cache lines of the rows, as tiles do.
  const T* first_row = u + box_.offset(box_.axis[0].first, rows.first, 0);
  const std::size_t lead = (64 - reinterpret_cast<std::uintptr_t>(first_row) % 64) % 64 / sizeof(T);
  const auto chunk_begin = [&](std::size_t c) {
    return c == 0 ? 0 : std::min(modes_, c * chunk + lead);
  };
  const std::size_t chunks = modes_ > lead ? (modes_ - lead + chunk - 1) / chunk : 1;
  kernels::Factors factors = factors_.view();
  factors.first_weight = first_weight_;
  factors.last_weight = last_weight_;
  factors.past_caches = modes_ * index(rows.count) * sizeof(T) > kBeyondCaches;
  AlignedVector<double> border_value;
  if (!border_.empty()) {
    border_value.assign(modes_ + 16, 0.0);
    border_.add_to(factors, border_value);
  }
  AlignedVector<double> carry_down(modes_ + 16, 0.0);
  AlignedVector<double> carry_up(modes_ + 16, 0.0);
  Turns turns(2 * batches);
  std::atomic<std::size_t> next{0};
  typename DeskPool<T>::Loan desks(this->desks<T>(), workers.count(), box_, buffer_numbers<T>());
  const BasicStage<T>& to_modes = stage<T>(0, true);
  const BasicStage<T>& from_modes = stage<T>(0, false);
  std::array<std::vector<double>, 2> end_values;
  if constexpr (std::is_same_v<T, float>) {
    for (const int side : {0, 1}) {
      if (!data.acts(0, side)) continue;
      auto& values = end_values[index(side)];
      for (int j = 0; j < rows.count; ++j)
        values.push_back(data.end_term(0, side, 0, rows.first + j, 0));
      factors.end_values[index(side)] = values.data();
      factors.end_modes[index(side)] = narrow().end_modes[0][index(side)].data();
    }
  }
  const auto target_rows = [&](std::size_t batch, Targets<T>& out) {
    const std::size_t first = batch * lines;
    const std::size_t count = std::min(lines, index(rows.count) - first);
    for (std::size_t l = 0; l < count; ++l)
      out[l] = u + box_.offset(box_.axis[0].first, rows.first + static_cast<int>(first + l), 0);
    return count;
  };
  const auto forward = [&](std::size_t batch, std::size_t worker) {
    Desk<T>& desk = desks[worker];
    T* buffer = desk.buffer.data();
    Targets<T> out{};
    const std::size_t count = target_rows(batch, out);
    Sources<T> in{};
    for (std::size_t l = 0; l < lines; ++l) {
      const std::size_t row = std::min(batch * lines + l, index(rows.count) - 1);
      in[l] = desk.right_side(data, rows.first + static_cast<int>(row), 0, l);
    }
    kernels::gather_rows(to_modes, in.data(), buffer);
    kernels::transform(to_modes, buffer);
    for (std::size_t c = 0; c < chunks; ++c) {
      if (batch > 0) turns.wait_for(batch - 1, c + 1);
      kernels::scatter_eliminate(to_modes, buffer, mode_scale_.data(), count, out.data(), factors,
                                 static_cast<int>(batch * lines), chunk_begin(c),
                                 c + 1 == chunks ? modes_ : chunk_begin(c + 1), carry_down.data());
      turns.reached(batch, c + 1);
    }
  };
  const auto backward = [&](std::size_t batch, std::size_t worker) {
    T* buffer = desks[worker].buffer.data();
    Targets<T> out{};
    const std::size_t count = target_rows(batch, out);
    // The batch's own elimination is complete: batch + 1's substitution (or the last elimination)
    // says so.
    turns.wait_for(batches - 1, chunks);
    kernels::clear_unused(from_modes, buffer);
    for (std::size_t c = 0; c < chunks; ++c) {
      if (batch + 1 < batches) turns.wait_for(batches + batch + 1, c + 1);
      kernels::substitute_gather(
          from_modes, count, out.data(), factors, static_cast<int>(batch * lines), chunk_begin(c),
          c + 1 == chunks ? modes_ : chunk_begin(c + 1), carry_up.data(), buffer);
      turns.reached(batches + batch, c + 1);
    }
    kernels::transform(from_modes, buffer);
    kernels::scatter_rows(from_modes, buffer, ones<T>().data(), count, out.data());
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

// A batch of rows through a transform: from `in` to the first `count` of `out`.
template <class T>
void DirectSolver::through(const BasicStage<T>& stage, const Sources<T>& in, std::size_t count,
                           const Targets<T>& out, T* buffer) const {
  kernels::gather_rows(stage, in.data(), buffer);
  kernels::transform(stage, buffer);
  kernels::scatter_rows(stage, buffer, ones<T>().data(), count, out.data());
}

// Transforms the unknown rows along axis 0, from the right-hand side or in place.
template <class T>
void DirectSolver::transform_rows(bool forward, const BasicBoxData<T>* data, T* u,
                                  Workers& workers) const {
  const std::size_t lines = kernels::lines_of<T>();
  const BasicStage<T>& stage = this->stage<T>(0, forward);
  const std::size_t rows = index(box_.axis[1].count) * index(box_.axis[2].count);
  const std::size_t batches = batches_of<T>(rows);
  std::atomic<std::size_t> next{0};
  const std::function<void(std::size_t)> body = [&](std::size_t) {
    Desk<T> desk;
    desk.prepare(box_, buffer_numbers<T>());
    for (;;) {
      const std::size_t batch = next.fetch_add(1, std::memory_order_relaxed);
      if (batch >= batches) return;
      const std::size_t count = std::min(lines, rows - batch * lines);
      Targets<T> out{};
      Sources<T> in{};
      for (std::size_t l = 0; l < lines; ++l) {
        const std::size_t row = std::min(batch * lines + l, rows - 1);
        const int j = box_.axis[1].first + static_cast<int>(row % index(box_.axis[1].count));
        const int k = box_.axis[2].first + static_cast<int>(row / index(box_.axis[1].count));
        out[l] = u + box_.offset(box_.axis[0].first, j, k);
        in[l] = data != nullptr ? desk.right_side(*data, j, k, l) : out[l];
      }
      through(stage, in, count, out, desk.buffer.data());
    }
  };
  workers.run(body);
}

// Transforms in place along axis a >= 1; lanes are neighbouring columns.
template <class T>
void DirectSolver::transform_axis(int a, bool forward, T* u, Workers& workers) const {
  const std::size_t lines = kernels::lines_of<T>();
  const BasicStage<T>& stage = this->stage<T>(a, forward);
  const int other = 3 - a;  // the axis that is neither 0 nor a
  const std::size_t width = index(box_.axis[0].count);
  const std::size_t per_line = batches_of<T>(width);
  const std::size_t tasks = per_line * index(box_.axis[index(other)].count);
  const auto stride = static_cast<std::ptrdiff_t>(a == 1 ? box_.row_stride() : box_.plane_stride());
  std::atomic<std::size_t> next{0};
  const std::function<void(std::size_t)> body = [&](std::size_t) {
    AlignedVector<T> buffer(buffer_numbers<T>());
    for (;;) {
      const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks) return;
      std::array<int, 3> p{box_.axis[0].first + static_cast<int>(task % per_line * lines), 0, 0};
      p[index(a)] = box_.axis[index(a)].first;
      p[index(other)] = box_.axis[index(other)].first + static_cast<int>(task / per_line);
      const std::size_t count = std::min(lines, width - task % per_line * lines);
      T* at = u + box_.offset(p[0], p[1], p[2]);
      kernels::gather_columns(stage, at, stride, count, buffer.data());
      kernels::transform(stage, buffer.data());
      kernels::scatter_columns(stage, buffer.data(), ones<T>().data(), count, at, stride);
    }
  };
  workers.run(body);
}

// The only line of a 1-D box, in place.
void DirectSolver::transform_line(const Stage& stage, double* u) const {
  AlignedVector<double> buffer(buffer_numbers<double>());
  double* at = u + box_.axis[0].first;
  kernels::gather_columns(stage, at, 1, 1, buffer.data());
  kernels::transform(stage, buffer.data());
  kernels::scatter_columns(stage, buffer.data(), ones_.data(), 1, at, 1);
}

template <class T>
void DirectSolver::expand_all(T* u, Workers& workers) const {
  transform_rows<T>(true, nullptr, u, workers);
  for (int a = 1; a < box_.dimensions; ++a) transform_axis(a, true, u, workers);
}

template <class T>
void DirectSolver::collapse_all(T* u, Workers& workers) const {
  for (int a = box_.dimensions; a-- > 1;) transform_axis(a, false, u, workers);
  transform_rows<T>(false, nullptr, u, workers);
}

void DirectSolver::expand(double* u, Workers& workers) const {
  if (box_.dimensions == 1)
    transform_line(axis_[0].forward, u);
  else
    expand_all(u, workers);
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
  if (box_.dimensions == 1)
    transform_line(axis_[0].inverse, u);
  else
    collapse_all(u, workers);
}

// All axes transformed: divide by the eigenvalues, and by what transforms there and back multiply.
template <class T>
void DirectSolver::divide_axis(T* u, Workers& workers) const {
  const auto rows = index(box_.axis[1].count);
  const std::size_t total = rows * index(box_.axis[2].count);
  double scale = 1;
  for (int a = 0; a < box_.dimensions; ++a) scale *= axis_[index(a)].scale;
  std::atomic<std::size_t> next{0};
  workers.run([&](std::size_t) {
    for (;;) {
      const std::size_t row = next.fetch_add(1, std::memory_order_relaxed);
      if (row >= total) return;
      const int j = static_cast<int>(row % rows);
      const int k = static_cast<int>(row / rows);
      T* at = u + box_.offset(box_.axis[0].first, box_.axis[1].first + j, box_.axis[2].first + k);
      for (int i = 0; i < box_.axis[0].count; ++i) {
        const auto s = symbols(i, j, k);
        double a = 0;
        double b = 0;
        numerator_denominator(s.data(), a, b);
        const bool singular = i + j + k == 0 && box_.has_nullspace();
        at[i] = singular ? T(0) : static_cast<T>(static_cast<double>(at[i]) / a / scale);
      }
    }
  });
}

template <class T>
void DirectSolver::solve_spectral(const BasicBoxData<T>& data, T* u, Workers& workers) const {
  if (box_.dimensions == 1) {
    if constexpr (std::is_same_v<T, double>) {
      std::vector<double> scratch(4 * (box_.row_stride() + 16));
      const double* rhs = data.row(0, 0, scratch.data());
      std::copy_n(rhs, index(box_.axis[0].count), u + box_.axis[0].first);
      transform_line(axis_[0].forward, u);
      divide_axis(u, workers);
      transform_line(axis_[0].inverse, u);
    }
    return;
  }
  transform_rows(true, &data, u, workers);
  for (int a = 1; a < box_.dimensions; ++a) transform_axis(a, true, u, workers);
  divide_axis(u, workers);
  collapse_all(u, workers);
}

template Status DirectSolver::solve(BoxData&, double*, Workers&) const;
template Status DirectSolver::solve(BasicBoxData<float>&, float*, Workers&) const;
template std::size_t DirectSolver::buffer_numbers<double>() const;
template std::size_t DirectSolver::buffer_numbers<float>() const;
template void DirectSolver::through(const Stage&, const Sources<double>&, std::size_t,
                                    const Targets<double>&, double*) const;
template void DirectSolver::through(const StageF32&, const Sources<float>&, std::size_t,
                                    const Targets<float>&, float*) const;

}  // namespace neurolens::pde
