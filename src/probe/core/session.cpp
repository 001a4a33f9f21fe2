#include "neurolens/probe/session.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/clock.hpp"
#include "core/names.hpp"
#include "core/signals.hpp"
#include "core/state.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::probe {
namespace {

constexpr std::int64_t kLeastMemory = std::int64_t{256} << 10;
constexpr std::int64_t kMostMemory = std::int64_t{64} << 30;

Error failure(int error, const std::string& path) {
  const std::string reason = std::strerror(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return {Errc::no_space, "The disk is full; free some space or choose another place.", path};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Errc::permission_denied, "You may not write this file; choose another place.", path};
    case ENOENT:
      return {Errc::not_found, "The folder of this file does not exist; make it first.", path};
    case ENOMEM:
      return {Errc::out_of_memory, "There is not enough memory for the buffers; ask for less.",
              path};
    default:
      return {Errc::io_error, "Cannot record into this file: " + reason + ".", path};
  }
}

/// A library that carries the probe must not be unmapped while its threads run.
void pin_this_module() {
  static bool pinned = false;
  if (pinned) return;
  pinned = true;
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&pin_this_module), &info) != 0 &&
      info.dli_fname != nullptr) {
    static_cast<void>(dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
  }
}

void fill_header(FileHeader& header) noexcept {
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kFormatVersion;
  header.ring = state.ring ? 1 : 0;
  header.process_id = static_cast<std::uint64_t>(getpid());
  header.wall_ns = wall_ns();
  header.ticks_per_ns = ticks_per_ns(state.clock);
  header.start = state.start = read_both(state.clock);
  header.clock = state.clock;
}

int open_ring() noexcept {
  state.mapping_bytes = kRingHeaderBytes + kRingNamesBytes + state.chunk_count * kChunkBytes;
  // Reserve the blocks: a full disk would otherwise end the program by SIGBUS later.
  if (const int error = posix_fallocate(state.fd, 0, static_cast<off_t>(state.mapping_bytes));
      error != 0) {
    return error;
  }
  void* p = mmap(nullptr, state.mapping_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, state.fd, 0);
  if (p == MAP_FAILED) return errno;
  madvise(p, state.mapping_bytes, MADV_DONTFORK);
  state.mapping = static_cast<char*>(p);
  state.chunks = reinterpret_cast<Chunk*>(state.mapping + kRingHeaderBytes + kRingNamesBytes);
  FileHeader& file = *state.ring_header();
  fill_header(file);
  file.last_ticks.store(file.start.ticks, std::memory_order_relaxed);
  file.last_monotonic_ns.store(file.start.monotonic_ns, std::memory_order_relaxed);
  names::mirror(state.mapping + kRingHeaderBytes, kRingNamesBytes, &file.names_used);
  file.chunk_count = state.chunk_count;
  return 0;
}

int open_stream() noexcept {
  FileHeader header{};
  fill_header(header);
  if (const int error = write_all(state.fd, &header, sizeof header); error != 0) return error;
  const SignalBlock block;  // the writer inherits the mask: handlers run elsewhere
  return pthread_create(&state.writer, nullptr, &writer_main, nullptr);
}

/// After this no thread is inside a store that began before the session was marked as ended.
void wait_for_stores() noexcept {
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
    usleep(20'000);  // every thread has passed a barrier by then, if only by being scheduled
  }
  for (;;) {
    bool busy = false;
    {
      const StateLock lock;
      for (const ThreadRecord* r = state.records; r != nullptr; r = r->next) {
        busy = busy || r->local->busy.load(std::memory_order_acquire) != 0;
      }
    }
    if (!busy) return;
    sched_yield();
  }
}

void detach_threads() noexcept {
  for (ThreadRecord* r = state.records; r != nullptr; r = r->next) {
    for (Chunk*& chunk : r->chunk) {
      if (chunk != nullptr) release_chunk(chunk);
      chunk = nullptr;
    }
  }
  state.records = nullptr;
}

void finish_stream() noexcept {
  {
    const StateLock lock;
    state.finishing = true;
    pthread_cond_signal(&state.work);
  }
  pthread_join(state.writer, nullptr);
}

