/// \file
/// The two ways of finding functions; find_functions() picks one by the language.
/// `every`: take every token instead of those only that may matter. The result is the same.
#pragma once

#include "functions/functions.hpp"

namespace neurolens::codebase {

[[nodiscard]] std::vector<FunctionMetrics> find_brace_functions(std::string_view text,
                                                                std::span<const Segment> segments,
                                                                LanguageId language, bool* balanced,
                                                                bool every);
[[nodiscard]] std::vector<FunctionMetrics> find_python_functions(std::string_view text,
                                                                 std::span<const Segment> segments,
                                                                 LanguageId language,
                                                                 bool* balanced, bool every);

}  // namespace neurolens::codebase
