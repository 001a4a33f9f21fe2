// One solve in 3-D.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "direct/direct_solver.hpp"
#include "direct/narrow.hpp"
#include "direct/sweep.hpp"
#include "index.hpp"

namespace neurolens::pde {

namespace {

// What the faces of the two transformed axes add to the modes of each plane, in double precision:
// for face (a, side) the transform along the other axis of its line in plane k, times the modes of
// a unit at its end of axis a.
class FaceModes {
 public:
  FaceModes(const Box& box, const BasicBoxData<float>& data, const std::array<const Stage*, 2>& to,
            const std::array<std::array<std::vector<double>, 2>, 3>& end_modes)
      : end_modes_(end_modes) {
    for (int a = 0; a < 2; ++a)
      for (int side = 0; side < 2; ++side)
        if (data.acts(a, side)) transform_face(box, data, a, side, *to[index(1 - a)]);
  }
  /// Of row j of the modes of plane k.
  [[nodiscard]] kernels::EndTerms row(std::size_t j, std::size_t k) const {
    kernels::EndTerms terms;
    for (std::size_t side = 0; side < 2; ++side) {
      const Lines& x = lines_[0][side];
      if (!x.modes.empty()) add(terms, x.modes[k * x.count + j], end_modes_[0][side].data());
      const Lines& y = lines_[1][side];
      if (!y.modes.empty()) add(terms, end_modes_[1][side][j], y.modes.data() + k * y.count);
    }
    return terms;
  }

 private:
  struct Lines {
    std::size_t count = 0;      ///< Modes of a line.
    std::vector<double> modes;  ///< Of every plane.
  };
  static void add(kernels::EndTerms& terms, double factor, const double* modes) {
    terms.factor[index(terms.count)] = factor;
    terms.modes[index(terms.count++)] = modes;
  }
  void transform_face(const Box& box, const BasicBoxData<float>& data, int a, int side,
                      const Stage& stage) {
    const BoxAxis& along = box.axis[index(1 - a)];
    const BoxAxis& z = box.axis[2];
    const auto n = index(along.count);
    const auto planes = index(z.count);
    Lines& lines = lines_[index(a)][index(side)];
    lines.count = n;
    std::vector<double> values(n * planes);  // planes side by side
    for (std::size_t k = 0; k < planes; ++k)
      for (std::size_t i = 0; i < n; ++i) {
        std::array<int, 3> p{0, 0, z.first + static_cast<int>(k)};
        p[index(1 - a)] = along.first + static_cast<int>(i);
        values[i * planes + k] = data.end_term(a, side, p[0], p[1], p[2]);
      }
    const std::size_t batch = kernels::batch_lines();
    const auto stride = static_cast<std::ptrdiff_t>(planes);
    AlignedVector<double> buffer(index(buffer_slots(stage)) * batch + 64);
    const AlignedVector<double> ones(n + 16, 1.0);
    for (std::size_t k = 0; k < planes; k += batch) {
      const std::size_t width = std::min(batch, planes - k);
      kernels::gather_columns(stage, values.data() + k, stride, width, buffer.data());
      kernels::transform(stage, buffer.data());
      kernels::scatter_columns(stage, buffer.data(), ones.data(), width, values.data() + k, stride);
    }
    lines.modes.resize(values.size());
    for (std::size_t k = 0; k < planes; ++k)
      for (std::size_t i = 0; i < n; ++i) lines.modes[k * n + i] = values[i * planes + k];
  }

