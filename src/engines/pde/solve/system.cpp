#include "solve/system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/text.hpp"
#include "neurolens/engines/pde/field_io.hpp"
#include "solve/parse.hpp"

namespace neurolens::pde {
namespace {

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto fits = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), fits);
}

}  // namespace

Result<System> parse_system(const SolveRequest& r, const std::string& independent) {
  System s;
  NEUROLENS_ASSIGN(const auto pairs, parse_assignments(r.derivatives, "--derivative"));
  if (pairs.empty())
    return Error{Errc::bad_request, "At least one NAME=EXPRESSION is needed, such as x=-x.",
                 "--derivative"};
  if (pairs.size() > 60)
    return Error{Errc::too_large, "At most 60 components can be given as formulas.",
                 "--derivative"};
  s.variables.push_back(independent);
  for (const auto& [name, text] : pairs) {
    if (!is_name(name))
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not a name: letters, digits and _, a letter first.",
                               printable(name)),
                   "--derivative"};
    if (std::find(s.variables.begin(), s.variables.end(), name) != s.variables.end())
      return Error{Errc::duplicate_name, fmt::format("\"{}\" is given twice.", printable(name)),
                   "--derivative"};
    s.names.push_back(name);
    s.variables.push_back(name);
  }
  for (const auto& [name, text] : pairs) {
    auto expression = Expression::parse(text, s.variables);
    if (!expression.ok()) return std::move(expression).error().at("--derivative " + name);
    s.derivative.push_back(std::move(expression).value());
  }
  return s;
}

OdeFunction function_of(const System& s, PhaseObserver* observer) {
  PhaseCost cost;
  for (const Expression& e : s.derivative)
    cost.flops += Flops{static_cast<std::int64_t>(e.operations())};
  cost.bytes = Bytes{static_cast<std::int64_t>(16 * s.derivative.size())};
  return [s, observer, cost, values = std::vector<double>(s.variables.size())](
             double t, std::span<const double> y, std::span<double> d) mutable {
    const Phase phase(observer, "right-hand side", cost);
    values[0] = t;
    std::copy(y.begin(), y.end(), values.begin() + 1);
    for (std::size_t i = 0; i < d.size(); ++i) d[i] = s.derivative[i].evaluate(values);
    return true;
  };
}

Result<std::vector<Expression>> parse_initial(const SolveRequest& r, const System& s,
                                              const std::string& independent, bool required) {
  NEUROLENS_ASSIGN(const auto pairs,
                   parse_assignments(r.initial.empty() ? std::vector<std::string>{}
                                                       : std::vector<std::string>{r.initial},
                                     "--initial"));
  const std::vector<std::string> variables{independent};
  std::vector<Expression> result;
  for (const std::string& name : s.names) {
    const auto found =
        std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.first == name; });
    if (found == pairs.end() && required)
      return Error{Errc::bad_request,
                   fmt::format("No initial value is given for \"{}\". Write --initial {}=VALUE.",
                               name, name),
                   "--initial"};
    auto expression = Expression::parse(found == pairs.end() ? "0" : found->second, variables);
    if (!expression.ok()) return std::move(expression).error().at("--initial " + name);
    result.push_back(std::move(expression).value());
  }
  for (const auto& [name, text] : pairs)
    if (std::find(s.names.begin(), s.names.end(), name) == s.names.end())
      return Error{
          Errc::bad_request,
          fmt::format("\"{}\" is not a component.{}", printable(name), did_you_mean(name, s.names)),
          "--initial"};
  return result;
}

void add_table(const SolveRequest& r, const std::string& title, SolveAnswer& answer) {
  if (!r.want_svg) return;
  std::vector<std::vector<double>> lines(answer.columns.size());
  for (const auto& row : answer.table)
    for (std::size_t k = 0; k < lines.size(); ++k) lines[k].push_back(row[k]);
  PlotOptions options;
  options.title = title;
  answer.svg = plot_lines_svg(answer.times, lines, answer.columns, options);
}

Result<std::optional<double>> error_against(const SolveRequest& r, const std::string& independent,
                                            std::span<const double> at,
                                            std::span<const std::vector<double>> values) {
  if (r.exact.empty()) return std::optional<double>{};
  const std::vector<std::string> variables{independent};
  auto exact = Expression::parse(r.exact, variables);
  if (!exact.ok()) return std::move(exact).error().at("--exact");
  double worst = 0;
  for (std::size_t i = 0; i < at.size(); ++i)
    worst = std::max(worst, std::fabs(exact->evaluate(at.subspan(i, 1)) - values[i][0]));
  return std::optional<double>(worst);
}

void write_columns(json::Writer& w, const SolveAnswer& answer) {
  for (std::size_t k = 0; k < answer.columns.size(); ++k) {
    std::vector<double> column;
    for (const auto& row : answer.table) column.push_back(row[k]);
    w.key("y_" + answer.columns[k]).numbers(column);
  }
}

}  // namespace neurolens::pde
