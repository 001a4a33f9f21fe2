// The claims of docs/guides/optimisation.md, each measured here: pattern against what it replaces,
// in the same run, results compared. Exit status 1 when a claim does not hold on this machine.
// claims [--quick]: quick compares results and judges no time.
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "neurolens/probe/benchmark.hpp"
#include "neurolens/probe/memoize.hpp"
#include "neurolens/probe/workspace.hpp"
#include "quick.hpp"

namespace probe = neurolens::probe;

namespace {

/// About 20 us of honest work.
double expensive(int n) {
  double sum = 0;
  for (int i = 1; i <= 1500; ++i) sum += std::sin(static_cast<double>(n) / i);
  return sum;
}

double with_memoize(int n) {
  static const auto remembered = probe::memoize<double(int)>(&expensive);
  return remembered(n);
}

constexpr std::size_t kTemporary = 32'768;  // 256 KiB: above the heap's threshold for mapping pages

double fill_and_sum(double* p, int n) {
  for (std::size_t i = 0; i < kTemporary; i += 64) p[i] = static_cast<double>(n);
  double sum = 0;
  for (std::size_t i = 0; i < kTemporary; i += 64) sum += p[i];
  return sum;
}
double fresh_vector(int n) {
  std::vector<double> temporary(kTemporary);
  return fill_and_sum(temporary.data(), n);
}
double from_workspace(int n) {
  thread_local probe::Workspace workspace;
  const probe::Workspace::Frame frame(workspace);
  return fill_and_sum(workspace.take<double>(kTemporary).data(), n);
}

/// A plan: the factors of a tridiagonal system of this size.
std::vector<double> build_plan(int size) {
  std::vector<double> factors(static_cast<std::size_t>(size));
  double previous = 0;
  for (double& f : factors) {
    f = 1.0 / (4.0 - previous);
    previous = f;
  }
  return factors;
}
double use_plan(const std::vector<double>& factors) {
  double y = 0;
  for (std::size_t i = 0; i < factors.size(); i += 16) y = (1.0 + y) * factors[i];
  return y;
}
double plan_every_time(int size) {
  return use_plan(build_plan(size));
}
double plan_from_cache(int size) {
  static probe::OperatorCache<int, std::vector<double>> plans(
      neurolens::Bytes{1 << 20}, [](const std::vector<double>& p) {
        return static_cast<std::int64_t>(p.capacity() * sizeof(double));
      });
  return use_plan(*plans.get(size, &build_plan));
}

constexpr std::size_t kSide = 1024;
const std::vector<float>& matrix() {
  static const std::vector<float> m(kSide * kSide, 1.0f);
  return m;
}
double by_columns(int) {
  double sum = 0;
  for (std::size_t c = 0; c < kSide; ++c) {
    for (std::size_t r = 0; r < kSide; ++r) sum += static_cast<double>(matrix()[r * kSide + c]);
  }
  return sum;
}
double by_rows(int) {
  double sum = 0;
  for (const float v : matrix()) sum += static_cast<double>(v);
  return sum;
}

struct Particle {
  double x, y, z, mass, charge, spin, age, id;
};
constexpr std::size_t kParticles = 200'000;
double array_of_structs(int) {
  static const std::vector<Particle> particles(kParticles, {1, 1, 1, 1, 1, 1, 1, 1});
  double sum = 0;
  for (const Particle& p : particles) sum += p.mass;
  return sum;
}
double struct_of_arrays(int) {
  static const std::vector<double> masses(kParticles, 1.0);
  double sum = 0;
  for (const double m : masses) sum += m;
  return sum;
}

double grow_by_push(int n) {
  std::vector<int> v;
  for (int i = 0; i < n; ++i) v.push_back(i);
  return v.back();
}
double reserve_first(int n) {
  std::vector<int> v;
  v.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) v.push_back(i);
  return v.back();
}

struct Claim {
  const char* name;
  double at_least;  ///< Lower end of the speed-up's interval.
  double (*before)(int);
  double (*after)(int);
  int argument;
};

constexpr Claim kClaims[] = {
    {"memoize a pure function of 20 us, key seen before", 10, &expensive, &with_memoize, 7},
    {"Workspace instead of a fresh 256 KiB vector", 2, &fresh_vector, &from_workspace, 3},
    {"OperatorCache instead of building the plan each time", 5, &plan_every_time, &plan_from_cache,
     4096},
    {"walk a matrix by rows instead of columns", 1.5, &by_columns, &by_rows, 0},
    {"structure of arrays instead of array of structures", 1.5, &array_of_structs,
     &struct_of_arrays, 0},
    {"reserve before pushing 1,000 numbers", 1.1, &grow_by_push, &reserve_first, 1000},
};

}  // namespace

int main(int argc, char** argv) {
  const bool quick = neurolens::benchmarks::is_quick(argc, argv);
  bool all = true;
  fmt::print("{:<56} {:>9} {:>20} {:>7}\n", "pattern", "speed-up", "95 % interval", "claim");
  for (const Claim& claim : kClaims) {
    probe::BenchmarkOptions options =
        neurolens::benchmarks::options(quick, neurolens::Nanoseconds{2'000'000});
    options.relative_tolerance = 1e-12;
    const auto result = probe::compare_performance<double(int)>(
        {{"before", claim.before}, {"after", claim.after}}, options, claim.argument);
    if (!result.ok()) {
      fmt::print(stderr, "{}: {}\n", claim.name, result.error().text());
      return 1;
    }
    const probe::Estimate& s = result->speed_up[1];
    const bool holds = quick ? neurolens::benchmarks::is_sane(*result) : s.low >= claim.at_least;
    all = all && holds;
    fmt::print("{:<56} {:>8.2f}x {:>9.2f} - {:>8.2f} {:>6.1f}x{}\n", claim.name, s.value, s.low,
               s.high, claim.at_least, holds ? "" : "  DOES NOT HOLD HERE");
  }
  return all ? 0 : 1;
}
