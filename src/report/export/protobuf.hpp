/// \file
/// Just enough of the protobuf wire format to write a trace: varints, 64-bit and length-delimited
/// fields. Nested messages are written in place; their length is a varint of fixed width that is
/// filled in at the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace neurolens::report {

class Protobuf {
 public:
  /// Appends to `out`, which must outlive this.
  explicit Protobuf(std::string& out) : out_(out) {}

  void varint(std::uint32_t field, std::uint64_t value) {
    raw((field << 3U) | 0U);
    raw(value);
  }
  void fixed64(std::uint32_t field, std::uint64_t value) {
    raw((field << 3U) | 1U);
    for (int i = 0; i < 8; ++i) out_ += static_cast<char>(value >> (8 * i) & 0xffU);
  }
  void number(std::uint32_t field, double value) {
    std::uint64_t bits = 0;
    static_assert(sizeof(bits) == sizeof(value));
    __builtin_memcpy(&bits, &value, sizeof(bits));
    fixed64(field, bits);
  }
  void text(std::uint32_t field, std::string_view bytes) {
    raw((field << 3U) | 2U);
    raw(bytes.size());
    out_ += bytes;
  }
  /// A nested message: whatever `fill` writes.
  template <class Fill>
  void message(std::uint32_t field, const Fill& fill) {
    raw((field << 3U) | 2U);
    const std::size_t length_at = out_.size();
    out_.append(kLengthBytes, '\0');
    fill();
    std::size_t length = out_.size() - length_at - kLengthBytes;
    for (std::size_t i = 0; i < kLengthBytes; ++i, length >>= 7U) {
      const bool more = i + 1 < kLengthBytes;
      out_[length_at + i] = static_cast<char>((length & 0x7fU) | (more ? 0x80U : 0U));
    }
  }

 private:
  /// A message of a trace stays below 256 MiB.
  static constexpr std::size_t kLengthBytes = 4;

  void raw(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>((value & 0x7fU) | 0x80U);
      value >>= 7U;
    }
    out_ += static_cast<char>(value);
  }

  std::string& out_;
};

}  // namespace neurolens::report
