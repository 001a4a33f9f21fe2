// Schemas made from what tasks declare, so that neither can be wrong about the other.
#include <limits>

#include "neurolens/agent/agent.hpp"

namespace neurolens::agent {
namespace {

void put_type(json::Writer& w, const Field& field) {
  switch (field.kind) {
    case FieldKind::flag:
      w.member("type", "boolean");
      break;
    case FieldKind::text:
      w.key("type").begin_array().value("string").value("number").end_array();
      break;
    case FieldKind::integer:
      w.member("type", "integer");
      w.member("minimum", std::numeric_limits<std::int64_t>::min());
      w.member("maximum", std::numeric_limits<std::int64_t>::max());
      break;
    case FieldKind::number:
      w.member("type", "number");
      break;
    case FieldKind::choice:
      w.key("enum").begin_array();
      for (const std::string& word : field.words) w.value(word);
      w.end_array();
      break;
    case FieldKind::texts:
      w.member("type", "array").key("items").begin_object().member("type", "string").end_object();
      break;
  }
}

void put_fields(json::Writer& w, const TaskEntry& entry, bool with_task) {
  const auto task = entry.make();
  w.member("description", entry.summary).member("type", "object").key("properties").begin_object();
  if (with_task) w.key("task").begin_object().member("const", entry.name).end_object();
  for (const Field& field : task->fields()) {
    w.key(field.name).begin_object();
    put_type(w, field);
    w.member("description", field.help).end_object();
  }
  w.end_object().key("required").begin_array();
  if (with_task) w.value("task");
  for (const Field& field : task->fields()) {
    if (field.required) w.value(field.name);
  }
  w.end_array().member("additionalProperties", false);
}

}  // namespace

std::string fields_schema(const TaskEntry& entry, bool with_task, int indent) {
  json::Writer w({indent});
  w.begin_object();
  put_fields(w, entry, with_task);
  w.end_object();
  return std::move(w).take();
}

std::string request_schema(std::span<const TaskEntry> tasks) {
  json::Writer w({2});
  w.begin_object().member("$schema", "https://json-schema.org/draft/2020-12/schema");
  w.member("title", "A request of neurolens agent");
  w.member("type", "object").key("required").begin_array().value("task").end_array();
  w.key("oneOf").begin_array();
  for (const TaskEntry& entry : tasks) {
    w.begin_object();
    put_fields(w, entry, true);
    w.end_object();
  }
  w.end_array().end_object();
  return std::move(w).take() + "\n";
}

}  // namespace neurolens::agent
