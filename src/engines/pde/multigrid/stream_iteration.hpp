/// \file
/// The cycles of the streamed solvers: when a residual is renewed, when it is taken exactly, and
/// when they end.
#pragma once

#include <cmath>

#include "kernels/stream.hpp"
#include "multigrid/general.hpp"
#include "neurolens/engines/pde/multigrid.hpp"

namespace neurolens::pde {

inline constexpr double kTrusted = 1e-3;  ///< Gain of renewed residuals before an exact one is due.
/// Of the tolerance, when only single precision has seen it.
inline constexpr double kSafely = 0.9;

/// How a pass over the finest level begins and what it does.
struct StreamStep {
  kernels::StreamSource source = kernels::StreamSource::exact;
  kernels::StreamStart start = kernels::StreamStart::keep;
  double unit = 1, scale = 1;
  bool smoothing = true;
  bool coarse = true;  ///< `correct` adds the coarse correction too.
};

enum class StreamOutcome : std::uint8_t {
  done,
  slow,       ///< Cycles gain less than kSlowestGain; u holds the best so far.
  exhausted,  ///< Of iterations, or the residual is not finite.
  stopped     ///< By the caller.
};

/// From the residual that `step` left. pass(step, last) takes one pass, `last` saying that it only
/// adds a correction and may end the solve; coarse_cycle() makes that correction; rounding_floor()
/// is the least residual that can be told from 0. `data` is the size of the right-hand side.
template <class Pass, class CoarseCycle, class RoundingFloor>
StreamOutcome stream_cycles(const MultigridOptions& options, double data, StreamStep step,
                            kernels::StreamResidual residual, const Attention& attention,
                            Report& report, const Pass& pass, const CoarseCycle& coarse_cycle,
                            const RoundingFloor& rounding_floor) {
  using kernels::StreamSource;
  using kernels::StreamStart;
  const double goal = options.tolerance * data;
  double exact = residual.before;  // at the last exact pass
  int slow = 0;
  for (report.iterations = 0; !(residual.before <= goal) || step.source != StreamSource::exact;
       ++report.iterations) {
    const double before = residual.before;
    report.residual_relative = before / data;
    if (report.iterations % 8 == 7 && before <= rounding_floor()) break;
    if (report.iterations >= options.max_iterations || !std::isfinite(before))
      return StreamOutcome::exhausted;
    if (attention.cancelled()) return StreamOutcome::stopped;
    if (slow >= 2 && options.conjugate_gradient) return StreamOutcome::slow;
    // Where smoothing has done enough, its correction is all that is missing.
    const bool last = residual.after <= kSafely * goal;
    const bool renew = !last && residual.after > kTrusted * exact;
    if (!last) coarse_cycle();
    step = {.source = renew ? StreamSource::renewed : StreamSource::exact,
            .start = StreamStart::correct,
            .unit = 1 / step.scale,
            .scale = renew ? step.scale : 1 / before,
            .smoothing = !last,
            .coarse = !last};
    residual = pass(step, last);
    slow = residual.before * kSlowestGain > before ? slow + 1 : 0;
    if (last && residual.before > goal)  // single precision had promised too much
      residual = pass({.scale = step.scale}, false);
    if (!renew) exact = residual.before;
  }
  report.residual_relative = residual.before / data;
  return StreamOutcome::done;
}

}  // namespace neurolens::pde