void finish_ring() noexcept {
  FileHeader& file = *state.ring_header();
  for (std::size_t i = 0; i < state.chunk_count; ++i) {
    if (state.chunks[i].header.sequence.load(std::memory_order_relaxed) != 0) {
      state.events += count_events(state.chunks[i]);
    }
  }
  state.overwritten = file.overwritten.load(std::memory_order_relaxed);
  const SyncPair now = read_both(state.clock);
  file.last_ticks.store(now.ticks, std::memory_order_relaxed);
  file.last_monotonic_ns.store(now.monotonic_ns, std::memory_order_relaxed);
  file.stopped.store(1, std::memory_order_release);
  names::mirror(nullptr, 0, nullptr);
  state.written_bytes = state.mapping_bytes;
}

Status check(const SessionOptions& options) {
  if (options.path.empty() || options.path.size() >= sizeof state.path) {
    return Error{Errc::bad_request, "A session needs the path of a file to record into.", ""};
  }
  if (options.memory.count < kLeastMemory || options.memory.count > kMostMemory) {
    return Error{Errc::out_of_range, "The memory of a session lies between 256 KiB and 64 GiB.",
                 ""};
  }
  if (options.flush_every.count < 1'000'000 || options.flush_every.count > 3'600'000'000'000) {
    return Error{Errc::out_of_range, "The flush interval lies between 1 ms and 1 h.", ""};
  }
  if (options.clock == RecordClock::processor_counter && !counter_is_constant()) {
    return Error{
        Errc::unavailable,
        "The processor's counter does not run at a constant rate here; use the system clock.", ""};
  }
  return {};
}

sigset_t mask_before_fork;  // under both locks

