/// \file
/// Random numbers that are the same on every machine, thread count and split of the work.
/// Method: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
/// 3", 2011), a counter-based generator: the value at a counter is a pure function of (key,
/// counter).
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace neurolens {

/// Four 32-bit words for one counter under one key.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(
    std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// A stream of Philox words: (seed, stream) names it, `skip_to` jumps anywhere in O(1).
/// Meets UniformRandomBitGenerator, but prefer the members below: the standard distributions differ
/// between libraries, these do not.
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
        stream_{static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)} {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  /// The next 64 random bits.
  result_type operator()() {
    if (left_ == 0) refill();
    --left_;
    return words_[left_];
  }
  /// Uniform in [0, 1) with 53 random bits.
  double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform integer in [0, bound), without modulo bias. Requires bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = max() - max() % bound;
    std::uint64_t word = (*this)();
    while (word >= limit) word = (*this)();
    return word % bound;
  }
  /// Standard normal (Box-Muller, one value per call).
  double normal() {
    const double u = 1.0 - uniform();  // (0, 1]
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586476925 * uniform());
  }
  /// Continues from the `block`-th pair of 64-bit words of this stream.
  void skip_to(std::uint64_t block) {
    block_ = block;
    left_ = 0;
  }

 private:
  void refill() {
    const auto w = philox4x32({static_cast<std::uint32_t>(block_),
                               static_cast<std::uint32_t>(block_ >> 32), stream_[0], stream_[1]},
                              key_);
    words_[1] = std::uint64_t{w[0]} | (std::uint64_t{w[1]} << 32);
    words_[0] = std::uint64_t{w[2]} | (std::uint64_t{w[3]} << 32);
    left_ = 2;
    ++block_;
  }

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> stream_;
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 2> words_{};
  int left_ = 0;
};

}  // namespace neurolens
