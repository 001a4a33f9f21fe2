#include "request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "neurolens/base/text.hpp"

namespace neurolens::agent {
namespace {

/// RFC 6901: '~' and '/' inside a name are escaped.
std::string pointer_to(std::string_view name) {
  std::string pointer = "/";
  for (const char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

Error wrong_type(const Field& field, const json::Value& value, std::string_view wanted) {
  return {Errc::wrong_type,
          fmt::format("The field must be {}; this is of type {}.", wanted, value.type_name()),
          pointer_to(field.name)};
}

/// Text becomes a path or an argument of a program: neither can hold the byte 0.
std::optional<Error> zero_byte(const Field& field, const std::string& text) {
  if (text.find('\0') == std::string::npos) return std::nullopt;
  return Error{Errc::bad_request, "The text holds a zero byte, which no path or argument can.",
               pointer_to(field.name)};
}

Result<FieldValue> text_of(const Field& field, const json::Value& value) {
  if (const std::string* text = value.as_string()) {
    if (auto error = zero_byte(field, *text)) return *std::move(error);
    return FieldValue(*text);
  }
  if (const auto whole = value.as_int()) return FieldValue(std::to_string(*whole));
  if (const auto number = value.as_double()) return FieldValue(shortest(*number));
  return wrong_type(field, value, "a string");
}

Result<FieldValue> word_of(const Field& field, const json::Value& value) {
  const std::string* text = value.as_string();
  if (text == nullptr) return wrong_type(field, value, "a string");
  if (std::find(field.words.begin(), field.words.end(), *text) != field.words.end())
    return FieldValue(*text);
  return Error{Errc::bad_request,
               fmt::format("\"{}\" is not one of {}.{}", printable(*text),
                           fmt::join(field.words, ", "), did_you_mean(*text, field.words)),
               pointer_to(field.name)};
}

Result<FieldValue> texts_of(const Field& field, const json::Value& value) {
  const json::Array* array = value.as_array();
  if (array == nullptr) return wrong_type(field, value, "an array of strings");
  std::vector<std::string> texts;
  for (const json::Value& item : *array) {
    const std::string* text = item.as_string();
    if (text == nullptr) return wrong_type(field, item, "an array of strings alone");
    if (auto error = zero_byte(field, *text)) return *std::move(error);
    texts.push_back(*text);
  }
  return FieldValue(std::move(texts));
}

/// 3, 3.0 and 0.3e1 are the same number to JSON.
std::optional<std::int64_t> whole_of(const json::Value& value) {
  if (const auto whole = value.as_int()) return whole;
  constexpr double kEnd = 9'223'372'036'854'775'808.0;  // 2^63
  const auto number = value.as_double();
  if (!number || std::floor(*number) != *number || !(*number >= -kEnd && *number < kEnd))
    return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

Result<FieldValue> value_of(const Field& field, const json::Value& value) {
  switch (field.kind) {
    case FieldKind::flag:
      if (const auto flag = value.as_bool()) return FieldValue(*flag);
      return wrong_type(field, value, "true or false");
    case FieldKind::integer:
      if (const auto whole = whole_of(value)) return FieldValue(*whole);
      return wrong_type(field, value, "a whole number of 64 bits");
    case FieldKind::number:
      if (const auto number = value.as_double(); number && std::isfinite(*number))
        return FieldValue(*number);
      return wrong_type(field, value, "a number");
    case FieldKind::text:
      return text_of(field, value);
    case FieldKind::choice:
      return word_of(field, value);
    case FieldKind::texts:
      return texts_of(field, value);
  }
  return Error{Errc::internal, "A field of no kind.", pointer_to(field.name)};
}

Error unknown(const std::string& name, const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  return {
      Errc::unknown_key,
      fmt::format("This task has no field \"{}\".{}", printable(name), did_you_mean(name, names)),
      pointer_to(name)};
}

}  // namespace

std::vector<Error> set_fields(const Task& task, const json::Object& request) {
  std::vector<Error> errors;
  const std::vector<Field>& fields = task.fields();
  std::vector<bool> given(fields.size(), false);
  for (const auto& [name, value] : request) {
    if (name == "task") continue;
    const auto at = std::find_if(fields.begin(), fields.end(),
                                 [&name = name](const Field& f) { return f.name == name; });
    if (at == fields.end()) {
      errors.push_back(unknown(name, fields));
      continue;
    }
    given[static_cast<std::size_t>(at - fields.begin())] = true;
    auto checked = value_of(*at, value);
    if (checked.ok()) {
      at->set(std::move(checked).value());
    } else {
      errors.push_back(std::move(checked).error());
    }
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].required && !given[i]) {
      errors.push_back({Errc::missing_key,
                        fmt::format("The field \"{}\" is required.", fields[i].name),
                        pointer_to(fields[i].name)});
    }
  }
  return errors;
}

}  // namespace neurolens::agent
