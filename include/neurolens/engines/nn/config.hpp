/// \file
/// Reading a configuration with sentences for what is wrong: every key has a type and a range, and
/// a key that nobody asked for is an error that names its neighbour.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::nn {

/// Reads the members of one object. The first mistake is kept; later reads return the fallback, so
/// a reader looks like a list of its keys and ends with `finish()`. Keeps a reference to `value`.
class Config {
 public:
  /// `what` names the object in sentences ("layer linear").
  Config(const json::Value& value, std::string what);

  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low,
                       std::int64_t high);
  /// As integer(), but the key must be there.
  std::int64_t required(std::string_view key, std::int64_t low, std::int64_t high);
  double number(std::string_view key, double fallback, double low, double high);
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  /// As text(), but the key must be there and not empty.
  std::string required_text(std::string_view key);
  /// One of `choices`; returns its index.
  std::size_t choice(std::string_view key, const std::vector<std::string>& choices,
                     std::size_t fallback);
  std::vector<double> numbers(std::string_view key);
  /// The member or null; marks the key as known.
  const json::Value* member(std::string_view key);

  /// Adds an error of the caller's own.
  void fail(Errc code, std::string message, const json::Value* at = nullptr);
  [[nodiscard]] bool ok() const { return status_.ok(); }
  /// The first mistake, or an unknown key; where a needed key is missing and there is an unknown
  /// one, that one, since it is most often the other misspelt. Errors: wrong_type, out_of_range,
  /// missing_key, unknown_key.
  [[nodiscard]] Status finish();

 private:
  const json::Value& value_;
  std::string what_;
  std::vector<std::string> known_;
  Status status_;
};

/// "line L, column C" of a node, or empty when not known.
[[nodiscard]] std::string place_of(const json::Value& value);

}  // namespace neurolens::nn
