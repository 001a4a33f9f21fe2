// Fault injection at full size: random graphs, random faults, every promise checked. See METHOD.md.
// exec_faults [SEEDS] [TASKS] [WORKERS]
#include <fmt/core.h>

#include <cstdlib>

#include "fault_injection.hpp"

int main(int argc, char** argv) {
  using namespace neurolens::exec;
  const auto seeds = static_cast<std::uint64_t>(argc > 1 ? std::atoll(argv[1]) : 1000);
  const auto tasks = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 10'000);
  const auto workers = static_cast<std::uint32_t>(argc > 3 ? std::atoi(argv[3]) : 4);
  Executor executor(workers);
  std::uint64_t broken = 0;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const std::string trouble =
        testing::run_with_faults(executor, {tasks, seed, Mode::threads, seed % 4 == 3});
    if (trouble.empty()) continue;
    ++broken;
    fmt::print("seed {}: {}\n", seed, trouble);
  }
  fmt::print("{} graphs of {} tasks on {} workers: {} broke a promise\n", seeds, tasks, workers,
             broken);
  return broken == 0 ? 0 : 1;
}
