// Collocation at the ends and the middle of each interval (Simpson's rule, order 4); the
// almost-block-bidiagonal Newton systems are solved by banded elimination (band.hpp) with the
// boundary rows bordered.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/clock.hpp"
#include "neurolens/engines/pde/ode.hpp"
#include "ode/band.hpp"

namespace neurolens::pde {
namespace {

using Vector = std::vector<double>;

class Collocation {
 public:
  Collocation(const BvpProblem& p, const BvpOptions& o)
      : p_(p), o_(o), x_(p.mesh), n_(p.guess[0].size()) {
    for (const auto& y : p.guess) y_.insert(y_.end(), y.begin(), y.end());
  }

  Result<BvpResult> run() {
    BvpResult result;
    for (;;) {
      NEUROLENS_TRY(newton(result.newton_iterations));
      Vector defects;
      if (!measure(defects)) return bad_point();
      result.defect = *std::max_element(defects.begin(), defects.end());
      if (result.defect <= o_.tolerance) break;
      ++result.refinements;
      NEUROLENS_TRY(refine(defects));
    }
    result.mesh = x_;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      result.y.emplace_back(y_.begin() + static_cast<std::ptrdiff_t>(i * n_),
                            y_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_));
      result.slope.emplace_back(f_.begin() + static_cast<std::ptrdiff_t>(i * n_),
                                f_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_));
    }
    return result;
  }

 private:
  static Error bad_point() {
    return {Errc::check_failed,
            "The right-hand side is not a finite number on the present solution.", ""};
  }

  bool evaluate(double x, const double* y, double* out) const {
    if (!p_.f(x, {y, n_}, {out, n_})) return false;
    return std::all_of(out, out + n_, [](double v) { return std::isfinite(v); });
  }
  bool jacobian(double x, const Vector& y, const double* f, Vector& j) const {
    Vector moved = y;
    Vector f1(n_);
    for (std::size_t c = 0; c < n_; ++c) {
      const double step = 1.5e-8 * std::max(1.0, std::fabs(y[c]));
      moved[c] = y[c] + step;
      if (!evaluate(x, moved.data(), f1.data())) return false;
      for (std::size_t r = 0; r < n_; ++r) j[r * n_ + c] = (f1[r] - f[r]) / (moved[c] - y[c]);
      moved[c] = y[c];
    }
    return true;
  }
  [[nodiscard]] std::span<const double> node(std::size_t i) const {
    return {y_.data() + i * n_, n_};
  }

  // Residuals: boundary conditions first, then one block per interval.
  bool residual(Vector& r) {
    const std::size_t m = x_.size() - 1;
    f_.resize(y_.size());
    middle_.resize(m * n_);
    f_middle_.resize(m * n_);
    r.assign(y_.size(), 0.0);
    p_.conditions(node(0), node(m), {r.data(), n_});
    for (std::size_t i = 0; i <= m; ++i)
      if (!evaluate(x_[i], &y_[i * n_], &f_[i * n_])) return false;
    for (std::size_t i = 0; i < m; ++i) {
      const double h = x_[i + 1] - x_[i];
      for (std::size_t k = 0; k < n_; ++k)
        middle_[i * n_ + k] = (y_[i * n_ + k] + y_[(i + 1) * n_ + k]) / 2 +
                              h / 8 * (f_[i * n_ + k] - f_[(i + 1) * n_ + k]);
      if (!evaluate(x_[i] + h / 2, &middle_[i * n_], &f_middle_[i * n_])) return false;
      for (std::size_t k = 0; k < n_; ++k)
        r[(i + 1) * n_ + k] =
            y_[(i + 1) * n_ + k] - y_[i * n_ + k] -
            h / 6 * (f_[i * n_ + k] + 4 * f_middle_[i * n_ + k] + f_[(i + 1) * n_ + k]);
    }
    return std::all_of(r.begin(), r.end(), [](double v) { return std::isfinite(v); });
  }

  static double norm(const Vector& v) {
    double s = 0;
    for (const double x : v) s += x * x;
    return std::sqrt(s / static_cast<double>(v.size()));
  }

  Status newton(int& iterations) {
    Vector r;
    if (!residual(r)) return bad_point();
    for (int turn = 0; turn < o_.max_newton; ++turn) {
      if (o_.attention.cancelled())
        return Error{Errc::cancelled, "Stopped before the collocation had converged.", ""};
      Vector step;
      NEUROLENS_TRY(direction(r, step));
      ++iterations;
      const Vector before = y_;
      const double size = norm(r);
      double damping = 1;
      for (;; damping /= 2) {
        for (std::size_t i = 0; i < y_.size(); ++i) y_[i] = before[i] - damping * step[i];
        if (residual(r) && (norm(r) <= (1 - 0.1 * damping) * size || norm(r) < 1e-13)) break;
        if (damping < 1e-6) {
          if (size < 1e-9) {  // rounding keeps it from falling further
            y_ = before;
            (void)residual(r);
            return {};
          }
          return Error{Errc::check_failed,
                       "Newton's method does not converge from this guess. Give a better one, or a "
                       "finer mesh.",
                       ""};
        }
      }
      double most = 0;
      for (std::size_t i = 0; i < y_.size(); ++i)
        most = std::max(most, std::fabs(step[i]) / (1 + std::fabs(y_[i])));
      if (damping == 1 && most < 1e-3 * std::min(o_.tolerance, 1e-3)) return {};
    }
    return Error{Errc::check_failed,
                 fmt::format("Newton's method did not converge in {} iterations.", o_.max_newton),
                 ""};
  }

  // The Newton system. The unknowns are y_0 (n numbers) and the march y_{i+1} = P_i y_i + q_i would
  // be unstable, so the whole banded system is eliminated with a column block for y_m carried to
  // the boundary rows: those are closed by solving for each of n + 1 right-hand sides with y_0
  // fixed by conditions.
  Status direction(const Vector& r, Vector& step) {
    const std::size_t m = x_.size() - 1;
    const std::size_t total = y_.size();
    // Separated ordering: rows of conditions that only see y(a) go first, the others last.
    Vector ba(n_ * n_), bb(n_ * n_);
    Vector base(n_), moved(n_);
    p_.conditions(node(0), node(m), base);
    for (int end = 0; end < 2; ++end)
      for (std::size_t c = 0; c < n_; ++c) {
        Vector y(node(end == 0 ? 0 : m).begin(), node(end == 0 ? 0 : m).end());
        const double h = 1.5e-8 * std::max(1.0, std::fabs(y[c]));
        y[c] += h;
        if (end == 0)
          p_.conditions(y, node(m), moved);
        else
          p_.conditions(node(0), y, moved);
        for (std::size_t k = 0; k < n_; ++k)
          (end == 0 ? ba : bb)[k * n_ + c] = (moved[k] - base[k]) / h;
      }
    std::vector<std::size_t> left, right;
    for (std::size_t k = 0; k < n_; ++k) {
      bool sees_b = false;
      for (std::size_t c = 0; c < n_; ++c) sees_b = sees_b || bb[k * n_ + c] != 0;
      (sees_b ? right : left).push_back(k);
    }
    const std::size_t shift = left.size();
    Band band(total, 2 * n_);
    Vector b(total);
    for (std::size_t k = 0; k < shift; ++k) {
      for (std::size_t c = 0; c < n_; ++c) band.at(k, c) = ba[left[k] * n_ + c];
      b[k] = r[left[k]];
    }
    // Conditions that couple both ends do not fit a band; they are closed by a correction below.
    bool coupled = false;
    for (std::size_t k = 0; k < right.size(); ++k) {
      const std::size_t row = total - right.size() + k;
      for (std::size_t c = 0; c < n_; ++c) {
        band.at(row, total - n_ + c) = bb[right[k] * n_ + c];
        coupled = coupled || ba[right[k] * n_ + c] != 0;
      }
      b[row] = r[right[k]];
    }
    Vector j0(n_ * n_), j1(n_ * n_), jm(n_ * n_);
    const auto jacobian_at = [&](std::size_t i, Vector& j) {
      return jacobian(x_[i], Vector(node(i).begin(), node(i).end()), &f_[i * n_], j);
    };
    if (!jacobian_at(0, j0)) return bad_point();
    for (std::size_t i = 0; i < m; ++i) {
      const double h = x_[i + 1] - x_[i];
      if (!jacobian_at(i + 1, j1)) return bad_point();
      const Vector middle(middle_.begin() + static_cast<std::ptrdiff_t>(i * n_),
                          middle_.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_));
      if (!jacobian(x_[i] + h / 2, middle, &f_middle_[i * n_], jm)) return bad_point();
      for (std::size_t row = 0; row < n_; ++row) {
        const std::size_t at = shift + i * n_ + row;
        for (std::size_t c = 0; c < n_; ++c) {
          double products0 = 0;
          double products1 = 0;
          for (std::size_t k = 0; k < n_; ++k) {
            products0 += jm[row * n_ + k] * j0[k * n_ + c];
            products1 += jm[row * n_ + k] * j1[k * n_ + c];
          }
          const double unit = row == c ? 1 : 0;
          band.at(at, i * n_ + c) =
              -unit - h / 6 * (j0[row * n_ + c] + 2 * jm[row * n_ + c] + h / 2 * products0);
          band.at(at, (i + 1) * n_ + c) =
              unit - h / 6 * (j1[row * n_ + c] + 2 * jm[row * n_ + c] - h / 2 * products1);
        }
        b[at] = r[(i + 1) * n_ + row];
      }
      std::swap(j0, j1);
    }
    const Error singular{Errc::check_failed,
                         "The linearised boundary-value problem is singular at this guess.", ""};
    if (!coupled) {
      if (!band.solve(b)) return singular;
      step = std::move(b);
      return {};
    }
    // Woodbury: the missing entries are R = E ba on columns of y_0. Solve for b and for each unit
    // row.
    const std::size_t q = right.size();
    Band copy = band;
    // The band alone may be singular when a condition says nothing of y(b); q + 1 solves.
    Vector z(q * total);
    Vector main = b;
    if (!copy.solve(main)) return singular;
    for (std::size_t k = 0; k < q; ++k) {
      Band again = band;
      Vector e(total, 0.0);
      e[total - q + k] = 1;
      if (!again.solve(e)) return singular;
      std::copy(e.begin(), e.end(), z.begin() + static_cast<std::ptrdiff_t>(k * total));
    }
    Vector small(q * q), rhs(q);
    for (std::size_t k = 0; k < q; ++k) {
      for (std::size_t l = 0; l < q; ++l) {
        small[k * q + l] = k == l ? 1 : 0;
        for (std::size_t c = 0; c < n_; ++c)
          small[k * q + l] += ba[right[k] * n_ + c] * z[l * total + c];
      }
      for (std::size_t c = 0; c < n_; ++c) rhs[k] += ba[right[k] * n_ + c] * main[c];
    }
    if (!solve_dense(q, 1, small, rhs)) return singular;
    for (std::size_t k = 0; k < q; ++k)
      for (std::size_t i = 0; i < total; ++i) main[i] -= rhs[k] * z[k * total + i];
    step = std::move(main);
    return {};
  }

  // Relative defect of the interpolating cubic, sampled where Simpson's rule does not make it
  // vanish.
  bool measure(Vector& defects) const {
    const std::size_t m = x_.size() - 1;
    defects.assign(m, 0.0);
    Vector y(n_), slope(n_), f(n_);
    for (std::size_t i = 0; i < m; ++i) {
      const double h = x_[i + 1] - x_[i];
      for (const double s : {0.5 - 0.32732683535398857, 0.5 + 0.32732683535398857}) {
        for (std::size_t k = 0; k < n_; ++k) {
          const double y0 = y_[i * n_ + k];
          const double y1 = y_[(i + 1) * n_ + k];
          const double f0 = f_[i * n_ + k];
          const double f1 = f_[(i + 1) * n_ + k];
          const double a = y1 - y0;
          y[k] = y0 + s * (a + (1 - s) * ((1 - 2 * s) * -a + (1 - s) * h * f0 - s * h * f1));
          slope[k] = (6 * s * (1 - s) * a) / h + (1 - s) * (1 - 3 * s) * f0 + s * (3 * s - 2) * f1;
        }
        if (!evaluate(x_[i] + s * h, y.data(), f.data())) return false;
        for (std::size_t k = 0; k < n_; ++k)
          defects[i] = std::max(defects[i], std::fabs(slope[k] - f[k]) / (1 + std::fabs(f[k])));
      }
    }
    return true;
  }

  Status refine(const Vector& defects) {
    Vector x, y;
    const std::size_t m = x_.size() - 1;
    for (std::size_t i = 0; i < m; ++i) {
      x.push_back(x_[i]);
      y.insert(y.end(), node(i).begin(), node(i).end());
      const double excess = defects[i] / o_.tolerance;
      if (excess <= 1) continue;
      // Order 4, defect of order 3: halving divides it by about 8.
      const int pieces = excess > 100 ? 3 : 2;
      const double h = x_[i + 1] - x_[i];
      for (int piece = 1; piece < pieces; ++piece) {
        const double s = static_cast<double>(piece) / pieces;
        x.push_back(x_[i] + s * h);
        for (std::size_t k = 0; k < n_; ++k) {
          const double a = y_[(i + 1) * n_ + k] - y_[i * n_ + k];
          y.push_back(y_[i * n_ + k] +
                      s * (a + (1 - s) * ((1 - 2 * s) * -a + (1 - s) * h * f_[i * n_ + k] -
                                          s * h * f_[(i + 1) * n_ + k])));
        }
      }
    }
    x.push_back(x_[m]);
    y.insert(y.end(), node(m).begin(), node(m).end());
    if (x.size() > o_.max_points)
      return Error{Errc::check_failed,
                   fmt::format("{} mesh points are not enough for the tolerance {:.2g}.",
                               o_.max_points, o_.tolerance),
                   ""};
    x_ = std::move(x);
    y_ = std::move(y);
    return {};
  }

  const BvpProblem& p_;
  const BvpOptions& o_;
  Vector x_, y_, f_, middle_, f_middle_;
  std::size_t n_;
};

}  // namespace

