/// \file
/// Layout of trace files, little-endian, shared by the writer and the reader.
///
/// Stream: FileHeader, then blocks (BlockHeader + payload). Written front to back; a kill leaves a
/// prefix. Ring:   FileHeader, at 4 KiB the names (an arena, see names.hpp), then chunks. All of it
/// is a mapping
///         that the program writes in place; every field that changes is written last, so that a
///         kill at any moment leaves a readable file.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace neurolens::probe {

inline constexpr char kMagic[8] = {'N', 'L', 'P', 'R', 'O', 'B', 'E', '\n'};
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
inline constexpr std::size_t kRingHeaderBytes = 4096;
inline constexpr std::size_t kRingNamesBytes = std::size_t{4} << 20;

/// One instant on both clocks.
struct SyncPair {
  std::uint64_t ticks = 0;
  std::int64_t monotonic_ns = 0;
};

struct FileHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t ring;  ///< 0 stream, 1 ring.
  std::uint64_t process_id;
  std::int64_t wall_ns;
  SyncPair start;
  double ticks_per_ns;  ///< First estimate; later pairs refine it.
  std::uint64_t clock;  ///< 1 processor counter, 2 system clock.
  // Ring only:
  std::uint64_t chunk_count;
  std::atomic<std::uint64_t> names_used;
  std::atomic<std::uint64_t> lost;
  std::atomic<std::uint64_t> overwritten;
  std::atomic<std::uint64_t> last_ticks;
  std::atomic<std::int64_t> last_monotonic_ns;
  std::atomic<std::uint64_t> stopped;
  std::uint64_t reserved;
};
static_assert(sizeof(FileHeader) == 128);

enum class BlockType : std::uint32_t { names = 1, chunk = 2, sync = 3, end = 4 };

struct BlockHeader {
  BlockType type;
  std::uint32_t bytes;
  std::uint64_t sum;
};

struct ChunkBlock {
  std::uint64_t base_ticks;
  std::uint32_t thread;
  std::uint32_t system_id;
  std::uint32_t name;  ///< Code of the thread's name, 0: none.
  std::uint32_t lane;
};

struct EndBlock {
  SyncPair sync;
  std::uint64_t events;
  std::uint64_t lost;
  std::uint64_t stalls;
  std::int64_t stalled_ns;
};

struct ChunkHeader {
  std::atomic<std::uint64_t> sequence;  ///< Order of opening; 0: never used.
  std::uint64_t base_ticks;
  std::uint32_t thread;
  std::uint32_t system_id;
  std::uint32_t name;
  std::uint32_t lane;
  std::atomic<std::uint32_t> owned;
  std::uint32_t consumed;  ///< Words that the writer has already written to the file.
  std::uint64_t next;      ///< Link of the pool's lists; means nothing in a file.
  std::uint64_t reserved[2];
};
static_assert(sizeof(ChunkHeader) == 64);

inline constexpr std::size_t kChunkWords = (kChunkBytes - sizeof(ChunkHeader)) / 8;

struct Chunk {
  ChunkHeader header;
  std::uint64_t words[kChunkWords];
};
static_assert(sizeof(Chunk) == kChunkBytes);

/// Words an event takes, from its first word.
inline constexpr std::size_t words_of(std::uint64_t word) {
  const std::uint64_t code = word & 0xFFFF;
  return code == 1 || code >= 16 ? 1 : 3;
}

/// Sum over a block's payload: detects torn and flipped bytes, nothing more.
inline std::uint64_t checksum(const void* data, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint64_t sum = 0x9E3779B97F4A7C15u ^ bytes;
  for (; bytes >= 8; bytes -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    sum = (sum ^ word) * 0xBF58476D1CE4E5B9u;
    sum ^= sum >> 29;
  }
  for (; bytes > 0; --bytes, ++p) sum = (sum ^ *p) * 0xBF58476D1CE4E5B9u;
  return sum ^ (sum >> 32);
}

}  // namespace neurolens::probe
