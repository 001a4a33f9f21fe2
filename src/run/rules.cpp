#include "rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::run::detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

/// '0' stands for a digit, 'x' for a lower-case hexadecimal digit, the rest for itself.
bool matches(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool fits = shape[i] == '0'   ? is_digit(text[i])
                      : shape[i] == 'x' ? is_hex(text[i])
                                        : text[i] == shape[i];
    if (!fits) return false;
  }
  return true;
}

bool is_uuid(std::string_view text) {
  return matches(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
}

int two_digits(std::string_view text, std::size_t at) {
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

bool is_date_time(std::string_view text) {
  if (text.size() < 20 || !matches(text.substr(0, 19), "0000-00-00T00:00:00")) return false;
  const int month = two_digits(text, 5);
  const int day = two_digits(text, 8);
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (two_digits(text, 11) > 23 || two_digits(text, 14) > 59 || two_digits(text, 17) > 60)
    return false;
  std::string_view rest = text.substr(19);
  if (rest.front() == '.') {
    const auto end = rest.find_first_not_of("0123456789", 1);
    if (end == std::string_view::npos || end < 2 || end > 10) return false;
    rest.remove_prefix(end);
  }
  return rest == "Z";
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), is_hex);
}

bool is_version_part(std::string_view text) {
  return !text.empty() && text.size() <= 6 && std::all_of(text.begin(), text.end(), is_digit) &&
         (text.size() == 1 || text[0] != '0');
}

bool is_version(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() == 3 && parts[0] == "1" && is_version_part(parts[1]) &&
         is_version_part(parts[2]);
}

bool has_format(Format format, std::string_view text) {
  switch (format) {
    case Format::none:
      return true;
    case Format::uuid:
      return is_uuid(text);
    case Format::date_time:
      return is_date_time(text);
    case Format::sha256:
      return is_sha256(text);
    case Format::version:
      return is_version(text);
  }
  return false;
}

std::string_view name_of(Format format) {
  switch (format) {
    case Format::none:
      break;
    case Format::uuid:
      return "a UUID in lower case, such as 6b1f0c1e-8c1f-4c59-9d0e-0a2f2a5f3c11";
    case Format::date_time:
      return "an RFC 3339 instant in UTC, such as 2026-01-31T12:00:00.000Z";
    case Format::sha256:
      return "a SHA-256 in 64 lower-case hexadecimal digits";
    case Format::version:
      return "a version such as 1.0.0";
  }
  return "text";
}

std::string listed(std::span<const std::string_view> choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i != 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += json::quote(choices[i]);
  }
  return out;
}

/// A text as it appears in a sentence: quoted, not too long.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return json::quote(text);
  return json::quote(text.substr(0, kMost)) + " ...";
}

std::string must_be(const Rule& rule, std::string_view value) {
  if (rule.max == std::numeric_limits<std::int64_t>::max()) {
    return fmt::format("Must be at least {}, but is {}.", rule.min, value);
  }
  return fmt::format("Must lie in [{}, {}], but is {}.", rule.min, rule.max, value);
}

/// Walks a value along its table.
class ValueChecker {
 public:
  explicit ValueChecker(Faults& faults) : faults_(faults) {}

  void check(const Object& object, const void* host) {
    for (const auto& field : object.fields) {
      path_.push(field.key);
      check(*field.type, field.rule, field.look(host));
      path_.pop();
    }
  }

 private:
  void check(const Type& type, const Rule& rule, const void* value) {
    switch (type.kind) {
      case Kind::boolean:
        break;
      case Kind::integer:
        report(broken(rule, *static_cast<const std::int64_t*>(value)));
        break;
      case Kind::number:
        report(broken(rule, *static_cast<const double*>(value)));
        break;
      case Kind::text:
        check_text(rule, *static_cast<const std::string*>(value));
        break;
      case Kind::object:
        check(type.object(), value);
        break;
      case Kind::optional:
        if (const void* inner = type.look(value)) check(*type.element, rule, inner);
        break;
      case Kind::list:
        for (std::size_t i = 0; i < type.size(value) && !faults_.saturated(); ++i) {
          path_.push(i);
          check(*type.element, rule, type.at(value, i));
          path_.pop();
        }
        break;
      case Kind::map:
        check_map(type, rule, value);
        break;
      case Kind::integers:
        check_column(rule, *static_cast<const Column*>(value), path_, faults_);
        break;
      case Kind::numbers:
        check_each(rule, *static_cast<const std::vector<double>*>(value));
        break;
      case Kind::flags:
        check_each(rule, *static_cast<const std::vector<std::uint8_t>*>(value));
        break;
    }
  }

