#include "reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "cursor.hpp"
#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"
#include "rules.hpp"

namespace neurolens::run::detail {
namespace {

std::string_view name_of(Token token) {
  static constexpr std::string_view kNames[] = {"an object", "an array", "a string", "a number",
                                                "a boolean", "null",     "nothing"};
  return kNames[static_cast<std::size_t>(token)];
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "an integer";
    case Kind::number:
      return "a number";
    case Kind::text:
      return "a string";
    case Kind::object:
    case Kind::map:
      return "an object";
    case Kind::optional:
      return "a value";
    case Kind::list:
    case Kind::integers:
    case Kind::numbers:
    case Kind::flags:
      return "an array";
  }
  return "a value";
}

Token token_of(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return Token::boolean;
    case Kind::integer:
    case Kind::number:
      return Token::number;
    case Kind::text:
      return Token::text;
    case Kind::object:
    case Kind::map:
      return Token::object;
    case Kind::optional:
      return Token::null;
    case Kind::list:
    case Kind::integers:
    case Kind::numbers:
    case Kind::flags:
      return Token::array;
  }
  return Token::none;
}

/// An object of the document and where its values go. The root is two of them in one.
struct Part {
  const Object& object;
  void* host;
};

class Reader {
 public:
  Reader(Cursor& cursor, Faults& faults, std::string newer)
      : cursor_(cursor), faults_(faults), newer_(std::move(newer)) {}

  void read_root(Document& out) {
    if (cursor_.peek() != Token::object) {
      wrong_type(Kind::object, false);
    } else {
      const std::array parts{Part{object_of<Head>(), &out.head}, Part{object_of<Run>(), &out.run}};
      read_parts(parts);
    }
    cursor_.at_end();
  }

 private:
  void read_parts(std::span<const Part> parts) {
    std::array<std::uint64_t, 2> seen{};
    std::size_t part = 0;
    std::size_t next = 0;  // documents in the order of the tables need no search
    std::string_view key;
    cursor_.open_object();
    for (bool first = true; cursor_.next_key(first, key);) {
      if (!find(parts, key, part, next)) {
        unknown_key(parts, std::string(key));
        continue;
      }
      const Field& field = parts[part].object.fields[next];
      path_.push(field.key);
      if (((seen[part] >> next) & 1) != 0) {
        report("This key stands twice in its object.");
        cursor_.skip();
      } else {
        seen[part] |= std::uint64_t{1} << next;
        read_value(*field.type, field.rule, field.member(parts[part].host), false);
      }
      path_.pop();
      ++next;
    }
    if (!cursor_.ok()) return;
    for (std::size_t p = 0; p < parts.size(); ++p) report_missing(parts[p].object, seen[p]);
  }

