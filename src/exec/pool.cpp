#include "pool.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <system_error>

#include "run_core.hpp"

namespace neurolens::exec {
namespace detail {

bool KernelParking::has_barrier() noexcept {
  static const bool available =
      syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return available;
}

void KernelParking::all_cpus_barrier() noexcept {
  syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void KernelParking::sleep(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                          std::int64_t until_ns, std::uint32_t groups) noexcept {
  timespec until{};
  until.tv_sec = until_ns / 1'000'000'000;
  until.tv_nsec = until_ns % 1'000'000'000;
  // FUTEX_WAIT_BITSET takes an absolute monotonic instant.
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected,
          until_ns == kNever ? nullptr : &until, nullptr, groups);
}

void KernelParking::wake(std::atomic<std::uint32_t>& word, int threads,
                         std::uint32_t groups) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, threads, nullptr, nullptr, groups);
}

bool KernelParking::past(std::int64_t until_ns) noexcept {
  return monotonic_ns() >= until_ns;
}

void KernelParking::yield() noexcept {
  sched_yield();
}

}  // namespace detail

std::uint32_t usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    return std::max(1u, static_cast<std::uint32_t>(CPU_COUNT(&set)));
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

Executor::Executor(std::uint32_t workers)
    : pool_(std::make_unique<Pool>(workers == 0 ? usable_cpus() : std::min(workers, 1024u))) {}
Executor::~Executor() = default;
std::uint32_t Executor::workers() const noexcept {
  return static_cast<std::uint32_t>(pool_->workers.size());
}

Executor::Pool::Pool(std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<detail::Worker>());
    workers.back()->index = i;
    workers.back()->random += i * 0x85EBCA6Bu;
  }
}

Executor::Pool::~Pool() {
  stopping_.store(true, std::memory_order_seq_cst);
  idle.tell(detail::Idle<>::kEverybody);
  for (std::thread& thread : threads_) thread.join();
}

Status Executor::Pool::start_threads() {
  while (threads_.size() + 1 < workers.size()) {
    detail::Worker& worker = *workers[threads_.size() + 1];
    try {
      threads_.emplace_back([this, &worker] { thread_main(worker); });
    } catch (const std::system_error& error) {
      return Error{Errc::unavailable,
                   fmt::format("Thread {} of {} cannot be made ({}). Ask for fewer workers.",
                               threads_.size() + 1, workers.size(), error.what()),
                   {}};
    }
  }
  return {};
}

void Executor::Pool::open_run(detail::RunCore& run) {
  current_.store(&run, std::memory_order_seq_cst);
  idle.published();
}

void Executor::Pool::close_run() {
  current_.store(nullptr, std::memory_order_seq_cst);
  timer_at.store(detail::kNever, std::memory_order_relaxed);
  for (int spins = 0; inside_.load(std::memory_order_seq_cst) != 0; ++spins) {
    if (spins > 200) sched_yield();
  }
}

detail::RunCore* Executor::Pool::enter() {
  inside_.fetch_add(1, std::memory_order_seq_cst);
  detail::RunCore* run = current_.load(std::memory_order_seq_cst);
  if (run == nullptr) leave();
  return run;
}

void Executor::Pool::leave() {
  inside_.fetch_sub(1, std::memory_order_seq_cst);
}

void Executor::Pool::thread_main(detail::Worker& me) {
  bool searching = false;  // whether `idle` counts this thread among its searchers
  for (;;) {
    if (detail::RunCore* run = enter()) {
      run->help(me, searching);
      leave();
    } else if (searching) {
      idle.stop_searching();
    }
    searching = false;

    const std::uint32_t ticket = idle.announce();
    if (stopping_.load(std::memory_order_seq_cst)) {
      idle.withdraw();
      return;
    }
    bool work = false;
    std::int64_t until = detail::kNever;
    if (detail::RunCore* run = enter()) {
      work = run->has_work();
      until = timer_at.load(std::memory_order_seq_cst);
      leave();
    }
    searching = work ? idle.withdraw() : idle.sleep(ticket, until);
  }
}

}  // namespace neurolens::exec
