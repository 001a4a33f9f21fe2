#include "core/encode.hpp"

#include <atomic>

#include "core/format.hpp"

namespace neurolens::probe {
namespace {

unsigned char* put(unsigned char* out, std::uint64_t value) noexcept {
  while (value >= 0x80) {
    *out++ = static_cast<unsigned char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<unsigned char>(value);
  return out;
}

/// Small negative numbers become small positive ones.
std::uint64_t fold(std::uint64_t difference) noexcept {
  const auto d = static_cast<std::int64_t>(difference);
  return static_cast<std::uint64_t>(d) << 1 ^ static_cast<std::uint64_t>(d >> 63);
}
std::uint64_t unfold(std::uint64_t value) noexcept {
  return value >> 1 ^ (~(value & 1) + 1);
}

std::uint64_t load(const std::uint64_t& word) noexcept {
  return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(word))
      .load(std::memory_order_acquire);
}

/// The difference of two 48-bit times, as a signed number.
std::uint64_t difference48(std::uint64_t word, std::uint64_t ticks) noexcept {
  const auto shifted = static_cast<std::int64_t>((word & ~std::uint64_t{0xFFFF}) - (ticks << 16));
  return static_cast<std::uint64_t>(shifted >> 16);
}

}  // namespace

Encoded encode(const std::uint64_t* words, std::size_t count, std::uint64_t base_ticks,
               unsigned char* out) noexcept {
  unsigned char* const begin = out;
  std::size_t i = 0;
  std::uint64_t ticks = base_ticks;
  Encoded result;
  while (i < count) {
    const std::uint64_t word = load(words[i]);
    if (word == 0) break;
    const std::size_t length = words_of(word);
    if (i + length > count) break;
    const std::uint64_t difference = difference48(word, ticks);
    ticks += difference;
    out = put(out, word & 0xFFFF);
    out = put(out, fold(difference));
    if (length == 3) {
      out = put(out, load(words[i + 1]));
      out = put(out, fold(load(words[i + 2])));
    }
    i += length;
    ++result.events;
  }
  result.last_ticks = ticks;
  result.words = static_cast<std::uint32_t>(i);
  result.bytes = static_cast<std::size_t>(out - begin);
  return result;
}

bool Decoder::read(std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) return false;
    const unsigned char byte = *at_++;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (shift & 63);
    if (byte < 0x80) return true;
  }
  return false;
}

std::optional<RawEvent> Decoder::next() {
  if (at_ == end_ || damaged_) return std::nullopt;
  RawEvent event;
  std::uint64_t code = 0, difference = 0, site = 0, value = 0;
  damaged_ = !read(code) || code == 0 || code > 0xFFFF || !read(difference);
  if (!damaged_ && words_of(code) == 3) damaged_ = !read(site) || !read(value);
  if (damaged_) return std::nullopt;
  ticks_ += unfold(difference);
  event.code = static_cast<std::uint32_t>(code);
  event.ticks = ticks_;
  event.site = words_of(code) == 1 ? event.code : static_cast<std::uint32_t>(site & 0xFFFF);
  event.detail = site >> 16;
  event.value = unfold(value);
  return event;
}

std::optional<RawEvent> WordReader::next() {
  if (at_ >= count_ || words_[at_] == 0) return std::nullopt;
  const std::uint64_t word = words_[at_];
  const std::size_t length = words_of(word);
  if (at_ + length > count_) return std::nullopt;
  ticks_ += difference48(word, ticks_);
  RawEvent event;
  event.code = static_cast<std::uint32_t>(word & 0xFFFF);
  event.ticks = ticks_;
  event.site = event.code;
  if (length == 3) {
    event.site = static_cast<std::uint32_t>(words_[at_ + 1] & 0xFFFF);
    event.detail = words_[at_ + 1] >> 16;
    event.value = words_[at_ + 2];
  }
  at_ += length;
  return event;
}

}  // namespace neurolens::probe
