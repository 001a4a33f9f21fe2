#include "ranking.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "headline.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::report {
namespace {

std::string time_cell(const Scale& scale, double value, double largest) {
  return fmt::format("{} {}", format_in(scale, value, largest), scale.unit);
}

/// Nobody reads more of a name, and a model's author may have chosen 10,000 characters.
std::string shown_name(std::string_view name) {
  constexpr std::size_t kLongest = 120;
  return elide_middle(printable(name), kLongest);
}

Table by_op(const analyze::Summary& summary, std::size_t shown) {
  const auto& ops = summary.ops;
  const double largest = ops.empty() ? 0 : ops.front().time_ns;
  const Scale scale = time_scale(largest);
  const auto any = [&](auto has) { return std::any_of(ops.begin(), ops.end(), has); };
  const bool intervals = any([](const auto& op) { return op.interval.has_value(); });
  const bool methods = any([&](const auto& op) { return op.method != ops.front().method; });
  const bool bounds = any([](const auto& op) { return op.bound.has_value(); });

  Table table;
  table.add_column("", Align::right);
  table.add_column("op", Align::left, true);
  table.add_column("type", Align::left);
  table.add_column("time", Align::right);
  table.add_column("share", Align::right);
  if (intervals) table.add_column("95 %", Align::right);
  if (methods) table.add_column("method", Align::left);
  if (bounds) table.add_column("bound", Align::left);
  if (bounds) table.add_column("of roof", Align::right);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& op = ops[i];
    std::vector<std::string> row{std::to_string(i + 1), shown_name(op.name), shown_name(op.type),
                                 op.method.empty() ? "-" : time_cell(scale, op.time_ns, largest),
                                 format_share(op.share_ratio)};
    if (intervals) row.push_back(interval_cell(op.interval, scale.divisor, largest));
    if (methods) row.push_back(op.method);
    if (bounds) row.push_back(op.bound.value_or("-"));
    if (bounds) row.push_back(op.roof_ratio ? fmt::format("{:.0f} %", 100 * *op.roof_ratio) : "-");
    table.add_row(std::move(row));
  }
  return table;
}

Table by_type(const analyze::Summary& summary, std::size_t shown) {
  const double largest = summary.types.empty() ? 0 : summary.types.front().time_ns;
  const Scale scale = time_scale(largest);
  Table table;
  table.add_column("", Align::right);
  table.add_column("type", Align::left, true);
  table.add_column("ops", Align::right);
  table.add_column("time", Align::right);
  table.add_column("share", Align::right);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& type = summary.types[i];
    table.add_row({std::to_string(i + 1), shown_name(type.type), std::to_string(type.count),
                   time_cell(scale, type.time_ns, largest), format_share(type.share_ratio)});
  }
  return table;
}

}  // namespace

Table ranking(const analyze::Summary& summary, GroupBy by, std::size_t shown) {
  return by == GroupBy::op ? by_op(summary, shown) : by_type(summary, shown);
}

}  // namespace neurolens::report