  /// Where `key` is, looking first at (part, next).
  static bool find(std::span<const Part> parts, std::string_view key, std::size_t& part,
                   std::size_t& next) {
    if (next == parts[part].object.fields.size() && part + 1 < parts.size()) {
      ++part;
      next = 0;
    }
    const auto expected = parts[part].object.fields;
    if (next < expected.size() && expected[next].key == key) return true;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const auto fields = parts[p].object.fields;
      const auto at = std::find_if(fields.begin(), fields.end(),
                                   [&](const Field& field) { return field.key == key; });
      if (at == fields.end()) continue;
      part = p;
      next = static_cast<std::size_t>(at - fields.begin());
      return true;
    }
    return false;
  }

  void report_missing(const Object& object, std::uint64_t seen) {
    for (std::size_t i = 0; i < object.fields.size(); ++i) {
      if (((seen >> i) & 1) != 0) continue;
      path_.push(object.fields[i].key);
      report(object.fields[i].type->kind == Kind::optional
                 ? "This key is missing; write null for what was not collected."
                 : "This key is missing.");
      path_.pop();
    }
  }

  void unknown_key(std::span<const Part> parts, const std::string& key) {
    std::vector<std::string> known;
    for (const auto& part : parts) {
      for (const auto& field : part.object.fields) known.emplace_back(field.key);
    }
    path_.push(std::string_view(key));
    report("This key is not known here." + did_you_mean(key, known) + newer_);
    path_.pop();
    cursor_.skip();
  }

  void read_value(const Type& type, const Rule& rule, void* out, bool nullable) {
    const Token token = cursor_.peek();
    if (token == Token::none) return;
    if (faults_.saturated()) {  // only well-formedness is still of interest
      cursor_.skip();
      return;
    }
    if (type.kind == Kind::optional) {
      if (token == Token::null) {
        cursor_.read_null();
      } else {
        read_value(*type.element, rule, type.engage(out), true);
      }
      return;
    }
    if (token != token_of(type.kind)) {
      wrong_type(type.kind, nullable);
      return;
    }
    read_typed(type, rule, out, nullable);
  }

  void read_typed(const Type& type, const Rule& rule, void* out, bool nullable) {
    switch (type.kind) {
      case Kind::boolean:
        cursor_.read_boolean(*static_cast<bool*>(out));
        break;
      case Kind::integer:
        read_integer(rule, *static_cast<std::int64_t*>(out), nullable);
        break;
      case Kind::number:
        read_number(rule, *static_cast<double*>(out));
        break;
      case Kind::text:
        read_text(rule, *static_cast<std::string*>(out));
        break;
      case Kind::object: {
        const Part part{type.object(), out};
        read_parts({&part, 1});
        break;
      }
      case Kind::list:
        read_list([&] { read_value(*type.element, rule, type.append(out), false); },
                  [&](std::size_t count) { type.reserve(out, count); });
        break;
      case Kind::map:
        read_map(type, rule, out);
        break;
      case Kind::integers:
        read_integers(rule, *static_cast<Column*>(out));
        break;
      case Kind::numbers:
        read_numbers(rule, *static_cast<std::vector<double>*>(out));
        break;
      case Kind::flags:
        read_flags(rule, *static_cast<std::vector<std::uint8_t>*>(out));
        break;
      case Kind::optional:
        break;  // taken apart before
    }
  }

  /// False when there was no integer (a fault, or malformed text).
  bool integer(std::int64_t& out, bool nullable) {
    Number number;
    if (!cursor_.read_number(number)) return false;
    if (!number.integral || number.integer == kMissing) {
      const bool outside =
          number.integral || number.spelling.find_first_of(".eE") == std::string_view::npos;
      report(fmt::format("Must be {}{}, but is {}.",
                         outside ? "an integer of 64 bits" : "an integer",
                         nullable ? " or null" : "", shown(number.spelling)));
      return false;
    }
    out = number.integer;
    return true;
  }

  void read_integer(const Rule& rule, std::int64_t& out, bool nullable) {
    if (integer(out, nullable)) report(broken(rule, out));
  }

  void read_number(const Rule& rule, double& out) {
    Number number;
    if (!cursor_.read_number(number)) return;
    if (!number.finite) {
      report(fmt::format("Exceeds the range of a double: {}.", shown(number.spelling)));
      return;
    }
    out = number.real;
    report(broken(rule, out));
  }

  void read_text(const Rule& rule, std::string& out) {
    std::string_view text;
    if (!cursor_.read_text(text)) return;
    out = text;
    report(broken(rule, text));
  }

  template <class ReadElement, class Reserve>
  void read_list(ReadElement read_element, Reserve reserve) {
    cursor_.open_array();
    // Only for lists of the root: a look ahead at every inner one would be quadratic.
    if (path_.depth() == 1) reserve(cursor_.object_hint());
    std::size_t index = 0;
    for (bool first = true; cursor_.next_element(first); ++index) {
      path_.push(index);
      read_element();
      path_.pop();
    }
  }

  void read_map(const Type& type, const Rule& rule, void* out) {
    std::string_view key;
    cursor_.open_object();
    for (bool first = true; cursor_.next_key(first, key);) {
      const std::string name(key);
      path_.push(std::string_view(name));
      if (void* value = type.insert(out, name)) {
        read_value(*type.element, rule, value, false);
      } else {
        report("This key stands twice in its object.");
        cursor_.skip();
      }
      path_.pop();
    }
  }

  void read_integers(const Rule& rule, Column& out) {
    cursor_.open_array();
    out.reserve(cursor_.element_hint());
    bool first = true;
    while (!cursor_.plain_integers(first, kMissing, out)) {
      if (!cursor_.next_element(first)) break;
      path_.push(out.size());
      out.push_back(odd_element(rule));
      path_.pop();
    }
    if (!rule.missing_allowed) report_nulls(out);
    Rule nulls_judged = rule;
    nulls_judged.missing_allowed = true;
    check_column(nulls_judged, out, path_, faults_);
  }

  void report_nulls(const Column& column) {
    auto at = std::find(column.begin(), column.end(), kMissing);
    for (; at != column.end() && !faults_.saturated();
         at = std::find(at + 1, column.end(), kMissing)) {
      path_.push(static_cast<std::size_t>(at - column.begin()));
      report("Must be an integer, but is null.");
      path_.pop();
    }
  }

  /// An element that the bulk path did not take. What is no integer is reported and stands as a
  /// value that breaks no other rule.
  std::int64_t odd_element(const Rule& rule) {
    std::int64_t value = rule.min < 0 ? 0 : rule.min;
    const Token token = cursor_.peek();
    if (token == Token::number) {
      integer(value, rule.missing_allowed);
    } else if (token != Token::none) {
      wrong_type(Kind::integer, rule.missing_allowed);
    }
    return value;
  }

  void read_numbers(const Rule& rule, std::vector<double>& out) {
    read_list([&] { read_value(TypeOf<double>::kType, rule, &out.emplace_back(), false); },
              [&](std::size_t count) { out.reserve(count); });
  }

  void read_flags(const Rule& rule, std::vector<std::uint8_t>& out) {
    Column wide;
    read_integers(rule, wide);
    out.assign(wide.begin(), wide.end());
  }

  void wrong_type(Kind kind, bool nullable) {
    report(fmt::format("Must be {}{}, but is {}.", name_of(kind), nullable ? " or null" : "",
                       name_of(cursor_.peek())));
    cursor_.skip();
  }

  static std::string shown(std::string_view spelling) {
    constexpr std::size_t kMost = 40;
    if (spelling.size() <= kMost) return std::string(spelling);
    return std::string(spelling.substr(0, kMost)) + " ...";
  }

  void report(std::optional<std::string> sentence) {
    if (sentence) faults_.add(path_.text(), std::move(*sentence));
  }

  Cursor& cursor_;
  Faults& faults_;
  Path path_;
  std::string newer_;  // added to what a newer version would explain
};

