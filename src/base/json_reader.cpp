#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "neurolens/base/json.hpp"

namespace neurolens::json {
namespace {

constexpr int kMaxDepth = 1024;

/// "line L, column C" of a byte offset.
std::string place_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto column = last == std::string_view::npos ? offset + 1 : offset - last;
  return fmt::format("line {}, column {}", line, column);
}

class TreeBuilder {
 public:
  /// The simdjson element at `element`, as a tree of ours.
  Result<Value> build(simdjson::dom::element element) {
    if (++depth_ > kMaxDepth)
      return Error{Errc::parse_error, "The document nests deeper than 1,024 levels.", ""};
    auto result = build_node(element);
    --depth_;
    return result;
  }

 private:
  Result<Value> build_node(simdjson::dom::element element) {
    using Type = simdjson::dom::element_type;
    switch (element.type()) {
      case Type::ARRAY:
        return build_array(element);
      case Type::OBJECT:
        return build_object(element);
      case Type::INT64:
        return Value(element.get_int64().value_unsafe());
      case Type::UINT64:
        return Value(element.get_uint64().value_unsafe());
      case Type::DOUBLE:
        return Value(element.get_double().value_unsafe());
      case Type::STRING:
        return Value(std::string(element.get_string().value_unsafe()));
      case Type::BOOL:
        return Value(element.get_bool().value_unsafe());
      case Type::NULL_VALUE:
        return Value();
    }
    return Error{Errc::internal, "simdjson reported an unknown element type.", ""};
  }

  Result<Value> build_array(simdjson::dom::element element) {
    Array items;
    const simdjson::dom::array array = element.get_array().value_unsafe();
    for (const auto child : array) {
      NEUROLENS_ASSIGN(items.emplace_back(), build(child));
    }
    return Value(std::move(items));
  }

  Result<Value> build_object(simdjson::dom::element element) {
    Object members;
    std::unordered_set<std::string_view> seen;
    const simdjson::dom::object object = element.get_object().value_unsafe();
    for (const auto field : object) {
      if (!seen.insert(field.key).second) {
        return Error{Errc::parse_error,
                     fmt::format("The key {} stands twice in one object.", quote(field.key)), ""};
      }
      NEUROLENS_ASSIGN(Value child, build(field.value));
      members.emplace_back(std::string(field.key), std::move(child));
    }
    return Value(std::move(members));
  }

  int depth_ = 0;
};

/// simdjson 3.0's tree parser does not tell where it stopped; its on-demand parser does, so a
/// broken document is walked a second time with that one.
std::string find_fault(std::string_view text, const simdjson::padded_string& padded) {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return place_of(text, text.size());
  // Nesting beyond what parse() allows is the fault itself: going on would exhaust the stack.
  const auto walk = [&](auto& self, simdjson::ondemand::value value, int depth) -> bool {
    if (depth > kMaxDepth) return false;
    simdjson::ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type == simdjson::ondemand::json_type::array) {
      for (auto child : value.get_array()) {
        if (child.error() != simdjson::SUCCESS || !self(self, child.value_unsafe(), depth + 1))
          return false;
      }
      return true;
    }
    if (type == simdjson::ondemand::json_type::object) {
      for (auto field : value.get_object()) {
        if (field.error() != simdjson::SUCCESS ||
            !self(self, field.value().value_unsafe(), depth + 1))
          return false;
      }
      return true;
    }
    std::string_view sink;
    if (type == simdjson::ondemand::json_type::string)
      return value.get_string().get(sink) == simdjson::SUCCESS;
    if (type == simdjson::ondemand::json_type::number) {
      simdjson::ondemand::number number;
      return value.get_number().get(number) == simdjson::SUCCESS;
    }
    if (type == simdjson::ondemand::json_type::boolean)
      return value.get_bool().error() == simdjson::SUCCESS;
    bool null = false;  // an implicit conversion of the result would throw
    return value.is_null().get(null) == simdjson::SUCCESS && null;
  };
  simdjson::ondemand::value root;
  if (document.get_value().get(root) == simdjson::SUCCESS) walk(walk, root, 1);
  const char* where = nullptr;
  if (document.current_location().get(where) != simdjson::SUCCESS)
    return place_of(text, text.size());
  return place_of(text, static_cast<std::size_t>(where - padded.data()));
}

}  // namespace

bool Value::is_integer() const {
  return std::holds_alternative<std::int64_t>(data_) ||
         std::holds_alternative<std::uint64_t>(data_);
}

bool Value::is_number() const {
  return is_integer() || std::holds_alternative<double>(data_);
}

std::optional<bool> Value::as_bool() const {
  const auto* flag = std::get_if<bool>(&data_);
  return flag != nullptr ? std::optional(*flag) : std::nullopt;
}

std::optional<std::int64_t> Value::as_int() const {
  if (const auto* number = std::get_if<std::int64_t>(&data_)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(&data_)) {
    if (*number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return static_cast<std::int64_t>(*number);
    }
  }
  return {};
}

std::optional<double> Value::as_double() const {
  if (const auto* number = std::get_if<double>(&data_)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(&data_)) return static_cast<double>(*number);
  return {};
}

const Value* Value::find(std::string_view key) const {
  const auto* members = as_object();
  if (members == nullptr) return nullptr;
  for (const auto& [name, child] : *members) {
    if (name == key) return &child;
  }
  return nullptr;
}

std::string_view Value::type_name() const {
  static constexpr std::string_view kNames[] = {"null",   "boolean", "integer", "integer",
                                                "number", "string",  "array",   "object"};
  return kNames[data_.index()];
}

Result<Value> parse(std::string_view text) {
  const simdjson::padded_string padded(text);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto code = parser.parse(padded).get(root); code != simdjson::SUCCESS) {
    if (code == simdjson::EMPTY) return Error{Errc::parse_error, "The document is empty.", ""};
    return Error{Errc::parse_error,
                 fmt::format("This is not valid JSON: {}", simdjson::error_message(code)),
                 find_fault(text, padded)};
  }
  return TreeBuilder{}.build(root);
}

}  // namespace neurolens::json
