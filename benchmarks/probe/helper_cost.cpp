// What the helpers themselves cost per use: the figures of docs/guides/optimisation.md and
// probe.md. helper_cost [--quick]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <vector>

#include "neurolens/probe/memoize.hpp"
#include "neurolens/probe/profile.hpp"
#include "neurolens/probe/timer.hpp"
#include "neurolens/probe/workspace.hpp"
#include "quick.hpp"

namespace probe = neurolens::probe;

namespace {

/// A batch around `once`, compiled into its loop.
template <class Once>
probe::Batch batch(const char* name, Once once) {
  return {name, [once](std::uint64_t calls) {
            for (std::uint64_t i = 0; i < calls; ++i) probe::do_not_optimize(once());
          }};
}

int identity(int n) {
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = neurolens::benchmarks::is_quick(argc, argv);
  const auto remembered = probe::memoize<int(int)>(&identity);
  probe::OperatorCache<int, std::vector<double>> plans(
      neurolens::Bytes{1 << 20}, [](const std::vector<double>&) { return std::int64_t{8}; });
  const auto build = [](int) { return std::vector<double>(1); };
  auto timed = probe::profile("identity", &identity);
  probe::Workspace workspace;
  const auto result = probe::measure_batches(
      {batch("empty loop", [] { return 1; }),
       batch("two readings of std::chrono::steady_clock",
             [] {
               const auto begin = std::chrono::steady_clock::now();
               return (std::chrono::steady_clock::now() - begin).count();
             }),
       batch("Timer", [] { return probe::Timer().elapsed().count; }),
       batch("profile(): a call of an empty function", [&timed] { return timed(1); }),
       batch("memoize: a key that is known", [&remembered] { return remembered(1); }),
       batch("OperatorCache: a plan that is known",
             [&plans, build] { return plans.get(1, build)->size(); }),
       batch("Workspace: a frame and 256 KiB",
             [&workspace] {
               const probe::Workspace::Frame frame(workspace);
               return workspace.take<double>(32'768).data();
             }),
       batch("malloc and free of 256 bytes",
             [] {
               void* p = std::malloc(256);
               probe::do_not_optimize(p);
               std::free(p);
               return 1;
             })},
      neurolens::benchmarks::options(quick, neurolens::Nanoseconds{2'000'000}));
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.error().text());
    return 3;
  }
  fmt::print("per call:\n{}", result->report());
  return neurolens::benchmarks::is_sane(*result) && remembered(1) == 1 ? 0 : 1;
}
