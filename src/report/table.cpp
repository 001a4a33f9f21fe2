#include "neurolens/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "neurolens/base/text.hpp"

namespace neurolens::report {
namespace {

/// Every mark that Markdown or the HTML within it could take as more than itself.
std::string escape_marks(std::string_view text) {
  constexpr std::string_view kMarks = "|<>&`*_[]\\~";
  std::string out;
  for (const char c : text) {
    if (kMarks.find(c) != std::string_view::npos) out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

}  // namespace

std::string markdown_text(std::string_view text) {
  constexpr std::size_t kLongest = 400;
  return escape_marks(printable(elide_middle(to_valid_utf8(text), kLongest)));
}

void Table::add_column(std::string title, Align align, bool flexible) {
  columns_.push_back({std::move(title), align, flexible});
}

void Table::add_row(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(display_width(columns_[c].title));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  std::size_t total = 2 * (columns_.size() - 1);
  for (const std::size_t w : widths) total += w;
  for (std::size_t c = 0; c < columns_.size() && width != 0; ++c) {
    if (!columns_[c].flexible || total <= width) continue;
    constexpr std::size_t kNarrowest = 12;
    const std::size_t shrunk =
        std::max(std::min(widths[c], kNarrowest), widths[c] - std::min(widths[c], total - width));
    total -= widths[c] - shrunk;
    widths[c] = shrunk;
  }

  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = elide_middle(cell_of(c), widths[c]);
      const std::string padding(widths[c] - display_width(cell), ' ');
      if (c != 0) line += "  ";
      line += columns_[c].align == Align::left ? cell + padding : padding + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
  for (const auto& row : rows_)
    add_line([&](std::size_t c) -> const std::string& { return row[c]; });
  return out;
}

std::string Table::markdown() const {
  std::string out = "|";
  for (const auto& column : columns_) out += fmt::format(" {} |", escape_marks(column.title));
  out += "\n|";
  for (const auto& column : columns_) out += column.align == Align::left ? "---|" : "---:|";
  for (const auto& row : rows_) {
    out += "\n|";
    for (const auto& cell : row) out += fmt::format(" {} |", escape_marks(cell));
  }
  return out + "\n";
}

}  // namespace neurolens::report
