/// \file
/// Multigrid passes over a 2-D level in which rows stream through all stages while they lie in the
/// cache: one pass adds a correction to x, takes the residual in double precision, smooths in
/// single precision and hands the rest to the next level. Per unknown such a pass moves x twice,
/// the right-hand side, two face coefficients and e twice: 48 bytes.
///
/// Every stage of row j needs the stage before it at rows j - 1 to j + 1 only, and must come before
/// the stage after it at the same rows; so the stages follow each other one row apart.
/// Differences are taken before they are multiplied by coefficients: with n nodes per axis the
/// rounding of A e in single precision is then n, not n^2, times 6e-8.
///
/// Rows: node `first[0]` is aligned to 64 bytes, and at least 16 readable numbers lie before and
/// behind the nodes. Nodes outside [first, last) are fixed (or do not exist): e is 0 there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace neurolens::pde::kernels {

/// Nodes are over-relaxed a little: with red-black sweeps a cycle then gains 16 instead of 9.
inline constexpr double kStreamRelaxation = 1.1;

/// Pointers to node (0, 0); rows -1 and n exist in every array.
struct StreamLevel {
  int n[2];
  int first[2], last[2];  ///< The unknowns.
  std::size_t stride;
  const double *ax, *ay;               ///< ax[i] joins i and i + 1 along x; same for ay.
  const double* extra;                 ///< On the diagonal beside the faces; may be null.
  const float *narrow_ax, *narrow_ay;  ///< The same in single precision,
  const float* narrow_extra;           ///< may be null,
  const float* inverse;                ///< and relaxation factor over diagonal.
  float *e, *f;
};

template <class T>
struct StreamRows {
  T* at;  ///< Node (0, 0); null: none.
  int n[2];
  int first[2], last[2];
  std::size_t stride;
};

/// Interpolation by four points along one axis: node i of the fine axis is the sum of
/// weight[4 i + a] times coarse node start[i] + a; `regular` coarse cells from 1 on have the
/// weights -1/16, 9/16, 9/16, -1/16.
struct CubicAxis {
  const std::int32_t* start;
  const double* weight;
  int regular;
};

/// What x an exact pass begins with.
enum class StreamStart : std::uint8_t {
  keep,    ///< x as it is.
  cubic,   ///< x = cubic interpolation of the coarser x.
  correct  ///< x += unit (e + P coarse e), P bilinear; without coarse e when that is null.
};

/// Where f, which e is smoothed for, comes from.
enum class StreamSource : std::uint8_t {
  given,    ///< f is given; e += P coarse e first, unless null.
  exact,    ///< f = scale (b - A x) in double precision, x by StreamStart.
  renewed,  ///< f -= A (e + P coarse e) in single precision, and x is corrected by as much.
};

/// Which rows a pass has. Several workers share a level in two steps: bands first, at once, whose
/// stages keep one row more away from a border with every stage; then the seams at the borders, at
/// once, which do the rows that the stages of both sides left. Every row goes through the same
/// stages with the same neighbours as in a pass over the whole level, so every bit is the same.
enum class StreamPart : std::uint8_t {
  whole,
  band,  ///< Rows [begin, end). A begin that is not the level's first unknown is odd.
  seam   ///< At `begin`, where one band ends and the next begins.
};
/// A band must be longer than the seams at its ends: stream_seam_rows(sweeps) rows.
[[nodiscard]] constexpr int stream_seam_rows(int sweeps) {
  return 2 * (2 + 2 * sweeps) + 4;
}
/// The coarse rows before this one belong to the seam at `begin` or what lies below.
[[nodiscard]] constexpr int stream_first_coarse(int begin, int sweeps) {
  return (begin + 3 + 2 * sweeps) / 2;
}

/// Memory for rows in flight; zero before the first use, of one level only.
struct StreamRings {
  double* x;        ///< kStreamRowsX rows,
  double* b;        ///< one row,
  double* line;     ///< one row,
  float* rest;      ///< two rows,
  float* gathered;  ///< one row.
};
inline constexpr int kStreamRowsX = 4;

/// factor * at[i] is the right-hand side at node i of a row.
struct RightRow {
  const double* at;
  double factor;
};

struct StreamPass {
  StreamLevel level;
  StreamRings rings;
  StreamSource source;
  float omega;     ///< Relaxation factor.
  int sweeps;      ///< 0: only the residual.
  bool from_zero;  ///< Smoothing begins with e = 0.
  StreamRows<const float> coarse_e;
  StreamRows<float> coarse_f;  ///< Takes the residual at the end, unless null; zero before.
  // All sources but `given`:
  double* x;  ///< Node (0, 0); rows of x_stride numbers without padding.
  std::size_t x_stride;
  double unit;   ///< Of e in x.
  double scale;  ///< Of f.
  // Exact passes:
  StreamStart start;
  StreamRows<const double> coarse_x;
  CubicAxis cubic[2];
  /// Row j of the right-hand side; may be made in `scratch`. Whole vectors are read from the first
  /// unknown on.
  RightRow (*right)(const void* owner, int j, double* scratch);
  const void* owner;
  const double* plain;  ///< Node (0, 0) of where `right` mostly reads, to ask memory for; or null.
  std::size_t plain_stride;
  StreamPart part = StreamPart::whole;
  int begin = 0, end = 0;
};

/// max |b - A x| (or what is renewed of it), and what smoothing left of it as far as single
/// precision can tell.
struct StreamResidual {
  double before, after;
};
StreamResidual stream_pass(const StreamPass& pass);

/// x += unit (e + P coarse e) on the unknowns (of the band), without the rest of the pass.
void stream_apply(const StreamPass& pass);

/// coarse = P^T b for the rows of `right`; returns max |b|. Of a band: begin and end are coarse
/// rows.
double stream_restrict(const StreamPass& pass, const StreamRows<double>& coarse);

/// out = M in for a symmetric matrix of n rows, `stride` apart; n <= 128, stride a multiple of 16.
void stream_dense(std::size_t n, std::size_t stride, const float* matrix, const float* in,
                  float* out);

}  // namespace neurolens::pde::kernels
