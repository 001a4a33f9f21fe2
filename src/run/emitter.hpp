/// \file
/// Values to text: the canonical form, in which equal Runs are equal bytes. One line per key of the
/// root and per element of the lists near it, so that line tools and diffs are of use.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "reflect.hpp"

namespace neurolens::run::detail {

class Emitter {
 public:
  /// Appends to `out`; with a sink, hands over and clears `out` whenever it has grown long.
  using Sink = std::function<void(std::string_view)>;
  explicit Emitter(std::string& out, Sink sink = {}) : out_(out), sink_(std::move(sink)) {}

  /// One `"key":value` line of the root.
  void root_line(std::string_view key, std::string_view json);
  void root_line(const Field& field, const void* host);
  void flush();

 private:
  void value(const Type& type, const void* data, int depth);
  void object(const Object& object, const void* host, int depth);
  void list(const Type& type, const void* data, int depth);
  void map(const Type& type, const void* data, int depth);
  void integers(const Column& column);
  template <class T>
  void plain(const std::vector<T>& values);
  template <class T>
  void number(T number);
  void key(std::string_view name);
  void drain() {
    if (sink_ && out_.size() > kEnough) flush();
  }

  static constexpr std::size_t kEnough = 1 << 18;
  std::string& out_;
  Sink sink_;
  bool first_line_ = true;
};

/// The whole document, its content hash included.
[[nodiscard]] std::string emit_document(const Run& run);

/// SHA-256 of the canonical text without the head, run_id and created_at; needs no more memory than
/// a buffer.
[[nodiscard]] std::string hash_content(const Run& run);

}  // namespace neurolens::run::detail
