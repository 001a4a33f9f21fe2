#include "neurolens/workloads/workloads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "neurolens/base/text.hpp"
#include "options.hpp"

namespace neurolens::workloads {
namespace {

std::vector<Kind> kinds() {
  std::vector<Kind> all = pde_kinds();
  for (auto& kind : nn_kinds()) all.push_back(std::move(kind));
  std::sort(all.begin(), all.end(),
            [](const Kind& a, const Kind& b) { return a.facts.name < b.facts.name; });
  return all;
}

std::string listed(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Turns %XX into the byte.
Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return Error{
          Errc::bad_request,
          fmt::format("\"{}\": after % come two hexadecimal digits; %25 is the sign itself.",
                      printable(text)),
          ""};
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// The way back: '%', '?', '&' and '=' as %XX.
std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '?' || c == '&' || c == '=')
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out;
}

}  // namespace

Result<std::int64_t> Options::integer(const std::string& key, std::int64_t low,
                                      std::int64_t high) const {
  const std::string& text = values_.at(key);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{Errc::bad_request,
                 fmt::format("`{}` is a whole number, not \"{}\".", key, printable(text)), ""};
  }
  if (value < low || value > high) {
    return Error{Errc::out_of_range, fmt::format("`{}` lies in [{}, {}].", key, low, high), ""};
  }
  return value;
}

Result<double> Options::number(const std::string& key, double low, double high) const {
  const std::string& text = values_.at(key);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Error{Errc::bad_request,
                 fmt::format("`{}` is a number, not \"{}\".", key, printable(text)), ""};
  }
  if (value < low || value > high) {
    return Error{Errc::out_of_range, fmt::format("`{}` lies in [{}, {}].", key, low, high), ""};
  }
  return value;
}

Result<std::size_t> Options::choice(const std::string& key,
                                    const std::vector<std::string>& choices) const {
  const std::string& text = values_.at(key);
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  return Error{
      Errc::bad_request,
      fmt::format("`{}` is one of {}, not \"{}\".", key, fmt::join(choices, ", "), printable(text)),
      ""};
}

std::vector<Known> known() {
  std::vector<Known> out;
  for (auto& kind : kinds()) out.push_back(std::move(kind.facts));
  return out;
}

Result<Specification> parse(std::string_view text) {
  Specification out;
  const auto question = text.find('?');
  NEUROLENS_ASSIGN(out.name, unescape(text.substr(0, question)));
  if (out.name.find(':') == std::string::npos) {
    return Error{Errc::bad_request,
                 fmt::format("\"{}\" is not of the form ENGINE:NAME?KEY=VALUE&KEY=VALUE, such as "
                             "pde:poisson?n=80.",
                             printable(text)),
                 ""};
  }
  if (question == std::string_view::npos || question + 1 == text.size()) return out;
  for (const auto piece : split(text.substr(question + 1), '&')) {
    const auto equals = piece.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Error{Errc::bad_request,
                   fmt::format("\"{}\" is not of the form KEY=VALUE.", printable(piece)), ""};
    }
    NEUROLENS_ASSIGN(std::string key, unescape(piece.substr(0, equals)));
    NEUROLENS_ASSIGN(std::string value, unescape(piece.substr(equals + 1)));
    if (!out.options.emplace(key, std::move(value)).second) {
      return Error{Errc::bad_request, fmt::format("`{}` is given twice.", printable(key)), ""};
    }
  }
  return out;
}

bool is_specification(std::string_view text) {
  const std::string_view engine = text.substr(0, text.find(':'));
  if (engine.size() == text.size()) return false;
  const auto all = kinds();
  return std::any_of(all.begin(), all.end(), [&](const Kind& kind) {
    return kind.facts.name.substr(0, kind.facts.name.find(':')) == engine;
  });
}

Result<std::string> with_options(std::string_view specification,
                                 const std::map<std::string, std::string>& options) {
  NEUROLENS_ASSIGN(Specification parts, parse(specification));
  for (const auto& [key, value] : options) parts.options[key] = value;
  std::string out = escape(parts.name);
  char separator = '?';
  for (const auto& [key, value] : parts.options) {
    out += fmt::format("{}{}={}", separator, escape(key), escape(value));
    separator = '&';
  }
  return out;
}

namespace {

/// The kind that a specification names, and its options with the defaults of the others.
struct Resolved {
  Kind kind;
  Options options;
};

Result<Resolved> resolve(std::string_view text) {
  NEUROLENS_ASSIGN(const Specification wanted, parse(text));
  std::vector<std::string> names;
  for (Kind& kind : kinds()) {
    names.push_back(kind.facts.name);
    if (kind.facts.name != wanted.name) continue;
    auto values = kind.facts.defaults;
    std::vector<std::string> keys;
    for (const auto& [key, value] : values) keys.push_back(key);
    for (const auto& [key, value] : wanted.options) {
      const auto place = values.find(key);
      if (place == values.end()) {
        return Error{Errc::bad_request,
                     fmt::format("{} has no option `{}`.{} It has: {}.", wanted.name,
                                 printable(key), did_you_mean(key, keys), listed(keys)),
                     ""};
      }
      place->second = value;
    }
    return Resolved{std::move(kind), Options(std::move(values))};
  }
  return Error{Errc::not_found,
               fmt::format("There is no workload \"{}\".{} There are: {}.", printable(wanted.name),
                           did_you_mean(wanted.name, names), listed(names)),
               ""};
}

}  // namespace

Status check(std::string_view text) {
  return resolve(text).status();
}

Result<std::unique_ptr<capture::EngineWorkload>> make(std::string_view text) {
  NEUROLENS_ASSIGN(const Resolved resolved, resolve(text));
  return resolved.kind.prepare(resolved.kind.facts.name, resolved.options);
}

}  // namespace neurolens::workloads
