// Coroutines: the reactor of async mode, and waiting in place for the other modes.
#include "neurolens/exec/async.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <queue>

#include "modes.hpp"
#include "neurolens/exec/graph_parts.hpp"
#include "run_core.hpp"

namespace neurolens::exec::detail {
namespace {

// A cancelled task that waits in place notices within this time.
constexpr std::int64_t kSliceNs = 20'000'000;

int milliseconds_until(std::int64_t until_ns) {
  if (until_ns == kNever) return -1;
  const std::int64_t left = until_ns - monotonic_ns();
  return static_cast<int>(std::clamp<std::int64_t>((left + 999'999) / 1'000'000, 0, 1'000'000));
}

class EpollReactor final : public Reactor {
 public:
  EpollReactor(int epoll, int event) : epoll_(epoll), event_(event) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = kWake;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wanted);
  }
  ~EpollReactor() override {
    for (const Watch& w : watches_) stop(w);
    close(event_);
    close(epoll_);
  }
  EpollReactor(const EpollReactor&) = delete;
  EpollReactor& operator=(const EpollReactor&) = delete;

  void add(std::uint32_t task, const Wait& wait) override {
    if (wait.kind == Wait::Kind::instant || wait.kind == Wait::Kind::nothing) {
      timers_.emplace_back(wait.until_ns, order_++, task);
      std::push_heap(timers_.begin(), timers_.end(), std::greater<>());
      return;
    }
    Watch watch{wait.fd, task, false};
    epoll_event wanted{};
    wanted.events = wait.kind == Wait::Kind::readable ? EPOLLIN | EPOLLRDHUP : EPOLLOUT;
    wanted.data.u64 = task;
    int failed = epoll_ctl(epoll_, EPOLL_CTL_ADD, watch.fd, &wanted);
    if (failed != 0 && errno == EEXIST) {  // two coroutines await one descriptor
      watch.fd = dup(wait.fd);
      watch.owned = true;
      failed = epoll_ctl(epoll_, EPOLL_CTL_ADD, watch.fd, &wanted);
    }
    if (failed != 0) {  // plain files are always ready; a bad descriptor shows when it is used
      if (watch.owned && watch.fd >= 0) close(watch.fd);
      timers_.emplace_back(0, order_++, task);
      std::push_heap(timers_.begin(), timers_.end(), std::greater<>());
      return;
    }
    watches_.push_back(watch);
  }

  void wait(std::int64_t until_ns, std::vector<std::uint32_t>& ready) override {
    if (!timers_.empty()) until_ns = std::min(until_ns, std::get<0>(timers_.front()));
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, milliseconds_until(until_ns));
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWake) {
        std::uint64_t drained = 0;
        [[maybe_unused]] const auto n = read(event_, &drained, sizeof drained);
        continue;
      }
      const auto task = static_cast<std::uint32_t>(events[i].data.u64);
      remove_watch(task);
      ready.push_back(task);
    }
    const std::int64_t now = monotonic_ns();
    while (!timers_.empty() && std::get<0>(timers_.front()) <= now) {
      ready.push_back(std::get<2>(timers_.front()));
      std::pop_heap(timers_.begin(), timers_.end(), std::greater<>());
      timers_.pop_back();
    }
  }

  void take_if(const std::function<bool(std::uint32_t)>& chosen,
               std::vector<std::uint32_t>& out) override {
    std::erase_if(timers_, [&](const Timer& t) {
      if (!chosen(std::get<2>(t))) return false;
      out.push_back(std::get<2>(t));
      return true;
    });
    std::make_heap(timers_.begin(), timers_.end(), std::greater<>());
    std::erase_if(watches_, [&](const Watch& w) {
      if (!chosen(w.task)) return false;
      stop(w);
      out.push_back(w.task);
      return true;
    });
  }

  void wake() override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = write(event_, &one, sizeof one);
  }

 private:
  static constexpr std::uint64_t kWake = UINT64_MAX;
  using Timer = std::tuple<std::int64_t, std::uint64_t, std::uint32_t>;
  struct Watch {
    int fd;
    std::uint32_t task;
    bool owned;
  };
  void stop(const Watch& watch) const {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, watch.fd, nullptr);
    if (watch.owned) close(watch.fd);
  }
  void remove_watch(std::uint32_t task) {
    const auto it = std::find_if(watches_.begin(), watches_.end(),
                                 [&](const Watch& w) { return w.task == task; });
    if (it == watches_.end()) return;
    stop(*it);
    watches_.erase(it);
  }

  int epoll_;
  int event_;
  std::uint64_t order_ = 0;
  std::vector<Timer> timers_;  // a heap, earliest first
  std::vector<Watch> watches_;
};

}  // namespace

Result<std::unique_ptr<Reactor>> make_reactor() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll < 0 || event < 0) {
    const int why = errno;
    if (epoll >= 0) close(epoll);
    if (event >= 0) close(event);
    return Error{
        Errc::unavailable,
        fmt::format("The async mode needs epoll and eventfd, which the system refused ({}).",
                    std::strerror(why)),
        {}};
  }
  return std::unique_ptr<Reactor>(new EpollReactor(epoll, event));
}

std::int64_t instant_after(Nanoseconds duration) noexcept {
  return monotonic_ns() + duration.count;
}

bool suspends(const TaskContext& context) {
  return Access::run(context)->reactor() != nullptr;
}

std::shared_ptr<InFlight> in_flight(TaskContext& context) {
  RunCore& run = *Access::run(context);
  if (run.reactor() == nullptr) return nullptr;
  const auto it = run.coroutines.find(context.task().value);
  return it != run.coroutines.end() ? std::static_pointer_cast<InFlight>(it->second) : nullptr;
}

void keep_in_flight(TaskContext& context, std::shared_ptr<InFlight> state) {
  Access::run(context)->coroutines.insert_or_assign(context.task().value, std::move(state));
}

void drop_in_flight(TaskContext& context) {
  RunCore& run = *Access::run(context);
  if (run.reactor() != nullptr) run.coroutines.erase(context.task().value);
}

Outcome suspend_until_ready(TaskContext& context, const Wait& wait) {
  Access::run(context)->reactor()->add(context.task().value, wait);
  return Outcome::suspended;
}

bool wait_here(const TaskContext& context, const Wait& wait) {
  const bool file = wait.kind == Wait::Kind::readable || wait.kind == Wait::Kind::writable;
  pollfd watched{file ? wait.fd : -1,
                 static_cast<short>(wait.kind == Wait::Kind::readable ? POLLIN : POLLOUT), 0};
  for (;;) {
    if (context.cancelled()) return false;
    const std::int64_t now = monotonic_ns();
    if (!file && now >= wait.until_ns) return true;
    const std::int64_t until = file ? now + kSliceNs : std::min(wait.until_ns, now + kSliceNs);
    const timespec slice{0, static_cast<long>(std::max<std::int64_t>(0, until - now))};
    if (ppoll(&watched, 1, &slice, nullptr) != 0) return true;
  }
}

}  // namespace neurolens::exec::detail
