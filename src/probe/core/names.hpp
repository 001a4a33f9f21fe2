/// \file
/// The process's table of sites: (name, file, line, category) -> a code below 65,536.
/// Texts are copied, because a site in a library that is unloaded disappears. The table lives in
/// mappings of its own and never allocates from the heap, so that the slow path may run anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace neurolens::probe::names {

/// One entry of the arena, followed by the three texts, padded to 8 bytes.
struct Entry {
  std::uint32_t bytes;  ///< Whole entry with padding.
  std::uint32_t line;
  std::uint16_t code;
  std::uint16_t name_bytes;
  std::uint16_t file_bytes;
  std::uint16_t category_bytes;
};

/// The code of a site; equal sites have equal codes. Threads: safe; blocks signals meanwhile.
std::uint32_t intern(std::string_view name, std::string_view file, std::uint32_t line,
                     std::string_view category) noexcept;

/// The arena so far: [data, data + used). Grows, never moves.
const char* data() noexcept;
std::size_t used() noexcept;

/// Copies every present and future entry to `target` and their size to `*target_used`; nullptr ends
/// it.
void mirror(char* target, std::size_t capacity, void* target_used) noexcept;

/// The same as mirror(nullptr), for a child after a fork: the lock is held.
void drop_mirror() noexcept;

/// Held over a fork, so that the child finds the table whole.
void lock_for_fork() noexcept;
void unlock_after_fork() noexcept;

}  // namespace neurolens::probe::names
