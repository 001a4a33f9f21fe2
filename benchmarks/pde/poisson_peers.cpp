// One solver on one grid: pde_peers SOLVER DIMENSIONS POINTS, one JSON object on stdout.
// `run` calls it for every cell of the table. See METHOD.md.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include <string_view>

#include "neurolens/base/json.hpp"
#include "peers.hpp"

namespace {

using namespace neurolens::pde_bench;
using neurolens::json::Writer;

struct Solver {
  const char* name;
  bool variable;  ///< Takes a = 1 + x y, as multigrid is for.
  std::optional<Outcome> (*run)(const Problem&);
};
constexpr Solver kSolvers[] = {
    {"direct", false, [](const Problem& p) { return run_direct(p, 2, 1); }},
    {"direct-2-threads", false, [](const Problem& p) { return run_direct(p, 2, 2); }},
    {"direct-order-4", false, [](const Problem& p) { return run_direct(p, 4, 1); }},
    {"direct-f32", false, run_direct_f32},
    {"multigrid", true, [](const Problem& p) { return run_multigrid(p, 1); }},
    {"multigrid-2-threads", true, [](const Problem& p) { return run_multigrid(p, 2); }},
    {"multigrid-f32", true, run_multigrid_f32},
    {"fftw", false, run_fftw},
    {"cholmod-first", false, [](const Problem& p) { return run_cholmod(p, true); }},
    {"cholmod-again", false, [](const Problem& p) { return run_cholmod(p, false); }},
    {"pfmg", true, run_pfmg},
    {"boomeramg", true, run_boomeramg}};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: pde_peers SOLVER DIMENSIONS POINTS\nsolvers:");
    for (const Solver& s : kSolvers) fmt::print(stderr, " {}", s.name);
    fmt::print(stderr, "\n");
    return 2;
  }
  const int dimensions = std::atoi(argv[2]);
  const int points = std::atoi(argv[3]);
  for (const Solver& s : kSolvers) {
    if (std::string_view(argv[1]) != s.name || dimensions < 2 || dimensions > 3 || points < 4)
      continue;
    const Problem problem(dimensions, points, s.variable);
    const std::int64_t before = peak_bytes();
    const auto outcome = s.run(problem);
    if (!outcome) {
      fmt::print(stderr, "{}: not built in, or it failed\n", s.name);
      return 3;
    }
    const auto unknowns = static_cast<double>(problem.unknowns());
    const std::int64_t peak = outcome->peak_bytes > 0 ? outcome->peak_bytes : peak_bytes();
    Writer w;
    w.begin_object()
        .member("solver", s.name)
        .member("dimensions", static_cast<std::int64_t>(dimensions))
        .member("points", static_cast<std::int64_t>(points))
        .member("unknowns", static_cast<std::int64_t>(problem.unknowns()))
        .member("best_ns_per_unknown", outcome->best_s * 1e9 / unknowns)
        .member("median_ns_per_unknown", outcome->median_s * 1e9 / unknowns)
        .member("setup_ns_per_unknown", outcome->setup_s * 1e9 / unknowns)
        .member("solves", static_cast<std::int64_t>(outcome->solves))
        .member("iterations", static_cast<std::int64_t>(outcome->iterations))
        .member("residual_relative", outcome->residual)
        .member("loss_against_f64", outcome->loss)
        .member("peak_bytes_beyond_problem", peak - before)
        .member("details", outcome->details)
        .end_object();
    fmt::print("{}\n", std::move(w).take());
    return 0;
  }
  fmt::print(stderr, "pde_peers: no solver \"{}\" for {} dimensions and {} points\n", argv[1],
             dimensions, points);
  return 2;
}
