#include "neurolens/base/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <unordered_set>

namespace neurolens::yaml {
namespace {

constexpr int kMaxDepth = 256;
constexpr std::size_t kMaxNodes = 1'000'000;

std::string place_of(const YAML::Mark& mark) {
  return fmt::format("line {}, column {}", mark.line + 1, mark.column + 1);
}

template <class Number>
bool parse_number(std::string_view text, Number& number, int base = 10) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if constexpr (std::is_integral_v<Number>) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size();
  } else {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
  }
}

/// A plain (unquoted) scalar under the core schema.
json::Value plain_scalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return json::Value();
  if (text == "true" || text == "True" || text == "TRUE") return json::Value(true);
  if (text == "false" || text == "False" || text == "FALSE") return json::Value(false);
  std::int64_t integer = 0;
  if (text.starts_with("0x") && parse_number(std::string_view(text).substr(2), integer, 16))
    return json::Value(integer);
  if (parse_number(text, integer)) return json::Value(integer);
  const char first = text[0];
  const bool numeric =
      (first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.';
  double number = 0;
  if (numeric && parse_number(text, number) && std::isfinite(number)) return json::Value(number);
  return json::Value(text);
}

class TreeBuilder {
 public:
  Result<json::Value> build(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth) return fault(node, "The document nests deeper than 256 levels.");
    if (++nodes_ > kMaxNodes)
      return fault(node, "The document expands to more than 1,000,000 nodes.");
    auto built = build_kind(node, depth);
    if (!built.ok()) return built;
    built.value().line = node.Mark().line + 1;
    built.value().column = node.Mark().column + 1;
    return built;
  }

 private:
  static Error fault(const YAML::Node& node, std::string message) {
    return Error{Errc::parse_error, std::move(message), place_of(node.Mark())};
  }

  Result<json::Value> build_kind(const YAML::Node& node, int depth) {
    switch (node.Type()) {
      case YAML::NodeType::Sequence:
        return build_sequence(node, depth);
      case YAML::NodeType::Map:
        return build_map(node, depth);
      case YAML::NodeType::Scalar:
        // yaml-cpp tags quoted scalars with "!" and plain ones with "?".
        return node.Tag() == "!" ? json::Value(node.Scalar()) : plain_scalar(node.Scalar());
      default:
        return json::Value();
    }
  }

  Result<json::Value> build_sequence(const YAML::Node& node, int depth) {
    json::Array items;
    for (const auto& child : node) {
      NEUROLENS_ASSIGN(items.emplace_back(), build(child, depth + 1));
    }
    return json::Value(std::move(items));
  }

  Result<json::Value> build_map(const YAML::Node& node, int depth) {
    json::Object members;
    std::unordered_set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return fault(entry.first, "A key must be a plain word.");
      const std::string name = entry.first.Scalar();
      if (!seen.insert(name).second) {
        return fault(entry.first,
                     fmt::format("The key {} stands twice in one mapping.", json::quote(name)));
      }
      NEUROLENS_ASSIGN(json::Value child, build(entry.second, depth + 1));
      child.key_line = entry.first.Mark().line + 1;
      child.key_column = entry.first.Mark().column + 1;
      members.emplace_back(name, std::move(child));
    }
    return json::Value(std::move(members));
  }

  std::size_t nodes_ = 0;
};

}  // namespace

Result<json::Value> parse(std::string_view text) {
  try {
    return TreeBuilder{}.build(YAML::Load(std::string(text)), 0);
  } catch (const YAML::Exception& error) {
    return Error{Errc::parse_error, fmt::format("This is not valid YAML: {}.", error.msg),
                 place_of(error.mark)};
  } catch (const std::exception& error) {
    return Error{Errc::parse_error, fmt::format("This is not valid YAML: {}.", error.what()), ""};
  }
}

}  // namespace neurolens::yaml
