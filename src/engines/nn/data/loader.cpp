#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "neurolens/base/random.hpp"
#include "neurolens/engines/nn/data.hpp"

namespace neurolens::nn {
namespace {

using SteadyClock = std::chrono::steady_clock;

Nanoseconds since(SteadyClock::time_point begin) {
  return Nanoseconds{
      std::chrono::duration_cast<std::chrono::nanoseconds>(SteadyClock::now() - begin).count()};
}

}  // namespace

struct BatchLoader::State {
  struct Slot {
    Buffer<float> x;
    std::vector<std::int32_t> labels;
    std::vector<std::uint64_t> samples;
    std::int64_t rows = 0;
    Nanoseconds gather;
  };

  State(std::shared_ptr<const Dataset> d, LoaderOptions o) : data(std::move(d)), options(o) {
    order.resize(static_cast<std::size_t>(data->size()));
    slots.resize(static_cast<std::size_t>(options.prefetch) + 1);
    for (auto& s : slots) {
      s.x = Buffer<float>(static_cast<std::size_t>(options.batch * data->sample().elements()));
      s.labels.resize(static_cast<std::size_t>(options.batch));
      s.samples.resize(static_cast<std::size_t>(options.batch));
    }
    if (options.prefetch > 0) worker = std::thread([this] { work(); });
  }
  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    if (worker.joinable()) worker.join();
  }

  std::int64_t batches() const {
    const std::int64_t n = data->size();
    return options.drop_last ? n / options.batch : (n + options.batch - 1) / options.batch;
  }
  Slot& slot_of(std::int64_t batch) {
    return slots[static_cast<std::size_t>(batch) % slots.size()];
  }

  void fill(std::int64_t batch, Slot& s) {
    const auto begin = SteadyClock::now();
    const std::int64_t first = batch * options.batch;
    s.rows = std::min(options.batch, data->size() - first);
    data->gather({order.data() + first, static_cast<std::size_t>(s.rows)}, s.x.data(),
                 s.labels.data());
    for (std::int64_t r = 0; r < s.rows; ++r) {
      s.samples[static_cast<std::size_t>(r)] =
          static_cast<std::uint64_t>(order[static_cast<std::size_t>(first + r)]);
    }
    s.gather = since(begin);
  }
  // Fills ahead of the consumer, never over the batch that it holds.
  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      idle = true;
      changed.wait(lock, [this] {
        return stop || (running && filled < batches() &&
                        filled - consumed < static_cast<std::int64_t>(slots.size()));
      });
      idle = false;
      if (stop) return;
      const std::int64_t batch = filled;
      filling = true;
      lock.unlock();
      fill(batch, slot_of(batch));
      lock.lock();
      filling = false;
      ++filled;
      changed.notify_all();
    }
  }

  std::shared_ptr<const Dataset> data;
  LoaderOptions options;
  std::vector<std::int64_t> order;
  std::vector<Slot> slots;
  StallLedger ledger;
  std::int64_t at = 0;  // next batch of the consumer

  std::mutex mutex;
  std::condition_variable changed;
  std::thread worker;
  std::int64_t filled = 0, consumed = 0;  // batches filled; batches whose memory is free again
  bool running = false, stop = false, filling = false, idle = false;
};

BatchLoader::BatchLoader(std::shared_ptr<const Dataset> data, LoaderOptions options)
    : state_(std::make_unique<State>(std::move(data), options)) {}
BatchLoader::~BatchLoader() = default;

void BatchLoader::start(std::int64_t epoch, std::int64_t first) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.running = false;
  s.changed.wait(lock, [&] { return !s.filling; });
  for (std::size_t i = 0; i < s.order.size(); ++i) s.order[i] = static_cast<std::int64_t>(i);
  if (s.options.shuffle) {
    Random random(s.options.seed, 0x0E70C400u + static_cast<std::uint64_t>(epoch));
    for (std::size_t i = s.order.size(); i > 1; --i)
      std::swap(s.order[i - 1], s.order[random.below(i)]);
  }
  s.at = s.filled = s.consumed = first;
  s.running = true;
  s.changed.notify_all();
}

bool BatchLoader::next(Batch& batch) {
  State& s = *state_;
  if (s.at >= s.batches()) return false;
  State::Slot& slot = s.slot_of(s.at);
  StallLedger now;
  now.batches = 1;
  if (s.options.prefetch == 0) {
    s.fill(s.at, slot);
    now.wait = slot.gather;
  } else {
    const auto begin = SteadyClock::now();
    std::unique_lock lock(s.mutex);
    s.consumed = s.at;  // everything before this batch is free
    // Waking a thread costs more than a small batch, so it is done once for several of them, and
    // without the lock that the woken thread wants.
    if (s.idle && 2 * (s.filled - s.consumed) <= static_cast<std::int64_t>(s.slots.size())) {
      lock.unlock();
      s.changed.notify_all();
      lock.lock();
    }
    s.changed.wait(lock, [&] { return s.filled > s.at; });
    now.wait = since(begin);
  }
  now.longest_wait = now.wait;
  (s.data->converts() ? now.decode : now.copy) = slot.gather;
  s.ledger.wait += now.wait;
  s.ledger.longest_wait = std::max(s.ledger.longest_wait, now.longest_wait);
  s.ledger.decode += now.decode;
  s.ledger.copy += now.copy;
  ++s.ledger.batches;
  ++s.at;
  batch = {slot.rows, slot.x.data(), slot.labels.data(), slot.samples.data(), now};
  return true;
}

std::int64_t BatchLoader::batches() const {
  return state_->batches();
}
const StallLedger& BatchLoader::ledger() const {
  return state_->ledger;
}

}  // namespace neurolens::nn
