#include "fault_injection.hpp"

#include <gtest/gtest.h>

// The full matrix (10,000 tasks, 1,000 seeds) is benchmarks/exec/exec_faults; these are samples of
// it.
namespace neurolens::exec::testing {
namespace {

TEST(FaultInjection, EveryPromiseHoldsInThreads) {
  for (const std::uint32_t workers : {1u, 2u, 5u}) {
    Executor executor(workers);
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      ASSERT_EQ(run_with_faults(executor, {500, seed, Mode::threads, seed % 4 == 3}), "")
          << "workers " << workers << " seed " << seed;
    }
  }
}

TEST(FaultInjection, EveryPromiseHoldsInSerialAndAsyncMode) {
  Executor executor(1);
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    ASSERT_EQ(run_with_faults(executor, {500, seed, Mode::serial, seed % 4 == 3}), "") << seed;
    ASSERT_EQ(run_with_faults(executor, {500, seed, Mode::async, seed % 4 == 3}), "") << seed;
  }
}

TEST(FaultInjection, EveryPromiseHoldsInProcesses) {
  Executor executor(2);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    ASSERT_EQ(run_with_faults(executor, {250, seed, Mode::processes, false}), "") << seed;
  }
}

}  // namespace
}  // namespace neurolens::exec::testing
