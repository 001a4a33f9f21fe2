#include "neurolens/base/base64.hpp"

#include <array>
#include <cstdint>

namespace neurolens {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr auto kValues = make_values();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3, out += 4) {
    const std::uint32_t three = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out[0] = kAlphabet[three >> 18U];
    out[1] = kAlphabet[(three >> 12U) & 63U];
    if (i + 1 < bytes.size()) out[2] = kAlphabet[(three >> 6U) & 63U];
    if (i + 2 < bytes.size()) out[3] = kAlphabet[three & 63U];
  }
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) {
    return Error{Errc::parse_error, "Base64 text comes in groups of four characters; it was cut.",
                 ""};
  }
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string bytes(text.size() / 4 * 3, '\0');
  char* out = bytes.data();
  std::uint8_t faults = 0;
  for (std::size_t i = 0; i < text.size(); i += 4, out += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const bool filler = i + k + padding >= text.size();
      const std::uint8_t value = filler ? 0 : kValues[static_cast<unsigned char>(text[i + k])];
      faults |= value & 0xc0U;  // only kForeign has these bits
      three = three << 6U | (value & 63U);
    }
    out[0] = static_cast<char>(three >> 16U);
    out[1] = static_cast<char>(three >> 8U);
    out[2] = static_cast<char>(three);
  }
  if (faults != 0) {
    return Error{Errc::parse_error, "A character does not belong into base64 text.", ""};
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace neurolens
