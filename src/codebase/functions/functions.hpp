/// \file
/// Finds functions in a scanned text and measures them. See measure.hpp for the definitions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lex/scanner.hpp"

namespace neurolens::codebase {

/// Functions in order of their first line. `segments`: what Scanner found in `text`.
/// *balanced becomes false when brackets do not match. `every` is for tests: take every token
/// instead of those only that may matter; the result is the same.
[[nodiscard]] std::vector<FunctionMetrics> find_functions(std::string_view text,
                                                          std::span<const Segment> segments,
                                                          LanguageId language, bool* balanced,
                                                          bool every = false);

}  // namespace neurolens::codebase
