/// \file
/// The name under which a task's result is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::exec::detail {

class RunCore;

/// SHA-256 of code version, path and arguments of a task whose dependencies have ended.
[[nodiscard]] std::string checkpoint_key(const RunCore& run, std::uint32_t task,
                                         std::string_view code_version);
/// Whether result and arguments of `task` can be turned into bytes. Errors: wrong_type.
struct Compiled;
[[nodiscard]] Status check_checkpoint(const Compiled& compiled, std::uint32_t task);

}  // namespace neurolens::exec::detail
