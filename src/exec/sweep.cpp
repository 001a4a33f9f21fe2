#include <fmt/format.h>

#include <limits>
#include <set>

#include "neurolens/base/text.hpp"
#include "neurolens/exec/parallel.hpp"

namespace neurolens::exec {
namespace {

constexpr std::size_t kMostPoints = 10'000'000;

std::string plain(const json::Value& value) {
  if (const std::string* text = value.as_string()) return *text;
  if (value.is_null()) return "";
  neurolens::json::Writer writer;
  writer.value(value);
  return std::move(writer).take();
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

Result<std::size_t> count_points(const std::vector<Axis>& axes,
                                 const std::vector<std::string>& measures) {
  std::set<std::string> names;
  std::size_t points = 1;
  for (const Axis& axis : axes) {
    if (!names.insert(axis.name).second) {
      return Error{
          Errc::duplicate_name, fmt::format("The name \"{}\" is used twice.", axis.name), {}};
    }
    if (axis.values.empty()) {
      return Error{Errc::bad_request, fmt::format("The axis \"{}\" has no values.", axis.name), {}};
    }
    if (points > kMostPoints / axis.values.size()) {
      return Error{
          Errc::too_large, fmt::format("The grid has more than {} points.", kMostPoints), {}};
    }
    points *= axis.values.size();
  }
  for (const std::string& name : measures) {
    if (!names.insert(name).second) {
      return Error{Errc::duplicate_name, fmt::format("The name \"{}\" is used twice.", name), {}};
    }
  }
  return points;
}

}  // namespace

Axis range_axis(std::string name, double first, double step, std::size_t count) {
  Axis axis{std::move(name), {}};
  for (std::size_t i = 0; i < count; ++i) {
    axis.values.emplace_back(json::Value::Data(first + static_cast<double>(i) * step));
  }
  return axis;
}

const json::Value& Point::operator[](std::string_view axis) const {
  static const json::Value kNull;
  std::size_t rest = index_;
  for (std::size_t a = axes_.size(); a-- > 0;) {
    const std::size_t size = axes_[a].values.size();
    if (axes_[a].name == axis) return axes_[a].values[rest % size];
    rest /= size;
  }
  return kNull;
}

double Point::number(std::string_view axis) const {
  return (*this)[axis].as_double().value_or(std::numeric_limits<double>::quiet_NaN());
}

Result<Table> sweep(Executor& executor, std::vector<Axis> axes, std::vector<std::string> measures,
                    std::function<Result<std::vector<double>>(const Point&, TaskContext&)> function,
                    const RunOptions& options, const Policy& policy) {
  NEUROLENS_ASSIGN(const std::size_t points, count_points(axes, measures));
  Graph graph;
  std::vector<Handle<std::vector<double>>> handles;
  for (std::size_t i = 0; i < points; ++i) {
    handles.push_back(graph.add(
        TaskSpec("", policy), [&, i](TaskContext& context) -> Result<std::vector<double>> {
          NEUROLENS_ASSIGN(std::vector<double> values, function(Point(axes, i), context));
          if (values.size() != measures.size()) {
            return Error{Errc::bad_request,
                         fmt::format("The function returned {} numbers for {} measures.",
                                     values.size(), measures.size()),
                         {}};
          }
          return values;
        }));
  }
  NEUROLENS_ASSIGN(const CompiledGraph compiled, std::move(graph).compile());
  GraphRun run(compiled);
  NEUROLENS_TRY(run.run(executor, options));

  Table table;
  table.report = run.report();
  for (const Axis& axis : axes) table.columns.push_back(axis.name);
  table.columns.insert(table.columns.end(), measures.begin(), measures.end());
  table.columns.insert(table.columns.end(), {"state", "error"});
  for (std::size_t i = 0; i < points; ++i) {
    std::vector<json::Value> row;
    const Point point(axes, i);
    for (const Axis& axis : axes) row.push_back(point[axis.name]);
    const std::vector<double>* const values = run.find(handles[i]);
    for (std::size_t m = 0; m < measures.size(); ++m) {
      row.push_back(values != nullptr ? json::Value(json::Value::Data((*values)[m]))
                                      : json::Value());
    }
    row.emplace_back(json::Value::Data(std::string(to_string(run.state(handles[i].task)))));
    const TaskError* const error = run.error(handles[i].task);
    row.push_back(error != nullptr ? json::Value(json::Value::Data(error->error.message))
                                   : json::Value());
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string Table::csv() const {
  std::string out;
  for (std::size_t c = 0; c < columns.size(); ++c)
    out += (c > 0 ? "," : "") + csv_field(columns[c]);
  out += "\r\n";
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c)
      out += (c > 0 ? "," : "") + csv_field(plain(row[c]));
    out += "\r\n";
  }
  return out;
}

std::string Table::text() const {
  std::vector<std::vector<std::string>> cells;
  std::vector<std::size_t> width;
  for (const std::string& column : columns) width.push_back(column.size());
  for (const auto& row : rows) {
    cells.emplace_back();
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::optional<double> number = row[c].is_string() ? std::nullopt : row[c].as_double();
      std::string cell = number ? fmt::format("{:.6g}", *number) : printable(plain(row[c]));
      if (cell.empty()) cell = "-";
      width[c] = std::max(width[c], cell.size());
      cells.back().push_back(std::move(cell));
    }
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& row) {
    std::string text;
    for (std::size_t c = 0; c < row.size(); ++c) text += fmt::format("{:>{}}  ", row[c], width[c]);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  line(columns);
  for (const auto& row : cells) line(row);
  return out;
}

std::string Table::json() const {
  neurolens::json::Writer writer;
  writer.begin_array();
  for (const auto& row : rows) {
    writer.begin_object();
    for (std::size_t c = 0; c < row.size(); ++c) writer.member(columns[c], row[c]);
    writer.end_object();
  }
  writer.end_array();
  return std::move(writer).take();
}

}  // namespace neurolens::exec
