/// \file
/// Call stacks of allocations: each distinct one once, with its counters.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace neurolens::probe::memory {

inline constexpr std::size_t kMostFrames = 48;

struct Stack {
  std::uint64_t hash = 0;
  std::uint32_t depth = 0;
  std::uint32_t next = 0;       ///< Chain of the hash bucket.
  std::uint64_t frames_at = 0;  ///< Index of the innermost frame.
  std::atomic<std::uint64_t> allocations{0};
  std::atomic<std::int64_t> allocated{0};
  std::atomic<std::int64_t> live_blocks{0};
  std::atomic<std::int64_t> live_bytes{0};
  std::atomic<std::int64_t> peak_bytes{0};
};

struct Walk {
  std::uintptr_t frames[kMostFrames];  ///< Addresses inside the calls, innermost first.
  std::size_t depth = 0;
};
/// The caller's stack without its innermost `skip` frames, the caller itself being the first of
/// them. By frame rules where they reach, else by the run-time library: both give the same.
void walk_stack(Walk& walk, int skip) noexcept;
/// Always by the run-time library.
void walk_stack_slowly(Walk& walk, int skip) noexcept;

/// The index of the caller's stack, 0 when there is no room or unwinding is under way. The frames
/// of this library are left out. Threads: safe.
std::uint32_t take_stack() noexcept;
[[nodiscard]] Stack& stack_at(std::uint32_t index) noexcept;
[[nodiscard]] std::uint32_t stack_count() noexcept;  ///< Indices 1 to stack_count().
[[nodiscard]] const std::uintptr_t* frames_of(const Stack& stack) noexcept;

}  // namespace neurolens::probe::memory