Vector BvpResult::at(double x) const {
  const auto above = std::upper_bound(mesh.begin() + 1, mesh.end() - 1, x);
  const auto i = static_cast<std::size_t>(above - mesh.begin()) - 1;
  const double h = mesh[i + 1] - mesh[i];
  const double s = (x - mesh[i]) / h;
  Vector result(y[i].size());
  for (std::size_t k = 0; k < result.size(); ++k) {
    const double a = y[i + 1][k] - y[i][k];
    result[k] = y[i][k] + s * (a + (1 - s) * ((1 - 2 * s) * -a + (1 - s) * h * slope[i][k] -
                                              s * h * slope[i + 1][k]));
  }
  return result;
}

Result<BvpResult> solve_bvp(const BvpProblem& problem, const BvpOptions& options) {
  if (!problem.f || !problem.conditions || problem.mesh.size() < 2 ||
      problem.guess.size() != problem.mesh.size() || problem.guess[0].empty())
    return Error{Errc::bad_request,
                 "A boundary-value problem needs f, conditions, a mesh of at least 2 points and a "
                 "guess at each.",
                 ""};
  for (std::size_t i = 0; i < problem.mesh.size(); ++i)
    if (problem.guess[i].size() != problem.guess[0].size() ||
        (i > 0 && !(problem.mesh[i] > problem.mesh[i - 1])))
      return Error{Errc::bad_request,
                   "The mesh must increase and all guesses must have the same size.", ""};
  for (std::size_t i = 0; i < problem.mesh.size(); ++i)
    for (const double v : problem.guess[i])
      if (!std::isfinite(v))
        return Error{
            Errc::out_of_range,
            fmt::format("The guess is not a finite number at x = {:.6g}.", problem.mesh[i]), ""};
  if (!(options.tolerance > 1e-13 && options.tolerance < 0.1))
    return Error{Errc::out_of_range, "The tolerance must be in (1e-13, 0.1).", ""};
  const Nanoseconds begin = system_clock().now();
  auto result = Collocation(problem, options).run();
  if (!result.ok()) return result;
  result->time = system_clock().now() - begin;
  // The banded matrix of 6 n + 1 columns three times, and mesh, values and slopes.
  const std::size_t n = problem.guess[0].size();
  const std::size_t numbers = result->mesh.size() * (n * 3 * (6 * n + 1) + 4 * n + 1);
  result->memory = Bytes{static_cast<std::int64_t>(sizeof(double) * numbers)};
  return result;
}

}  // namespace neurolens::pde
