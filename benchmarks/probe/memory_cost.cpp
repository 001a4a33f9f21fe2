// Cost of tracking per malloc and free: not at all, a tracker, call stacks, sampled call stacks.
// memory_cost [--quick]
#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <optional>

#include "neurolens/probe/benchmark.hpp"
#include "neurolens/probe/memory.hpp"
#include "quick.hpp"

namespace probe = neurolens::probe;

namespace {

void pairs(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    void* p = std::malloc(64 + i % 64);
    probe::do_not_optimize(p);
    std::free(p);
  }
}

probe::Batch with(const char* name, const std::optional<probe::MemoryOptions>& options) {
  return {name, [options](std::uint64_t count) {
            std::optional<probe::MemoryTracker> tracker;
            if (options) tracker.emplace(*options);
            pairs(count);
          }};
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = neurolens::benchmarks::is_quick(argc, argv);
  if (!probe::memory_is_tracked()) {
    fmt::print(stderr, "This build replaces no allocation functions (a sanitizer does).\n");
    return 3;
  }
  const auto result = probe::measure_batches(
      {with("no tracker", std::nullopt), with("tracker", probe::MemoryOptions{}),
       with("call stacks", probe::MemoryOptions{.call_sites = true}),
       with("call stacks, sampled",
            probe::MemoryOptions{.call_sites = true, .sample_every = neurolens::Bytes{524'288}})},
      neurolens::benchmarks::options(quick, neurolens::Nanoseconds{5'000'000}));
  if (!result.ok()) return 3;
  fmt::print("per malloc and free:\n{}", result->report());
  return neurolens::benchmarks::is_sane(*result) ? 0 : 1;
}
