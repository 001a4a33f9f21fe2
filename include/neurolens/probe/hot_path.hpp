/// \file
/// The few instructions that every instrumented scope executes. Users include scope.hpp; this
/// header exists apart because it must be inlined into their code, and so that it can be read in
/// one go.
///
/// Method: each thread owns a chunk of 64-bit words. A scope stores one word when it begins and one
/// when it ends: the low 16 bits say what (a call site, or "end"), the upper 48 bits are the low
/// bits of the time-stamp counter. A word that is still zero ends the chunk, so that a reader in
/// another thread, or in another process after a crash, needs no separate count. No lock, no atomic
/// read-modify-write, no branch that is not predicted; the slow path runs once per 8,000 words.
/// Signals: a handler that interrupts the store of a word writes to a second chunk of the thread.
/// Limits: 65,000 different sites per process; further ones share the site "(other)".
#pragma once

#include <atomic>
#include <cstdint>
#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ctime>
#endif

/// Always inlined: a library with a copy of the probe of its own must not end up calling the copies
/// of these functions that its host program exports, which record into the host's session.
#define NEUROLENS_PROBE_INLINE [[gnu::always_inline]] inline

namespace neurolens::probe {

/// One instrumented place in the source. Made by the macros as a constant-initialised static; the
/// text must live as long as the first event of the site is being recorded (it is copied then).
struct Site {
  const char* name;
  const char* file = "";
  std::uint32_t line = 0;
  const char* category = "";
  mutable std::atomic<std::uint32_t> code{0};  ///< 0 until the first event.
};

namespace hot {

/// What the low 16 bits of a word mean; larger values are call sites that begin a scope.
/// Every kind but `end` is followed by two words: (site | detail << 16) and a 64-bit value.
enum Code : std::uint32_t {
  kEnd = 1,
  kInstant = 2,
  kCounter = 3,
  kValue = 4,
  kFlow = 5,
  kAsyncBegin = 6,
  kAsyncEnd = 7,
  kMark = 8,
  kThreadName = 9,
  kStall = 10,
  kFirstSite = 16,
  kLastSite = 0xFFFF,
};

/// 0: off. 1: record with the processor's counter. 2: record with the system clock.
extern std::atomic<std::uint32_t> mode;

struct ThreadLocal {
  std::uint64_t* cursor;
  std::atomic<std::uint64_t*> limit;  ///< Another thread sets it to nullptr to force the slow path.
  std::atomic<std::uint32_t>
      busy;  ///< 1 while a word is being stored, 2 while in a handler meanwhile.
  void* record;
  std::uint64_t* nested_cursor;
  std::uint64_t* nested_limit;
};
#if defined(__has_attribute) && __has_attribute(tls_model)
__attribute__((tls_model("initial-exec")))
#endif
extern constinit thread_local ThreadLocal local;

/// Slow paths. All are async-signal-safe and allocate nothing from the heap.
std::uint32_t register_site(const Site& site) noexcept;
bool put_slow(std::uint64_t now, std::uint32_t code) noexcept;
bool put_event(Code kind, std::uint32_t site, std::uint64_t detail, std::uint64_t value) noexcept;
std::uint64_t system_ticks() noexcept;

/// The time in ticks of the recording clock.
NEUROLENS_PROBE_INLINE std::uint64_t ticks([[maybe_unused]] std::uint32_t clock) noexcept {
#if defined(__x86_64__)
  if (clock == 1) [[likely]]
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  if (clock == 1) [[likely]] {
    std::uint64_t t;
    asm volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
  }
#endif
  return system_ticks();
}

/// Stores one word; false when the event was lost (and counted).
NEUROLENS_PROBE_INLINE bool put(std::uint32_t code, std::uint32_t clock) noexcept {
  const std::uint64_t now = ticks(clock);
  ThreadLocal& t = local;
  if (t.busy.load(std::memory_order_relaxed) != 0) [[unlikely]]
    return put_slow(now, code);
  t.busy.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);

  std::uint64_t* const q = t.cursor;
  if (q >= t.limit.load(std::memory_order_relaxed)) [[unlikely]] {
    t.busy.store(0, std::memory_order_relaxed);
    return put_slow(now, code);
  }
  std::atomic_ref<std::uint64_t>(*q).store((now << 16) | code, std::memory_order_release);
  t.cursor = q + 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t.busy.store(0, std::memory_order_release);
  return true;
}

/// Begins a scope at `site`; false when nothing was recorded.
NEUROLENS_PROBE_INLINE bool begin(const Site& site, std::uint32_t clock) noexcept {
  std::uint32_t code = site.code.load(std::memory_order_relaxed);
  if (code == 0) [[unlikely]]
    code = register_site(site);
  return put(code, clock);
}

}  // namespace hot
}  // namespace neurolens::probe
