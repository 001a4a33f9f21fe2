/// \file
/// JSON in and out.
/// Writing: a streaming writer with deterministic key order (the order of calls) and shortest
/// round-trip numbers. NaN and infinities cannot be written; they become null, because missing is
/// null. Reading: `parse` makes a Value tree for small documents (configurations, foreign traces of
/// moderate size). Bulk data have typed streaming readers in their own rooms.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;  ///< In the order of the document.

/// One node of a document read from JSON or YAML, with the place it came from.
class Value {
 public:
  using Data = std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string,
                            Array, Object>;

  Value() = default;
  explicit Value(Data data) : data_(std::move(data)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(data_); }
  /// True for an integer of either signedness.
  [[nodiscard]] bool is_integer() const;
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(data_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(data_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(data_); }

  /// nullopt when the node is of another type (or an integer that does not fit).
  [[nodiscard]] std::optional<bool> as_bool() const;
  [[nodiscard]] std::optional<std::int64_t> as_int() const;
  [[nodiscard]] std::optional<double> as_double() const;
  /// nullptr when the node is of another type; otherwise valid as long as this Value.
  [[nodiscard]] const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  [[nodiscard]] const Array* as_array() const { return std::get_if<Array>(&data_); }
  [[nodiscard]] const Object* as_object() const { return std::get_if<Object>(&data_); }
  /// The member of an object, nullptr when absent or when this is no object. Linear search.
  [[nodiscard]] const Value* find(std::string_view key) const;

  /// "object", "array", "string", "integer", "number", "boolean" or "null".
  [[nodiscard]] std::string_view type_name() const;
  [[nodiscard]] const Data& data() const { return data_; }
  [[nodiscard]] Data& data() { return data_; }

  /// 1-based place in the text; 0 when not known (JSON read by the fast parser).
  int line = 0;
  int column = 0;
  /// Place of the key that this is the value of; 0 outside of YAML mappings.
  int key_line = 0;
  int key_column = 0;

 private:
  Data data_ = nullptr;
};

/// Reads one JSON document. Depth is bounded (1,024). Duplicate keys are errors.
/// Errors: parse_error with "line L, column C" in `where`.
[[nodiscard]] Result<Value> parse(std::string_view text);

/// Formatting of the writer.
struct WriterOptions {
  /// Spaces per level; 0 writes everything on one line. Arrays of numbers always stay on one line.
  int indent = 0;
};

/// Writes one document into a string. Keys and values must alternate as JSON demands: a violation
/// is a caller's mistake (assertion). Text must be UTF-8; invalid bytes become U+FFFD.
class Writer {
 public:
  explicit Writer(WriterOptions options = {});

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);

  Writer& value(std::string_view text);
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(bool flag);
  Writer& value(std::int64_t number);
  Writer& value(std::uint64_t number);
  Writer& value(int number) { return value(static_cast<std::int64_t>(number)); }
  Writer& value(double number);
  Writer& null();
  Writer& value(Nanoseconds duration) { return value(duration.count); }
  Writer& value(Bytes size) { return value(size.count); }
  Writer& value(const Value& tree);
  /// A null when nothing was collected.
  template <class T>
  Writer& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }
  /// One-line arrays of numbers, the bulk path.
  Writer& numbers(std::span<const std::int64_t> values);
  Writer& numbers(std::span<const double> values);
  /// Inserts text that is already JSON.
  Writer& raw(std::string_view json);

  /// key + value.
  template <class T>
  Writer& member(std::string_view name, const T& v) {
    key(name);
    return value(v);
  }

  /// The text so far; the writer can go on.
  [[nodiscard]] const std::string& text() const { return text_; }
  /// The finished document. Requires that everything opened was closed.
  [[nodiscard]] std::string take() &&;

 private:
  struct Level {
    bool object = false;
    bool empty = true;
  };
  void before_value();
  void new_line();

  WriterOptions options_;
  std::string text_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

/// `text` quoted and escaped as a JSON string.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace neurolens::json