  void check_map(const Type& type, const Rule& rule, const void* value) {
    struct Context {
      ValueChecker& checker;
      const Type& element;
      const Rule& rule;
    } context{*this, *type.element, rule};
    type.each(value, &context, [](void* c, const std::string& key, const void* item) {
      auto& [checker, element, item_rule] = *static_cast<Context*>(c);
      checker.path_.push(std::string_view(key));
      checker.check_text({}, key);
      checker.check(element, item_rule, item);
      checker.path_.pop();
    });
  }

  void check_text(const Rule& rule, const std::string& text) {
    if (to_valid_utf8(text) != text) {
      report("Must be UTF-8 text, but holds other bytes.");
    } else {
      report(broken(rule, std::string_view(text)));
    }
  }

  template <class T>
  void check_each(const Rule& rule, const std::vector<T>& values) {
    using Wide = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;
    for (std::size_t i = 0; i < values.size() && !faults_.saturated(); ++i) {
      auto sentence = broken(rule, static_cast<Wide>(values[i]));
      if (!sentence) continue;
      path_.push(i);
      report(std::move(sentence));
      path_.pop();
    }
  }

  void report(std::optional<std::string> sentence) {
    if (sentence) faults_.add(path_.text(), std::move(*sentence));
  }

  Faults& faults_;
  Path path_;
};

}  // namespace

std::optional<std::string> broken(const Rule& rule, std::int64_t value) {
  if (value >= rule.min && value <= rule.max) return {};
  if (value == kMissing) return "Must not be missing.";
  return must_be(rule, std::to_string(value));
}

std::optional<std::string> broken(const Rule& rule, double value) {
  if (!std::isfinite(value)) return "Must be a finite number; write null for what is not known.";
  if (rule.above_low && value <= rule.low) {
    return fmt::format("Must be above {}, but is {}.", rule.low, value);
  }
  if (value < rule.low) return fmt::format("Must be at least {}, but is {}.", rule.low, value);
  return {};
}

std::optional<std::string> broken(const Rule& rule, std::string_view value) {
  if (rule.filled && value.empty()) return "Must not be empty.";
  if (!rule.choices.empty() &&
      std::find(rule.choices.begin(), rule.choices.end(), value) == rule.choices.end()) {
    return fmt::format("Must be {}, but is {}.", listed(rule.choices), shown(value));
  }
  if (!has_format(rule.format, value)) {
    return fmt::format("Must be {}, but is {}.", name_of(rule.format), shown(value));
  }
  return {};
}

void check_column(const Rule& rule, const Column& column, Path& path, Faults& faults) {
  // One branch-free pass over the good case; entries are looked at singly only when one is bad.
  bool bad = false;
  const std::int64_t pass = rule.missing_allowed ? kMissing : rule.min;
  for (const std::int64_t value : column)
    bad |= ((value < rule.min) & (value != pass)) | (value > rule.max);
  if (!bad) return;
  for (std::size_t i = 0; i < column.size() && !faults.saturated(); ++i) {
    if (rule.missing_allowed && column[i] == kMissing) continue;
    auto sentence = broken(rule, column[i]);
    if (!sentence) continue;
    path.push(i);
    faults.add(path.text(), std::move(*sentence));
    path.pop();
  }
}

const char* pattern_of(Format format) {
  switch (format) {
    case Format::none:
      return nullptr;
    case Format::uuid:
      return "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
    case Format::date_time:
      return "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
             "T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\\.[0-9]{1,9})?Z$";
    case Format::sha256:
      return "^[0-9a-f]{64}$";
    case Format::version:
      return "^1\\.(0|[1-9][0-9]{0,5})\\.(0|[1-9][0-9]{0,5})$";
  }
  return nullptr;
}

void check_values(const Object& object, const void* host, Faults& faults) {
  ValueChecker(faults).check(object, host);
}

}  // namespace neurolens::run::detail
