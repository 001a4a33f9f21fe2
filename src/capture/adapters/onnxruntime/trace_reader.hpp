/// \file
/// Reads the file that ONNX Runtime's profiler writes: a bare JSON array, one event a line.
/// The reader is tolerant, because the writer is not careful: names are not escaped (a quote in a
/// node's name breaks the JSON), and a process that dies leaves no closing bracket. It never builds
/// a tree: an event's fields are found by their keys, so a million events cost about a second.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::capture {

/// One event; the views live as long as the call that hands it over.
struct TraceEvent {
  enum class Kind : std::uint8_t { session, node, kernel, other };
  Kind kind = Kind::other;
  std::string_view name;  ///< As written, unescaped.
  std::int64_t begin_us = 0;
  std::int64_t duration_us = 0;
  std::int64_t thread = 0;
  std::string_view args;  ///< Text between the braces of "args", braces included.

  /// Value of a string argument; empty when absent.
  [[nodiscard]] std::string_view text(std::string_view key) const;
  /// Value of an argument that is an array, brackets included; empty when absent.
  [[nodiscard]] std::string_view array(std::string_view key) const;
  /// A string argument that is a decimal number.
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view key) const;
  /// True for the time of an op itself (not a fence); `name` then ends in "_kernel_time".
  [[nodiscard]] bool is_op() const;
  /// The node's name: without that ending.
  [[nodiscard]] std::string_view node_name() const;
};

/// Takes the file in pieces of any size. Lines that are no event are counted and left out.
class TraceReader {
 public:
  using Sink = std::function<void(const TraceEvent&)>;
  explicit TraceReader(Sink sink) : sink_(std::move(sink)) {}
  void feed(std::string_view piece);
  /// After the last piece. True when the array was closed.
  bool finish();
  [[nodiscard]] std::int64_t events() const { return events_; }
  [[nodiscard]] std::int64_t skipped() const { return skipped_; }

 private:
  void line(std::string_view text);

  Sink sink_;
  std::string rest_;
  std::int64_t events_ = 0;
  std::int64_t skipped_ = 0;
  bool closed_ = false;
};

/// Reads a whole file. Errors: those of opening it.
Result<TraceReader> read_trace(const std::string& path, TraceReader::Sink sink);

/// `[{"float":[1,3]},{"int64":[4]}]` -> types and shapes; empty for text that is none of that form.
[[nodiscard]] std::vector<run::Tensor> parse_type_shapes(std::string_view text);

}  // namespace neurolens::capture
