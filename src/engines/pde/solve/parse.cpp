#include "solve/parse.hpp"

#include <fmt/format.h>

#include <charconv>

#include "neurolens/base/text.hpp"

namespace neurolens::pde {

Result<double> parse_number(std::string_view text, std::string_view option) {
  text = trim(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && !text.empty()) return value;
  auto constant = Expression::parse(text, {});  // pi/2 is a number too
  if (!constant.ok())
    return Error{Errc::bad_request, fmt::format("\"{}\" is not a number.", printable(text)),
                 std::string(option)};
  return constant->evaluate(std::span<const double>{});
}

Result<Grid> parse_grid(std::string_view points, std::string_view domain) {
  std::vector<int> n;
  for (const auto piece : split(points, 'x')) {
    NEUROLENS_ASSIGN(const double value, parse_number(piece, "--n"));
    if (!(value >= 0 && value <= 1e9) || value != static_cast<int>(value))
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not a number of points. Write 80x80.", printable(piece)),
                   "--n"};
    n.push_back(static_cast<int>(value));
  }
  std::vector<double> lower(n.size(), 0.0);
  std::vector<double> upper(n.size(), 1.0);
  if (const auto unit = Grid::make(n, lower, upper); !unit.ok())
    return Error(unit.error()).at("--n");
  if (!domain.empty()) {
    const auto axes = split(domain, 'x');
    if (axes.size() != n.size())
      return Error{Errc::bad_request,
                   fmt::format("The domain has {} axes, the grid {}.", axes.size(), n.size()),
                   "--domain"};
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto ends = split(axes[i], ':');
      if (ends.size() != 2)
        return Error{Errc::bad_request, "A domain is written LOW:HIGH per axis, as in -1:1x0:2.",
                     "--domain"};
      NEUROLENS_ASSIGN(lower[i], parse_number(ends[0], "--domain"));
      NEUROLENS_ASSIGN(upper[i], parse_number(ends[1], "--domain"));
    }
  }
  auto grid = Grid::make(n, lower, upper);
  if (!grid.ok()) return std::move(grid).error().at("--domain");
  return grid;
}

Status parse_boundary(std::string_view text, int dimensions, Boundary& boundary) {
  const auto wrong = [&](std::string message) {
    return Error{Errc::bad_request, std::move(message), "--bc"};
  };
  std::string_view rest = trim(text);
  std::string_view face = "all";
  const std::size_t colon = rest.find(':');
  if (colon != std::string_view::npos && colon < rest.find('=')) {
    face = trim(rest.substr(0, colon));
    rest = trim(rest.substr(colon + 1));
  }
  const std::size_t equals = rest.find('=');
  std::string_view kind = trim(rest.substr(0, equals));
  const std::string_view value =
      equals == std::string_view::npos ? "0" : trim(rest.substr(equals + 1));
  FaceCondition condition;
  if (kind.starts_with("robin")) {
    const std::size_t open = kind.find('(');
    const std::size_t comma = kind.find(',');
    if (open == std::string_view::npos || comma == std::string_view::npos || !kind.ends_with(')'))
      return wrong(
          "Robin is written robin(ALPHA,BETA)=VALUE and means ALPHA u + BETA du/dn = VALUE.");
    NEUROLENS_ASSIGN(condition.alpha,
                     parse_number(kind.substr(open + 1, comma - open - 1), "--bc"));
    NEUROLENS_ASSIGN(condition.beta,
                     parse_number(kind.substr(comma + 1, kind.size() - comma - 2), "--bc"));
    condition.kind = ConditionKind::robin;
  } else if (kind == "dirichlet") {
    condition.kind = ConditionKind::dirichlet;
  } else if (kind == "neumann") {
    condition.kind = ConditionKind::neumann;
  } else if (kind == "periodic") {
    condition.kind = ConditionKind::periodic;
  } else {
    const std::vector<std::string> known{"dirichlet", "neumann", "robin", "periodic"};
    return wrong(
        fmt::format("Unknown boundary kind \"{}\".{}", printable(kind), did_you_mean(kind, known)));
  }
  auto data = ScalarData::parse(value);
  if (!data.ok()) return data.error().at("--bc");
  condition.value = std::move(data).value();
  bool found = false;
  for (int a = 0; a < 3; ++a)
    for (int side = 0; side < 2; ++side) {
      const bool axis = face.size() == 1 && face[0] == "xyz"[a];
      if (face != "all" && !axis && face != face_name(a, side == 1)) continue;
      if (a >= dimensions && face != "all") continue;
      boundary.face[static_cast<std::size_t>(a)][static_cast<std::size_t>(side)] = condition;
      found = true;
    }
  if (!found) {
    std::vector<std::string> known{"all"};
    for (int a = 0; a < dimensions; ++a) {
      known.push_back(face_name(a, false));
      known.push_back(face_name(a, true));
    }
    return wrong(fmt::format("Unknown face \"{}\".{}", printable(face), did_you_mean(face, known)));
  }
  return {};
}

Result<std::vector<double>> parse_times(std::string_view text) {
  std::vector<double> times;
  if (text.empty()) return std::vector<double>{1.0};
  const auto range = split(text, ':');
  if (range.size() == 3) {
    NEUROLENS_ASSIGN(const double low, parse_number(range[0], "--times"));
    NEUROLENS_ASSIGN(const double high, parse_number(range[1], "--times"));
    NEUROLENS_ASSIGN(const double count, parse_number(range[2], "--times"));
    if (!(count >= 2) || count > 1e7)
      return Error{Errc::bad_request, "LOW:HIGH:COUNT needs a count of 2 to 1e7.", "--times"};
    for (int i = 0; i < static_cast<int>(count); ++i)
      times.push_back(low + (high - low) * i / (static_cast<int>(count) - 1));
    return times;
  }
  for (const auto piece : split(text, ',')) {
    NEUROLENS_ASSIGN(const double t, parse_number(piece, "--times"));
    times.push_back(t);
  }
  return times;
}

Result<ScalarData> parse_data(const std::string& text, double fallback, std::string_view option) {
  if (text.empty()) return ScalarData(fallback);
  auto data = ScalarData::parse(text);
  if (!data.ok()) return std::move(data).error().at(option);
  return data;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_assignments(
    const std::vector<std::string>& texts, std::string_view option) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const std::string& text : texts) {
    std::size_t start = 0;
    int depth = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (i < text.size()) {
        depth += text[i] == '(' ? 1 : (text[i] == ')' ? -1 : 0);
        if (text[i] != ',' || depth != 0) continue;
      }
      const std::string_view piece = trim(std::string_view(text).substr(start, i - start));
      start = i + 1;
      const std::size_t equals = piece.find('=');
      if (equals == std::string_view::npos || trim(piece.substr(0, equals)).empty())
        return Error{Errc::bad_request,
                     fmt::format("\"{}\" is not NAME=EXPRESSION.", printable(piece)),
                     std::string(option)};
      result.emplace_back(trim(piece.substr(0, equals)), trim(piece.substr(equals + 1)));
    }
  }
  return result;
}

}  // namespace neurolens::pde