void before_fork() {
  // Handlers that record between here and the child's first step would find the locks taken.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_mutex_lock(&state.mutex);
  names::lock_for_fork();
  mask_before_fork = before;
}
void after_fork_parent() {
  const sigset_t before = mask_before_fork;
  names::unlock_after_fork();
  pthread_mutex_unlock(&state.mutex);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
void reset_child();
void append_pid() noexcept;
void after_fork_child() {
  const sigset_t before = mask_before_fork;
  reset_child();
  names::unlock_after_fork();
  pthread_mutex_unlock(&state.mutex);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}
void reset_child() {
  state.work = PTHREAD_COND_INITIALIZER;
  state.room = PTHREAD_COND_INITIALIZER;
  hot::ThreadLocal& t = hot::local;
  t.cursor = t.nested_cursor = t.nested_limit = nullptr;
  t.limit.store(nullptr, std::memory_order_relaxed);
  t.busy.store(0, std::memory_order_relaxed);
  if (!state.running && !state.child_pending) return;
  state.epoch.fetch_add(1, std::memory_order_relaxed);
  state.records = nullptr;
  if (state.running) {
    close(state.fd);
    // The ring's mapping stayed with the parent (MADV_DONTFORK); buffers hold the parent's events.
    if (!state.ring && state.mapping != nullptr) munmap(state.mapping, state.mapping_bytes);
  }
  state.mapping = nullptr;
  state.chunks = nullptr;
  state.free_list = nullptr;
  names::drop_mirror();
  state.running = false;
  state.child_pending = state.follow_fork;
  if (!state.follow_fork) {
    hot::mode.store(0, std::memory_order_relaxed);
    return;
  }
  append_pid();
}

void install_fork_handlers() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  pthread_atfork(&before_fork, &after_fork_parent, &after_fork_child);
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void append_pid() noexcept {
  const std::size_t length = strlen(state.path);
  if (length + 24 >= sizeof state.path) return;
  char* p = state.path + length;
  *p++ = '.';
  *std::to_chars(p, p + 20, getpid()).ptr = '\0';
}

/// Opens and empties the file. One that another process records into right now is left alone: this
/// one, then, writes to PATH.PID. (A program and the programs that it starts share an environment.)
int open_file() noexcept {
  for (int attempt = 0; attempt < 2; ++attempt) {
    state.fd = open(state.path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (state.fd < 0) return errno;
    if (flock(state.fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) break;
    close(state.fd);
    append_pid();
    state.fd = -1;
  }
  if (state.fd < 0) return EBUSY;
  return ftruncate(state.fd, 0) == 0 ? 0 : errno;
}

}  // namespace

int open_session() noexcept {
  if (const int error = open_file(); error != 0) return error;
  state.error = 0;
  state.finishing = state.writer_at_work = false;
  state.next_thread = 0;
  state.lost.store(0, std::memory_order_relaxed);
  state.overwritten = state.events = state.stalls = state.written_bytes = 0;
  state.stalled_ns = 0;
  int error = make_pool();
  if (error == 0) {
    error = state.ring ? open_ring() : open_stream();
  }
  if (error != 0) {
    destroy_pool();
    close(state.fd);
    state.fd = -1;
    return error;
  }
  state.running = true;
  return 0;
}

Status start(const SessionOptions& options) {
  NEUROLENS_TRY(check(options));
  pin_this_module();
  const SignalBlock block;
  const StateLock lock;
  if (state.running || state.child_pending) {
    return Error{Errc::bad_request, "A session is running already; stop it first.", ""};
  }
  install_fork_handlers();
  const bool counter = options.clock != RecordClock::system && counter_is_constant();
  state.clock = counter ? 1 : 2;
  state.ring = options.keep == Keep::newest;
  state.follow_fork = options.follow_fork;
  state.flush_ns = options.flush_every.count;
  state.memory = options.memory.count;
  std::memcpy(state.path, options.path.c_str(), options.path.size() + 1);
  if (const int error = open_session(); error != 0) return failure(error, options.path);
  hot::mode.store(state.clock, std::memory_order_release);
  return {};
}

Result<SessionReport> stop() {
  const SignalBlock block;
  std::string path;
  {
    const StateLock lock;
    if (state.child_pending) {  // a forked child that recorded nothing
      state.child_pending = false;
      hot::mode.store(0, std::memory_order_relaxed);
      return SessionReport{};
    }
    if (!state.running || hot::mode.load(std::memory_order_relaxed) == 0) {
      return Error{Errc::bad_request, "No session is running.", ""};
    }
    path = state.path;
    hot::mode.store(0, std::memory_order_relaxed);
    for (ThreadRecord* r = state.records; r != nullptr; r = r->next) {
      r->local->limit.store(nullptr, std::memory_order_relaxed);
    }
    state.epoch.fetch_add(1, std::memory_order_release);
    pthread_cond_broadcast(&state.room);
  }
  wait_for_stores();
  {
    const StateLock lock;
    detach_threads();
  }
  if (state.ring) {
    finish_ring();
  } else {
    finish_stream();
  }
  const StateLock lock;
  SessionReport report;
  report.events = state.events;
  report.lost = state.lost.load(std::memory_order_relaxed);
  report.overwritten = state.overwritten;
  report.stalls = state.stalls;
  report.stalled = Nanoseconds{state.stalled_ns};
  report.written = Bytes{static_cast<std::int64_t>(state.written_bytes)};
  const int error = state.error;
  destroy_pool();
  close(state.fd);
  state.fd = -1;
  state.running = false;
  if (error != 0) return failure(error, path);
  return report;
}

namespace {

Result<std::int64_t> parse_bytes(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (error != std::errc{} || shift < 0 || number <= 0 || number > (kMostMemory >> shift)) {
    return Error{Errc::bad_request,
                 "The memory must be a number with K, M or G, such as 64M, and at most 64G.",
                 std::string(text)};
  }
  return number << shift;
}

}  // namespace

Result<SessionOptions> parse_session(std::string_view text) {
  SessionOptions options;
  const auto parts = split(text, ',');
  options.path = std::string(parts[0]);
  if (const auto at = options.path.find("%p"); at != std::string::npos) {
    options.path.replace(at, 2, std::to_string(getpid()));
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    if (part == "mode=ring") {
      options.keep = Keep::newest;
    } else if (part == "mode=stream") {
      options.keep = Keep::everything;
    } else if (part == "clock=system") {
      options.clock = RecordClock::system;
    } else if (part == "clock=counter") {
      options.clock = RecordClock::processor_counter;
    } else if (part == "fork=ignore") {
      options.follow_fork = false;
    } else if (part == "fork=follow") {
      options.follow_fork = true;
    } else if (part.starts_with("memory=")) {
      NEUROLENS_ASSIGN(options.memory.count, parse_bytes(part.substr(7)));
    } else {
      return Error{Errc::bad_request,
                   "Known options are mode=ring|stream, memory=64M, clock=counter|system and "
                   "fork=follow|ignore.",
                   std::string(part)};
    }
  }
  NEUROLENS_TRY(check(options));
  return options;
}

namespace {

__attribute__((constructor)) void start_from_environment() {
  const char* request = std::getenv("NEUROLENS_PROBE");
  if (request == nullptr || *request == '\0') return;
  // A request that cannot be met leaves no file; a library does not print.
  if (auto options = parse_session(request); options.ok()) static_cast<void>(start(*options));
}

__attribute__((destructor)) void stop_at_exit() {
  static_cast<void>(stop());
}

}  // namespace
}  // namespace neurolens::probe
