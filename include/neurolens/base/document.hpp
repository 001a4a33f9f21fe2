/// \file
/// Reads a configuration (a YAML or JSON tree) strictly: every fault is an error with its place.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens {

/// Takes typed values out of the tree of one file. Errors: wrong_type, out_of_range, unknown_key,
/// missing_key; `where` is "FILE: line L, column C". `key` names the value in the sentence. Holds
/// the file's name only; safe to copy.
class DocumentReader {
 public:
  explicit DocumentReader(std::string file) : file_(std::move(file)) {}
  [[nodiscard]] const std::string& file() const { return file_; }

  /// An error at `v`.
  [[nodiscard]] Error wrong(const json::Value& v, Errc code, std::string message) const;
  /// "FILE: line L, column C"; without the place where it is not known.
  [[nodiscard]] std::string place(const json::Value& v) const;

  Status want_object(const json::Value& v, std::string_view what) const;
  /// Requires an object. An unknown key is named where it stands, with close ones.
  Status known_keys(const json::Value& v, const std::vector<std::string>& known) const;
  /// Numbers and booleans count as the text they are written as.
  [[nodiscard]] Result<std::string> text(const json::Value& v, std::string_view key) const;
  [[nodiscard]] Result<std::int64_t> integer(const json::Value& v, std::string_view key,
                                             std::int64_t least, std::int64_t most) const;
  [[nodiscard]] Result<double> number(const json::Value& v, std::string_view key, double least,
                                      double most) const;
  /// A list of texts; with `one_is_enough` also a single one.
  [[nodiscard]] Result<std::vector<std::string>> texts(const json::Value& v, std::string_view key,
                                                       bool one_is_enough) const;
  [[nodiscard]] Result<std::map<std::string, std::string>> text_map(const json::Value& v,
                                                                    std::string_view key) const;
  /// "250ms", "1.5 s", "2m", "1h"; a bare number counts seconds. At most 9e18 ns.
  [[nodiscard]] Result<Nanoseconds> duration(const json::Value& v, std::string_view key) const;
  /// 0.02 or "2%".
  [[nodiscard]] Result<double> ratio(const json::Value& v, std::string_view key, double least,
                                     double most) const;

 private:
  std::string file_;
};

}  // namespace neurolens
