/// \file
/// Tables for terminals and Markdown, and the numbers in them. A unit is chosen once per column, so
/// that digits line up; what was not collected is "-".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/figures.hpp"

namespace neurolens::report {

// The numbers in them; see base/figures.hpp.
using neurolens::byte_scale;
using neurolens::display_width;
using neurolens::elide_middle;
using neurolens::format_bytes;
using neurolens::format_in;
using neurolens::format_number;
using neurolens::format_rate;
using neurolens::format_share;
using neurolens::format_time;
using neurolens::rate_scale;
using neurolens::Scale;
using neurolens::time_scale;

/// `text` as Markdown prose that shows it as it is: printable, marks escaped, very long text cut in
/// its middle.
[[nodiscard]] std::string markdown_text(std::string_view text);

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
