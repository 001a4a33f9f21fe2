/// \file
/// Multigrid passes over a 3-D level in which planes stream through all stages while they lie in
/// the second cache: what kernels/stream.hpp does with rows in 2-D. Per unknown such a pass reads
/// and writes 72 bytes with an exact residual, 48 with a renewed one.
///
/// Every stage of plane k needs the stage before it at planes k - 1 to k + 1 only, and so for rows.
/// At step t a stage therefore works on plane t - lag, and on the rows of its tile moved down by as
/// much: tiles are parallelograms, and no row is computed twice. Tile T may take step t once tile
/// T - 1 has; the numbers do not depend on how rows are cut into tiles.
///
/// Nodes are numbered from the first unknown, (0, 0, 0), whose address is aligned to 64 bytes.
/// Layers -1 and m of every array exist; there e is 0 and x holds the boundary's values. A row's
/// stride is a multiple of 16 with at least 16 numbers between its last unknown's vector and the
/// next row; these stay 0 in e.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/stream.hpp"

namespace neurolens::pde::kernels {

/// Over-relaxation that gained most a cycle (decision 0225).
inline constexpr double kPlaneRelaxation = 1.15;

/// Pointers to unknown (0, 0, 0); all arrays have the same shape.
struct PlaneLevel {
  int m[3];                                        ///< Unknowns per axis.
  std::size_t stride, plane;                       ///< From row to row, from plane to plane.
  const double *ax, *ay, *az;                      ///< ax[i] joins i and i + 1 along x; ...
  const double* extra;                             ///< On the diagonal beside; may be null.
  const float *narrow_ax, *narrow_ay, *narrow_az;  ///< The same in single precision,
  const float* narrow_extra;                       ///< may be null,
  const float* inverse;                            ///< and relaxation factor over diagonal.
  float *e, *f;
  double* x;
};

/// Points that x is interpolated from along an axis: with fewer, the error of interpolation exceeds
/// that of the coarser solution.
inline constexpr int kQuintic = 6;

/// Interpolation by six points along one axis: node i of the fine axis is the sum of
/// weight[6 i + a] times coarse node start[i] + a. Coarse cells [2, regular) have the weights
/// (3, -25, 150, 150, -25, 3) / 256.
struct QuinticAxis {
  const std::int32_t* start;
  const double* weight;
  int regular;
};

/// How an axis' nodes, fixed ones counted, lie to those of the next coarser level.
struct PlaneAxis {
  int first;        ///< Node number of the first unknown: 0 or 1; the same on both levels.
  int n, coarse_n;  ///< Nodes. An even n ends in a cell of one interval.
  QuinticAxis quintic;
};

/// An array of the next coarser level.
template <class T>
struct PlaneArray {
  T* at;  ///< Unknown (0, 0, 0); null: none.
  int m[3];
  std::size_t stride, plane;
};

/// A pass; sources, starts and the right-hand side are those of kernels/stream.hpp. Passes other
/// than `given` ones begin smoothing with e = 0.
struct PlanePass {
  PlaneLevel level;
  PlaneAxis axis[3];
  StreamSource source;
  StreamStart start;  ///< `cubic`: x = quintic interpolation of coarse_x.
  bool from_zero;     ///< Given passes: smoothing begins with e = 0.
  bool apply_only;    ///< Exact passes: x by `start`, nothing else.
  int halves;         ///< Half-sweeps, one colour after the other; 0: only the residual.
  float omega;        ///< Relaxation factor.
  PlaneArray<const float> coarse_e;
  PlaneArray<float> coarse_f;  ///< Takes what smoothing left, unless null.
  PlaneArray<const double> coarse_x;
  double unit;   ///< Of e in x.
  double scale;  ///< Of f.
  /// Row (j, k) of the right-hand side from its first unknown; may be made in `scratch`. Whole
  /// vectors are read.
  RightRow (*right)(const void* owner, int j, int k, double* scratch);
  const void* owner;
  double*
      out;  ///< Exact passes without smoothing: takes x as well, unless null; unknown (0, 0, 0).
  std::size_t out_stride, out_plane;
};

/// Memory of one worker for one level, 0 at first, 16 numbers readable on either side of each.
struct PlaneScratch {
  float* rest;         ///< One row.
  float* fine;         ///< One row.
  float* line;         ///< One coarse row.
  float* gathered[3];  ///< Coarse rows.
  float* nothing;      ///< A coarse row that stays 0.
  double* b;           ///< One row.
  double* wide_line;   ///< One coarse row,
  double* lines;       ///< and (rows of a tile) / 2 + 7 of them.
};

/// Rows [begin, end) of stages without lag; the last tile takes every row that is left.
struct PlaneTile {
  int begin, end;
  bool last;
};

/// The larger one; what is not a number is larger than any number.
[[nodiscard]] inline double larger_of(double a, double b) {
  return a > b || a != a ? a : b;
}

/// Steps until every stage is through.
[[nodiscard]] int plane_steps(const PlanePass& pass);

/// Stages that a pass has one after the other.
[[nodiscard]] int plane_lag(const PlanePass& pass);

/// Step t of a tile. `residual` takes maxima: of |b - A x| (or what is renewed of it), and of what
/// smoothing left of it.
void plane_step(const PlanePass& pass, const PlaneTile& tile, int t, const PlaneScratch& scratch,
                StreamResidual& residual);

/// coarse = P^T b for the rows of `right`, and of these for a tile of any begin and end; returns
/// max |b|. `rows`: scratch for three coarse rows and one of zeros.
double plane_restrict(const PlanePass& pass, const PlaneArray<double>& coarse,
                      const PlaneTile& tile, double* b, double* const rows[4]);

}  // namespace neurolens::pde::kernels
