// The iterations of GeneralMultigrid: conjugate gradients with the cycle as preconditioner
// (flexible: beta from the change of r, since a single precision cycle is not exactly symmetric),
// or plain correction. b becomes the residual.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "index.hpp"
#include "multigrid/general.hpp"

namespace neurolens::pde {
namespace {

// Infinite when one is no finite number: maxima forget that.
double largest_of(std::size_t count, const double* r) {
  double m = 0;
  bool broken = false;
  for (std::size_t i = 0; i < count; ++i) {
    m = std::max(m, std::fabs(r[i]));
    broken = broken || !std::isfinite(r[i]);
  }
  return broken ? std::numeric_limits<double>::infinity() : m;
}

}  // namespace

Error not_converged(const Report& report, double tolerance) {
  if (!std::isfinite(report.residual_relative))
    return Error{Errc::check_failed,
                 fmt::format("The residual is no finite number after {} iterations: the data leave "
                             "the range of f64 (1.8e308), or the cycles diverge. Scale the source "
                             "and the boundary values, or use conjugate gradients.",
                             report.iterations),
                 ""};
  return Error{
      Errc::check_failed,
      fmt::format(
          "The residual is {:.2g} after {} iterations; the tolerance {:.2g} was not met. Raise "
          "max_iterations or use more smoothing or a W-cycle.",
          report.residual_relative, report.iterations, tolerance),
      ""};
}

Error stopped(const Report& report, double tolerance) {
  return Error{Errc::cancelled,
               fmt::format("Stopped after {} iterations, at a residual of {:.2g} instead of "
                           "{:.2g}.",
                           report.iterations, report.residual_relative, tolerance),
               ""};
}

// z = M r in the hierarchy's u[0]; r is scaled so that single precision has room.
template <class T>
void GeneralMultigrid::precondition(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v,
                                    const Work& work, double largest, bool first) const {
  const Shape& s = fine_.shape;
  rows(work, [&](std::size_t, int j, int k) {
    kernels::narrow_row(index(s.n[0]), work.b.data() + s.at(0, j, k), 1 / largest,
                        v.f[0].data() + s.at(0, j, k));
  });
  one_cycle(levels, v, work, first);
}

template <class T>
void GeneralMultigrid::one_cycle(const Hierarchy<T>& levels, typename Hierarchy<T>::Vectors& v,
                                 const Work& work, bool first) const {
  if (first && !work.from_guess) {
    levels.full(v);
  } else {
    std::fill(v.u[0].begin(), v.u[0].end(), T(0));
    levels.cycle(0, v, options_.cycle == Cycle::w ? 2 : 1);
  }
}

// A cycle for the residual, added to x: one pass over the fine vectors in double precision, which
// also leaves the new residual in single precision for the next cycle. Returns max |residual|.
double GeneralMultigrid::correct(Work& work, Progress& now, bool first) const {
  const Shape& s = fine_.shape;
  auto& v = work.f32;
  if (first) {
    now.cycle_unit = now.largest;
    precondition(f32_, v, work, now.cycle_unit, true);
  } else {
    one_cycle(f32_, v, work, false);
  }
  if (s.any_periodic()) refresh_ghosts(s, v.u[0].data());
  std::fill(now.part.begin(), now.part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    const std::size_t at = s.at(0, j, k);
    // The residual is scaled by the size it had before: single precision only needs it near 1.
    const double most = kernels::correct_row(index(s.n[0]), fine_.row(work.x.data(), nullptr, j, k),
                                             f32_.levels[0].row(v.u[0].data(), nullptr, j, k),
                                             now.cycle_unit, 1 / now.largest, work.x.data() + at,
                                             work.b.data() + at, v.f[0].data() + at);
    now.part[piece] = std::max(now.part[piece], most);
  });
  now.cycle_unit = now.largest;
  return *std::max_element(now.part.begin(), now.part.end());
}

