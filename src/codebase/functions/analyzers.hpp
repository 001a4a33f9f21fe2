/// \file
/// The two ways of finding functions; find_functions() picks one by the language.
#pragma once

#include "functions/functions.hpp"
#include "functions/tokens.hpp"

namespace neurolens::codebase {

[[nodiscard]] std::vector<FunctionMetrics> find_brace_functions(std::string_view text,
                                                                std::span<const Segment> segments,
                                                                LanguageId language,
                                                                bool* balanced);
[[nodiscard]] std::vector<FunctionMetrics> find_python_functions(std::string_view text,
                                                                 std::span<const Segment> segments,
                                                                 LanguageId language,
                                                                 bool* balanced);

}  // namespace neurolens::codebase
