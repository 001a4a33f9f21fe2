#include "emitter.hpp"

#include <charconv>
#include <cmath>

#include "neurolens/base/hash.hpp"
#include "neurolens/base/json.hpp"

namespace neurolens::run::detail {
namespace {

constexpr std::size_t kIdentityFields = 2;  // run_id, created_at
constexpr int kDeepestLines = 3;            // containers open around an element on its own line

void append_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      out += json::quote(text);
      return;
    }
  }
  out += '"';
  out += text;
  out += '"';
}

void emit_content(Emitter& emitter, const Run& run) {
  for (const auto& field : object_of<Run>().fields.subspan(kIdentityFields))
    emitter.root_line(field, &run);
}

/// A guess at the length of the text, so that it need not be moved while it grows.
std::size_t expected_size(const Run& run) {
  std::size_t numbers = run.samples.iterations.begin_ns.size() * 8;
  for (const auto& column : run.samples.op_duration_ns) numbers += column.size();
  if (run.timeline) numbers += run.timeline->track.size() * 5;
  if (run.profile) numbers += run.profile->sample_stack.size() * 4;
  return 8192 + run.ops.size() * 1536 + numbers * 8;
}

}  // namespace

void Emitter::flush() {
  if (sink_ && !out_.empty()) {
    sink_(out_);
    out_.clear();
  }
}

void Emitter::root_line(std::string_view name, std::string_view json) {
  out_ += first_line_ ? "{\n" : ",\n";
  first_line_ = false;
  key(name);
  out_ += json;
}

void Emitter::root_line(const Field& field, const void* host) {
  root_line(field.key, "");
  value(*field.type, field.look(host), 1);
  drain();
}

void Emitter::key(std::string_view name) {
  append_text(out_, name);
  out_ += ':';
}

template <class T>
void Emitter::number(T number) {
  char buffer[32];
  out_.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

void Emitter::value(const Type& type, const void* data, int depth) {
  switch (type.kind) {
    case Kind::boolean:
      out_ += *static_cast<const bool*>(data) ? "true" : "false";
      break;
    case Kind::integer:
      number(*static_cast<const std::int64_t*>(data));
      break;
    case Kind::number:
      number(*static_cast<const double*>(data));
      break;
    case Kind::text:
      append_text(out_, *static_cast<const std::string*>(data));
      break;
    case Kind::object:
      object(type.object(), data, depth + 1);
      break;
    case Kind::optional:
      if (const void* inner = type.look(data)) {
        value(*type.element, inner, depth);
      } else {
        out_ += "null";
      }
      break;
    case Kind::list:
      list(type, data, depth + 1);
      break;
    case Kind::map:
      map(type, data, depth + 1);
      break;
    case Kind::integers:
      integers(*static_cast<const Column*>(data));
      break;
    case Kind::numbers:
      plain(*static_cast<const std::vector<double>*>(data));
      break;
    case Kind::flags:
      plain(*static_cast<const std::vector<std::uint8_t>*>(data));
      break;
  }
}

void Emitter::object(const Object& object, const void* host, int depth) {
  char separator = '{';
  for (const auto& field : object.fields) {
    out_ += separator;
    separator = ',';
    out_ += '"';
    out_ += field.key;  // from our own table: nothing in it needs an escape
    out_ += "\":";
    value(*field.type, field.look(host), depth);
  }
  out_ += '}';
}

void Emitter::list(const Type& type, const void* data, int depth) {
  const bool lines = depth <= kDeepestLines && type.element->kind != Kind::text;
  const std::size_t size = type.size(data);
  out_ += '[';
  for (std::size_t i = 0; i < size; ++i) {
    if (i != 0) out_ += ',';
    if (lines) out_ += '\n';
    value(*type.element, type.at(data, i), depth);
    drain();
  }
  out_ += ']';
}

void Emitter::map(const Type& type, const void* data, int depth) {
  struct Context {
    Emitter& emitter;
    const Type& element;
    int depth;
    char separator;
  } context{*this, *type.element, depth, '{'};
  type.each(data, &context, [](void* c, const std::string& name, const void* item) {
    auto& [emitter, element, item_depth, separator] = *static_cast<Context*>(c);
    emitter.out_ += separator;
    separator = ',';
    emitter.key(name);
    emitter.value(element, item, item_depth);
  });
  if (context.separator == '{') out_ += '{';
  out_ += '}';
}

void Emitter::integers(const Column& column) {
  constexpr std::size_t kBatch = 4096;
  constexpr std::size_t kLongest = 21;  // 19 digits, sign, comma
  char buffer[kBatch];
  char* at = buffer;
  *at++ = '[';
  for (std::size_t i = 0; i < column.size(); ++i) {
    if (static_cast<std::size_t>(buffer + kBatch - at) < kLongest) {
      out_.append(buffer, at);
      at = buffer;
      drain();
    }
    if (i != 0) *at++ = ',';
    if (column[i] == kMissing) {
      for (const char c : {'n', 'u', 'l', 'l'}) *at++ = c;
    } else {
      at = std::to_chars(at, buffer + kBatch, column[i]).ptr;
    }
  }
  out_.append(buffer, at);
  out_ += ']';
}

template <class T>
void Emitter::plain(const std::vector<T>& values) {
  out_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out_ += ',';
    number(values[i]);
    if (i % 1024 == 0) drain();
  }
  out_ += ']';
}

std::string emit_document(const Run& run) {
  const std::string placeholder(64, '0');
  std::string out;
  out.reserve(expected_size(run));
  Emitter emitter(out);
  emitter.root_line("schema_version", json::quote(kSchemaVersion));
  emitter.root_line("content_hash", json::quote(placeholder));
  const std::size_t hash_at = out.size() - 1 - placeholder.size();
  for (const auto& field : object_of<Run>().fields.first(kIdentityFields))
    emitter.root_line(field, &run);
  const std::size_t content_at = out.size();
  emit_content(emitter, run);
  out += "\n}\n";
  // The content alone would begin with a brace where the document has a comma.
  Sha256 hash;
  hash.update("{");
  hash.update(std::string_view(out).substr(content_at + 1));
  out.replace(hash_at, placeholder.size(), hash.finish());
  return out;
}

std::string hash_content(const Run& run) {
  Sha256 hash;
  std::string buffer;
  Emitter emitter(buffer, [&hash](std::string_view piece) { hash.update(piece); });
  emit_content(emitter, run);
  emitter.flush();
  hash.update("\n}\n");
  return hash.finish();
}

}  // namespace neurolens::run::detail