void parse_version(Claim& claim) {
  const auto parts = split(claim.spelling, '.');
  if (parts.size() != 3) return;
  std::array<int, 3> numbers{};
  for (std::size_t i = 0; i < 3; ++i) {
    const char* end = parts[i].data() + parts[i].size();
    const auto [stop, code] = std::from_chars(parts[i].data(), end, numbers[i]);
    if (code != std::errc() || stop != end || numbers[i] < 0) return;
  }
  claim.major = numbers[0];
  claim.minor = numbers[1];
}

}  // namespace

Result<Claim> find_version(std::string_view text) {
  Claim claim;
  Cursor cursor(text);
  if (cursor.peek() != Token::object) return cursor.ok() ? Result<Claim>(claim) : cursor.error();
  bool has_hardware = false;
  bool has_timeline = false;
  std::string_view key;
  cursor.open_object();
  for (bool first = true; cursor.next_key(first, key);) {
    if (key == "schema_version") {
      claim.present = true;
      std::string_view version;
      if (cursor.peek() == Token::text && cursor.read_text(version)) claim.spelling = version;
      break;  // the reader judges the rest, duplicates included
    }
    has_hardware |= key == "hardware";
    if (key == "timeline") has_timeline = cursor.peek() == Token::array;
    cursor.skip();
  }
  if (!cursor.ok()) return cursor.error();
  parse_version(claim);
  claim.foreign_shape = !claim.present && (has_hardware || has_timeline);
  return claim;
}

Status read_structure(std::string_view text, const Claim& claim, Document& out, Faults& faults) {
  static const int kMinor = [] {
    Claim own;
    own.spelling = kSchemaVersion;
    parse_version(own);
    return own.minor;
  }();
  std::string newer;
  if (claim.major == 1 && claim.minor > kMinor) {
    newer = fmt::format(
        " The document has schema {}, newer than the {} of this program: a newer neurolens may "
        "know it.",
        claim.spelling, kSchemaVersion);
  }
  Cursor cursor(text);
  Reader(cursor, faults, std::move(newer)).read_root(out);
  return cursor.ok() ? Status{} : Status{cursor.error()};
}

}  // namespace neurolens::run::detail
