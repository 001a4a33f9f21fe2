// Explores schedules of the work-stealing deque and of parking: real threads of which only one runs
// at a time, and at every atomic operation a seeded choice decides which one goes on. A thread that
// sleeps in the "kernel" cannot be chosen; when nobody can, a wake-up was lost. Interleavings only:
// the model is sequentially consistent and says nothing about weaker orderings.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "deque.hpp"
#include "idle.hpp"
#include "neurolens/base/random.hpp"
#include "root_range.hpp"

namespace neurolens::exec::detail {
namespace {

class Explorer {
 public:
  static Explorer*& current() {
    static Explorer* explorer = nullptr;
    return explorer;
  }

  /// Runs the bodies under the schedule of `seed`. False when they came to a deadlock.
  bool run(const std::vector<std::function<void()>>& bodies, std::uint64_t seed) {
    random_ = Random(seed);
    sleeping_.assign(bodies.size(), nullptr);
    finished_.assign(bodies.size(), false);
    deadlock_ = false;
    current() = this;
    std::vector<std::thread> threads;
    turn_ = kNobody;
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      threads.emplace_back([this, i, &bodies] {
        self() = i;
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return turn_ == i; });
        }
        try {
          bodies[i]();
        } catch (const Deadlock&) {
        }
        const std::lock_guard lock(mutex_);
        finished_[i] = true;
        choose();
      });
    }
    {
      const std::lock_guard lock(mutex_);
      choose();
    }
    for (std::thread& t : threads) t.join();
    current() = nullptr;
    return !deadlock_;
  }

  void point() { switch_from(nullptr); }
  /// Not chosen again until `awake`.
  void sleep(const std::function<bool()>& awake) { switch_from(&awake); }

 private:
  struct Deadlock {};
  static constexpr std::size_t kNobody = SIZE_MAX;
  static std::size_t& self() {
    thread_local std::size_t index = kNobody;
    return index;
  }
  void switch_from(const std::function<bool()>* awake) {
    std::unique_lock lock(mutex_);
    const std::size_t me = self();
    sleeping_[me] = awake;
    choose();
    changed_.wait(lock, [&] { return turn_ == me || deadlock_; });
    sleeping_[me] = nullptr;
    if (deadlock_) throw Deadlock();
  }
  void choose() {
    std::vector<std::size_t> ready;
    bool all_finished = true;
    for (std::size_t i = 0; i < finished_.size(); ++i) {
      if (finished_[i]) continue;
      all_finished = false;
      if (sleeping_[i] == nullptr || (*sleeping_[i])()) ready.push_back(i);
    }
    if (ready.empty()) {
      turn_ = kNobody;
      deadlock_ = deadlock_ || !all_finished;
    } else {
      turn_ = ready[random_.below(ready.size())];
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t turn_ = kNobody;
  bool deadlock_ = false;
  std::vector<const std::function<bool()>*> sleeping_;
  std::vector<bool> finished_;
  Random random_{0};
};

void point() {
  if (Explorer* explorer = Explorer::current()) explorer->point();
}

template <class T>
class Explored {
 public:
  Explored() = default;
  explicit Explored(T v) : value_(v) {}
  T load(std::memory_order = {}) const {
    point();
    return value_;
  }
  void store(T v, std::memory_order = {}) {
    point();
    value_ = v;
  }
  T fetch_add(T v, std::memory_order = {}) {
    point();
    return std::exchange(value_, static_cast<T>(value_ + v));
  }
  T fetch_sub(T v, std::memory_order = {}) {
    point();
    return std::exchange(value_, static_cast<T>(value_ - v));
  }
  bool compare_exchange_strong(T& expected, T v, std::memory_order = {}, std::memory_order = {}) {
    point();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = v;
    return true;
  }
  bool compare_exchange_weak(T& expected, T v, std::memory_order = {}) {
    return compare_exchange_strong(expected, v);
  }
  [[nodiscard]] T peek() const { return value_; }

 private:
  T value_{};
};

struct ExploredKernel {
  static bool has_barrier() noexcept { return true; }
  static void all_cpus_barrier() { point(); }
  static inline std::uint64_t wakes = 0;
  static void sleep(Explored<std::uint32_t>& word, std::uint32_t expected, std::int64_t,
                    std::uint32_t) {
    if (word.load() != expected) return;  // as the futex does, atomically with going to sleep
    const std::uint64_t before = wakes;
    Explorer::current()->sleep([before] { return wakes != before; });
  }
  static void wake(Explored<std::uint32_t>&, int, std::uint32_t) { ++wakes; }
  static bool past(std::int64_t) { return false; }
  static void yield() { point(); }
};

constexpr std::uint64_t kSchedules = 400;

TEST(Schedules, DequeHandsEveryTaskToExactlyOneThread) {
  for (std::uint64_t seed = 0; seed < kSchedules; ++seed) {
    Deque<Explored> deque(2);  // grows on the way
    std::multiset<std::uint32_t> taken;
    std::mutex mutex;
    const auto keep = [&](std::uint32_t task) {
      if (task == kNone) return;
      const std::lock_guard lock(mutex);
      taken.insert(task);
    };
    const auto thief = [&] {
      for (int i = 0; i < 4; ++i) keep(deque.steal());
    };
    Explorer explorer;
    ASSERT_TRUE(explorer.run({[&] {
                                for (std::uint32_t t = 0; t < 3; ++t) deque.push(t);
                                keep(deque.pop());
                                deque.push(3);
                                keep(deque.pop());
                                deque.push(4);
                                for (int i = 0; i < 6; ++i) keep(deque.pop());
                              },
                              thief, thief},
                             seed));
    ASSERT_EQ(taken, (std::multiset<std::uint32_t>{0, 1, 2, 3, 4})) << "schedule " << seed;
  }
}

TEST(Schedules, ARangeHandsEveryRootToExactlyOneThread) {
  for (std::uint64_t seed = 0; seed < kSchedules; ++seed) {
    RootRange<Explored, ExploredKernel> range;
    range.assign(0, 5);
    std::multiset<std::uint32_t> taken;
    std::mutex mutex;
    const auto keep = [&](std::uint32_t begin, std::uint32_t end) {
      const std::lock_guard lock(mutex);
      for (std::uint32_t i = begin; i < end; ++i) taken.insert(i);
    };
    const auto owner = [&] {
      for (std::uint32_t i = range.take(); i != kNone; i = range.take()) keep(i, i + 1);
    };
    const auto thief = [&] {
      std::uint32_t begin = 0, end = 0;
      for (int i = 0; i < 3; ++i) {
        if (range.steal(begin, end)) keep(begin, end);
      }
    };
    Explorer explorer;
    ASSERT_TRUE(explorer.run({owner, thief, thief}, seed));
    owner();  // what a thief gave back after the owner had looked
    ASSERT_EQ(taken, (std::multiset<std::uint32_t>{0, 1, 2, 3, 4})) << "schedule " << seed;
    ASSERT_TRUE(range.empty());
  }
}

// Two workers take items that a third thread publishes; then all go home. `recheck` false plants
// the classical fault: going to sleep without looking once more.
bool everybody_comes_home(std::uint64_t seed, bool recheck) {
  constexpr int kItems = 3;
  Idle<Explored, ExploredKernel> idle;
  Explored<int> items;
  Explored<int> consumed;
  Explored<int> over;
  const auto take = [&] {
    int seen = items.load();
    while (seen > 0) {
      if (items.compare_exchange_weak(seen, seen - 1)) return true;
    }
    return false;
  };
  const auto worker = [&] {
    bool searching = false;
    for (;;) {
      if (!searching) idle.start_searching();
      const bool got = take();
      const bool last = idle.stop_searching();
      searching = false;
      if (got) {
        if (last && items.load() > 0) idle.published();
        if (consumed.fetch_add(1) + 1 == kItems) {
          over.store(1);
          idle.tell(Idle<>::kEverybody);
        }
        continue;
      }
      const std::uint32_t ticket = idle.announce();
      const bool awake = over.load() != 0 || (recheck && items.load() > 0);
      searching = awake ? idle.withdraw() : idle.sleep(ticket, kNever);
      if (over.load() != 0) {
        if (searching) idle.stop_searching();
        return;
      }
    }
  };
  Explorer explorer;
  const bool home = explorer.run({[&] {
                                    for (int i = 0; i < kItems; ++i) {
                                      items.fetch_add(1);
                                      idle.published();
                                    }
                                  },
                                  worker, worker},
                                 seed);
  return home && consumed.peek() == kItems;
}

TEST(Schedules, NoWakeUpIsLost) {
  for (std::uint64_t seed = 0; seed < kSchedules; ++seed) {
    ASSERT_TRUE(everybody_comes_home(seed, true)) << "schedule " << seed;
  }
}

TEST(Schedules, TheExplorerFindsAPlantedLostWakeUp) {
  bool found = false;
  for (std::uint64_t seed = 0; seed < 10 * kSchedules && !found; ++seed) {
    found = !everybody_comes_home(seed, false);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace neurolens::exec::detail
