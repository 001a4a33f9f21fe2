// Exactness of memory tracking against planted allocations; a program of its own, because its
// allocation functions are replaced.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <queue>
#include <thread>
#include <vector>

#include "neurolens/probe/benchmark.hpp"
#include "neurolens/probe/memory.hpp"
#include "neurolens/probe/profile.hpp"

namespace neurolens::probe {
namespace {

struct Wide {
  alignas(128) char bytes[128];
};

TEST(MemoryTracker, EveryAllocationFunctionIsCountedToTheByte) {
  ASSERT_TRUE(memory_is_tracked());
  MemoryTracker tracker;
  void* a = std::malloc(100);
  void* b = std::calloc(10, 7);
  void* c = std::aligned_alloc(64, 640);
  void* d = nullptr;
  const int aligned = posix_memalign(&d, 256, 1000);
  auto* e = new char[33];
  auto* f = new Wide;
  void* g = memalign(32, 77);
  for (const void* p : {a, b, c, d, static_cast<void*>(e), static_cast<void*>(f), g})
    do_not_optimize(p);
  const MemoryUse allocated = *tracker.use();
  a = std::realloc(a, 5000);
  do_not_optimize(a);
  const MemoryUse reallocated = *tracker.use();
  for (void* p : {a, b, c, d, g}) std::free(p);
  delete[] e;
  delete f;
  const MemoryUse released = *tracker.use();
  // Expectations allocate: only here.
  EXPECT_EQ(aligned, 0);
  MemoryUse use = allocated;
  EXPECT_EQ(use.allocations, 7u);
  EXPECT_EQ(use.allocated.count, 100 + 70 + 640 + 1000 + 33 + 128 + 77);
  EXPECT_EQ(use.current, use.allocated);
  EXPECT_EQ(use.peak, use.allocated);
  use = reallocated;
  EXPECT_EQ(use.allocations, 8u);
  EXPECT_EQ(use.releases, 1u);
  EXPECT_EQ(use.current.count, 5000 + 70 + 640 + 1000 + 33 + 128 + 77);
  use = released;
  EXPECT_EQ(use.current.count, 0);
  EXPECT_EQ(use.releases, 8u);
  EXPECT_EQ(use.peak.count, 5000 + 70 + 640 + 1000 + 33 + 128 + 77);
}

TEST(MemoryTracker, BlocksFromBeforeAreNotItsOwn) {
  void* before = std::malloc(1000);
  do_not_optimize(before);
  MemoryTracker outer;
  void* inside = std::malloc(10);
  do_not_optimize(inside);
  {
    MemoryTracker inner;
    std::free(inside);
    std::free(before);
    void* p = std::malloc(5);
    do_not_optimize(p);
    std::free(p);
    inner.stop();
    outer.stop();
    EXPECT_EQ(inner.use()->current.count, 0);
    EXPECT_EQ(inner.use()->peak.count, 5);
    EXPECT_EQ(inner.use()->releases, 1u);
  }
  EXPECT_EQ(outer.use()->allocated.count, 15);
  EXPECT_EQ(outer.use()->current.count, 0);
  EXPECT_EQ(outer.use()->peak.count, 10);
}

// A pool of threads that pass blocks on: whoever frees, the block belongs to its allocator.
TEST(MemoryTracker, AThreadPoolIsCountedExactly) {
  constexpr int kThreads = 4, kBlocks = 5000;
  std::mutex mutex;
  std::condition_variable ready;
  std::vector<void*> passed;
  passed.reserve(kThreads * kBlocks);
  std::vector<std::thread> threads;
  threads.reserve(2 * kThreads);
  std::atomic<int> freed{0};
  {
    std::vector<MemoryUse> own(kThreads);
    MemoryTracker mine;  // this thread only
    MemoryTracker all({.all_threads = true});
    const MemoryUse start = *all.use();
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        MemoryTracker tracker;
        for (int i = 0; i < kBlocks; ++i) {
          void* p = std::malloc(static_cast<std::size_t>(16 + i % 100));
          if (i % 3 == 0) p = std::realloc(p, 500);
          const std::lock_guard lock(mutex);
          passed.push_back(p);
          ready.notify_one();
        }
        own[static_cast<std::size_t>(t)] = *tracker.use();
      });
      threads.emplace_back([&] {
        while (freed.load() < kThreads * kBlocks) {
          void* p = nullptr;
          {
            std::unique_lock lock(mutex);
            ready.wait_for(lock, std::chrono::milliseconds(1), [&] { return !passed.empty(); });
            if (passed.empty()) continue;
            p = passed.back();
            passed.pop_back();
          }
          std::free(p);
          freed.fetch_add(1);
        }
      });
    }
    for (auto& t : threads) t.join();
    std::int64_t bytes = 0;
    std::uint64_t allocations = 0;
    for (int i = 0; i < kBlocks; ++i) {
      bytes += 16 + i % 100 + (i % 3 == 0 ? 500 : 0);
      allocations += i % 3 == 0 ? 2 : 1;
    }
    for (const MemoryUse& use : own) {
      EXPECT_EQ(use.allocated.count, bytes);
      EXPECT_EQ(use.allocations, allocations);
    }
    const MemoryUse use = *all.use();
    const MemoryUse here = *mine.use();  // the threads' own bookkeeping is allocated here
    EXPECT_GE(use.allocated.count - start.allocated.count, kThreads * bytes);
    EXPECT_EQ(use.allocated.count - here.allocated.count, kThreads * bytes);
    EXPECT_EQ(use.allocations - here.allocations, kThreads * allocations);
    EXPECT_EQ(use.current.count, here.current.count);
    threads.clear();
  }
}

