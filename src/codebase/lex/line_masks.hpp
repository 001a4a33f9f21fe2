/// \file
/// Line ends, blanks and the bytes of a set among 64, as bit masks.
#pragma once

#include <cstdint>

#include "lex/byte_set.hpp"

namespace neurolens::codebase {

/// Bit i speaks of byte i.
struct LineMasks {
  std::uint64_t marks = 0;     ///< Members of the set.
  std::uint64_t blanks = 0;    ///< White space but '\n'.
  std::uint64_t newlines = 0;  ///< '\n'.
};

/// Masks of the 64 bytes at `text`.
using LineMasksFunction = void (*)(const char* text, const ByteSet& set, LineMasks* out);
/// The one for this processor.
[[nodiscard]] LineMasksFunction line_masks_function();

}  // namespace neurolens::codebase
