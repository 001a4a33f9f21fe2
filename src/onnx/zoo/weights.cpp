#include "weights.hpp"

#include <cmath>

#include "neurolens/base/random.hpp"

namespace neurolens::onnx::zoo {
namespace {

/// 24 random bits as a number in [-1, 1).
double centred(std::uint32_t word) {
  return static_cast<double>(static_cast<std::int32_t>(word >> 8) - (1 << 23)) * 0x1.0p-23;
}

}  // namespace

Fill he(std::int64_t fan_in) {
  return {0, static_cast<float>(std::sqrt(6.0 / static_cast<double>(fan_in)))};
}
Fill lecun(std::int64_t fan_in) {
  return {0, static_cast<float>(std::sqrt(3.0 / static_cast<double>(fan_in)))};
}
Fill around_zero(double deviation) {
  return {0, static_cast<float>(deviation * std::sqrt(3.0))};
}

void fill_weights(std::uint64_t seed, std::uint64_t tensor, Fill fill, std::int64_t first,
                  std::span<float> out) {
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed),
                                         static_cast<std::uint32_t>(seed >> 32)};
  const double centre = fill.centre;
  const double spread = fill.spread;
  auto block = static_cast<std::uint64_t>(first) / 4;
  for (std::size_t i = 0; i < out.size(); i += 4, ++block) {
    const auto words =
        philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                    static_cast<std::uint32_t>(tensor), static_cast<std::uint32_t>(tensor >> 32)},
                   key);
    for (std::size_t k = 0; k < 4 && i + k < out.size(); ++k) {
      out[i + k] = static_cast<float>(centre + spread * centred(words[k]));
    }
  }
}

}  // namespace neurolens::onnx::zoo
