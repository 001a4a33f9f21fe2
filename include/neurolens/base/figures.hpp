/// \file
/// Quantities as text for people: a unit is chosen so that one to three digits stand before the
/// point. Columns choose it once, so that digits line up.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace neurolens {

/// A unit and what one of it is worth: {"ms", 1e6} for nanoseconds.
struct Scale {
  std::string_view unit;
  double divisor = 1;
};

/// The scale in which `largest` has one to three digits before the point.
[[nodiscard]] Scale time_scale(double largest_ns);
[[nodiscard]] Scale byte_scale(double largest_bytes);  ///< Binary: KiB, MiB...
[[nodiscard]] Scale rate_scale(double largest_per_second,
                               bool flops);  ///< GFLOP/s or GB/s, decimal.

/// `value` in `scale` with about three significant digits, as many decimals as `largest` of the
/// column asks for, so that the points of a column line up. Without unit.
[[nodiscard]] std::string format_in(const Scale& scale, double value, double largest);
/// A single quantity with its unit: "48.3 ms".
[[nodiscard]] std::string format_time(double ns);
[[nodiscard]] std::string format_bytes(double bytes);
[[nodiscard]] std::string format_rate(double per_second, bool flops);
/// "1.02", "737": three significant digits.
[[nodiscard]] std::string format_number(double value);
/// "6.4 %".
[[nodiscard]] std::string format_share(double ratio);

/// Columns taken on a terminal by UTF-8 text (one per code point).
[[nodiscard]] std::size_t display_width(std::string_view text);
/// `text` cut in its middle ("stage4...conv2") to at most `width` >= 1 columns.
[[nodiscard]] std::string elide_middle(std::string_view text, std::size_t width);

}  // namespace neurolens
