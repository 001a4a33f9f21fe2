/// \file
/// Multigrid for 2-D problems with bounded axes of about equal spacing and coefficients that do not
/// jump by more than kMostContrastF32: the case that memory traffic rules.
///
/// Method. Nested iteration with cubic interpolation starts the finest level at the residual of the
/// discretisation error, about h^2. From there on every cycle is one pass over the finest level
/// (kernels/stream.hpp): the correction that the coarser levels found is added to x, which is kept
/// in double precision in the caller's field; the residual is taken from x, source and faces in
/// double precision; and single precision smooths its error from zero. What single precision rounds
/// off is part of the next residual. Because the residual is taken between coarse correction and
/// smoothing, rounding noise of the correction, which is rough, is smoothed at once.
/// Coarser levels: V- or W-cycles in single precision, the last level by its inverse.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "kernels/stream.hpp"
#include "multigrid/stream_iteration.hpp"
#include "multigrid/stream_levels.hpp"
#include "multigrid/system.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

class StreamedMultigrid {
 public:
  /// Null when the problem is not of the kind above.
  [[nodiscard]] static std::unique_ptr<StreamedMultigrid> make(const EllipticSystem& system,
                                                               const MultigridOptions& options,
                                                               const Network& network);

  using Outcome = StreamOutcome;
  /// Fills u, iterations and residual of `report`. Errors: out_of_range for a source that is not
  /// finite, refused for data that do not balance.
  [[nodiscard]] Result<Outcome> solve(const Field& source, const std::vector<FaceAction>& actions,
                                      Field& u, const Context& context, Report& report) const;
  /// The finest level as a network again, for GeneralMultigrid.
  [[nodiscard]] Network network() const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] int levels() const { return static_cast<int>(levels_.size()); }
  /// "9 levels, ..."
  [[nodiscard]] std::string description() const;

 private:
  struct Axis {
    int n = 1, first = 0, last = 1;  ///< Unknowns are [first, last).
    LineInterpolation cubic;         ///< From the next level.
  };
  struct Level {
    std::array<Axis, 2> axis;
    std::size_t stride = 0;
    AlignedVector<double> ax, ay, extra;  ///< `extra` may be empty.
    AlignedVector<float> narrow_ax, narrow_ay, narrow_extra, inverse;
    [[nodiscard]] std::size_t origin() const;  ///< Of node (0, 0).
    [[nodiscard]] std::size_t size() const;
  };
  struct Rings {
    AlignedVector<double> wide;
    AlignedVector<float> narrow;
  };
  struct Vectors {
    AlignedVector<float> e, f;
    AlignedVector<double> x, b;  ///< Of coarser levels.
    std::vector<Rings> rings;    ///< Per worker.
  };
  struct Work {
    std::vector<Vectors> levels;
    AlignedVector<float> dense;  ///< Right-hand side and solution of the last level.
    Workers* workers = nullptr;  ///< Of the solve that has it.
  };
  struct Right;  // the right-hand side of one solve

  static constexpr std::size_t kMemoryNodes = 1 << 22;

  StreamedMultigrid() = default;
  void add_level(const Network& network);
  [[nodiscard]] std::unique_ptr<Work> take_work(Workers& workers) const;
  [[nodiscard]] std::unique_ptr<Work> make_work() const;
  void give_back(std::unique_ptr<Work> work) const;

  [[nodiscard]] kernels::StreamLevel view(std::size_t l, Work& work) const;
  [[nodiscard]] kernels::StreamRings rings(std::size_t l, Work& work, std::size_t worker) const;
  template <class T>
  [[nodiscard]] kernels::StreamRows<T> rows(std::size_t l, T* data) const;
  /// A pass over level l that keeps x; its users fill in the rest.
  [[nodiscard]] kernels::StreamPass pass(std::size_t l, Work& work, const Right& right,
                                         Field& u) const;
  [[nodiscard]] kernels::StreamPass coarse_pass(std::size_t l, Work& work) const;
  void coarse_cycle(std::size_t l, Work& work, bool from_zero) const;
  void solve_coarsest(Work& work) const;
  void nested_iteration(Work& work, const Right& right, Field& u, double scale) const;
  void solve_first(Work& work, double scale) const;
  void inject_fixed(std::size_t l, Work& work, const Field& u) const;
  kernels::StreamResidual cycle_pass(std::size_t l, Work& work, const Right& right, Field& u,
                                     const StreamStep& step) const;
  /// Whether passes over level l are worth more than one worker.
  [[nodiscard]] bool is_shared(std::size_t l) const;
  kernels::StreamResidual run_pass(std::size_t l, Work& work,
                                   const kernels::StreamPass& pass) const;
  template <class Body>
  void each_band(std::size_t l, Work& work, const kernels::StreamPass& pass, int begin, int end,
                 const Body& body) const;
  double restrict_right(std::size_t l, Work& work, const kernels::StreamPass& pass) const;
  template <class T>
  void clear_rows(std::size_t l, AlignedVector<T>& v, int begin, int end) const;
  Result<Outcome> iterate(Work& work, const Right& right, Field& u, bool nested, double data,
                          const Attention& attention, Report& report) const;
  [[nodiscard]] double size_of_data(const Right& right, const Field& u, Work& work) const;
  [[nodiscard]] double rounding_floor(const Field& u) const;
  void remove_mean(Field& u) const;
  /// Where a pass waits for memory, a further sweep costs less than the cycle that it can save.
  [[nodiscard]] int fine_sweeps() const {
    return 2 * options_.smoothing + (levels_.front().ax.size() >= kMemoryNodes ? 1 : 0);
  }
  /// One less where the only level between is corrected by an exact solution.
  [[nodiscard]] int coarse_sweeps() const {
    return options_.smoothing + (levels_.size() > 3 ? 1 : 0);
  }

  EllipticSystem system_;
  MultigridOptions options_;
  std::vector<Level> levels_;
  std::vector<float> dense_;  ///< Inverse of the last level, rows of dense_stride_.
  std::size_t dense_count_ = 0, dense_stride_ = 0;
  mutable std::mutex spare_mutex_;
  mutable std::vector<std::unique_ptr<Work>> spare_;
};

}  // namespace neurolens::pde
