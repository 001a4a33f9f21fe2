#include "evolve/modes.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "index.hpp"
#include "kernels/pointwise.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kRowsAtOnce = 8;
constexpr double kSmall = 0.01;  // below, a series is more accurate than a difference

// (1 - exp(-x)) / x, given exp(-x).
double relaxation(double x, double decay) {
  if (std::fabs(x) > kSmall) return (1 - decay) / x;
  return 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6))));
}

}  // namespace

Modes::Modes(const DirectSolver& solver, double k) : box_(solver.box()) {
  // Eigenvalues are sums over axes; the one that all axes' first modes have belongs to x.
  const double base = solver.eigenvalue(0, 0, 0);
  for (int a = 0; a < 3; ++a) {
    std::array<int, 3> mode{0, 0, 0};
    for (int& m = mode[index(a)]; m < box_.axis[index(a)].count; ++m) {
      const double value = solver.eigenvalue(mode[0], mode[1], mode[2]);
      lambda_[index(a)].push_back(-k * (a == 0 ? value : value - base));
    }
  }
  rows_ = lambda_[1].size() * lambda_[2].size();
}

Modes::Row Modes::row(std::size_t number) const {
  Row out;
  out.j = static_cast<int>(number % lambda_[1].size());
  out.k = static_cast<int>(number / lambda_[1].size());
  out.at = box_.offset(box_.axis[0].first, box_.axis[1].first + out.j, box_.axis[2].first + out.k);
  out.count = lambda_[0].size();
  out.lambda = lambda_[1][index(out.j)] + lambda_[2][index(out.k)];
  return out;
}

template <class Visit>
void Modes::each_row(Workers& workers, const Visit& visit) const {
  std::atomic<std::size_t> next{0};
  workers.run([&](std::size_t) {
    for (std::size_t r = next.fetch_add(kRowsAtOnce); r < rows_; r = next.fetch_add(kRowsAtOnce))
      for (const std::size_t end = std::min(rows_, r + kRowsAtOnce); r < end; ++r) visit(r, row(r));
  });
}

void Modes::heat(double t, Field& u, Field* rate, Workers& workers) const {
  std::array<std::vector<double>, 3> decay;
  for (std::size_t a = 0; a < 3; ++a)
    for (const double lambda : lambda_[a]) decay[a].push_back(std::exp(-lambda * t));
  const bool forced =
      std::any_of(forcing.values.begin(), forcing.values.end(), [](double v) { return v != 0; });
  each_row(workers, [&](std::size_t, const Row& row) {
    const double others = decay[1][index(row.j)] * decay[2][index(row.k)];
    const double* x = decay[0].data();
    const double* u0 = start.values.data() + row.at;
    const double* g = forcing.values.data() + row.at;
    double* to = u.values.data() + row.at;
    for (std::size_t i = 0; i < row.count; ++i) to[i] = x[i] * others * u0[i];
    if (forced) {
      for (std::size_t i = 0; i < row.count; ++i) {
        const double size = (lambda_[0][i] + row.lambda) * t;
        to[i] += g[i] * t * relaxation(size, x[i] * others);
      }
    }
    if (rate == nullptr) return;
    double* speed_to = rate->values.data() + row.at;
    for (std::size_t i = 0; i < row.count; ++i)
      speed_to[i] = x[i] * others * (g[i] - (lambda_[0][i] + row.lambda) * u0[i]);
  });
}

// With rest = g / lambda: u = rest + (u0 - rest) cos(w t) + v0 / w sin(w t), w^2 = lambda; the
// hyperbolic functions where a Robin face feeds the wave (lambda < 0).
ModeEnergy Modes::wave(double t, Field& u, Field* rate, Workers& workers) const {
  std::vector<ModeEnergy> energy(rows_);
  each_row(workers, [&](std::size_t number, const Row& row) {
    std::vector<double> work(3 * row.count);
    double* w = work.data();
    double* cosine = w + row.count;
    double* sine = cosine + row.count;
    const auto lambda_at = [&](std::size_t i) { return lambda_[0][i] + row.lambda; };
    for (std::size_t i = 0; i < row.count; ++i) w[i] = std::sqrt(std::fabs(lambda_at(i)));
    const kernels::Operand angle{sine};
    for (std::size_t i = 0; i < row.count; ++i) sine[i] = w[i] * t;
    kernels::apply(kernels::Op::cos, row.count, angle, {}, {}, cosine);
    kernels::apply(kernels::Op::sin, row.count, angle, {}, {}, sine);
    for (std::size_t i = 0; i < row.count; ++i) {
      if (lambda_at(i) >= 0) continue;
      cosine[i] = std::cosh(w[i] * t);
      sine[i] = std::sinh(w[i] * t);
    }
    const double* u0 = start.values.data() + row.at;
    const double* v0 = speed.values.data() + row.at;
    const double* g = forcing.values.data() + row.at;
    double* to = u.values.data() + row.at;
    ModeEnergy sum;
    for (std::size_t i = 0; i < row.count; ++i) {
      const double lambda = lambda_at(i);
      double v = 0;
      if (w[i] * t > 1e-9) {
        const double rest = g[i] / lambda;
        to[i] = rest + (u0[i] - rest) * cosine[i] + v0[i] / w[i] * sine[i];
        v = v0[i] * cosine[i] - (u0[i] - rest) * lambda / w[i] * sine[i];
      } else {
        to[i] = u0[i] + v0[i] * t + g[i] * t * t / 2;
        v = v0[i] + g[i] * t;
      }
      sum.start += v0[i] * v0[i] + lambda * u0[i] * u0[i] - 2 * g[i] * u0[i];
      sum.now += v * v + lambda * to[i] * to[i] - 2 * g[i] * to[i];
      if (rate != nullptr) rate->values[row.at + i] = g[i] - lambda * to[i];
    }
    energy[number] = sum;
  });
  ModeEnergy all;
  for (const ModeEnergy& one : energy) {
    all.start += one.start;
    all.now += one.now;
  }
  return all;
}

}  // namespace neurolens::pde
