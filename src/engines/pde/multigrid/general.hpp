/// \file
/// Multigrid for every case: 1-D to 3-D, periodic axes, unequal axes, coefficients that jump;
/// plain corrections in single precision, or conjugate gradients around cycles in either.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "multigrid/cycles.hpp"
#include "multigrid/system.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

/// How far apart coefficients may lie for cycles in single precision: they lose their grip when
/// coefficients of very different size meet in one sum.
inline constexpr double kMostContrastF32 = 1e3;
/// Gain of a cycle below which conjugate gradients take over.
inline constexpr double kSlowestGain = 4;
/// Conjugate gradients around single precision cycles that gain less than this in so many steps go
/// on around cycles in double precision, whose weights follow the operator.
inline constexpr double kLeastNarrowGain = 30;
inline constexpr int kNarrowSteps = 6;
inline constexpr std::size_t kMostSpare = 2;  ///< Sets of vectors kept for solves to come.

/// Immutable in use; keeps the vectors of solves that ended.
class GeneralMultigrid {
 public:
  GeneralMultigrid(const EllipticSystem& system, const MultigridOptions& options, Network network);

  /// As MultigridPlan::solve, from u as the first guess or by nested iteration.
  Status solve(const Field& source, const std::vector<FaceAction>& actions, bool from_guess,
               Field& u, const Context& context, Report& report) const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] int levels() const;

 private:
  struct Work {
    Hierarchy<float>::Vectors f32;
    Hierarchy<double>::Vectors f64;
    AlignedVector<double> x, b, p, q, known;
    bool narrow = true;  ///< Cycles of this solve are in single precision.
    Workers* workers = nullptr;
    bool from_guess = false;
  };
  // What iterations carry from one to the next.
  struct Progress {
    double largest = 0, scale = 1;  ///< Of the residual and of the right-hand side.
    double rz_old = 0, alpha_old = 0;
    double cycle_unit = 1;
    bool correcting = true;
    double mark = 0;  ///< Residual at the last look at how fast narrow conjugate gradients are.
    int since_mark = 0;
    std::vector<double> part;  ///< Sums and maxima of pieces.
  };

  template <class T>
  void add_levels(Hierarchy<T>& levels, Network network) const;
  /// The hierarchy in double precision, made when first needed.
  [[nodiscard]] const Hierarchy<double>& wide() const;
  void widen(Work& work, Progress& now) const;
  /// Takes the residual of x anew. Errors: check_failed when it exceeds both tolerance and
  /// rounding.
  Status check_answer(Work& work, Report& report) const;
  /// Singular problems: takes the plain mean out of a vector of the finest level.
  template <class T>
  void remove_constant(const Work& work, Progress& now, AlignedVector<T>& v) const;
  [[nodiscard]] std::unique_ptr<Work> take_work(Workers* workers) const;
  void give_back(std::unique_ptr<Work> work) const;
  [[nodiscard]] static Workers* workers_for(const Shape& shape, const Work& work) {
    return shape.nodes() >= kParallelNodes ? work.workers : nullptr;
  }
  template <class Body>
  void rows(const Work& work, const Body& body) const {
    const Shape& s = fine_.shape;
    const auto n1 = static_cast<std::size_t>(s.n[1]);
    for_rows(workers_for(s, work), s.rows(),
             [&](std::size_t piece, std::size_t begin, std::size_t end) {
               for (std::size_t r = begin; r < end; ++r)
                 body(piece, static_cast<int>(r % n1), static_cast<int>(r / n1));
             });
  }
  [[nodiscard]] std::size_t pieces() const {
    return (fine_.shape.rows() + kRowsPerTask - 1) / kRowsPerTask;
  }

  Status right_side(const Field& source, const std::vector<FaceAction>& actions, const Field& u,
                    Work& work, Report& report) const;
  /// visit(offset of a node, volume of its cell) for every node.
  template <class Visit>
  void for_volumes(const Visit& visit) const;
  Status balance(Work& work, Report& report) const;
  void remove_mean(AlignedVector<double>& v) const;
  void copy_out(const Work& work, Field& u) const;

  Status iterate(Work& work, const Attention& attention, Report& report) const;
  void begin(Work& work, Progress& now) const;
  double residual_into_q(Work& work, AlignedVector<double>& v, Progress& now) const;
  [[nodiscard]] double rounding_floor(const Work& work) const;
  template <class T>
  void precondition(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v, const Work& work,
                    double largest, bool first) const;
  template <class T>
  void one_cycle(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v, const Work& work,
                 bool first) const;
  double correct(Work& work, Progress& now, bool first) const;
  double conjugate_step(Work& work, Progress& now, bool first) const;

  EllipticSystem system_;
  MultigridOptions options_;
  Level<double> fine_;
  bool narrow_ = true;  ///< Cycles begin in single precision.
  Hierarchy<float> f32_;
  mutable std::mutex wide_mutex_;
  mutable std::unique_ptr<Hierarchy<double>> wide_;
  // Vectors of solves that ended, for the next one: fresh memory costs more than a cycle.
  mutable std::mutex spare_mutex_;
  mutable std::vector<std::unique_ptr<Work>> spare_;
};

/// The sentences that both solvers end with when they do not reach the tolerance.
[[nodiscard]] Error not_converged(const Report& report, double tolerance);
[[nodiscard]] Error stopped(const Report& report, double tolerance);

}  // namespace neurolens::pde
