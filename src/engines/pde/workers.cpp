#include "neurolens/engines/pde/workers.hpp"

#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace neurolens::pde {
namespace {

class SerialWorkers final : public Workers {
 public:
  [[nodiscard]] std::size_t count() const override { return 1; }
  void run(const std::function<void(std::size_t)>& body) override { body(0); }
};

class ThreadWorkers final : public Workers {
 public:
  explicit ThreadWorkers(std::size_t count) {
    for (std::size_t i = 1; i < count; ++i) threads_.emplace_back([this, i] { serve(i); });
  }
  ~ThreadWorkers() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    start_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  [[nodiscard]] std::size_t count() const override { return threads_.size() + 1; }

  void run(const std::function<void(std::size_t)>& body) override {
    {
      const std::lock_guard lock(mutex_);
      body_ = &body;
      left_ = threads_.size();
      ++round_;
    }
    start_.notify_all();
    body(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return left_ == 0; });
  }

 private:
  void serve(std::size_t worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return stopping_ || round_ != seen; });
      if (stopping_) return;
      seen = round_;
      const auto* body = body_;
      lock.unlock();
      (*body)(worker);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable start_, done_;
  const std::function<void(std::size_t)>* body_ = nullptr;
  std::size_t left_ = 0;
  std::uint64_t round_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

std::size_t usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<std::size_t>(CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Workers& serial_workers() {
  static SerialWorkers workers;
  return workers;
}

std::unique_ptr<Workers> make_thread_workers(std::size_t count) {
  return std::make_unique<ThreadWorkers>(count == 0 ? usable_processors() : count);
}

}  // namespace neurolens::pde
