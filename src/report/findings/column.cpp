#include "column.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "neurolens/base/base64.hpp"

namespace neurolens::report {
namespace {

static_assert(std::endian::native == std::endian::little, "columns are little-endian");

template <class T>
std::string packed(const std::vector<std::int64_t>& values) {
  std::vector<T> narrow;
  narrow.reserve(values.size());
  for (const auto value : values) {
    if constexpr (std::is_floating_point_v<T>) {
      narrow.push_back(value == kNoEntry ? std::numeric_limits<T>::quiet_NaN()
                                         : static_cast<T>(value));
    } else {
      narrow.push_back(value == kNoEntry ? std::numeric_limits<T>::max() : static_cast<T>(value));
    }
  }
  return base64_encode({reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(T)});
}

void write(json::Writer& w, std::string_view key, std::string_view type, std::size_t length,
           bool delta, const std::string& data) {
  w.key(key).begin_object().member("type", type);
  w.member("length", static_cast<std::uint64_t>(length)).member("delta", delta);
  w.key("data").raw("\"" + data + "\"").end_object();
}

/// 10^1 ... 10^22, the powers that a double holds exactly.
constexpr std::array<double, 22> kPowers = {1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                            1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
                                            1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// The smallest power of ten above `size`, which is finite and above 0.
double power_above(double size) {
  if (size >= 1 && size < kPowers.back())
    return *std::upper_bound(kPowers.begin(), kPowers.end(), size);
  return std::pow(10.0, std::floor(std::log10(size)) + 1);
}

}  // namespace

void write_column(json::Writer& w, std::string_view key, const std::vector<std::int64_t>& values,
                  bool delta) {
  const std::int64_t largest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  if (largest < std::numeric_limits<std::uint8_t>::max())
    return write(w, key, "u8", values.size(), delta, packed<std::uint8_t>(values));
  if (largest < std::numeric_limits<std::uint16_t>::max())
    return write(w, key, "u16", values.size(), delta, packed<std::uint16_t>(values));
  if (largest < std::numeric_limits<std::uint32_t>::max())
    return write(w, key, "u32", values.size(), delta, packed<std::uint32_t>(values));
  write(w, key, "f64", values.size(), delta, packed<double>(values));
}

void write_column(json::Writer& w, std::string_view key, const std::vector<double>& values) {
  write(w, key, "f64", values.size(), false,
        base64_encode(
            {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)}));
}

void write_ascending(json::Writer& w, std::string_view key, std::vector<std::int64_t> values) {
  for (std::size_t i = values.size(); i-- > 1;) values[i] -= values[i - 1];
  write_column(w, key, values, true);
}

void Coded::add(std::optional<std::string_view> text) {
  if (!text) {
    codes_.push_back(kNoEntry);
    return;
  }
  const auto [entry, added] =
      index_.try_emplace(std::string(*text), static_cast<std::int64_t>(values_.size()));
  if (added) values_.emplace_back(*text);
  codes_.push_back(entry->second);
}

void Coded::write(json::Writer& w, std::string_view key) const {
  w.key(key).begin_object().key("values").begin_array();
  for (const auto& value : values_) w.value(value);
  w.end_array();
  std::string codes = "[";
  for (const auto code : codes_) {
    if (codes.size() > 1) codes += ',';
    codes += code == kNoEntry ? "null" : fmt::format_int(code).str();
  }
  w.key("codes").raw(codes + "]").end_object();
}

double rounded(double number) {
  if (number == 0 || !std::isfinite(number)) return number;
  // Integers up to 15 digits are exact in the text anyway; the rest loses what no clock can tell.
  constexpr double kDigits = 1e6;
  const double size = power_above(std::abs(number));
  if (size >= kDigits) return std::round(number / (size / kDigits)) * (size / kDigits);
  return std::round(number * (kDigits / size)) / (kDigits / size);
}

std::optional<double> rounded(const std::optional<double>& number) {
  return number ? std::optional(rounded(*number)) : std::nullopt;
}

void write_numbers(json::Writer& w, std::string_view key, std::vector<double> values) {
  for (double& value : values) value = rounded(value);
  w.key(key).numbers(values);
}

}  // namespace neurolens::report
