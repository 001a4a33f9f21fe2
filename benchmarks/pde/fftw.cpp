// FFTW: sine transforms along all axes but the last, tridiagonal solves with tabulated factors
// along that one, and the transforms back.
#include "peers.hpp"
#ifdef NEUROLENS_PEER_FFTW
#include <fftw3.h>

#include <cmath>
#endif

namespace neurolens::pde_bench {

#ifdef NEUROLENS_PEER_FFTW
std::optional<Outcome> run_fftw(const Problem& p) {
  const auto m = static_cast<std::size_t>(p.m);
  const std::size_t modes = p.dimensions > 2 ? m * m : m;
  const int n = p.points - 1;
  std::vector<double> u(m * modes);
  std::vector<double> factor(m * modes);
  Outcome outcome;
  fftw_plan plan = nullptr;
  outcome.setup_s = seconds_of([&] {
    const fftw_r2r_kind kinds[2] = {FFTW_RODFT00, FFTW_RODFT00};
    const int lengths[2] = {p.m, p.m};
    const int rank = p.dimensions - 1;
    const bool large = p.points > 2000 || (p.dimensions > 2 && p.points > 128);
    plan = fftw_plan_many_r2r(rank, lengths, p.m, u.data(), nullptr, 1, static_cast<int>(modes),
                              u.data(), nullptr, 1, static_cast<int>(modes), kinds,
                              large ? FFTW_ESTIMATE : FFTW_MEASURE);
    const auto symbol = [&](std::size_t k) {
      const double s = std::sin(M_PI * static_cast<double>(k + 1) / (2.0 * n));
      return 4 * s * s;
    };
    for (std::size_t k = 0; k < modes; ++k) {
      const double d = -2 - symbol(k % m) - (p.dimensions > 2 ? symbol(k / m) : 0);
      double before = 0;
      for (std::size_t j = 0; j < m; ++j) before = factor[j * modes + k] = 1 / (d - before);
    }
  });
  const double scale = 1 / (static_cast<double>(n) * n * std::pow(2.0 * n, p.dimensions - 1));
  time_solves(outcome, [&] {
    for (std::size_t i = 0; i < u.size(); ++i) u[i] = p.f[i] * scale;
    fftw_execute(plan);
    for (std::size_t k = 0; k < modes; ++k) u[k] *= factor[k];
    for (std::size_t j = 1; j < m; ++j) {
      double* row = u.data() + j * modes;
      const double* above = row - modes;
      const double* own = factor.data() + j * modes;
      for (std::size_t k = 0; k < modes; ++k) row[k] = (row[k] - above[k]) * own[k];
    }
    for (std::size_t j = m - 1; j-- > 0;) {
      double* row = u.data() + j * modes;
      const double* below = row + modes;
      const double* own = factor.data() + j * modes;
      for (std::size_t k = 0; k < modes; ++k) row[k] -= own[k] * below[k];
    }
    fftw_execute(plan);
  });
  outcome.residual = p.residual(u);
  fftw_destroy_plan(plan);
  return outcome;
}
#else
std::optional<Outcome> run_fftw(const Problem&) {
  return {};
}
#endif

}  // namespace neurolens::pde_bench
