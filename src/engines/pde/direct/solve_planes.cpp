// One solve in 3-D.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <new>

#include "direct/direct_solver.hpp"
#include "direct/sweep.hpp"
#include "index.hpp"

namespace neurolens::pde {
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
  Turns turns(2 * planes);
  std::atomic<std::size_t> next{0};
  DeskPool::Loan desks(*desks_, workers.count(), box_, buffer_doubles());
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
  const auto rows = [&](std::size_t k, const Stage& stage, Desk& desk, bool from_data) {
    for (std::size_t first = 0; first < ny; first += lines) {
      std::array<double*, kLines> out{};
      std::array<const double*, kLines> in{};
      for (std::size_t l = 0; l < lines; ++l) {
        const std::size_t j = std::min(first + l, ny - 1);
        out[l] = row_at(j, k);
        in[l] = from_data ? desk.right_side(data, y.first + static_cast<int>(j),
                                            z.first + static_cast<int>(k), l)
                          : out[l];
      }
      through(stage, in, std::min(lines, ny - first), out, desk.buffer.data());
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
    rows(k, axis_[0].forward, desks[worker], true);
    columns(k, axis_[1].forward, desks[worker].buffer.data());
    const double weight = (k == 0 ? first_weight_ : 1.0) * (k + 1 == planes ? last_weight_ : 1.0);
    for (std::size_t j = 0; j < ny; ++j) {
      if (k > 0) turns.wait_for(k - 1, j + 1);
      with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
        kernels::eliminate_row(count, row_at(j, k) + from, mode_scale_.data() + j * nx + from,
                               weight, k > 0 ? row_at(j, k - 1) + from : nullptr, factor);
      });
      turns.reached(k, j + 1);
    }
  };
  const auto substitute = [&](std::size_t k) {
    for (std::size_t j = 0; j < ny; ++j) {
      if (k + 1 < planes) {
        turns.wait_for(planes + k + 1, j + 1);
        with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
          kernels::substitute_row(count, row_at(j, k) + from, row_at(j, k + 1) + from, factor);
        });
      }
      turns.reached(planes + k, j + 1);
    }
  };
  const auto inverse = [&](std::size_t k, std::size_t worker) {
    columns(k, axis_[1].inverse, desks[worker].buffer.data());
    rows(k, axis_[0].inverse, desks[worker], false);
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

}  // namespace neurolens::pde
