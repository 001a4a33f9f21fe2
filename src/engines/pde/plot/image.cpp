#include "plot/image.hpp"

#include <algorithm>

#include "index.hpp"
#include "neurolens/base/compress.hpp"

namespace neurolens::pde {
namespace {

std::uint32_t crc(std::string_view bytes) {
  std::uint32_t c = 0xFFFFFFFFU;
  for (const char ch : bytes) {
    c ^= static_cast<unsigned char>(ch);
    for (int k = 0; k < 8; ++k) c = (c & 1U) != 0 ? 0xEDB88320U ^ (c >> 1) : c >> 1;
  }
  return ~c;
}
void big_endian(std::string& out, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((v >> shift) & 0xFF);
}
void chunk(std::string& out, std::string_view type, std::string_view data) {
  big_endian(out, static_cast<std::uint32_t>(data.size()));
  std::string body(type);
  body += data;
  out += body;
  big_endian(out, crc(body));
}

// Glyphs of numbers, 3 x 5 dots, rows from the top, the left dot highest.
constexpr std::string_view kGlyphs = "0123456789.-+e";
constexpr std::uint16_t kDots[] = {
    0b111101101101111, 0b010110010010111, 0b111001111100111, 0b111001111001111, 0b101101111001001,
    0b111100111001111, 0b111100111101111, 0b111001010010010, 0b111101111101111, 0b111101111001111,
    0b000000000000010, 0b000000111000000, 0b000010111010000, 0b000111111100111};
constexpr int kScale = 2;  // pixels per dot

}  // namespace

Image::Image(int width, int height)
    : w(width), h(height), rgb(3 * index(width) * index(height), 255) {}

void Image::set(int x, int y, Colour colour) {
  if (x < 0 || y < 0 || x >= w || y >= h) return;
  std::copy(colour.begin(), colour.end(),
            rgb.begin() + (static_cast<std::ptrdiff_t>(y) * w + x) * 3);
}

Colour Image::at(int x, int y) const {
  const auto* p = &rgb[3 * (index(y) * index(w) + index(x))];
  return {p[0], p[1], p[2]};
}

void Image::write(int x, int y, std::string_view text) {
  constexpr Colour kInk{40, 40, 40};
  for (const char c : text) {
    const std::size_t g = kGlyphs.find(c);
    for (int dot = 0; g != std::string_view::npos && dot < 15; ++dot) {
      if (((kDots[g] >> (14 - dot)) & 1) == 0) continue;
      for (int s = 0; s < kScale * kScale; ++s)
        set(x + dot % 3 * kScale + s % kScale, y + dot / 3 * kScale + s / kScale, kInk);
    }
    x += 4 * kScale;
  }
}

std::string Image::png() const {
  const std::size_t row = 3 * index(w);
  std::string raw;
  raw.reserve((row + 1) * index(h));
  for (int y = 0; y < h; ++y) {
    raw += '\0';  // the bytes of this row as they are
    raw.append(reinterpret_cast<const char*>(rgb.data()) + row * index(y), row);
  }
  std::string header;
  big_endian(header, static_cast<std::uint32_t>(w));
  big_endian(header, static_cast<std::uint32_t>(h));
  header += std::string("\x08\x02\x00\x00\x00", 5);
  std::string out("\x89PNG\r\n\x1a\n", 8);
  chunk(out, "IHDR", header);
  chunk(out, "IDAT", zlib_compress(raw));
  chunk(out, "IEND", "");
  return out;
}

}  // namespace neurolens::pde
