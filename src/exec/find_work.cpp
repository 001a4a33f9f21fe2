// Where a worker's next task comes from: its own deque, its roots, other workers; and what it does
// when there is none.
#include <algorithm>

#include "engine.hpp"
#include "run_core.hpp"

namespace neurolens::exec::detail {
namespace {

// How often an idle worker looks round before it sleeps: about 15 us.
constexpr int kSpins = 150;
// A cancel token of the caller's cannot wake anybody: it is looked at this often.
constexpr std::int64_t kAttentionPeriodNs = 50'000'000;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

bool RunCore::has_work() const {
  if (finished()) return false;
  if (!prioritised_.empty() || timers_.next() <= monotonic_ns()) return true;
  for (const auto& worker : pool_->workers) {
    if (!worker->range.empty() || !worker->deque.empty()) return true;
  }
  return false;
}

std::uint32_t RunCore::take_root(Worker& me) {
  const std::span<const std::uint32_t> roots = compiled_->topology->roots();
  if (!shared_) {
    while (me.next_root < me.end_root) {
      const std::uint32_t i = me.next_root++;
      const std::uint32_t task = roots.empty() ? i : roots[i];
      if (compiled_->priorities.empty() || compiled_->priorities[task] == 0) return task;
    }
    return kNone;
  }
  for (std::uint32_t i = me.range.take(); i != kNone; i = me.range.take()) {
    const std::uint32_t task = roots.empty() ? i : roots[i];
    if (compiled_->priorities.empty() || compiled_->priorities[task] == 0) return task;
  }
  return kNone;
}

std::uint32_t RunCore::next_ready(Worker& me) {
  std::uint32_t task = prioritised_.pop(true);
  if (task != kNone) return task;
  if (shared_) {
    task = me.deque.pop();
  } else if (!me.stack.empty()) {
    task = me.stack.back();
    me.stack.pop_back();
  }
  if (task == kNone) task = take_root(me);
  // With more workers steal() does this, when nothing else is left anywhere.
  return task != kNone || shared_ ? task : prioritised_.pop(false);
}

std::uint32_t RunCore::steal(Worker& me) {
  const auto count = static_cast<std::uint32_t>(pool_->workers.size());
  me.random = me.random * 1664525u + 1013904223u;
  const std::uint32_t start = (me.random >> 8) % count;
  for (std::uint32_t i = 0; i < count; ++i) {
    Worker& victim = *pool_->workers[(start + i) % count];
    if (&victim == &me) continue;
    if (const std::uint32_t task = victim.deque.steal(); task != kNone) return task;
  }
  for (std::uint32_t i = 0; i < count; ++i) {  // the later half of somebody's roots
    Worker& victim = *pool_->workers[(start + i) % count];
    std::uint32_t begin = 0, end = 0;
    if (&victim == &me || !victim.range.steal(begin, end)) continue;
    me.range.assign(begin, end);
    if (const std::uint32_t task = take_root(me); task != kNone) return task;
  }
  return prioritised_.pop(false);
}

void RunCore::flush(Worker& me) {
  const std::uint64_t ended = me.ended.load(std::memory_order_relaxed);
  const auto fresh = static_cast<std::int64_t>(ended - me.flushed);
  if (fresh == 0) return;
  me.flushed = ended;
  const bool last = remaining_.fetch_sub(fresh, std::memory_order_acq_rel) == fresh;
  if (last && me.index != 0 && caller_parked_.load(std::memory_order_seq_cst)) {
    pool_->idle.tell(Idle<>::kCaller);
  }
}

std::uint32_t RunCore::find_work(Worker& me, bool searching) {
  if (!searching) {
    if (general_) poll(me);
    if (const std::uint32_t task = next_ready(me); task != kNone) return task;
    flush(me);
    pool_->idle.start_searching();
  }
  for (;;) {
    for (int spin = 0; spin < kSpins && !finished(); ++spin) {
      if (general_) poll(me);
      std::uint32_t task = next_ready(me);
      if (task == kNone) task = steal(me);
      if (task != kNone) {
        if (pool_->idle.stop_searching() && has_work()) pool_->idle.published();
        return task;
      }
      flush(me);  // poll() may have ended waiting tasks
      relax();
    }
    if (finished() || me.index != 0) {
      pool_->idle.stop_searching();
      return kNone;
    }
    pool_->idle.stop_searching();
    caller_parked_.store(true, std::memory_order_seq_cst);
    const std::uint32_t ticket = pool_->idle.announce();
    const bool awake = finished() || has_work() || cancels_pending();
    const bool counted =
        awake ? pool_->idle.withdraw()
              : pool_->idle.sleep(ticket, next_instant(), Idle<>::kEverybody | Idle<>::kCaller);
    caller_parked_.store(false, std::memory_order_relaxed);
    if (!counted) pool_->idle.start_searching();
  }
}

std::uint32_t RunCore::find_alone(Worker& me) {
  for (std::uint32_t tick = 0;; ++tick) {
    if (general_) poll(me);
    if (const std::uint32_t task = next_ready(me); task != kNone) return task;
    flush(me);
    if (finished()) return kNone;
    const std::int64_t until = next_instant();
    if (reactor_ != nullptr) {
      std::vector<std::uint32_t> ready;
      reactor_->wait(until, ready);
      for (const std::uint32_t task : ready) make_ready(me, task);
      note(me);
      continue;
    }
    const std::uint32_t ticket = pool_->idle.announce();
    const bool counted =
        cancels_pending() ? pool_->idle.withdraw() : pool_->idle.sleep(ticket, until);
    if (counted) {  // inside a task of another run, the call may have been meant for that run
      pool_->idle.stop_searching();
      pool_->idle.published();
    }
    note(me);
  }
}

bool RunCore::cancels_pending() const {
  const std::uint32_t attention = control_->attention.load(std::memory_order_seq_cst);
  return (attention & Control::State::kCancelRun) != 0 ||
         control_->version.load(std::memory_order_seq_cst) !=
             cancels_seen_.load(std::memory_order_seq_cst);
}

std::int64_t RunCore::next_instant() const {
  std::int64_t at = timers_.next();
  if (run_deadline_ns_ != 0) at = std::min(at, run_deadline_ns_);
  if (options_.attention.cancel != nullptr) at = std::min(at, monotonic_ns() + kAttentionPeriodNs);
  return at;
}

}  // namespace neurolens::exec::detail
