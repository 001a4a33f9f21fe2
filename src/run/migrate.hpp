/// \file
/// Version 0: the form of the founding documents. See docs/reference/run.md, "Version 0".
#pragma once

#include <string_view>

#include "faults.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::run::detail {

/// Reads `text` as version 0 and makes a Run of it; what has no place in a Run is kept as text in
/// config.options, under its pointer. Without faults the Run passes validate(). Deterministic: the
/// run_id comes from the text. Errors: parse_error.
[[nodiscard]] Status read_version_0(std::string_view text, Run& out, Faults& faults);

}  // namespace neurolens::run::detail
