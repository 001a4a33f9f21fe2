/// \file
/// What the hot path's slow half, the session and the writer share. Constant-initialised and never
/// destroyed: threads may still record while the process exits.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/format.hpp"
#include "neurolens/probe/hot_path.hpp"
#include "neurolens/probe/session.hpp"

namespace neurolens::probe {

/// A thread that has recorded. Owned by the thread; linked while it takes part in the session.
struct ThreadRecord {
  hot::ThreadLocal* local;
  Chunk* chunk[2];  ///< By lane.
  std::uint32_t index;
  std::uint32_t system_id;
  std::uint32_t name;
  std::uint64_t epoch;
  ThreadRecord* next;
};

struct State {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t work = PTHREAD_COND_INITIALIZER;  ///< The writer has something to do.
  pthread_cond_t room = PTHREAD_COND_INITIALIZER;  ///< A chunk became free.

  // Under the mutex.
  bool running = false;
  bool finishing = false;      ///< The writer is to write what is queued and end.
  bool child_pending = false;  ///< In a forked child that has not recorded yet.
  bool ring = false;
  std::uint32_t clock = 1;
  bool follow_fork = true;
  std::int64_t flush_ns = 0;
  std::int64_t memory = 0;
  char path[4096] = {};
  int fd = -1;
  int error = 0;  ///< errno of the first failed write.
  char* mapping = nullptr;
  std::size_t mapping_bytes = 0;
  Chunk* chunks = nullptr;
  std::size_t chunk_count = 0;
  std::size_t rotor = 0;  ///< Ring: the chunk to look at next.
  std::uint64_t sequence = 0;
  Chunk* free_list = nullptr;
  Chunk* queue_head = nullptr;
  Chunk* queue_tail = nullptr;
  std::size_t queued = 0;
  bool writer_at_work = false;
  ThreadRecord* records = nullptr;
  ThreadRecord* spare_records = nullptr;
  std::uint32_t next_thread = 0;
  pthread_t writer{};
  SyncPair start;

  std::atomic<std::uint64_t> epoch{1};
  std::atomic<std::uint64_t> lost{0};
  std::uint64_t overwritten = 0;
  std::uint64_t events = 0;
  std::uint64_t stalls = 0;
  std::int64_t stalled_ns = 0;
  std::uint64_t written_bytes = 0;

  [[nodiscard]] FileHeader* ring_header() const { return reinterpret_cast<FileHeader*>(mapping); }
};
extern State state;

class StateLock {
 public:
  StateLock() noexcept { pthread_mutex_lock(&state.mutex); }
  ~StateLock() { pthread_mutex_unlock(&state.mutex); }
  StateLock(const StateLock&) = delete;
  StateLock& operator=(const StateLock&) = delete;
};

// pool.cpp; all under the mutex.
/// A fresh chunk for lane `lane` of `record`, nullptr when there is none or the session ended.
Chunk* acquire_chunk(ThreadRecord& record, unsigned lane, std::uint64_t now) noexcept;
/// Hands a chunk over: to the writer, or to the ring for re-use.
void release_chunk(Chunk* chunk) noexcept;
/// Makes the pool. 0 or an errno.
int make_pool() noexcept;
void destroy_pool() noexcept;
/// Events in the first `limit` words of a chunk.
[[nodiscard]] std::uint64_t count_events(const Chunk& chunk) noexcept;

// writer.cpp
/// Thread function of the writer (stream mode).
void* writer_main(void*) noexcept;
/// Writes all of it. 0 or an errno.
int write_all(int fd, const void* data, std::size_t bytes) noexcept;

// session.cpp; under the mutex. Opens the file, makes the pool, starts the writer. 0 or an errno.
int open_session() noexcept;

}  // namespace neurolens::probe
