/// \file
/// Blocks by address: 64 shards of open addressing in mappings of their own.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace neurolens::probe::memory {

struct Block {
  std::uintptr_t address = 0;  ///< 0: free slot.
  std::uint64_t size = 0;
  std::uint64_t serial = 0;  ///< Age: allocation number within the process.
  std::uint32_t thread = 0;
  std::uint32_t stack = 0;   ///< Index into the stack table, 0: not taken.
  std::uint32_t weight = 0;  ///< How many allocations the stack stands for.
};

/// Spins: sections are a few dozen instructions, and a mutex may allocate.
class SpinLock {
 public:
  void lock() noexcept {
    while (flag_.exchange(true, std::memory_order_acquire)) {
      while (flag_.load(std::memory_order_relaxed)) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
    }
  }
  void unlock() noexcept {
    flag_.store(false, std::memory_order_release);
  }

 private:
  std::atomic<bool> flag_{false};
};

class SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~SpinGuard() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

template <class T>
T* map_array(std::size_t count) noexcept {
  void* p = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? nullptr : static_cast<T*>(p);
}

class alignas(64) Shard {
 public:
  /// False when memory ran out: the block is then unknown.
  bool insert(const Block& block) noexcept {
    const SpinGuard guard(lock_);
    if (2 * (used_ + 1) > capacity_ && !grow()) return false;
    place(block);
    ++used_;
    return true;
  }
  /// Takes a block out; false when it is not known.
  bool remove(std::uintptr_t address, Block& out) noexcept {
    const SpinGuard guard(lock_);
    if (used_ == 0) return false;
    std::size_t at = home(address);
    while (slots_[at].address != address) {
      if (slots_[at].address == 0) return false;
      at = (at + 1) & (capacity_ - 1);
    }
    out = slots_[at];
    close_gap(at);
    --used_;
    return true;
  }

 private:
  [[nodiscard]] std::size_t home(std::uintptr_t address) const noexcept {
    return (address * 0x9E3779B97F4A7C15u >> 20) & (capacity_ - 1);
  }
  void place(const Block& block) noexcept {
    std::size_t at = home(block.address);
    while (slots_[at].address != 0) at = (at + 1) & (capacity_ - 1);
    slots_[at] = block;
  }
  /// Moves later entries of the same run forward, so that no search ends early.
  void close_gap(std::size_t gap) noexcept {
    std::size_t at = gap;
    for (;;) {
      at = (at + 1) & (capacity_ - 1);
      if (slots_[at].address == 0) break;
      const std::size_t wish = home(slots_[at].address);
      if (((at - wish) & (capacity_ - 1)) >= ((at - gap) & (capacity_ - 1))) {
        slots_[gap] = slots_[at];
        gap = at;
      }
    }
    slots_[gap] = Block{};
  }
  bool grow() noexcept {
    const std::size_t old_capacity = capacity_;
    Block* old = slots_;
    const std::size_t wanted = old_capacity == 0 ? 1024 : 2 * old_capacity;
    auto* fresh = map_array<Block>(wanted);
    if (fresh == nullptr) return false;
    slots_ = fresh;
    capacity_ = wanted;
    for (std::size_t i = 0; i < old_capacity; ++i) {
      if (old[i].address != 0) place(old[i]);
    }
    if (old != nullptr) munmap(old, old_capacity * sizeof(Block));
    return true;
  }

  SpinLock lock_;
  Block* slots_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
};

class Table {
 public:
  bool insert(const Block& block) noexcept { return shard(block.address).insert(block); }
  bool remove(std::uintptr_t address, Block& out) noexcept {
    return shard(address).remove(address, out);
  }

 private:
  Shard& shard(std::uintptr_t address) noexcept {
    return shards_[(address * 0x9E3779B97F4A7C15u >> 14) & 63];
  }
  Shard shards_[64];
};

}  // namespace neurolens::probe::memory
