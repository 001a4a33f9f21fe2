#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>
#include <optional>
#include <type_traits>

#include "direct/box.hpp"
#include "direct/direct_solver.hpp"
#include "direct/robin_pair.hpp"
#include "index.hpp"
#include "neurolens/engines/pde/poisson.hpp"
#include "overflow.hpp"
#include "reorder.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kRowsPerTask = 16;
// In eight parts, so that vectors can take them.
template <class T>
double sum_of(std::size_t n, const T* v) {
  double part[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t k = 0; k < 8; ++k) part[k] += static_cast<double>(v[i + k]);
  for (; i < n; ++i) part[i % 8] += static_cast<double>(v[i]);
  double sum = 0;
  for (const double p : part) sum += p;
  return sum;
}

}  // namespace

struct PoissonPlan::State {
  Grid grid;
  Box box;
  std::unique_ptr<DirectSolver> solver;
  std::unique_ptr<RobinPair> pair;  ///< Instead of `solver`.
  bool reordered = false;
  mutable OrderedPool spare;

  // body(first row, last row) for pieces of the unknown rows, each by one worker; returns their
  // results in order.
  template <class Piece, class Body>
  std::vector<Piece> pieces(Workers& workers, const Body& body) const {
    const std::size_t rows = index(box.axis[1].count) * index(box.axis[2].count);
    const std::size_t tasks = (rows + kRowsPerTask - 1) / kRowsPerTask;
    std::vector<Piece> parts(tasks);
    std::atomic<std::size_t> next{0};
    workers.run([&](std::size_t) {
      for (;;) {
        const std::size_t task = next.fetch_add(1, std::memory_order_relaxed);
        if (task >= tasks) return;
        parts[task] = body(task * kRowsPerTask, std::min(rows, (task + 1) * kRowsPerTask));
      }
    });
    return parts;
  }

  // Norms over all unknown rows, summed in a fixed order; u null: of the right-hand side only.
  template <class T>
  auto norms(const BasicBoxData<T>& data, const T* u, Workers& workers) const {
    using Norms = typename BasicBoxData<T>::Norms;
    const auto parts = pieces<Norms>(
        workers, [&](std::size_t begin, std::size_t end) { return data.norms(u, begin, end); });
    Norms total;
    for (const auto& p : parts) {
      total.residual = std::max(total.residual, p.residual);
      total.rhs = std::max(total.rhs, p.rhs);
      total.sum += p.sum;
      total.weight += p.weight;
      total.magnitude += p.magnitude;
    }
    return total;
  }

  // Half for every bounded end at which a point lies.
  [[nodiscard]] double end_weight(int a, int at) const {
    const BoxAxis& axis = box.axis[index(a)];
    const bool at_end = at == 0 || at == axis.intervals;
    return a < box.dimensions && axis.kind != AxisKind::periodic && at_end ? 0.5 : 1.0;
  }

  // Only without Dirichlet ends: points are numbered from 0.
  template <class T>
  void remove_mean(T* u, Workers& workers) const {
    struct Mean {
      double sum = 0, weight = 0;
    };
    const auto n = index(box.axis[0].count);
    const auto row_at = [&](std::size_t row) {
      const auto rows = index(box.axis[1].count);
      return u + box.offset(0, static_cast<int>(row % rows), static_cast<int>(row / rows));
    };
    const double first = end_weight(0, 0);
    const double last = end_weight(0, static_cast<int>(n) - 1);
    const auto parts = pieces<Mean>(workers, [&](std::size_t begin, std::size_t end) {
      Mean mean;
      for (std::size_t r = begin; r < end; ++r) {
        const auto rows = index(box.axis[1].count);
        const double w =
            end_weight(1, static_cast<int>(r % rows)) * end_weight(2, static_cast<int>(r / rows));
        const T* row = row_at(r);
        double sum = sum_of(n, row);
        sum -= (1 - first) * static_cast<double>(row[0]);
        sum -= (1 - last) * static_cast<double>(row[n - 1]);
        mean.sum += w * sum;
        mean.weight += w * (static_cast<double>(n) - (1 - first) - (1 - last));
      }
      return mean;
    });
    Mean all;
    for (const Mean& part : parts) {
      all.sum += part.sum;
      all.weight += part.weight;
    }
    const double mean = all.sum / all.weight;
    pieces<char>(workers, [&](std::size_t begin, std::size_t end) {
      for (std::size_t r = begin; r < end; ++r) {
        T* row = row_at(r);
        for (std::size_t i = 0; i < n; ++i)
          row[i] = static_cast<T>(static_cast<double>(row[i]) - mean);
      }
      return char{};
    });
  }

