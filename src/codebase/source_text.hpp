/// \file
/// Bytes of a file -> UTF-8 text with LF or CR LF line ends, as the scanner wants it.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/codebase/measure.hpp"

namespace neurolens::codebase {

struct SourceText {
  std::string_view text;  ///< Points into the input, or into `owned`.
  std::string owned;      ///< Filled only when the bytes had to change.
  Encoding encoding = Encoding::utf8;
  bool binary = false;
  bool damaged = false;  ///< Not valid in its encoding.
};

/// Decodes `bytes` into `out`. `out.text` may point into `bytes`, which must outlive it.
void decode(std::string_view bytes, SourceText* out);

/// True when a NUL stands among the first 8,000 bytes and no mark of UTF-16 or UTF-32 at the start.
[[nodiscard]] bool looks_binary(std::string_view bytes);

}  // namespace neurolens::codebase
