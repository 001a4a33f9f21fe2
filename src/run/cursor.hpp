/// \file
/// A pass over JSON text, value by value: nothing is indexed or copied, every byte is judged.
/// A parser that skips what it is not asked for would let broken text through; see
/// docs/decisions/0010-own-cursor.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::run::detail {

enum class Token : std::uint8_t { object, array, text, number, boolean, null, none };

/// A number as JSON Schema sees it: 1.0 and 1e3 are integers.
struct Number {
  bool integral = false;  ///< `integer` holds it exactly.
  bool finite = true;     ///< false: exceeds the range of a double.
  std::int64_t integer = 0;
  double real = 0;
  std::string_view spelling;
};

/// Reads `text` (UTF-8, must outlive the cursor) from front to back. After the first malformed byte
/// every call returns false and error() says where. Views it hands out last until the next call.
class Cursor {
 public:
  explicit Cursor(std::string_view text);

  /// Kind of the value that comes next; Token::none when there is none (a failure).
  Token peek();
  /// Containers: `for (bool first = c.open_object(); c.next_key(first, key);)`, then ok().
  bool open_object();
  bool open_array();
  bool next_key(bool& first, std::string_view& key);
  bool next_element(bool& first);
  bool read_text(std::string_view& value);
  bool read_number(Number& value);
  bool read_boolean(bool& value);
  bool read_null();
  /// Passes over one value of any kind.
  bool skip();
  /// True when only white space is left.
  bool at_end();

  /// The bulk path: appends integers and nulls (as `missing`) of the open array until it closes
  /// (true) or until something else comes (false; next_element() goes on from there).
  bool plain_integers(bool& first, std::int64_t missing, std::vector<std::int64_t>& out);
  /// The number of elements when the open array holds no containers; a hint in all other cases.
  [[nodiscard]] std::size_t element_hint() const;
  /// The number of objects of the open array when each stands on lines of its own, as the writer
  /// puts them; a hint in all other cases, never more than the text that is left could hold.
  [[nodiscard]] std::size_t object_hint() const;

  [[nodiscard]] bool ok() const { return message_ == nullptr; }
  /// parse_error with "line L, column C". Requires !ok().
  [[nodiscard]] Error error() const;

 private:
  static constexpr int kMaxDepth = 1024;
  void white() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool fail(const char* message);
  bool literal(std::string_view word);
  bool read_escape();
  bool append_code(std::uint32_t code);
  bool hex4(std::uint32_t& code);
  bool skip_container(Token kind, int depth);
  bool skip_value(int depth);

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* message_ = nullptr;
  std::string scratch_;
};

}  // namespace neurolens::run::detail
