#include "reference.hpp"

#include <fmt/format.h>

#include <set>

#include "rules.hpp"

namespace neurolens::run::detail {
namespace {

constexpr const char* kPreface = R"(# The Run

<!-- Made by tools/make_schema from the tables in src/run/describe_*.cpp; do not edit. -->

A Run is one measurement of one workload on one host: UTF-8 JSON (`run.json`) or the same
compressed with zstd (`run.json.zst`). Schema version {version}; the machine-readable form is
`schema/run.schema.json`, an example is `schema/examples/run-1.0.0.json`.

- Every key must be there, once; no other key may be. What was not collected is `null`.
- Units are in the keys; integers have 64 bits; an integer may be spelt `1.0`.
- The least integer of 64 bits is not a value (it marks missing entries in memory).
- Within one Run all times count from the start of the measurement.
- `content_hash` belongs to the content in canonical form, not to the bytes of the file: a
  reformatted Run is still valid, an edited one is not.
- Rules between values (equal lengths, indices in range, order in time, low <= value <= high) are
  checked after the rules below, once those hold; `neurolens validate` reports both.
- A document of the same major and a newer minor version is read as long as its keys are known;
  one of a newer major version is refused.

## Version 0

The earliest form (float milliseconds, one `timeline` of ops, GPU required) is recognised by its
keys `hardware` and `timeline` and by the absence of `schema_version` (or one that begins with
`0.`), and migrated when read: ops by `op_index`, one observed iteration, one track. `software.backend`
must be `torch`, `onnxrt` or `tensorrt`, `precision` one of `fp32`, `fp16`, `int8`. Whatever has no
place in a Run is kept as text in `config.options` under `v0:` and its pointer. Its integrity is
"suspect": nobody recorded what the observer cost. `schema/examples/run-0.json` is an example.
)";

std::string type_text(const Type& type, const Rule& rule) {
  switch (type.kind) {
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
      return "integer";
    case Kind::number:
      return "number";
    case Kind::text:
      return "string";
    case Kind::object:
      return fmt::format("[{0}](#{0})", type.object().name);
    case Kind::optional:
      return type_text(*type.element, rule) + " or null";
    case Kind::list:
      return "array of " + type_text(*type.element, rule);
    case Kind::map:
      return "object of " + type_text(*type.element, rule);
    case Kind::integers:
    case Kind::flags:
      return rule.missing_allowed ? "array of integer or null" : "array of integer";
    case Kind::numbers:
      return "array of number";
  }
  return "";
}

const Type& leaf(const Type& type) {
  return type.element == nullptr ? type : leaf(*type.element);
}

std::string rule_text(const Type& type, const Rule& rule) {
  const Kind kind = leaf(type).kind;
  if (kind == Kind::object || kind == Kind::boolean) return "";
  if (kind == Kind::text) {
    std::string out = rule.filled ? "not empty" : "";
    for (const auto choice : rule.choices)
      out += fmt::format("{}`{}`", out.empty() ? "" : ", ", choice);
    if (rule.format == Format::uuid) out = "UUID";
    if (rule.format == Format::date_time) out = "RFC 3339, `Z`";
    if (rule.format == Format::sha256) out = "64 hexadecimal digits";
    if (rule.format == Format::version) out = "`1.MINOR.PATCH`";
    return out;
  }
  if (rule.above_low) return fmt::format("> {}", rule.low);
  if (rule.min == any().min) return "";
  if (rule.max == any().max) return fmt::format(">= {}", rule.min);
  return fmt::format("{} to {}", rule.min, rule.max);
}

void append_rows(std::string& out, const Object& object) {
  for (const auto& field : object.fields) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", field.key, type_text(*field.type, field.rule),
                       rule_text(*field.type, field.rule), field.doc);
  }
}

void append_table(std::string& out, const Object& object) {
  out += fmt::format("\n## {}\n\n{}\n\n| key | type | legal | meaning |\n|---|---|---|---|\n",
                     object.name, object.doc);
}

}  // namespace

std::string reference_text() {
  std::string out = kPreface;
  const std::string_view mark = "{version}";
  out.replace(out.find(mark), mark.size(), kSchemaVersion);
  append_table(out, object_of<Run>());
  append_rows(out, object_of<Head>());
  append_rows(out, object_of<Run>());
  std::set<std::string_view> done;
  for_each_object(object_of<Run>(), [&](const Object& object) {
    if (!done.insert(object.name).second) return;
    append_table(out, object);
    append_rows(out, object);
  });
  return out;
}

}  // namespace neurolens::run::detail
