#include "neurolens/base/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace neurolens {
namespace {

Scale pick(std::span<const Scale> scales, double largest) {
  for (const auto& scale : scales) {
    if (std::abs(largest) >= scale.divisor) return scale;
  }
  return scales.back();
}

/// Decimals that show three significant digits of `largest` (already scaled).
int decimals_for(double largest) {
  const double size = std::abs(largest);
  if (size >= 100) return 0;
  if (size >= 10) return 1;
  return 2;
}

std::string with_unit(const Scale& scale, double value) {
  return fmt::format("{} {}", format_in(scale, value, value), scale.unit);
}

}  // namespace

Scale time_scale(double largest_ns) {
  static constexpr Scale kScales[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
  return pick(kScales, largest_ns);
}

Scale byte_scale(double largest_bytes) {
  static constexpr Scale kScales[] = {
      {"TiB", 0x1p40}, {"GiB", 0x1p30}, {"MiB", 0x1p20}, {"KiB", 0x1p10}, {"B", 1}};
  return pick(kScales, largest_bytes);
}

Scale rate_scale(double largest_per_second, bool flops) {
  static constexpr Scale kFlops[] = {
      {"TFLOP/s", 1e12}, {"GFLOP/s", 1e9}, {"MFLOP/s", 1e6}, {"kFLOP/s", 1e3}, {"FLOP/s", 1}};
  static constexpr Scale kBytes[] = {
      {"TB/s", 1e12}, {"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}, {"B/s", 1}};
  return flops ? pick(kFlops, largest_per_second) : pick(kBytes, largest_per_second);
}

std::string format_in(const Scale& scale, double value, double largest) {
  return fmt::format("{:.{}f}", value / scale.divisor,
                     scale.divisor == 1 ? 0 : decimals_for(largest / scale.divisor));
}

std::string format_time(double ns) {
  return with_unit(time_scale(ns), ns);
}
std::string format_bytes(double bytes) {
  return with_unit(byte_scale(bytes), bytes);
}
std::string format_rate(double per_second, bool flops) {
  return with_unit(rate_scale(per_second, flops), per_second);
}
std::string format_number(double value) {
  return fmt::format("{:.{}f}", value, decimals_for(value));
}
std::string format_share(double ratio) {
  return fmt::format("{:.1f} %", 100 * ratio);
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string elide_middle(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width < 5) return std::string(width, '.');
  const auto boundary = [&](std::size_t columns, bool from_end) {
    std::size_t i = from_end ? text.size() : 0;
    while (columns > 0) {
      from_end ? --i : ++i;
      const bool inside = i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
      if (!inside) --columns;
    }
    return i;
  };
  const std::size_t keep = width - 3;
  const std::size_t head = keep / 2;
  return std::string(text.substr(0, boundary(head, false))) + "..." +
         std::string(text.substr(boundary(keep - head, true)));
}

}  // namespace neurolens
