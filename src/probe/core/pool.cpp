// Chunks: where they come from, and where they go when they are full.
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "core/clock.hpp"
#include "core/state.hpp"

namespace neurolens::probe {
namespace {

void* map_private(std::size_t bytes) noexcept {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? nullptr : p;
}

Chunk* link_of(const Chunk* chunk) noexcept {
  return reinterpret_cast<Chunk*>(chunk->header.next);
}

/// Stream: a chunk from the free list, waiting for the writer when there is none.
Chunk* take_free_chunk(std::int64_t& waited_ns) noexcept {
  const std::uint64_t epoch = state.epoch.load(std::memory_order_relaxed);
  while (state.free_list == nullptr) {
    if (state.queued == 0 && !state.writer_at_work) {
      // Every chunk is held by a thread that is still filling it: one more for this thread.
      auto* chunk = static_cast<Chunk*>(map_private(sizeof(Chunk)));
      if (chunk != nullptr) chunk->header.reserved[0] = 1;  // beyond the pool
      return chunk;
    }
    const std::int64_t before = monotonic_ns();
    pthread_cond_signal(&state.work);
    pthread_cond_wait(&state.room, &state.mutex);
    waited_ns += monotonic_ns() - before;
    if (!state.running || state.epoch.load(std::memory_order_relaxed) != epoch) return nullptr;
  }
  Chunk* chunk = state.free_list;
  state.free_list = link_of(chunk);
  return chunk;
}

/// Ring: the next chunk that nobody fills; what it held is overwritten and counted.
Chunk* take_ring_chunk() noexcept {
  for (std::size_t i = 0; i < state.chunk_count; ++i) {
    Chunk* chunk = &state.chunks[state.rotor];
    state.rotor = (state.rotor + 1) % state.chunk_count;
    if (chunk->header.owned.load(std::memory_order_relaxed) != 0) continue;
    if (chunk->header.sequence.load(std::memory_order_relaxed) != 0) {
      FileHeader& file = *state.ring_header();
      file.overwritten.fetch_add(count_events(*chunk), std::memory_order_relaxed);
      chunk->header.sequence.store(0, std::memory_order_release);
      std::memset(chunk->words, 0, sizeof chunk->words);
    }
    const SyncPair now = read_both(state.clock);
    FileHeader& file = *state.ring_header();
    file.last_ticks.store(now.ticks, std::memory_order_relaxed);
    file.last_monotonic_ns.store(now.monotonic_ns, std::memory_order_relaxed);
    return chunk;
  }
  return nullptr;
}

}  // namespace

std::uint64_t count_events(const Chunk& chunk) noexcept {
  std::uint64_t events = 0;
  for (std::size_t i = 0; i < kChunkWords && chunk.words[i] != 0; i += words_of(chunk.words[i])) {
    ++events;
  }
  return events;
}

Chunk* acquire_chunk(ThreadRecord& record, unsigned lane, std::uint64_t now) noexcept {
  std::int64_t waited_ns = 0;
  Chunk* chunk = state.ring ? take_ring_chunk() : take_free_chunk(waited_ns);
  if (chunk == nullptr) return nullptr;
  ChunkHeader& header = chunk->header;
  header.base_ticks = now;
  header.thread = record.index;
  header.system_id = record.system_id;
  header.name = record.name;
  header.lane = lane;
  header.consumed = 0;
  header.owned.store(1, std::memory_order_relaxed);
  header.sequence.store(++state.sequence, std::memory_order_release);
  if (waited_ns > 0) {
    ++state.stalls;
    state.stalled_ns += waited_ns;
    std::atomic_ref<std::uint64_t>(chunk->words[1]).store(0, std::memory_order_relaxed);
    std::atomic_ref<std::uint64_t>(chunk->words[2])
        .store(static_cast<std::uint64_t>(waited_ns), std::memory_order_relaxed);
    std::atomic_ref<std::uint64_t>(chunk->words[0])
        .store(now << 16 | hot::kStall, std::memory_order_release);
  }
  return chunk;
}

void release_chunk(Chunk* chunk) noexcept {
  if (state.ring) {
    chunk->header.owned.store(0, std::memory_order_release);
    return;
  }
  chunk->header.next = 0;
  if (state.queue_tail != nullptr) {
    state.queue_tail->header.next = reinterpret_cast<std::uint64_t>(chunk);
  } else {
    state.queue_head = chunk;
  }
  state.queue_tail = chunk;
  // Waking the writer costs microseconds; it looks by itself every few milliseconds.
  if (++state.queued == 8) pthread_cond_signal(&state.work);
}

int make_pool() noexcept {
  state.chunk_count = static_cast<std::size_t>(state.memory) / kChunkBytes;
  state.rotor = 0;
  state.sequence = 0;
  state.free_list = state.queue_head = state.queue_tail = nullptr;
  state.queued = 0;
  if (state.ring) return 0;  // the mapped file is the pool
  state.mapping_bytes = state.chunk_count * kChunkBytes;
  state.mapping = static_cast<char*>(map_private(state.mapping_bytes));
  if (state.mapping == nullptr) return ENOMEM;
  state.chunks = reinterpret_cast<Chunk*>(state.mapping);
  for (std::size_t i = state.chunk_count; i-- > 0;) {
    state.chunks[i].header.next = reinterpret_cast<std::uint64_t>(state.free_list);
    state.free_list = &state.chunks[i];
  }
  return 0;
}

void destroy_pool() noexcept {
  for (Chunk* chunk = state.free_list; chunk != nullptr;) {
    Chunk* next = link_of(chunk);
    if (chunk->header.reserved[0] != 0) munmap(chunk, sizeof(Chunk));
    chunk = next;
  }
  state.free_list = nullptr;
  if (state.mapping != nullptr) munmap(state.mapping, state.mapping_bytes);
  state.mapping = nullptr;
  state.chunks = nullptr;
}

}  // namespace neurolens::probe
