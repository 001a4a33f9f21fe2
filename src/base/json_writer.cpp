#include <cassert>
#include <charconv>
#include <cmath>
#include <cstring>

#include "neurolens/base/json.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::json {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t clean = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out.append(text, clean, i - clean);
    clean = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, clean, std::string_view::npos);
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  if (is_ascii(text)) {
    append_escaped(out, text);
  } else {
    append_escaped(out, to_valid_utf8(text));
  }
  out += '"';
}

template <class Number>
void append_number(std::string& out, Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, end);
}

void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  append_number(out, number);
}

}  // namespace

Writer::Writer(WriterOptions options) : options_(options) {}

void Writer::new_line() {
  if (options_.indent == 0) return;
  text_ += '\n';
  text_.append(levels_.size() * static_cast<std::size_t>(options_.indent), ' ');
}

void Writer::before_value() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  assert(!levels_.back().object && "a member needs a key");
  if (!levels_.back().empty) text_ += ',';
  levels_.back().empty = false;
  new_line();
}

Writer& Writer::begin_object() {
  before_value();
  text_ += '{';
  levels_.push_back({true, true});
  return *this;
}

Writer& Writer::end_object() {
  assert(!levels_.empty() && levels_.back().object && !after_key_);
  const bool empty = levels_.back().empty;
  levels_.pop_back();
  if (!empty) new_line();
  text_ += '}';
  return *this;
}

Writer& Writer::begin_array() {
  before_value();
  text_ += '[';
  levels_.push_back({false, true});
  return *this;
}

Writer& Writer::end_array() {
  assert(!levels_.empty() && !levels_.back().object);
  const bool empty = levels_.back().empty;
  levels_.pop_back();
  if (!empty) new_line();
  text_ += ']';
  return *this;
}

Writer& Writer::key(std::string_view name) {
  assert(!levels_.empty() && levels_.back().object && !after_key_);
  if (!levels_.back().empty) text_ += ',';
  levels_.back().empty = false;
  new_line();
  append_string(text_, name);
  text_ += options_.indent == 0 ? ":" : ": ";
  after_key_ = true;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  before_value();
  append_string(text_, text);
  return *this;
}

Writer& Writer::value(bool flag) {
  before_value();
  text_ += flag ? "true" : "false";
  return *this;
}

Writer& Writer::value(std::int64_t number) {
  before_value();
  append_number(text_, number);
  return *this;
}

Writer& Writer::value(std::uint64_t number) {
  before_value();
  append_number(text_, number);
  return *this;
}

Writer& Writer::value(double number) {
  before_value();
  append_double(text_, number);
  return *this;
}

Writer& Writer::null() {
  before_value();
  text_ += "null";
  return *this;
}

Writer& Writer::value(const Value& tree) {
  struct Visitor {
    Writer& writer;
    void operator()(std::nullptr_t) { writer.null(); }
    void operator()(bool v) { writer.value(v); }
    void operator()(std::int64_t v) { writer.value(v); }
    void operator()(std::uint64_t v) { writer.value(v); }
    void operator()(double v) { writer.value(v); }
    void operator()(const std::string& v) { writer.value(std::string_view(v)); }
    void operator()(const Array& items) {
      writer.begin_array();
      for (const auto& item : items) writer.value(item);
      writer.end_array();
    }
    void operator()(const Object& members) {
      writer.begin_object();
      for (const auto& [name, item] : members) {
        writer.key(name);
        writer.value(item);
      }
      writer.end_object();
    }
  };
  std::visit(Visitor{*this}, tree.data());
  return *this;
}

Writer& Writer::numbers(std::span<const std::int64_t> values) {
  before_value();
  text_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text_ += ',';
    append_number(text_, values[i]);
  }
  text_ += ']';
  return *this;
}

Writer& Writer::numbers(std::span<const double> values) {
  before_value();
  text_ += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text_ += ',';
    append_double(text_, values[i]);
  }
  text_ += ']';
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  before_value();
  text_ += json;
  return *this;
}

std::string Writer::take() && {
  assert(levels_.empty() && !after_key_);
  return std::move(text_);
}

std::string quote(std::string_view text) {
  std::string out;
  append_string(out, text);
  return out;
}

}  // namespace neurolens::json
