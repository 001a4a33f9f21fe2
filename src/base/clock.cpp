#include "neurolens/base/clock.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <ctime>
#include <mutex>

namespace neurolens {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

Nanoseconds read_clock(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return Nanoseconds{std::int64_t{t.tv_sec} * kNanosecondsPerSecond + t.tv_nsec};
}

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const override { return read_clock(CLOCK_MONOTONIC); }
  [[nodiscard]] Nanoseconds wall() const override { return read_clock(CLOCK_REALTIME); }
  void sleep(Nanoseconds duration) override {
    if (duration.count <= 0) return;
    timespec left{duration.count / kNanosecondsPerSecond, duration.count % kNanosecondsPerSecond};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

struct ManualClock::State {
  mutable std::mutex mutex;
  std::int64_t now = 0;
  std::int64_t wall = 0;
};

ManualClock::ManualClock(Nanoseconds wall_start) : state_(std::make_unique<State>()) {
  state_->wall = wall_start.count;
}
ManualClock::~ManualClock() = default;

Nanoseconds ManualClock::now() const {
  const std::lock_guard lock(state_->mutex);
  return Nanoseconds{state_->now};
}
Nanoseconds ManualClock::wall() const {
  const std::lock_guard lock(state_->mutex);
  return Nanoseconds{state_->wall};
}
void ManualClock::sleep(Nanoseconds duration) {
  if (duration.count > 0) advance(duration);
}
void ManualClock::advance(Nanoseconds duration) {
  const std::lock_guard lock(state_->mutex);
  state_->now += duration.count;
  state_->wall += duration.count;
}

std::string to_rfc3339(Nanoseconds wall) {
  std::int64_t seconds = wall.count / kNanosecondsPerSecond;
  std::int64_t rest = wall.count % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     rest / 1'000'000);
}

}  // namespace neurolens
