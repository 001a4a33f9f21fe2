/// \file
/// Who is awake, who looks for work, who sleeps; and how sleepers are woken without waking too
/// many.
///
/// One word counts searchers (awake, without work) and sleepers. A thread that publishes work looks
/// at the word: with a searcher about, the work will be found; with none and somebody asleep, one
/// sleeper is turned into a searcher by handing it a token. A thread about to sleep first counts
/// itself as a sleeper, then issues a barrier on all CPUs of the process, then looks for work once
/// more: so either it sees the work, or the publisher sees the sleeper. The barrier (membarrier)
/// sits on the side that is about to waste time anyway; publishing costs one relaxed load. Where
/// the kernel lacks it, publishers read the word with a sequentially consistent operation instead.
///
/// Tokens are anybody's: a thread that goes to sleep may take one that was meant for another
/// sleeper. That is right for work, which anybody may do, and wrong for news that one thread must
/// hear ("the run is over"). News therefore changes an epoch, kept in the same futex word as the
/// tokens.
#pragma once

#include <atomic>
#include <cstdint>

namespace neurolens::exec::detail {

/// Instant that never comes.
inline constexpr std::int64_t kNever = INT64_MAX;

/// Kernel services behind Idle; a test substitutes its own.
struct KernelParking {
  /// True when all_cpus_barrier works in this process.
  static bool has_barrier() noexcept;
  static void all_cpus_barrier() noexcept;
  /// Sleeps while `word` is `expected`, at most until the monotonic instant `until_ns` (kNever: no
  /// limit). `groups`: which wake calls concern this thread, bit by bit.
  static void sleep(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t until_ns,
                    std::uint32_t groups) noexcept;
  static void wake(std::atomic<std::uint32_t>& word, int threads, std::uint32_t groups) noexcept;
  static bool past(std::int64_t until_ns) noexcept;
  static void yield() noexcept;
};

template <template <class> class Atomic = std::atomic, class Kernel = KernelParking>
class Idle {
 public:
  static constexpr std::uint32_t kEverybody = 1;  ///< Group of all sleepers.
  static constexpr std::uint32_t kCaller = 2;     ///< Group of the thread that called run().

  Idle() : barrier_(Kernel::has_barrier()) {}

  /// After work was published: wakes a sleeper unless somebody is looking already.
  void published() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const std::uint32_t word = barrier_ ? word_.load(std::memory_order_relaxed)
                                        : word_.fetch_add(0, std::memory_order_seq_cst);
    if (word >= kSleeper && (word & kSearchers) == 0) wake_one();
  }

  void start_searching() { word_.fetch_add(1, std::memory_order_seq_cst); }
  /// True when the caller was the last searcher: having found work, it should call published().
  bool stop_searching() {
    return (word_.fetch_sub(1, std::memory_order_seq_cst) & kSearchers) == 1;
  }

  /// Step 1 of going to sleep. Look for work and news afterwards, then call withdraw() or sleep().
  /// Returns the ticket for sleep().
  std::uint32_t announce() {
    const std::uint32_t epoch = tokens_.load(std::memory_order_seq_cst) & ~kTokens;
    word_.fetch_add(kSleeper, std::memory_order_seq_cst);
    if (barrier_) Kernel::all_cpus_barrier();
    return epoch;
  }
  /// Not sleeping after all. True when a waker had picked the caller: it then counts as a searcher.
  bool withdraw() {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    while (word >= kSleeper) {
      if (word_.compare_exchange_weak(word, word - kSleeper, std::memory_order_seq_cst))
        return false;
    }
    std::uint32_t tokens = tokens_.load(std::memory_order_seq_cst);
    while (!take_token(tokens)) {
      Kernel::yield();  // the waker is between its two steps
      tokens = tokens_.load(std::memory_order_seq_cst);
    }
    return true;
  }
  /// Sleeps until woken, until there is news since `ticket`, or until `until_ns`. True when woken
  /// for work: the caller then counts as a searcher.
  bool sleep(std::uint32_t ticket, std::int64_t until_ns, std::uint32_t groups = kEverybody) {
    for (;;) {
      std::uint32_t tokens = tokens_.load(std::memory_order_seq_cst);
      if (take_token(tokens)) return true;
      if ((tokens & ~kTokens) != ticket) return withdraw();
      if (until_ns != kNever && Kernel::past(until_ns)) return withdraw();
      Kernel::sleep(tokens_, tokens, until_ns, groups);
    }
  }

  /// Turns one sleeper into a searcher, if there is one.
  void wake_one() {
    std::uint32_t word = word_.load(std::memory_order_seq_cst);
    while (word >= kSleeper) {
      if (word_.compare_exchange_weak(word, word - kSleeper + 1, std::memory_order_seq_cst)) {
        tokens_.fetch_add(1, std::memory_order_seq_cst);
        Kernel::wake(tokens_, 1, kEverybody);
        return;
      }
    }
  }
  /// There is news for the sleepers of `groups`: all of them wake.
  void tell(std::uint32_t groups) {
    tokens_.fetch_add(kEpoch, std::memory_order_seq_cst);
    Kernel::wake(tokens_, kAllThreads, groups);
  }

 private:
  static constexpr std::uint32_t kSleeper = 0x1'0000;  // word_: sleepers in the high half,
  static constexpr std::uint32_t kSearchers = 0xFFFF;  //        searchers in the low half
  static constexpr std::uint32_t kEpoch = 0x1'0000;    // tokens_: epoch in the high half,
  static constexpr std::uint32_t kTokens = 0xFFFF;     //          tokens in the low half
  static constexpr int kAllThreads = 0x7FFF'FFFF;

  bool take_token(std::uint32_t& tokens) {
    while ((tokens & kTokens) > 0) {
      if (tokens_.compare_exchange_weak(tokens, tokens - 1, std::memory_order_seq_cst)) return true;
    }
    return false;
  }

  alignas(64) Atomic<std::uint32_t> word_{0};
  alignas(64) Atomic<std::uint32_t> tokens_{0};
  bool barrier_;
};

}  // namespace neurolens::exec::detail
