/// \file
/// Shapes and the carving of preallocated memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace neurolens::nn {

/// Extents of one sample (the batch axis is never part of it), outermost first; all >= 1.
struct Shape {
  std::vector<std::int64_t> dims;

  [[nodiscard]] std::int64_t elements() const {
    std::int64_t n = 1;
    for (const auto d : dims) n *= d;
    return n;
  }
  [[nodiscard]] std::size_t rank() const { return dims.size(); }
  /// Such as "[3, 32, 32]".
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// Hands out pieces of one block, each on a cache line. Without a block it only counts, so that
/// sizing and carving are the same code.
class Carver {
 public:
  explicit Carver(std::byte* base = nullptr) : base_(base) {}
  template <class U>
  U* take(std::int64_t count) {
    U* piece = base_ == nullptr ? nullptr : reinterpret_cast<U*>(base_ + used_);
    used_ += (static_cast<std::size_t>(count) * sizeof(U) + 63) / 64 * 64;
    return piece;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

/// Owned memory on cache lines, zeroed. Movable.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t count) : storage_(count * sizeof(T) + 64), count_(count) {}
  [[nodiscard]] T* data() {
    if (storage_.empty()) return nullptr;
    const auto at = reinterpret_cast<std::uintptr_t>(storage_.data());
    return reinterpret_cast<T*>(storage_.data() + ((at + 63) / 64 * 64 - at));
  }
  [[nodiscard]] const T* data() const { return const_cast<Buffer*>(this)->data(); }
  [[nodiscard]] std::size_t size() const { return count_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }

 private:
  std::vector<std::byte> storage_;
  std::size_t count_ = 0;
};

}  // namespace neurolens::nn
