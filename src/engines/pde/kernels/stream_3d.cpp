#include "kernels/stream_3d.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stream_3d.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/stream_3d_wide-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace neurolens::pde::kernels::planes::HWY_NAMESPACE {

// Steps that a stage stays behind: where smoothing begins, and where what it left is taken.
HWY_INLINE int first_half_lag(const PlanePass& p) {
  if (p.source == StreamSource::renewed) return 2;
  return p.source == StreamSource::exact || p.coarse_e.at != nullptr ? 1 : 0;
}
HWY_INLINE bool restricts(const PlanePass& p) {
  return p.halves > 0 && p.coarse_f.at != nullptr;
}
HWY_INLINE int last_lag(const PlanePass& p) {
  if (p.apply_only) return 0;
  if (p.halves == 0) return 1;
  return first_half_lag(p) + p.halves - (restricts(p) ? 0 : 1);
}

// The plane and the rows that a stage has in one step; no rows where the plane does not exist.
struct Rows {
  int k, begin, end;
};
HWY_INLINE Rows rows_of(const PlanePass& p, const PlaneTile& tile, int t, int lag) {
  const int k = t - lag;
  if (k < 0 || k >= p.level.m[2]) return {k, 0, 0};
  return {k, std::max(0, tile.begin - lag), tile.last ? p.level.m[1] : std::max(0, tile.end - lag)};
}

// f -= A e; returns max |f| / scale.
HWY_INLINE double renew_rows(const PlanePass& p, const Rows& rows) {
  const Narrow d;
  auto most = hn::Zero(d);
  for (int j = rows.begin; j < rows.end; ++j) {
    const std::ptrdiff_t at = row_at(p.level, j, rows.k);
    most = rest_of_row(p.level, at, p.level.f + at, most);
  }
  return largest_lane(most) / p.scale;
}

// The stages before smoothing.
HWY_INLINE void open_planes(const PlanePass& p, const PlaneTile& tile, int t,
                            const PlaneScratch& scratch, StreamResidual& residual) {
  const Rows now = rows_of(p, tile, t, 0);
  const Rows next = rows_of(p, tile, t, 1);
  switch (p.source) {
    case StreamSource::given:
      if (p.coarse_e.at != nullptr) prolong_rows(p, now.k, now.begin, now.end, scratch);
      return;
    case StreamSource::renewed:
      correct_rows<true>(p, now.k, now.begin, now.end, scratch);
      residual.before = larger_of(residual.before, renew_rows(p, next));
      return;
    case StreamSource::exact:
      if (p.start == StreamStart::cubic) interpolate_rows(p, now.k, now.begin, now.end, scratch);
      if (p.start == StreamStart::correct)
        correct_rows<false>(p, now.k, now.begin, now.end, scratch);
      if (p.apply_only) return;
      residual.before =
          larger_of(residual.before, residual_rows(p, next.k, next.begin, next.end, scratch));
      return;
  }
}

// What smoothing left of f goes to the next level.
HWY_INLINE void close_planes(const PlanePass& p, const Rows& rows, const PlaneScratch& scratch,
                             StreamResidual& residual) {
  const Narrow d;
  auto most = hn::Zero(d);
  float* const lines[4] = {scratch.gathered[0], scratch.gathered[1], scratch.gathered[2],
                           scratch.nothing};
  const int begin = whole_pairs(p.axis[1], rows.begin);
  const int end = rows.end == p.level.m[1] ? rows.end : whole_pairs(p.axis[1], rows.end);
  restrict_rows(p, p.coarse_f, rows.k, begin, end, lines, [&](int j) HWY_ATTR -> const float* {
    most = rest_of_row(p.level, row_at(p.level, j, rows.k), scratch.rest, most);
    return scratch.rest;
  });
  residual.after =
      std::max(residual.after, static_cast<double>(hn::GetLane(hn::MaxOfLanes(d, most))) / p.scale);
}

void plane_step_impl(const PlanePass& p, const PlaneTile& tile, int t, const PlaneScratch& scratch,
                     StreamResidual& residual) {
  open_planes(p, tile, t, scratch, residual);
  if (p.apply_only) return;
  const int lag = first_half_lag(p);
  // Exact passes relax the first colour as they take the residual.
  for (int h = p.source == StreamSource::exact ? 1 : 0; h < p.halves; ++h) {
    const Rows rows = rows_of(p, tile, t, lag + h);
    if (h == 0 && (p.from_zero || p.source == StreamSource::renewed))
      relax_from_zero(p.level, rows.k, rows.begin, rows.end);
    else
      relax_rows(p.level, rows.k, rows.begin, rows.end, h % 2, p.omega);
  }
  if (!restricts(p)) return;
  const Rows rows = rows_of(p, tile, t, lag + p.halves);
  if (rows.begin < rows.end) close_planes(p, rows, scratch, residual);
}

double plane_restrict_impl(const PlanePass& p, const PlaneArray<double>& coarse,
                           const PlaneTile& tile, double* b, double* const* rows) {
  const Wide d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t n = sz(p.level.m[0]);
  const int begin = whole_pairs(p.axis[1], tile.begin);
  const int end = tile.last ? p.level.m[1] : whole_pairs(p.axis[1], tile.end);
  auto most = hn::Zero(d);
  for (int k = 0; k < p.level.m[2]; ++k)
    restrict_rows(p, coarse, k, begin, end, rows, [&](int j) HWY_ATTR -> const double* {
      const RightRow right = p.right(p.owner, j, k, b);
      const auto factor = hn::Set(d, right.factor);
      for (std::size_t i = 0; i < n; i += lanes) {
        auto value = hn::Mul(factor, hn::LoadU(d, right.at + i));
        if (i + lanes > n) value = hn::IfThenElseZero(hn::FirstN(d, n - i), value);
        most = larger(most, value);
        hn::Store(value, d, b + i);
      }
      return b;
    });
  return largest_lane(most);
}

int plane_lag_impl(const PlanePass& p) {
  return last_lag(p);
}

}  // namespace neurolens::pde::kernels::planes::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::pde::kernels {
namespace planes {

HWY_EXPORT(plane_step_impl);
HWY_EXPORT(plane_restrict_impl);
HWY_EXPORT(plane_lag_impl);

}  // namespace planes

int plane_lag(const PlanePass& pass) {
  using namespace planes;
  return HWY_DYNAMIC_DISPATCH(plane_lag_impl)(pass);
}
int plane_steps(const PlanePass& pass) {
  return pass.level.m[2] + plane_lag(pass);
}
void plane_step(const PlanePass& pass, const PlaneTile& tile, int t, const PlaneScratch& scratch,
                StreamResidual& residual) {
  using namespace planes;
  HWY_DYNAMIC_DISPATCH(plane_step_impl)(pass, tile, t, scratch, residual);
}
double plane_restrict(const PlanePass& pass, const PlaneArray<double>& coarse,
                      const PlaneTile& tile, double* b, double* const rows[4]) {
  using namespace planes;
  return HWY_DYNAMIC_DISPATCH(plane_restrict_impl)(pass, coarse, tile, b, rows);
}

}  // namespace neurolens::pde::kernels
#endif