  [[nodiscard]] PhaseCost cost() const { return pair ? pair->cost() : solver->cost(); }

  template <class T>
  Status solve(const BasicField<T>& source, const Boundary& boundary, double t, BasicField<T>& u,
               const Context& context, Report* report) const;
  /// In double precision, from and to single.
  Status solve_wide(const FieldF32& source, const Boundary& boundary, double t, FieldF32& u,
                    const Context& context, Report* report) const;
  template <class T>
  Result<double> residual(const BasicField<T>& source, const Boundary& boundary, double t,
                          const BasicField<T>& u, const Context& context) const;
};

PoissonPlan::PoissonPlan(std::unique_ptr<State> state) : state_(std::move(state)) {}
PoissonPlan::~PoissonPlan() = default;

Result<std::shared_ptr<const PoissonPlan>> PoissonPlan::make(const Grid& grid,
                                                             const Boundary& boundary, double c,
                                                             int order) {
  NEUROLENS_TRY(check(grid));
  NEUROLENS_TRY(check(grid, boundary));
  if (order != 2 && order != 4)
    return Error{Errc::bad_request, fmt::format("The order is 2 or 4, not {}.", order), ""};
  if (!std::isfinite(c))
    return Error{Errc::out_of_range, "The coefficient c must be a finite number.", ""};
  try {
    auto state = std::make_unique<State>();
    state->grid = grid;
    const auto axes = DirectSolver::best_order(grid, boundary);
    state->box = make_box(grid, boundary, c, order, axes);
    if (RobinPair::takes(state->box)) {
      if (auto pair = RobinPair::make(grid, boundary, c, order, axes); pair.ok())
        state->pair = std::move(*pair);
    }
    if (state->pair == nullptr) {
      NEUROLENS_ASSIGN(state->solver, DirectSolver::make(state->box));
    }
    state->reordered = axes != std::array<int, 3>{0, 1, 2};
    return std::shared_ptr<const PoissonPlan>(new PoissonPlan(std::move(state)));
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory,
                 fmt::format("Memory for a plan on {} points ran out.", grid.text()), ""};
  }
}

template <class T>
Status PoissonPlan::State::solve(const BasicField<T>& source, const Boundary& boundary, double t,
                                 BasicField<T>& u, const Context& context, Report* report) const {
  const State& s = *this;
  if (!(source.grid == s.grid) || !(u.grid == s.grid))
    return Error{Errc::bad_request, "The arrays are not on the plan's grid.", ""};
  try {
    std::optional<OrderedPool::Loan<T>> ordered;
    const PhaseCost moved{{}, Bytes{2 * u.bytes().count}};
    const T* f = source.values.data();
    T* x = u.values.data();
    if (s.reordered) {
      auto& own = ordered.emplace(s.spare, source.values.size());
      const Phase phase(context.observer, "transpose", moved);
      reorder(s.box, true, f, own->f.data(), context.pool());
      f = own->f.data();
      x = own->u.data();
    }
    BasicBoxData<T> data;
    {
      const Phase phase(context.observer, "boundary");
      NEUROLENS_TRY(data.prepare(s.box, s.grid, boundary, f, t));
    }
    if constexpr (std::is_same_v<T, float>) {
      if (report != nullptr) report->precision = Precision::f32;
      if (s.pair != nullptr || !s.solver->takes_f32(data))
        return solve_wide(source, boundary, t, u, context, report);
    }
    const bool nullspace = s.box.has_nullspace();
    if (nullspace) {
      const auto norms = s.norms<T>(data, nullptr, context.pool());
      const double defect = norms.magnitude > 0 ? std::fabs(norms.sum) / norms.magnitude : 0;
      if (report != nullptr) {
        report->nullspace = true;
        report->compatibility_defect = defect;
      }
      if (defect > kMaxCompatibilityDefect)
        return Error{
            Errc::refused,
            fmt::format(
                "No solution exists: with these boundary conditions the source and the boundary "
                "fluxes must balance, but a share of {:.2g} is left over. Subtract the mean "
                "from the source, or fix u on one face.",
                defect),
            ""};
      data.set_shift(norms.sum / norms.weight);
    }
    {
      const Phase phase(context.observer, "solve", s.cost());
      if constexpr (std::is_same_v<T, double>) {
        if (s.pair != nullptr)
          NEUROLENS_TRY(s.pair->solve(data, s.grid, boundary, f, t, x, context.pool()));
      }
      if (s.pair == nullptr) NEUROLENS_TRY(s.solver->solve(data, x, context.pool()));
    }
    if (nullspace) s.remove_mean(x, context.pool());
    data.finish(x);
    if (s.reordered) {
      const Phase phase(context.observer, "transpose", moved);
      reorder(s.box, false, x, u.values.data(), context.pool());
    }
  } catch (const std::bad_alloc&) {
    return Error{Errc::out_of_memory, "Memory for the solve ran out.", ""};
  }
  return {};
}