__attribute__((noinline)) void* planted_site(std::size_t bytes) {
  void* p = std::malloc(bytes);
  do_not_optimize(p);
  return p;
}

TEST(MemoryTracker, CallSitesCarryTheirBytes) {
  std::vector<void*> kept;
  kept.reserve(10);
  MemoryTracker tracker({.call_sites = true});
  for (int i = 0; i < 10; ++i) kept.push_back(planted_site(1000));
  void* other = std::malloc(50);
  do_not_optimize(other);
  tracker.stop();
  const auto sites = tracker.sites();
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_EQ(sites[0].allocations, 10u);
  EXPECT_EQ(sites[0].allocated.count, 10'000);
  EXPECT_EQ(sites[0].current.count, 10'000);
  EXPECT_NE(sites[0].frames[0].find("probe_memory_test"), std::string::npos) << sites[0].frames[0];
  EXPECT_NE(sites[0].frames[0], sites[1].frames[0]);
  for (void* p : kept) std::free(p);
  std::free(other);
}

TEST(MemoryTracker, LibrariesComeAndGoAsEver) {
  for (int i = 0; i < 2; ++i) {  // dlclose is replaced too
    void* library = dlopen("libm.so.6", RTLD_LAZY);
    ASSERT_NE(library, nullptr) << dlerror();
    EXPECT_EQ(dlclose(library), 0);
    MemoryTracker tracker({.call_sites = true});
    std::free(planted_site(10));
    EXPECT_EQ(tracker.sites().size(), 1u);
  }
}

TEST(MemoryTracker, SampledCallSitesEstimateTheBytes) {
  MemoryTracker tracker({.call_sites = true, .sample_every = Bytes{16384}});
  constexpr int kBlocks = 40'000;
  for (int i = 0; i < kBlocks; ++i) std::free(planted_site(500));
  tracker.stop();
  EXPECT_EQ(tracker.use()->allocated.count, std::int64_t{kBlocks} * 500);  // totals stay exact
  std::int64_t estimated = 0;
  for (const AllocationSite& s : tracker.sites()) estimated += s.allocated.count;
  // About 1,200 samples: one standard deviation is 3 %.
  EXPECT_NEAR(static_cast<double>(estimated), kBlocks * 500.0, 0.15 * kBlocks * 500.0);
}

TEST(MemoryTracker, ManyTrackersAndThreadsAgree) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) {
        MemoryTracker tracker;
        void* p = std::malloc(64);
        do_not_optimize(p);
        const std::int64_t alive = tracker.use()->current.count;
        std::free(p);
        const std::int64_t left = tracker.use()->current.count;
        EXPECT_EQ(alive, 64);
        EXPECT_EQ(left, 0);
      }
    });
  }
  for (auto& t : threads) t.join();
}

TEST(Profile, RecordsMemoryPerCall) {
  Registry registry;
  auto grow = profile(
      "grow", [](std::size_t n) { std::free(planted_site(n)); }, {.memory = true}, registry);
  grow(1000);
  grow(3000);
  const Statistics s = grow.statistics();
  EXPECT_EQ(s.memory_peak->count, 3000);
  EXPECT_EQ(s.memory_mean->count, 2000);
  EXPECT_NE(registry.json().find("\"memory_peak_bytes\":3000"), std::string::npos)
      << registry.json();
}

}  // namespace
}  // namespace neurolens::probe
