#include "neurolens/base/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "neurolens/base/text.hpp"

namespace neurolens {
namespace {

std::string place_text(const std::string& file, int line, int column) {
  if (line == 0) return file;
  const std::string text = fmt::format("line {}, column {}", line, column);
  return file.empty() ? text : file + ": " + text;
}

/// The number that `text` begins with, and what follows it. nullopt when it begins with none.
std::optional<std::pair<double, std::string_view>> number_and_unit(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  return std::pair(number, trim(std::string_view(rest, static_cast<std::size_t>(end - rest))));
}

}  // namespace

Error DocumentReader::wrong(const json::Value& v, Errc code, std::string message) const {
  return {code, std::move(message), place(v)};
}

std::string DocumentReader::place(const json::Value& v) const {
  return place_text(file_, v.line, v.column);
}

Status DocumentReader::want_object(const json::Value& v, std::string_view what) const {
  if (v.is_object()) return {};
  return wrong(v, Errc::wrong_type, fmt::format("{} must be a map, not {}.", what, v.type_name()));
}

Status DocumentReader::known_keys(const json::Value& v,
                                  const std::vector<std::string>& known) const {
  for (const auto& [key, value] : *v.as_object()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    return Error{
        Errc::unknown_key,
        fmt::format("The key \"{}\" is not known here.{}", printable(key),
                    did_you_mean(key, known)),
        value.key_line == 0 ? place(value) : place_text(file_, value.key_line, value.key_column)};
  }
  return {};
}

Result<std::string> DocumentReader::text(const json::Value& v, std::string_view key) const {
  if (const std::string* s = v.as_string()) return *s;
  if (v.is_number() || v.is_bool()) {
    json::Writer writer;
    writer.value(v);
    return std::move(writer).take();
  }
  return wrong(v, Errc::wrong_type,
               fmt::format("\"{}\" must be a text, not {}.", key, v.type_name()));
}

Result<std::int64_t> DocumentReader::integer(const json::Value& v, std::string_view key,
                                             std::int64_t least, std::int64_t most) const {
  const std::optional<std::int64_t> n = v.as_int();
  if (!n) {
    return wrong(v, Errc::wrong_type,
                 fmt::format("\"{}\" must be an integer, not {}.", key, v.type_name()));
  }
  if (*n < least || *n > most) {
    return wrong(v, Errc::out_of_range,
                 fmt::format("\"{}\" is {}; it must lie in [{}, {}].", key, *n, least, most));
  }
  return *n;
}

Result<double> DocumentReader::number(const json::Value& v, std::string_view key, double least,
                                      double most) const {
  const std::optional<double> n = v.as_double();
  if (!n) {
    return wrong(v, Errc::wrong_type,
                 fmt::format("\"{}\" must be a number, not {}.", key, v.type_name()));
  }
  if (!(*n >= least && *n <= most)) {
    return wrong(v, Errc::out_of_range,
                 fmt::format("\"{}\" must be a number between {} and {}.", key, least, most));
  }
  return *n;
}

Result<std::vector<std::string>> DocumentReader::texts(const json::Value& v, std::string_view key,
                                                       bool one_is_enough) const {
  if (one_is_enough && v.is_string()) return std::vector<std::string>{*v.as_string()};
  if (!v.is_array()) {
    return wrong(v, Errc::wrong_type,
                 fmt::format("\"{}\" must be a list, not {}.", key, v.type_name()));
  }
  std::vector<std::string> out;
  for (const json::Value& element : *v.as_array()) {
    NEUROLENS_ASSIGN(std::string s, text(element, key));
    out.push_back(std::move(s));
  }
  return out;
}

Result<std::map<std::string, std::string>> DocumentReader::text_map(const json::Value& v,
                                                                    std::string_view key) const {
  NEUROLENS_TRY(want_object(v, fmt::format("\"{}\"", key)));
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : *v.as_object()) {
    NEUROLENS_ASSIGN(out[name], text(value, name));
  }
  return out;
}

Result<Nanoseconds> DocumentReader::duration(const json::Value& v, std::string_view key) const {
  static const std::map<std::string_view, double> kUnits = {
      {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}, {"min", 6e10}, {"h", 3.6e12}};
  double number = -1;
  std::string_view unit = "s";
  if (const std::optional<double> bare = v.as_double()) {
    number = *bare;
  } else if (const std::string* s = v.as_string()) {
    if (const auto parts = number_and_unit(*s)) std::tie(number, unit) = *parts;
  }
  const auto it = kUnits.find(unit);
  if (it == kUnits.end() || !(number >= 0) || number * it->second > 9e18) {
    return wrong(v, Errc::wrong_type,
                 fmt::format("\"{}\" must be a duration such as 250ms, 30s, 5m or 1h.", key));
  }
  return Nanoseconds{static_cast<std::int64_t>(number * it->second)};
}

Result<double> DocumentReader::ratio(const json::Value& v, std::string_view key, double least,
                                     double most) const {
  std::optional<double> found = v.as_double();
  if (const std::string* s = v.as_string()) {
    if (const auto parts = number_and_unit(*s); parts && parts->second == "%")
      found = parts->first / 100;
  }
  if (!found) {
    return wrong(v, Errc::wrong_type,
                 fmt::format("\"{}\" must be a ratio such as 0.02 or 2%.", key));
  }
  if (!(*found >= least && *found <= most)) {
    return wrong(v, Errc::out_of_range,
                 fmt::format("\"{}\" must lie between {} and {}.", key, least, most));
  }
  return *found;
}

}  // namespace neurolens
