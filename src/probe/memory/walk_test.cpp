// Walking stacks by frame rules must give what the run-time library's unwinder gives, everywhere.
#include <alloca.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "memory/frame_rule.hpp"
#include "memory/stacks.hpp"

namespace neurolens::probe::memory {
namespace {

using Kind = FrameRule::Kind;

struct Seen {
  Walk fast, slow;
};
Seen seen;

/// Both walks of this very place; the calls differ, so this function itself is left out.
__attribute__((noinline)) void look() {
  walk_stack(seen.fast, 1);
  walk_stack_slowly(seen.slow, 1);
  asm volatile("" ::: "memory");
}

std::vector<std::uintptr_t> frames(const Walk& walk) {
  return {walk.frames, walk.frames + walk.depth};
}

/// The walks agree; returns how many frames there are.
std::size_t agreed(const char* where, std::size_t least = 4) {
  EXPECT_EQ(frames(seen.fast), frames(seen.slow)) << where;
  EXPECT_GE(seen.slow.depth, least) << where;
  return seen.slow.depth;
}

bool all_by_rules(const Walk& walk) {
  return std::all_of(walk.frames, walk.frames + walk.depth,
                     [](std::uintptr_t pc) { return frame_rule(pc).kind() != Kind::unusual; });
}

TEST(Walk, OrdinaryFramesNeedNoRuntimeLibrary) {
  look();
  agreed("test body");
#if defined(__x86_64__)
  EXPECT_TRUE(all_by_rules(seen.fast));
#endif
}

__attribute__((noinline)) int deep(int depth, volatile int* sink) {
  char frame[40];
  std::memset(frame, depth, sizeof frame);
  *sink = frame[depth % 40];
  const int below = depth == 0 ? (look(), 0) : deep(depth - 1, sink);
  return below + *sink;
}

TEST(Walk, DeepRecursionAndStacksThatAreCutOff) {
  volatile int sink = 0;
  const std::size_t base = (deep(0, &sink), agreed("not deep"));
  deep(10, &sink);
  EXPECT_EQ(agreed("10 deep"), std::min(base + 10, kMostFrames));
  deep(200, &sink);
  EXPECT_EQ(agreed("200 deep"), kMostFrames);
}

__attribute__((noinline)) void with_alloca(std::size_t bytes) {
  auto* room = static_cast<volatile char*>(alloca(bytes));
  room[0] = 1;
  look();
  room[bytes - 1] = 1;
}

__attribute__((noinline)) void realigned(std::size_t bytes) {
  alignas(256) char aligned[256];
  auto* room = static_cast<char*>(alloca(bytes));
  asm volatile("" : : "r"(aligned), "r"(room) : "memory");
  look();
  asm volatile("" : : "r"(aligned), "r"(room) : "memory");
}

__attribute__((noinline)) void huge() {
  volatile char frame[200'000];
  frame[0] = 1;
  look();
  frame[199'999] = frame[0];
}

TEST(Walk, FramesOfOddShapes) {
  for (const std::size_t bytes : {16, 100, 5000}) {
    with_alloca(bytes);
    agreed("alloca");
    realigned(bytes);
    agreed("realigned");
  }
  huge();
  agreed("a frame beyond what a rule can hold");
}

TEST(Walk, ThroughTheCLibraryLambdasAndExceptions) {
  int numbers[4] = {3, 1, 2, 0};
  std::qsort(numbers, 4, sizeof *numbers, [](const void* a, const void* b) {
    look();
    return *static_cast<const int*>(a) - *static_cast<const int*>(b);
  });
  agreed("qsort");
  const std::function<void(int)> again = [&](int n) { n > 0 ? again(n - 1) : look(); };
  again(5);
  agreed("std::function");
  struct Leaving {
    ~Leaving() { look(); }
  };
  try {
    const Leaving leaving;
    throw 1;
  } catch (int) {
  }
  agreed("unwinding");
}

TEST(Walk, OtherThreadsEndWhereTheyBegan) {
  for (int i = 0; i < 2; ++i) {
    std::thread([] { look(); }).join();
    agreed("thread", 3);  // its body may be inlined into what the C++ library starts
  }
}

TEST(Walk, SignalFramesAreLeftToTheRuntimeLibrary) {
  const auto before = std::signal(SIGUSR1, [](int) { look(); });
  std::raise(SIGUSR1);
  std::signal(SIGUSR1, before);
  agreed("signal");
#if defined(__x86_64__)
  EXPECT_FALSE(all_by_rules(seen.slow));
#endif
}

TEST(Walk, RulesAreLearntAgainAfterTheyWereForgotten) {
  look();
  const auto first = frames(seen.fast);
  forget_frame_rules();
  for (const std::uintptr_t pc : first) {
    EXPECT_EQ(frame_rule(pc).bits(), read_frame_rule(pc).bits());
    EXPECT_EQ(frame_rule(pc).bits(), read_frame_rule(pc).bits()) << "now from the table";
  }
}

TEST(Walk, TheTableOfRulesIsRightWhenItIsFull) {
#if defined(__x86_64__)
  // More addresses than it has room for, all within this test's program.
  const auto begin = reinterpret_cast<std::uintptr_t>(&read_frame_rule);
  for (int round = 0; round < 2; ++round) {
    for (std::uintptr_t pc = begin; pc < begin + 150'000; ++pc) {
      ASSERT_EQ(frame_rule(pc).bits(), read_frame_rule(pc).bits()) << pc - begin;
    }
  }
#endif
}

TEST(FrameRule, HoldsWhatItWasGivenOrSaysThatItCannot) {
  for (const bool from_base : {false, true}) {
    for (const std::int64_t offset : {8, 16, 4096, 65'528}) {
      for (const std::int64_t below : {16, 512, 32'760}) {
        const FrameRule rule = FrameRule::usual(from_base, offset, true, below);
        ASSERT_EQ(rule.kind(), Kind::usual);
        EXPECT_EQ(rule.cfa_from_base(), from_base);
        EXPECT_EQ(rule.cfa_offset(), static_cast<std::uint64_t>(offset));
        EXPECT_TRUE(rule.base_saved());
        EXPECT_EQ(rule.saved_below(), static_cast<std::uint64_t>(below));
        EXPECT_EQ(FrameRule::from_bits(rule.bits()).bits(), rule.bits());
        EXPECT_LT(rule.bits(), 1u << FrameRule::kBits);
      }
    }
  }
  EXPECT_FALSE(FrameRule::usual(false, 8, false, 0).base_saved());
  for (const std::int64_t offset : {-8, 0, 12, 65'536}) {
    EXPECT_EQ(FrameRule::usual(false, offset, false, 0).kind(), Kind::unusual) << offset;
  }
  EXPECT_EQ(FrameRule::usual(false, 16, true, 32'768).kind(), Kind::unusual);
  EXPECT_EQ(FrameRule::usual(false, 16, true, -16).kind(), Kind::unusual);
}

}  // namespace
}  // namespace neurolens::probe::memory