// Rounding feeds the nullspace: A times a large constant is noise instead of 0.
template <class T>
void GeneralMultigrid::remove_constant(const Work& work, Progress& now, AlignedVector<T>& v) const {
  const Shape& s = fine_.shape;
  const auto n = index(s.n[0]);
  std::fill(now.part.begin(), now.part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    const T* row = v.data() + s.at(0, j, k);
    for (std::size_t i = 0; i < n; ++i) now.part[piece] += static_cast<double>(row[i]);
  });
  double mean = 0;
  for (const double sum : now.part) mean += sum;
  mean /= static_cast<double>(s.nodes());
  rows(work, [&](std::size_t, int j, int k) {
    T* row = v.data() + s.at(0, j, k);
    for (std::size_t i = 0; i < n; ++i) row[i] = static_cast<T>(static_cast<double>(row[i]) - mean);
  });
}

// One step of conjugate gradients, or of plain correction in double precision.
double GeneralMultigrid::conjugate_step(Work& work, Progress& now, bool first) const {
  const Shape& s = fine_.shape;
  const auto n = index(s.n[0]);
  const double unit = now.largest;
  std::vector<double>& part = now.part;
  if (system_.nullspace) remove_constant(work, now, work.b);
  if (work.narrow) {
    precondition(f32_, work.f32, work, unit, first);
    if (system_.nullspace) remove_constant(work, now, work.f32.u[0]);
  } else {
    precondition(wide(), work.f64, work, unit, first);
    if (system_.nullspace) remove_constant(work, now, work.f64.u[0]);
  }
  const auto with_z = [&](std::size_t at, const auto& use) {
    if (work.narrow)
      use(work.f32.u[0].data() + at);
    else
      use(work.f64.u[0].data() + at);
  };
  // beta = (r - r_old) z / (r_old z_old) = (r z + alpha_old q z ...): r_old = r + alpha_old q.
  std::fill(part.begin(), part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    double rz = 0;
    double qz = 0;
    const std::size_t at = s.at(0, j, k);
    with_z(at, [&](const auto* z) {
      kernels::two_dots_row(n, work.b.data() + at, work.q.data() + at, z, &rz, &qz);
    });
    part[2 * piece] += rz;
    part[2 * piece + 1] += qz;
  });
  double rz = 0;
  double qz = 0;
  for (std::size_t i = 0; i < pieces(); ++i) {
    rz += part[2 * i];
    qz += part[2 * i + 1];
  }
  rz *= unit;
  qz *= unit;
  // r - r_old = -alpha q, hence beta = -alpha (q z) / (r_old z_old).
  const double beta =
      options_.conjugate_gradient && now.rz_old != 0 ? -now.alpha_old * qz / now.rz_old : 0;
  rows(work, [&](std::size_t, int j, int k) {
    const std::size_t at = s.at(0, j, k);
    with_z(at,
           [&](const auto* z) { kernels::direction_row(n, z, unit, beta, work.p.data() + at); });
  });
  if (s.any_periodic()) refresh_ghosts(s, work.p.data());
  std::fill(part.begin(), part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    part[piece] += kernels::apply_row(n, fine_.row(work.p.data(), nullptr, j, k),
                                      work.q.data() + s.at(0, j, k));
  });
  double pq = 0;
  for (std::size_t i = 0; i < pieces(); ++i) pq += part[i];
  // r p = r z, for r is orthogonal to the previous direction.
  const double alpha = options_.conjugate_gradient ? (pq != 0 ? rz / pq : 0) : 1;
  std::fill(part.begin(), part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    const std::size_t at = s.at(0, j, k);
    part[piece] =
        std::max(part[piece], kernels::update_row(n, alpha, work.p.data() + at, work.q.data() + at,
                                                  work.x.data() + at, work.b.data() + at));
  });
  now.rz_old = rz;
  now.alpha_old = alpha;
  if (!std::isfinite(alpha)) return std::numeric_limits<double>::infinity();
  return *std::max_element(part.begin(), part.end());
}

