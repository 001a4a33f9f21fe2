/// \file
/// Multigrid for 3-D problems with bounded axes of about equal spacing and coefficients that do not
/// jump by more than kMostContrastF32, but those whose coarser levels end in a far shorter cell on
/// two axes without Dirichlet values there: the method of streamed.hpp with planes in the place of
/// rows (kernels/stream_3d.hpp). The finest x is kept here, padded, and written to the caller's
/// field by the last pass. Workers share a pass by tiles of rows, one a step behind the other;
/// results are bit-identical for any number of them.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "kernels/stream_3d.hpp"
#include "multigrid/stream_iteration.hpp"
#include "multigrid/stream_levels.hpp"
#include "multigrid/streamed.hpp"
#include "multigrid/system.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

class StreamedMultigrid3 {
 public:
  /// Null when the problem is not of the kind above.
  [[nodiscard]] static std::unique_ptr<StreamedMultigrid3> make(const EllipticSystem& system,
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

 private:
  struct Axis {
    int n = 1;                  ///< Nodes.
    int first = 0, m = 1;       ///< Node number of the first unknown; unknowns.
    LineInterpolation quintic;  ///< From the next level.
  };
  struct Level {
    std::array<Axis, 3> axis;
    std::size_t stride = 0, plane = 0;
    AlignedVector<double> ax, ay, az, extra;  ///< `extra` may be empty.
    AlignedVector<float> narrow_ax, narrow_ay, narrow_az, narrow_extra, inverse;
    [[nodiscard]] std::size_t origin() const;  ///< Of unknown (0, 0, 0).
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t unknowns() const;
    [[nodiscard]] std::size_t at(int i, int j, int k) const;
  };
  struct Vectors {
    AlignedVector<float> e, f;
    AlignedVector<double> x, b;  ///< b: of coarser levels.
  };
  struct Scratch {
    AlignedVector<float> narrow;
    AlignedVector<double> wide;
  };
  struct Work {
    std::vector<Vectors> levels;
    std::vector<std::vector<Scratch>> scratch;  ///< Per worker and level.
    AlignedVector<float> dense;                 ///< Right-hand side and solution of the last level.
    Workers* workers = nullptr;
  };
  struct Right;  // the right-hand side of one solve
  StreamedMultigrid3() = default;
  void add_level(const Network& network);
  [[nodiscard]] std::unique_ptr<Work> take_work(Workers* workers) const;
  void give_back(std::unique_ptr<Work> work) const;

  [[nodiscard]] kernels::PlanePass pass(std::size_t l, Work& work) const;
  [[nodiscard]] kernels::PlaneScratch scratch(std::size_t l, std::size_t worker, Work& work) const;
  template <class T>
  [[nodiscard]] kernels::PlaneArray<T> array(std::size_t l, T* data) const {
    const Level& level = levels_[l];
    const auto& [x, y, z] = level.axis;
    return {data + level.origin(), {x.m, y.m, z.m}, level.stride, level.plane};
  }
  /// Null where a level is not worth waking threads, or there is one only.
  [[nodiscard]] Workers* workers_for(std::size_t l, const Work& work) const;
  [[nodiscard]] int tile_rows(std::size_t l, const kernels::PlanePass& pass, int workers) const;
  kernels::StreamResidual run(std::size_t l, const kernels::PlanePass& pass, Work& work) const;
  void interpolate(std::size_t l, const double* from, double* to, Work& work) const;
  double restrict_right(std::size_t l, Work& work, const Right& right) const;
  /// `guess`: what a cubic start interpolates, on the next level. `out`: where x goes too.
  kernels::StreamResidual cycle_pass(std::size_t l, Work& work, const Right& right,
                                     const StreamStep& step, const double* guess = nullptr,
                                     Field* out = nullptr) const;
  void coarse_cycle(std::size_t l, Work& work, bool from_zero) const;
  void solve_coarsest(Work& work) const;
  void solve_first(Work& work, double scale) const;
  void inject_fixed(std::size_t l, Work& work) const;
  void extrapolate(std::size_t l, Work& work) const;
  [[nodiscard]] const double* nested_iteration(Work& work, const Right& right, double scale) const;

  void take_fixed(const Field& u, bool all, Work& work) const;
  void copy_out(const Work& work, Field& u) const;
  Status balance(Right& right, const Work& work, Report& report) const;
  [[nodiscard]] double size_of_data(const Right& right, Work& work) const;
  Result<Outcome> iterate(Work& work, const Right& right, Field& u, bool nested, double data,
                          const Attention& attention, Report& report) const;
  [[nodiscard]] double rounding_floor(const Work& work) const;
  void remove_mean(Field& u) const;
  [[nodiscard]] int fine_halves() const { return 4 * options_.smoothing; }
  [[nodiscard]] int coarse_halves() const { return 2 * (options_.smoothing + 1); }
  [[nodiscard]] std::string description() const;

  EllipticSystem system_;
  MultigridOptions options_;
  std::vector<Level> levels_;
  std::vector<float> dense_;  ///< Inverse of the last level, rows of dense_stride_.
  std::size_t dense_count_ = 0, dense_stride_ = 0;
  mutable std::mutex spare_mutex_;
  mutable std::vector<std::unique_ptr<Work>> spare_;
};

}  // namespace neurolens::pde
