/// \file
/// Bulk numbers of the findings document: little-endian arrays in base64, see $defs/column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "neurolens/base/json.hpp"

namespace neurolens::report {

/// Marks a missing entry of write_column().
inline constexpr std::int64_t kNoEntry = -1;

/// `values` >= 0, or kNoEntry, in the narrowest type that holds them (integers up to 2^53).
void write_column(json::Writer& w, std::string_view key, const std::vector<std::int64_t>& values,
                  bool delta = false);
/// Always f64.
void write_column(json::Writer& w, std::string_view key, const std::vector<double>& values);
/// Differences to the value before, for ascending `values`; starts at values[0].
void write_ascending(json::Writer& w, std::string_view key, std::vector<std::int64_t> values);

/// A text column with few distinct values.
class Coded {
 public:
  void add(std::optional<std::string_view> text);
  void write(json::Writer& w, std::string_view key) const;

 private:
  std::unordered_map<std::string, std::int64_t> index_;
  std::vector<std::string> values_;
  std::vector<std::int64_t> codes_;
};

/// Six significant digits: more are noise, and the document stays small.
[[nodiscard]] double rounded(double number);
[[nodiscard]] std::optional<double> rounded(const std::optional<double>& number);

/// A JSON array of numbers with null for NaN, rounded.
void write_numbers(json::Writer& w, std::string_view key, std::vector<double> values);

}  // namespace neurolens::report