double GeneralMultigrid::residual_into_q(Work& work, AlignedVector<double>& v,
                                         Progress& now) const {
  const Shape& s = fine_.shape;
  const auto n = index(s.n[0]);
  if (s.any_periodic()) refresh_ghosts(s, v.data());
  std::fill(now.part.begin(), now.part.end(), 0.0);
  rows(work, [&](std::size_t piece, int j, int k) {
    double* q = work.q.data() + s.at(0, j, k);
    kernels::residual_row(n, fine_.row(v.data(), work.b.data(), j, k), q);
    now.part[piece] = std::max(now.part[piece], largest_of(n, q));
  });
  return *std::max_element(now.part.begin(), now.part.end());
}

// The right-hand side proper, Dirichlet values moved over, gives the scale; the residual of the
// first guess is the same when that is zero.
void GeneralMultigrid::begin(Work& work, Progress& now) const {
  now.part.resize(pieces() * 2);
  if (work.from_guess) {
    AlignedVector<double>& known = work.known;
    for (std::size_t p = 0; p < known.size(); ++p)
      known[p] = fine_.diagonal[p] == 0 ? work.x[p] : 0.0;
    now.scale = residual_into_q(work, known, now);
  }
  now.largest = residual_into_q(work, work.x, now);
  if (!work.from_guess) now.scale = now.largest;
  std::swap(work.b, work.q);
  if (now.scale == 0) now.scale = 1;
  now.correcting = work.narrow && (options_.cycles_first || !options_.conjugate_gradient);
}

// The residual cannot be told from zero below the rounding errors of A u itself.
double GeneralMultigrid::rounding_floor(const Work& work) const {
  double most = 0;
  for (std::size_t i = 0; i < work.x.size(); ++i)
    most = std::max(most, fine_.diagonal[i] * std::fabs(work.x[i]));
  return 16 * 2.2e-16 * most;
}

// Goes on from x with cycles in double precision.
void GeneralMultigrid::widen(Work& work, Progress& now) const {
  const Hierarchy<double>& levels = wide();
  if (work.f64.u.empty()) work.f64 = levels.make_vectors();
  work.f64.workers = work.workers;
  work.narrow = false;
  now.rz_old = now.alpha_old = 0;
}

Status GeneralMultigrid::check_answer(Work& work, Report& report) const {
  Progress now;
  begin(work, now);
  report.residual_relative = now.largest / now.scale;
  if (report.residual_relative <= options_.tolerance || now.largest <= rounding_floor(work))
    return {};
  return not_converged(report, options_.tolerance);
}

Status GeneralMultigrid::iterate(Work& work, const Attention& attention, Report& report) const {
  Progress now;
  begin(work, now);
  report.method = "multigrid";
  const double goal = options_.tolerance * now.scale;
  for (report.iterations = 0; !(now.largest <= goal); ++report.iterations) {
    if (report.iterations % 8 == 7 && now.largest <= rounding_floor(work)) break;
    report.residual_relative = now.largest / now.scale;
    if (report.iterations >= options_.max_iterations || !std::isfinite(now.largest))
      return not_converged(report, options_.tolerance);
    if (attention.cancelled()) return stopped(report, options_.tolerance);
    const bool first = report.iterations == 0;
    if (now.correcting) {
      const double before = now.largest;
      now.largest = correct(work, now, first);
      const bool slow = !first && before < kSlowestGain * now.largest;
      now.correcting = !options_.conjugate_gradient || !slow;
      if (!now.correcting && system_.nullspace) remove_constant(work, now, work.x);
      continue;
    }
    report.method = options_.conjugate_gradient ? "pcg" : "multigrid";
    if (now.since_mark == 0) now.mark = now.largest;
    now.largest = conjugate_step(work, now, first);
    const bool stuck = now.alpha_old == 0 && now.largest > goal;
    if (work.narrow) {
      const bool slow =
          ++now.since_mark == kNarrowSteps && now.mark < kLeastNarrowGain * now.largest;
      if (now.since_mark == kNarrowSteps) now.since_mark = 0;
      if (stuck || slow) widen(work, now);
    } else if (stuck) {
      report.iterations = options_.max_iterations - 1;
    }
  }
  report.residual_relative = now.largest / now.scale;
  return {};
}

}  // namespace neurolens::pde
