// The JSON Schema, written from the tables.
#include <cfloat>
#include <limits>
#include <set>

#include "neurolens/base/json.hpp"
#include "neurolens/run/run.hpp"
#include "reference.hpp"
#include "reflect.hpp"
#include "rules.hpp"

namespace neurolens::run {
namespace detail {

void for_each_object(const Object& root, const std::function<void(const Object&)>& visit) {
  for (const auto& field : root.fields) {
    const Type* type = field.type;
    while (type->element != nullptr) type = type->element;
    if (type->kind != Kind::object) continue;
    for_each_object(type->object(), visit);
    visit(type->object());
  }
}

namespace {

constexpr std::int64_t kLeast = -std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

class SchemaWriter {
 public:
  std::string write() && {
    out_.begin_object();
    out_.member("$schema", "https://json-schema.org/draft/2020-12/schema");
    out_.member("title", "neurolens Run");
    out_.member("description", std::string_view(object_of<Run>().doc));
    out_.member("version", kSchemaVersion);
    write_members({&object_of<Head>(), &object_of<Run>()});
    out_.key("$defs").begin_object();
    std::set<std::string_view> done;
    for_each_object(object_of<Run>(), [&](const Object& object) {
      if (!done.insert(object.name).second) return;
      out_.key(object.name).begin_object();
      out_.member("description", object.doc);
      write_members({&object});
      out_.end_object();
    });
    out_.end_object();
    out_.end_object();
    return std::move(out_).take() + "\n";
  }

 private:
  void write_members(std::initializer_list<const Object*> parts) {
    out_.member("type", "object");
    out_.member("additionalProperties", false);
    out_.key("required").begin_array();
    for (const auto* part : parts) {
      for (const auto& field : part->fields) out_.value(field.key);
    }
    out_.end_array();
    out_.key("properties").begin_object();
    for (const auto* part : parts) {
      for (const auto& field : part->fields) {
        out_.key(field.key).begin_object();
        out_.member("description", field.doc);
        write_type(*field.type, field.rule, false);
        out_.end_object();
      }
    }
    out_.end_object();
  }

  void type_name(std::string_view name, bool nullable) {
    if (!nullable) {
      out_.member("type", name);
      return;
    }
    out_.key("type").begin_array().value(name).value("null").end_array();
  }

  void write_type(const Type& type, const Rule& rule, bool nullable) {
    switch (type.kind) {
      case Kind::boolean:
        type_name("boolean", nullable);
        break;
      case Kind::integer:
        write_integer(rule, nullable);
        break;
      case Kind::number:
        write_number(rule, nullable);
        break;
      case Kind::text:
        write_text(rule, nullable);
        break;
      case Kind::object:
        write_reference(type.object(), nullable);
        break;
      case Kind::optional:
        write_type(*type.element, rule, true);
        break;
      case Kind::list:
        write_array(nullable, [&] { write_type(*type.element, rule, false); });
        break;
      case Kind::map:
        type_name("object", nullable);
        out_.key("additionalProperties").begin_object();
        write_type(*type.element, rule, false);
        out_.end_object();
        break;
      case Kind::integers:
      case Kind::flags:
        write_array(nullable, [&] { write_integer(rule, rule.missing_allowed); });
        break;
      case Kind::numbers:
        write_array(nullable, [&] { write_number(rule, false); });
        break;
    }
  }

  void write_integer(const Rule& rule, bool nullable) {
    type_name("integer", nullable);
    out_.member("minimum", rule.min == kLeast ? kLeast : rule.min);
    out_.member("maximum", rule.max == kMost ? kMost : rule.max);
  }

  void write_number(const Rule& rule, bool nullable) {
    type_name("number", nullable);
    out_.member(rule.above_low ? "exclusiveMinimum" : "minimum", rule.low);
    out_.member("maximum", DBL_MAX);
  }

  void write_text(const Rule& rule, bool nullable) {
    type_name("string", nullable);
    if (rule.filled) out_.member("minLength", 1);
    if (const char* pattern = pattern_of(rule.format)) out_.member("pattern", pattern);
    if (rule.choices.empty()) return;
    out_.key("enum").begin_array();
    for (const auto choice : rule.choices) out_.value(choice);
    if (nullable) out_.null();
    out_.end_array();
  }

  void write_reference(const Object& object, bool nullable) {
    const std::string target = "#/$defs/" + std::string(object.name);
    if (!nullable) {
      out_.member("$ref", target);
      return;
    }
    out_.key("anyOf").begin_array();
    out_.begin_object().member("$ref", target).end_object();
    out_.begin_object().member("type", "null").end_object();
    out_.end_array();
  }

  template <class WriteItems>
  void write_array(bool nullable, WriteItems write_items) {
    type_name("array", nullable);
    out_.key("items").begin_object();
    write_items();
    out_.end_object();
  }

  json::Writer out_{json::WriterOptions{2}};
};

}  // namespace
}  // namespace detail

std::string schema_text() {
  return detail::SchemaWriter().write();
}

}  // namespace neurolens::run
