/// \file
/// The compact form of a chunk's words in a stream file: variable-length codes and time
/// differences. A scope takes 4 bytes where its two words take 16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace neurolens::probe {

/// Most bytes that `words` words can take.
[[nodiscard]] constexpr std::size_t encoded_bound(std::size_t words) {
  return words * 14 + 32;
}

struct Encoded {
  std::size_t bytes = 0;
  std::uint32_t words = 0;  ///< How many were taken: all up to the first zero word.
  std::uint64_t events = 0;
  std::uint64_t last_ticks = 0;
};
/// Encodes words [0, count), up to the first zero word. `out` has room for encoded_bound(count).
Encoded encode(const std::uint64_t* words, std::size_t count, std::uint64_t base_ticks,
               unsigned char* out) noexcept;

struct RawEvent {
  std::uint32_t code = 0;
  std::uint64_t ticks = 0;
  std::uint32_t site = 0;
  std::uint64_t detail = 0;
  std::uint64_t value = 0;
};

/// Reads encoded events one by one. Safe on any bytes: stops at the first that makes no sense.
class Decoder {
 public:
  Decoder(const unsigned char* data, std::size_t bytes, std::uint64_t base_ticks)
      : at_(data), end_(data + bytes), ticks_(base_ticks) {}
  std::optional<RawEvent> next();
  /// True when the data ended inside an event.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  bool read(std::uint64_t& value);
  const unsigned char* at_;
  const unsigned char* end_;
  std::uint64_t ticks_;
  bool damaged_ = false;
};

/// The same from raw words (ring files).
class WordReader {
 public:
  WordReader(const std::uint64_t* words, std::size_t count, std::uint64_t base_ticks)
      : words_(words), count_(count), ticks_(base_ticks) {}
  std::optional<RawEvent> next();

 private:
  const std::uint64_t* words_;
  std::size_t count_;
  std::size_t at_ = 0;
  std::uint64_t ticks_;
};

}  // namespace neurolens::probe
