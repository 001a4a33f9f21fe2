/// \file
/// The cache behind memoize() and OperatorCache: exact keys, bounded bytes, one computation per
/// key. Method: a hash only finds the bucket; keys are compared with ==, so that a collision costs
/// time and never a wrong answer. The least recently used entry leaves first. Callers that ask for
/// a key that is being computed wait for that computation; its exception reaches all of them and is
/// not kept.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "neurolens/base/units.hpp"
#include "neurolens/probe/timer.hpp"

namespace neurolens::probe {

/// How a cache fared. Times are estimated: every 16th look-up is timed.
struct CacheStatistics {
  std::uint64_t lookups = 0;
  std::uint64_t hits = 0;      ///< Answered from the cache.
  std::uint64_t waits = 0;     ///< Answered by another caller's computation.
  std::uint64_t computed = 0;  ///< Computed, including failures.
  std::uint64_t evicted = 0;
  std::uint64_t too_large = 0;  ///< Larger than the whole cache, handed out without keeping.
  std::uint64_t entries = 0;
  Bytes held, limit;
  Nanoseconds compute_time;  ///< Sum over computations.
  Nanoseconds lookup_time;   ///< Estimated sum over look-ups, computations left out.
  Nanoseconds
      saved;  ///< Estimated: what the hits would have cost; minus lookup_time. May be negative.
  /// One sentence when the cache costs more than it saves after 1,000 look-ups; else empty.
  std::string warning;
};

/// Threads: safe. Keys need == and a hash; values are handed out as shared pointers, so that an
/// evicted value stays valid for whoever holds it.
template <class Key, class Value, class Hash = std::hash<Key>>
class KeyedCache {
 public:
  using Pointer = std::shared_ptr<const Value>;
  using Size = std::function<std::int64_t(const Key&, const Value&)>;

  /// `limit`: most bytes held, by the sum of `size` (default: sizeof of both) and the table's own
  /// cost.
  explicit KeyedCache(Bytes limit, Size size = {}) : limit_(limit), size_(std::move(size)) {}

  /// The value of `key`, computed by `compute()` when absent. Exceptions of `compute` pass through.
  /// A recursive call for the same key on the same thread computes again instead of waiting
  /// forever.
  template <class Compute>
  Pointer get(const Key& key, Compute&& compute) {
    std::unique_lock lock(mutex_);
    const bool timed = (++statistics_.lookups & 15) == 0;
    std::optional<Timer> timer;
    if (timed) timer.emplace();
    const auto found = table_.find(key);
    if (found == table_.end()) return fill(lock, key, compute);
    if (found->second->value != nullptr) {
      ++statistics_.hits;
      order_.splice(order_.begin(), order_, found->second);
      Pointer value = found->second->value;
      if (timer) lookup_ns_ += 16 * timer->elapsed().count;
      return value;
    }
    const std::shared_ptr<Flight> flight = found->second->flight;
    if (flight->owner == std::this_thread::get_id()) {
      lock.unlock();
      return std::make_shared<const Value>(compute());
    }
    ++statistics_.waits;
    flight->done.wait(lock, [&] { return flight->finished; });
    if (flight->error) std::rethrow_exception(flight->error);
    return flight->value;
  }

  /// The value of `key` when present; counts as a look-up.
  [[nodiscard]] Pointer find(const Key& key) {
    const std::lock_guard lock(mutex_);
    ++statistics_.lookups;
    const auto found = table_.find(key);
    if (found == table_.end() || found->second->value == nullptr) return nullptr;
    ++statistics_.hits;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->value;
  }

  /// Drops every entry that is not being computed.
  void clear() {
    const std::lock_guard lock(mutex_);
    for (auto it = order_.begin(); it != order_.end();) {
      const auto here = it++;
      if (here->value != nullptr) drop(here);
    }
  }

  [[nodiscard]] CacheStatistics statistics() const {
    const std::lock_guard lock(mutex_);
    CacheStatistics s = statistics_;
    s.entries = table_.size();
    s.held = Bytes{held_};
    s.limit = limit_;
    s.compute_time = Nanoseconds{compute_ns_};
    s.lookup_time = Nanoseconds{lookup_ns_};
    const double mean =
        s.computed > 0 ? static_cast<double>(compute_ns_) / static_cast<double>(s.computed) : 0;
    s.saved = Nanoseconds{static_cast<std::int64_t>(mean * static_cast<double>(s.hits + s.waits)) -
                          lookup_ns_};
    if (s.lookups >= 1000 && s.saved.count < 0) {
      s.warning = "This cache costs more time than it saves; call the function directly.";
    }
    return s;
  }

 private:
  struct Flight {
    std::thread::id owner = std::this_thread::get_id();
    std::condition_variable done;
    bool finished = false;
    Pointer value;
    std::exception_ptr error;
  };
  struct Entry {
    const Key* key = nullptr;
    Pointer value;
    std::shared_ptr<Flight> flight;
    std::int64_t bytes = 0;
  };
  using Order = std::list<Entry>;

  template <class Compute>
  Pointer fill(std::unique_lock<std::mutex>& lock, const Key& key, Compute&& compute) {
    const auto flight = std::make_shared<Flight>();
    const Timer whole;
    order_.push_front({nullptr, nullptr, flight, 0});
    const auto at = order_.begin();
    at->key = &table_.emplace(key, at).first->first;
    ++statistics_.computed;
    lock.unlock();
    const std::int64_t before_ns = whole.elapsed().count;
    std::int64_t compute_ns = 0;
    try {
      const Timer timer;
      flight->value = std::make_shared<const Value>(compute());
      compute_ns = timer.elapsed().count;
    } catch (...) {
      flight->error = std::current_exception();
    }
    lock.lock();
    flight->finished = true;
    flight->done.notify_all();
    compute_ns_ += compute_ns;
    lookup_ns_ += before_ns;
    at->flight.reset();
    if (flight->error) {
      forget(at);
      std::rethrow_exception(flight->error);
    }
    at->value = flight->value;
    at->bytes = bytes_of(key, *flight->value);
    held_ += at->bytes;
    if (at->bytes > limit_.count) {
      ++statistics_.too_large;
      held_ -= at->bytes;
      forget(at);
    }
    make_room();
    return flight->value;
  }

  std::int64_t bytes_of(const Key& key, const Value& value) const {
    constexpr auto kOwn = static_cast<std::int64_t>(sizeof(Entry) + 8 * sizeof(void*));
    if (size_) return size_(key, value) + kOwn;
    return static_cast<std::int64_t>(sizeof(Key) + sizeof(Value)) + kOwn;
  }
  void make_room() {
    for (auto it = order_.end(); held_ > limit_.count && it != order_.begin();) {
      --it;
      if (it->value == nullptr) continue;  // being computed
      const auto victim = it++;
      drop(victim);
      ++statistics_.evicted;
    }
  }
  void drop(typename Order::iterator at) {
    held_ -= at->bytes;
    forget(at);
  }
  void forget(typename Order::iterator at) {
    table_.erase(table_.find(*at->key));
    order_.erase(at);
  }

  mutable std::mutex mutex_;
  Bytes limit_;
  Size size_;
  Order order_;  // most recently used first
  std::unordered_map<Key, typename Order::iterator, Hash> table_;
  std::int64_t held_ = 0;
  std::int64_t compute_ns_ = 0;
  std::int64_t lookup_ns_ = 0;
  CacheStatistics statistics_;
};

}  // namespace neurolens::probe
