// The slow half of recording: a thread's first event, a full chunk, an event inside a handler that
// interrupted another one, the end of a thread.
#include "neurolens/probe/hot_path.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "core/names.hpp"
#include "core/signals.hpp"
#include "core/state.hpp"
#include "neurolens/probe/scope.hpp"

namespace neurolens::probe {

constinit State state;

namespace hot {
constinit std::atomic<std::uint32_t> mode{0};
constinit thread_local ThreadLocal local{};
}  // namespace hot

namespace {

pthread_key_t exit_key;
pthread_once_t exit_key_once = PTHREAD_ONCE_INIT;

constexpr std::size_t kRecordsPerSlab = 64;

ThreadRecord* new_record() noexcept {
  if (state.spare_records == nullptr) {
    void* slab = mmap(nullptr, kRecordsPerSlab * sizeof(ThreadRecord), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) return nullptr;
    auto* records = static_cast<ThreadRecord*>(slab);
    for (std::size_t i = 0; i < kRecordsPerSlab; ++i) {
      records[i].next = state.spare_records;
      state.spare_records = &records[i];
    }
  }
  ThreadRecord* record = state.spare_records;
  state.spare_records = record->next;
  *record = {};
  return record;
}

bool unlink_record(ThreadRecord* record) noexcept {
  for (ThreadRecord** at = &state.records; *at != nullptr; at = &(*at)->next) {
    if (*at == record) {
      *at = record->next;
      return true;
    }
  }
  return false;
}

/// Runs when a thread ends, after its thread_local destructors.
void on_thread_exit(void* p) noexcept {
  auto* record = static_cast<ThreadRecord*>(p);
  const SignalBlock block;
  hot::ThreadLocal& t = hot::local;
  t.cursor = nullptr;
  t.nested_cursor = t.nested_limit = nullptr;
  t.record = nullptr;
  const StateLock lock;
  t.limit.store(nullptr, std::memory_order_relaxed);
  if (unlink_record(record)) {  // else the session that it belonged to is over
    for (Chunk*& chunk : record->chunk) {
      if (chunk != nullptr) release_chunk(chunk);
      chunk = nullptr;
    }
  }
  record->next = state.spare_records;
  state.spare_records = record;
}

void make_exit_key() {
  pthread_key_create(&exit_key, &on_thread_exit);
}

std::uint32_t own_name_code() noexcept {
  char name[17] = {};
  if (prctl(PR_GET_NAME, name, 0, 0, 0) != 0 || name[0] == '\0') return 0;
  return names::intern(name, "", 0, "thread");
}

/// Makes the calling thread part of the running session. Under the mutex.
ThreadRecord* attach(std::uint32_t name) noexcept {
  hot::ThreadLocal& t = hot::local;
  auto* record = static_cast<ThreadRecord*>(t.record);
  const std::uint64_t epoch = state.epoch.load(std::memory_order_relaxed);
  if (record != nullptr && record->epoch == epoch) return record;
  if (record == nullptr) {
    record = new_record();
    if (record == nullptr) return nullptr;
    pthread_once(&exit_key_once, &make_exit_key);
    if (pthread_setspecific(exit_key, record) != 0) return nullptr;
    t.record = record;
  }
  record->local = &t;
  record->chunk[0] = record->chunk[1] = nullptr;
  record->index = state.next_thread++;
  record->system_id = static_cast<std::uint32_t>(syscall(SYS_gettid));
  record->name = name;
  record->epoch = epoch;
  record->next = state.records;
  state.records = record;
  t.cursor = t.nested_cursor = t.nested_limit = nullptr;
  t.limit.store(nullptr, std::memory_order_relaxed);
  return record;
}

/// Room for `words` words in `lane`, or nullptr.
std::uint64_t* make_room(unsigned lane, std::size_t words, std::uint64_t now) noexcept {
  hot::ThreadLocal& t = hot::local;
  auto* known = static_cast<ThreadRecord*>(t.record);
  const bool stale =
      known == nullptr || known->epoch != state.epoch.load(std::memory_order_acquire);
  std::uint64_t* cursor = lane == 0 ? t.cursor : t.nested_cursor;
  std::uint64_t* limit = lane == 0 ? t.limit.load(std::memory_order_relaxed) : t.nested_limit;
  if (!stale && cursor != nullptr && limit != nullptr &&
      limit - cursor >= static_cast<std::ptrdiff_t>(words)) {
    return cursor;
  }
  const std::uint32_t name = stale ? own_name_code() : 0;
  const StateLock lock;
  if (hot::mode.load(std::memory_order_relaxed) == 0)
    return nullptr;  // stop() holds the lock to say so
  if (!state.running) {
    if (!state.child_pending) return nullptr;
    state.child_pending = false;
    if (open_session() != 0) {
      hot::mode.store(0, std::memory_order_relaxed);
      return nullptr;
    }
  }
  ThreadRecord* record = attach(stale ? name : known->name);
  if (record == nullptr) return nullptr;
  if (record->chunk[lane] != nullptr) {
    release_chunk(record->chunk[lane]);
    record->chunk[lane] = nullptr;
  }
  Chunk* chunk = acquire_chunk(*record, lane, now);
  if (chunk == nullptr) {
    (lane == 0 ? t.cursor : t.nested_cursor) = nullptr;
    if (lane == 0) t.limit.store(nullptr, std::memory_order_relaxed);
    return nullptr;
  }
  record->chunk[lane] = chunk;
  std::uint64_t* begin = chunk->words[0] != 0 ? chunk->words + 3 : chunk->words;
  if (lane == 0) {
    t.limit.store(chunk->words + kChunkWords, std::memory_order_relaxed);
  } else {
    t.nested_limit = chunk->words + kChunkWords;
  }
  return begin;
}

void count_lost() noexcept {
  if (hot::mode.load(std::memory_order_relaxed) == 0) return;  // the session ended meanwhile
  state.lost.fetch_add(1, std::memory_order_relaxed);
  const StateLock lock;
  if (state.running && state.ring) {
    state.ring_header()->lost.fetch_add(1, std::memory_order_relaxed);
  }
}

void publish(std::uint64_t* at, std::uint64_t first, const std::uint64_t* rest,
             std::size_t words) noexcept {
  for (std::size_t i = 1; i < words; ++i) {
    std::atomic_ref<std::uint64_t>(at[i]).store(rest[i - 1], std::memory_order_relaxed);
  }
  std::atomic_ref<std::uint64_t>(*at).store(first, std::memory_order_release);
}

bool store_slow(std::uint64_t first, const std::uint64_t* rest, std::size_t words,
                std::uint64_t now) noexcept {
  const SignalBlock block;
  hot::ThreadLocal& t = hot::local;
  const std::uint32_t level = t.busy.load(std::memory_order_relaxed);
  if (level >= 2) {
    count_lost();
    return false;
  }
  t.busy.store(level + 1, std::memory_order_relaxed);
  std::uint64_t* at = make_room(level, words, now);
  if (at != nullptr) {
    publish(at, first, rest, words);
    (level == 0 ? t.cursor : t.nested_cursor) = at + words;
  } else {
    count_lost();
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t.busy.store(level, std::memory_order_release);
  return at != nullptr;
}

std::uint32_t code_of(const Site& site) noexcept {
  const std::uint32_t code = site.code.load(std::memory_order_relaxed);
  return code != 0 ? code : hot::register_site(site);
}

}  // namespace

namespace hot {

bool put_slow(std::uint64_t now, std::uint32_t code) noexcept {
  return store_slow(now << 16 | code, nullptr, 1, now);
}

bool put_event(Code kind, std::uint32_t site, std::uint64_t detail, std::uint64_t value) noexcept {
  const std::uint32_t clock = mode.load(std::memory_order_relaxed);
  if (clock == 0) return false;
  const std::uint64_t now = ticks(clock);
  const std::uint64_t first = now << 16 | kind;
  const std::uint64_t rest[2] = {site | detail << 16, value};
  ThreadLocal& t = local;
  if (t.busy.load(std::memory_order_relaxed) == 0) {
    t.busy.store(1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::uint64_t* const at = t.cursor;
    const bool fits = reinterpret_cast<std::uintptr_t>(at) + sizeof(std::uint64_t) * 3 <=
                      reinterpret_cast<std::uintptr_t>(t.limit.load(std::memory_order_relaxed));
    if (fits) {
      publish(at, first, rest, 3);
      t.cursor = at + 3;
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
    t.busy.store(0, std::memory_order_release);
    if (fits) return true;
  }
  return store_slow(first, rest, 3, now);
}

}  // namespace hot

void instant(const Site& site, std::int64_t value) noexcept {
  if (recording())
    hot::put_event(hot::kInstant, code_of(site), 0, static_cast<std::uint64_t>(value));
}

void counter(const Site& site, std::int64_t value) noexcept {
  if (recording())
    hot::put_event(hot::kCounter, code_of(site), 0, static_cast<std::uint64_t>(value));
}

void counter(const Site& site, double value) noexcept {
  if (recording())
    hot::put_event(hot::kCounter, code_of(site), 1, std::bit_cast<std::uint64_t>(value));
}

void mark(const Site& site, std::int64_t index) noexcept {
  if (recording()) hot::put_event(hot::kMark, code_of(site), 0, static_cast<std::uint64_t>(index));
}

void flow(const Site& site, FlowPhase phase, std::uint64_t id) noexcept {
  if (recording()) hot::put_event(hot::kFlow, code_of(site), static_cast<std::uint64_t>(phase), id);
}

void set_thread_name(const char* name) noexcept {
  char kernel_name[16] = {};
  std::strncpy(kernel_name, name, sizeof kernel_name - 1);
  prctl(PR_SET_NAME, kernel_name, 0, 0, 0);
  if (!recording()) return;
  const std::uint32_t code = names::intern(name, "", 0, "thread");
  hot::put_event(hot::kThreadName, code, 0, 0);
  if (auto* record = static_cast<ThreadRecord*>(hot::local.record); record != nullptr) {
    const SignalBlock block;
    const StateLock lock;
    record->name = code;
  }
}

std::uint64_t unique_id() noexcept {
  static constinit std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

AsyncSpan::AsyncSpan(const Site& site) noexcept {
  if (!recording()) return;
  id_ = unique_id();
  const std::uint32_t code = code_of(site);
  if (hot::put_event(hot::kAsyncBegin, code, 0, id_)) code_ = code;
}

void AsyncSpan::end() noexcept {
  if (code_ == 0) return;
  hot::put_event(hot::kAsyncEnd, code_, 0, id_);
  code_ = 0;
}

}  // namespace neurolens::probe