  const std::array<std::array<std::vector<double>, 2>, 3>& end_modes_;
  std::array<std::array<Lines, 2>, 2> lines_;
};

}  // namespace

// 3-D: each plane is transformed along its two axes while it is in cache, then takes its step of
// the elimination; planes are shared between workers by a wavefront as in 2-D, chunks being rows of
// modes.
template <class T>
void DirectSolver::solve_planes(const BasicBoxData<T>& data, T* u, Workers& workers) const {
  constexpr bool kNarrow = std::is_same_v<T, float>;
  const std::size_t lines = kernels::lines_of<T>();
  const BoxAxis& x = box_.axis[0];
  const BoxAxis& y = box_.axis[1];
  const BoxAxis& z = box_.axis[2];
  const auto nx = index(x.count);
  const auto ny = index(y.count);
  const auto planes = index(z.count);
  const kernels::Factors factors = factors_.view();
  Turns turns(2 * planes);
  std::atomic<std::size_t> next{0};
  typename DeskPool<T>::Loan desks(this->desks<T>(), workers.count(), box_, buffer_numbers<T>());
  const AlignedVector<T>& ones = this->ones<T>();
  // Single precision: the last plane's numbers before they were rounded, and what faces add.
  AlignedVector<double> carry(kNarrow ? nx * ny : 0, 0.0);
  std::unique_ptr<FaceModes> faces;
  if constexpr (kNarrow)
    faces = std::make_unique<FaceModes>(
        box_, data, std::array<const Stage*, 2>{&axis_[0].forward, &axis_[1].forward},
        narrow().end_modes);
  const auto row_at = [&](std::size_t j, std::size_t k) {
    return u + box_.offset(x.first, y.first + static_cast<int>(j), z.first + static_cast<int>(k));
  };
  const auto columns = [&](std::size_t k, const BasicStage<T>& stage, T* buffer) {
    const auto stride = static_cast<std::ptrdiff_t>(box_.row_stride());
    for (std::size_t i = 0; i < nx; i += lines) {
      T* at = row_at(0, k) + i;
      const std::size_t width = std::min(lines, nx - i);
      kernels::gather_columns(stage, at, stride, width, buffer);
      kernels::transform(stage, buffer);
      kernels::scatter_columns(stage, buffer, ones.data(), width, at, stride);
    }
  };
  const auto rows = [&](std::size_t k, const BasicStage<T>& stage, Desk<T>& desk, bool from_data) {
    for (std::size_t first = 0; first < ny; first += lines) {
      Targets<T> out{};
      Sources<T> in{};
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
    rows(k, stage<T>(0, true), desks[worker], true);
    columns(k, stage<T>(1, true), desks[worker].buffer.data());
    const double weight = (k == 0 ? first_weight_ : 1.0) * (k + 1 == planes ? last_weight_ : 1.0);
    for (std::size_t j = 0; j < ny; ++j) {
      if (k > 0) turns.wait_for(k - 1, j + 1);
      with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
        const double* scale = mode_scale_.data() + j * nx + from;
        if constexpr (kNarrow) {
          kernels::EndTerms ends = faces->row(j, k);
          for (int i = 0; i < ends.count; ++i) ends.modes[index(i)] += from;
          double* kept = carry.data() + j * nx + from;
          kernels::eliminate_row(count, row_at(j, k) + from, scale, weight, k > 0 ? kept : nullptr,
                                 factor, &ends, kept);
        } else {
          kernels::eliminate_row(count, row_at(j, k) + from, scale, weight,
                                 k > 0 ? row_at(j, k - 1) + from : nullptr, factor);
        }
      });
      turns.reached(k, j + 1);
    }
  };
  const auto substitute = [&](std::size_t k) {
    for (std::size_t j = 0; j < ny; ++j) {
      if (k + 1 < planes) {
        turns.wait_for(planes + k + 1, j + 1);
        with_factors(k, j, [&](std::size_t from, std::size_t count, const double* factor) {
          if constexpr (kNarrow) {
            double* kept = carry.data() + j * nx + from;
            kernels::substitute_row(count, row_at(j, k) + from, kept, factor, kept);
          } else {
            kernels::substitute_row(count, row_at(j, k) + from, row_at(j, k + 1) + from, factor);
          }
        });
      }
      turns.reached(planes + k, j + 1);
    }
  };
  const auto inverse = [&](std::size_t k, std::size_t worker) {
    columns(k, stage<T>(1, false), desks[worker].buffer.data());
    rows(k, stage<T>(0, false), desks[worker], false);
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

template void DirectSolver::solve_planes(const BoxData&, double*, Workers&) const;
template void DirectSolver::solve_planes(const BasicBoxData<float>&, float*, Workers&) const;

}  // namespace neurolens::pde
