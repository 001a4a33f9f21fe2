/// \file
/// Small text helpers shared by every room.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace neurolens {

/// Levenshtein distance in bytes, at most `limit` + 1.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b,
                                        std::size_t limit = 8);

/// Of `known`, those that come close to `wrong`, nearest first, at most `most`: for "did you mean".
[[nodiscard]] std::vector<std::string> close_matches(std::string_view wrong,
                                                     std::span<const std::string> known,
                                                     std::size_t most = 3);

/// " Did you mean "x"?" or, with nothing close, an empty string.
[[nodiscard]] std::string did_you_mean(std::string_view wrong, std::span<const std::string> known);

/// Text that is safe to show on a terminal: control characters, invalid UTF-8 and bidirectional
/// overrides become visible escapes (\x1b, \u202e).
[[nodiscard]] std::string printable(std::string_view text);

/// Invalid UTF-8 sequences replaced by U+FFFD.
[[nodiscard]] std::string to_valid_utf8(std::string_view text);

/// Pieces between `separator`, empty ones kept.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// Without leading and trailing white space.
[[nodiscard]] std::string_view trim(std::string_view text);

/// Shortest text that reads back as the same double; "null" for NaN and infinities.
[[nodiscard]] std::string shortest(double number);

}  // namespace neurolens
