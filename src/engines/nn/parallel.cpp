#include "neurolens/engines/nn/parallel.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace neurolens::nn {
namespace {

class Serial final : public ParallelFor {
 public:
  void run(std::int64_t count, void (*task)(void*, std::int64_t), void* context) override {
    for (std::int64_t i = 0; i < count; ++i) task(context, i);
  }
  int threads() const override { return 1; }
};

class ThreadPool final : public ParallelFor {
 public:
  explicit ThreadPool(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  ~ThreadPool() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& w : workers_) w.join();
  }
  void run(std::int64_t count, void (*task)(void*, std::int64_t), void* context) override {
    {
      const std::lock_guard lock(mutex_);
      task_ = task, context_ = context, count_ = count;
      next_.store(0, std::memory_order_relaxed);
      busy_ = static_cast<int>(workers_.size());
      ++round_;
    }
    wake_.notify_all();
    drain(task, context, count);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }
  int threads() const override { return static_cast<int>(workers_.size()) + 1; }

 private:
  void drain(void (*task)(void*, std::int64_t), void* context, std::int64_t count) {
    for (std::int64_t i = next_.fetch_add(1); i < count; i = next_.fetch_add(1)) task(context, i);
  }
  void work() {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stop_ || round_ != seen; });
      if (stop_) return;
      seen = round_;
      const auto task = task_;
      void* const context = context_;
      const std::int64_t count = count_;
      lock.unlock();
      drain(task, context, count);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  std::atomic<std::int64_t> next_{0};
  void (*task_)(void*, std::int64_t) = nullptr;
  void* context_ = nullptr;
  std::int64_t count_ = 0;
  std::uint64_t round_ = 0;
  int busy_ = 0;
  bool stop_ = false;
};

}  // namespace

ParallelFor& serial() {
  static Serial instance;
  return instance;
}

std::unique_ptr<ParallelFor> make_thread_pool(int threads) {
  return std::make_unique<ThreadPool>(threads);
}

}  // namespace neurolens::nn
