/// \file
/// Workspace: memory for temporaries that is taken once and used again and again.
/// Method: a bump pointer over large aligned blocks. Taking costs a few instructions and never
/// touches the heap once the workspace has seen its largest use; a frame gives everything back at
/// its end.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "neurolens/base/units.hpp"

namespace neurolens::probe {

/// Threads: one at a time; give each thread its own.
class Workspace {
 public:
  static constexpr std::size_t kAlignment = 64;  ///< A cache line, and the widest SIMD register.

  /// `initial`: bytes taken from the heap at once, >= 0.
  explicit Workspace(Bytes initial = Bytes{0}) {
    if (initial.count > 0) grow(static_cast<std::size_t>(initial.count));
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// Room for `count` values, aligned to at least 64 bytes, not initialised; valid to the end of
  /// the frame it was taken in. Throws std::bad_alloc like operator new.
  template <class T>
  [[nodiscard]] std::span<T> take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "nothing is destroyed");
    static_assert(alignof(T) <= kAlignment);
    if (count > SIZE_MAX / 2 / sizeof(T)) throw std::bad_array_new_length();
    return {static_cast<T*>(take_bytes(count * sizeof(T))), count};
  }

  /// Everything taken after its construction is given back at its destruction. Frames nest.
  class Frame {
   public:
    explicit Frame(Workspace& workspace)
        : workspace_(workspace),
          block_(workspace.current_),
          used_(workspace.used_),
          total_(workspace.in_use_) {}
    ~Frame() {
      workspace_.current_ = block_;
      workspace_.used_ = used_;
      workspace_.in_use_ = total_;
      if (total_ == 0) workspace_.consolidate();
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Workspace& workspace_;
    std::size_t block_, used_, total_;
  };

  /// Gives everything back; invalidates what was taken. Requires that no frame is open.
  void reset() {
    current_ = used_ = in_use_ = 0;
    consolidate();
  }
  [[nodiscard]] Bytes in_use() const { return Bytes{static_cast<std::int64_t>(in_use_)}; }
  [[nodiscard]] Bytes peak() const { return Bytes{static_cast<std::int64_t>(peak_)}; }
  [[nodiscard]] Bytes capacity() const {
    std::int64_t bytes = 0;
    for (const Block& b : blocks_) bytes += static_cast<std::int64_t>(b.bytes);
    return Bytes{bytes};
  }
  /// How often the heap was asked. Constant once the workspace is warm: a test can hold you to it.
  [[nodiscard]] std::uint64_t heap_calls() const { return heap_calls_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> data;
    std::size_t bytes = 0;
  };

  void* take_bytes(std::size_t bytes) {
    bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    while (blocks_.empty() || blocks_[current_].bytes - used_ < bytes) {
      if (current_ + 1 < blocks_.size()) {
        ++current_;
        used_ = 0;
      } else {
        grow(bytes);
      }
    }
    void* p = blocks_[current_].data.get() + used_;
    used_ += bytes;
    in_use_ += bytes;
    if (in_use_ > peak_) peak_ = in_use_;
    return p;
  }
  void grow(std::size_t least) {
    constexpr std::size_t kLeastBlock = 4096;
    std::size_t bytes = static_cast<std::size_t>(capacity().count);
    if (bytes < least) bytes = least;
    if (bytes < kLeastBlock) bytes = kLeastBlock;
    bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    auto* p = static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{kAlignment}));
    blocks_.push_back({std::unique_ptr<std::byte[], Free>(p), bytes});
    ++heap_calls_;
    current_ = blocks_.size() - 1;
    used_ = 0;
  }
  /// One block instead of several, once nothing is in use: the next round is contiguous.
  void consolidate() {
    if (blocks_.size() < 2) return;
    const auto bytes = static_cast<std::size_t>(capacity().count);
    blocks_.clear();
    current_ = used_ = 0;
    grow(bytes);
  }

  std::vector<Block> blocks_;
  std::size_t current_ = 0, used_ = 0, in_use_ = 0, peak_ = 0;
  std::uint64_t heap_calls_ = 0;
};

}  // namespace neurolens::probe
