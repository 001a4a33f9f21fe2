/// \file
/// What the interposed allocation functions call. Never allocates from the heap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "neurolens/probe/memory.hpp"

namespace neurolens::probe::memory {

/// Called once by the interposing object.
void set_interposed() noexcept;
/// After a block came from / before it goes back to the heap.
void on_allocate(void* block, std::size_t bytes) noexcept;
void on_release(void* block) noexcept;
/// realloc: the block as it was, taken out of the table; put back by on_restore when realloc
/// failed.
struct Taken {
  bool known = false;
  std::uint64_t size = 0, serial = 0;
  std::uint32_t thread = 0, stack = 0;
  std::uint32_t weight = 0;
};
Taken on_take(void* block) noexcept;
void on_restore(void* block, const Taken& taken) noexcept;
/// Accounts for the release of a taken block.
void on_taken_release(const Taken& taken) noexcept;

/// For the preload library: everything from now on, with stacks. `most_per_s` bounds how many
/// stacks a thread takes each second; above, one of k is taken and counts k times.
void track_process(std::uint32_t most_per_s) noexcept;
/// Writes what track_process saw to `fd`, see preload.cpp for the format.
void dump(int fd) noexcept;

}  // namespace neurolens::probe::memory
