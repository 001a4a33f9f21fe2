#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "peers.hpp"

namespace neurolens::pde_bench {

Problem::Problem(int dims, int n, bool varies)
    : dimensions(dims), points(n), m(n - 2), variable(varies) {
  f.resize(static_cast<std::size_t>(std::llround(std::pow(m, dims))));
  each([&](std::array<int, 3> i) {
    double r2 = 0;
    for (int a = 0; a < dimensions; ++a) {
      const double x = i[static_cast<std::size_t>(a)] * h() - 0.5;
      r2 += x * x;
    }
    f[index(i)] = std::exp(-40 * r2);
  });
}

std::size_t Problem::index(std::array<int, 3> i) const {
  std::size_t at = 0;
  for (int a = dimensions; a-- > 0;)
    at = at * static_cast<std::size_t>(m) +
         static_cast<std::size_t>(i[static_cast<std::size_t>(a)] - 1);
  return at;
}

bool Problem::inside(std::array<int, 3> i) const {
  for (int a = 0; a < dimensions; ++a)
    if (i[static_cast<std::size_t>(a)] < 1 || i[static_cast<std::size_t>(a)] > m) return false;
  return true;
}

void Problem::each(const std::function<void(std::array<int, 3>)>& body) const {
  const int planes = dimensions > 2 ? m : 1;
  for (int k = 1; k <= planes; ++k)
    for (int j = 1; j <= m; ++j)
      for (int i = 1; i <= m; ++i) body({i, j, k});
}

double Problem::face(std::array<int, 3> i, int axis, int direction) const {
  const double scale = 1 / (h() * h());
  if (!variable) return scale;
  const auto a = [&](const std::array<int, 3>& p) { return 1 + p[0] * h() * (p[1] * h()); };
  const double here = a(i);
  i[static_cast<std::size_t>(axis)] += direction;
  const double there = a(i);
  return scale * 2 * here * there / (here + there);
}

double Problem::residual(const std::vector<double>& u) const {
  double worst = 0;
  each([&](std::array<int, 3> i) {
    double sum = 0;
    for (int a = 0; a < dimensions; ++a)
      for (const int direction : {-1, 1}) {
        std::array<int, 3> j = i;
        j[static_cast<std::size_t>(a)] += direction;
        sum += face(i, a, direction) * ((inside(j) ? u[index(j)] : 0.0) - u[index(i)]);
      }
    worst = std::max(worst, std::fabs(f[index(i)] - sum));
  });
  return worst / *std::max_element(f.begin(), f.end());
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void time_solves(Outcome& outcome, const std::function<void()>& body, double least_s) {
  body();
  std::vector<double> seconds;
  for (double total = 0; seconds.size() < 3 || (total < least_s && seconds.size() < 5000);) {
    seconds.push_back(seconds_of(body));
    total += seconds.back();
  }
  std::sort(seconds.begin(), seconds.end());
  outcome.best_s = seconds.front();
  outcome.median_s = seconds[seconds.size() / 2];
  outcome.solves = seconds.size();
}

std::int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace neurolens::pde_bench
