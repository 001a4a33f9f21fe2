// The writer thread of a stream session. It allocates nothing from the heap: a thread that waits
// for a chunk may hold the heap's lock (an event inside a signal handler inside malloc).
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/clock.hpp"
#include "core/encode.hpp"
#include "core/names.hpp"
#include "core/state.hpp"

namespace neurolens::probe {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kScratchBytes = encoded_bound(kChunkWords) + sizeof(ChunkBlock);
constexpr std::int64_t kPollNs = 4'000'000;

/// Collects blocks and writes them in large pieces.
class Out {
 public:
  Out() noexcept {
    void* p = mmap(nullptr, kBufferBytes + kScratchBytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    buffer_ = p == MAP_FAILED ? nullptr : static_cast<unsigned char*>(p);
  }
  ~Out() {
    if (buffer_ != nullptr) munmap(buffer_, kBufferBytes + kScratchBytes);
  }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  [[nodiscard]] bool ok() const { return buffer_ != nullptr; }

  unsigned char* scratch() { return buffer_ + kBufferBytes; }

  void block(BlockType type, const void* payload, std::size_t bytes) {
    const BlockHeader header{type, static_cast<std::uint32_t>(bytes),
                             checksum(payload, bytes) + static_cast<std::uint32_t>(type)};
    append(&header, sizeof header);
    append(payload, bytes);
  }
  void flush() {
    write(buffer_, used_);
    used_ = 0;
  }

 private:
  void append(const void* data, std::size_t bytes) {
    if (used_ + bytes > kBufferBytes) flush();
    if (bytes > kBufferBytes) {
      write(data, bytes);
      return;
    }
    std::memcpy(buffer_ + used_, data, bytes);
    used_ += bytes;
  }
  /// After the first error nothing is written: the file stays a readable prefix.
  void write(const void* data, std::size_t bytes) {
    if (bytes == 0 || failed_) return;
    const int error = write_all(state.fd, data, bytes);
    if (error == 0) return;
    failed_ = true;
    const StateLock lock;
    state.error = error;
  }
  unsigned char* buffer_ = nullptr;
  std::size_t used_ = 0;
  bool failed_ = false;
};

void write_names(Out& out, std::size_t& written) {
  constexpr std::size_t kPiece = std::size_t{512} << 10;  // entries are cut anywhere, blocks adjoin
  const std::size_t used = names::used();
  while (written < used) {
    const std::size_t bytes = used - written < kPiece ? used - written : kPiece;
    out.block(BlockType::names, names::data() + written, bytes);
    written += bytes;
  }
}

/// Writes the words that are new since the last look. Returns how many events that were.
std::uint64_t write_chunk(Out& out, Chunk& chunk) {
  const ChunkHeader& header = chunk.header;
  const ChunkBlock block{header.base_ticks, header.thread, header.system_id, header.name,
                         header.lane};
  std::memcpy(out.scratch(), &block, sizeof block);
  const Encoded encoded = encode(chunk.words + header.consumed, kChunkWords - header.consumed,
                                 header.base_ticks, out.scratch() + sizeof block);
  chunk.header.consumed += encoded.words;
  if (encoded.events > 0) {
    chunk.header.base_ticks = encoded.last_ticks;
    out.block(BlockType::chunk, out.scratch(), sizeof block + encoded.bytes);
  } else {
    // Words carry 48 bits of time: the base keeps up with a thread that is silent for a day.
    chunk.header.base_ticks = hot::ticks(state.clock);
  }
  return encoded.events;
}

void write_sync(Out& out) {
  const SyncPair now = read_both(state.clock);
  out.block(BlockType::sync, &now, sizeof now);
}

void wait_for_work() {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += kPollNs;
  if (until.tv_nsec >= 1'000'000'000) {
    until.tv_nsec -= 1'000'000'000;
    ++until.tv_sec;
  }
  pthread_cond_timedwait(&state.work, &state.mutex, &until);
}

constexpr std::size_t kMostLive = 4096;

/// The chunks that threads are filling right now, up to kMostLive.
std::size_t live_chunks(Chunk** live) {
  std::size_t count = 0;
  for (const ThreadRecord* r = state.records; r != nullptr; r = r->next) {
    for (Chunk* chunk : r->chunk) {
      if (chunk != nullptr && count < kMostLive) live[count++] = chunk;
    }
  }
  return count;
}

void give_back(Chunk* chunk) {
  const std::size_t used = chunk->header.consumed;
  std::memset(chunk->words, 0, used * sizeof(std::uint64_t));
  pthread_mutex_lock(&state.mutex);
  chunk->header.next = reinterpret_cast<std::uint64_t>(state.free_list);
  state.free_list = chunk;
  pthread_cond_signal(&state.room);
  pthread_mutex_unlock(&state.mutex);
}

}  // namespace

int write_all(int fd, const void* data, std::size_t bytes) noexcept {
  const auto* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd, p, bytes);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    p += n;
    bytes -= static_cast<std::size_t>(n);
    state.written_bytes += static_cast<std::uint64_t>(n);
  }
  return 0;
}

void* writer_main(void*) noexcept {
  static Chunk* live[kMostLive];
  Out out;
  if (!out.ok()) return nullptr;
  std::size_t names_written = 0;
  std::uint64_t events = 0;
  std::int64_t next_flush = monotonic_ns() + state.flush_ns;
  for (bool last = false; !last;) {
    pthread_mutex_lock(&state.mutex);
    if (!state.finishing && state.queued < 8) wait_for_work();
    last = state.finishing;
    Chunk* chunk = state.queue_head;
    state.queue_head = state.queue_tail = nullptr;
    state.queued = 0;
    state.writer_at_work = chunk != nullptr;
    const bool flush = !last && monotonic_ns() >= next_flush;
    const std::size_t live_count = flush ? live_chunks(live) : 0;
    pthread_mutex_unlock(&state.mutex);

    while (chunk != nullptr) {
      auto* next = reinterpret_cast<Chunk*>(chunk->header.next);
      write_names(out, names_written);
      events += write_chunk(out, *chunk);
      give_back(chunk);
      chunk = next;
    }
    if (flush) {
      for (std::size_t i = 0; i < live_count; ++i) {
        const std::uint64_t added = write_chunk(out, *live[i]);
        events += added;
      }
      write_names(out, names_written);
      write_sync(out);
      out.flush();
      next_flush = monotonic_ns() + state.flush_ns;
    }
    pthread_mutex_lock(&state.mutex);
    state.writer_at_work = false;
    pthread_cond_broadcast(&state.room);
    pthread_mutex_unlock(&state.mutex);
  }
  write_names(out, names_written);
  EndBlock end{read_both(state.clock), events, state.lost.load(std::memory_order_relaxed),
               state.stalls, state.stalled_ns};
  out.block(BlockType::end, &end, sizeof end);
  out.flush();
  pthread_mutex_lock(&state.mutex);
  state.events = events;
  pthread_mutex_unlock(&state.mutex);
  return nullptr;
}

}  // namespace neurolens::probe
