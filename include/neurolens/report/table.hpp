/// \file
/// Tables for terminals and Markdown, and the numbers in them. A unit is chosen once per column, so
/// that digits line up; what was not collected is "-".
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace neurolens::report {

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

/// Side of its column that a cell sticks to.
enum class Align { left, right };

/// Rows of text cells under a head. Cells must be printable already.
class Table {
 public:
  /// The column with `flexible` gives way (cut in the middle) when the table is wider than the
  /// terminal.
  void add_column(std::string title, Align align, bool flexible = false);
  void add_row(std::vector<std::string> cells);
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }

  /// Lines for a terminal of `width` columns (0: unlimited), two spaces between columns.
  [[nodiscard]] std::string text(std::size_t width) const;
  /// A Markdown table; '|' and line breaks in cells are escaped.
  [[nodiscard]] std::string markdown() const;

 private:
  struct Column {
    std::string title;
    Align align;
    bool flexible;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace neurolens::report
