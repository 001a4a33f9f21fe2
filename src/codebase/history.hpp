/// \file
/// Churn and change coupling out of `git log`, by running git (no shell).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::codebase {

/// Paths per commit, relative to `root`, newest first. Empty when `root` is in no repository or git
/// is missing.
[[nodiscard]] std::vector<std::vector<std::string>> read_history(const std::string& root,
                                                                 std::uint32_t commits);

/// Reads the output of `git log --name-only -z --format=%x01`. Exposed for tests.
[[nodiscard]] std::vector<std::vector<std::string>> parse_history(std::string_view output);

}  // namespace neurolens::codebase