Status PoissonPlan::State::solve_wide(const FieldF32& source, const Boundary& boundary, double t,
                                      FieldF32& u, const Context& context, Report* report) const {
  Field wide(u.grid);
  NEUROLENS_TRY(solve(to_f64(source), boundary, t, wide, context, report));
  std::transform(wide.values.begin(), wide.values.end(), u.values.begin(),
                 [](double value) { return static_cast<float>(value); });
  return {};
}

template <class T>
Result<double> PoissonPlan::State::residual(const BasicField<T>& source, const Boundary& boundary,
                                            double t, const BasicField<T>& u,
                                            const Context& context) const {
  const State& s = *this;
  std::optional<OrderedPool::Loan<T>> ordered;
  const T* f = source.values.data();
  const T* x = u.values.data();
  if (s.reordered) {
    auto& own = ordered.emplace(s.spare, source.values.size());
    reorder(s.box, true, f, own->f.data(), context.pool());
    reorder(s.box, true, x, own->u.data(), context.pool());
    f = own->f.data();
    x = own->u.data();
  }
  BasicBoxData<T> data;
  NEUROLENS_TRY(data.prepare(s.box, s.grid, boundary, f, t));
  if (s.box.has_nullspace()) {
    const auto first = s.norms<T>(data, nullptr, context.pool());
    data.set_shift(first.sum / first.weight);
  }
  const auto norms = s.norms(data, x, context.pool());
  if (!std::isfinite(norms.residual) || !std::isfinite(norms.rhs)) return overflowed();
  return norms.rhs > 0 ? norms.residual / norms.rhs : norms.residual;
}

Status PoissonPlan::solve(const Field& source, const Boundary& boundary, double t, Field& u,
                          const Context& context, Report* report) const {
  return state_->solve(source, boundary, t, u, context, report);
}
Status PoissonPlan::solve(const FieldF32& source, const Boundary& boundary, double t, FieldF32& u,
                          const Context& context, Report* report) const {
  return state_->solve(source, boundary, t, u, context, report);
}
Result<double> PoissonPlan::residual(const Field& source, const Boundary& boundary, double t,
                                     const Field& u, const Context& context) const {
  return state_->residual(source, boundary, t, u, context);
}
Result<double> PoissonPlan::residual(const FieldF32& source, const Boundary& boundary, double t,
                                     const FieldF32& u, const Context& context) const {
  return state_->residual(source, boundary, t, u, context);
}

const Grid& PoissonPlan::grid() const {
  return state_->grid;
}
int PoissonPlan::order() const {
  return state_->box.order;
}
std::string PoissonPlan::description() const {
  return state_->pair ? state_->pair->description() : state_->solver->description();
}
Bytes PoissonPlan::bytes() const {
  return Bytes{static_cast<std::int64_t>(state_->pair ? state_->pair->plan_bytes()
                                                      : state_->solver->plan_bytes())};
}
PhaseCost PoissonPlan::cost() const {
  return state_->cost();
}

}  // namespace neurolens::pde
