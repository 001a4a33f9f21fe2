/// \file
/// Text inside XML and HTML.
#pragma once

#include <string>
#include <string_view>

namespace neurolens {

/// `text` safe inside an element or a quoted attribute: <, >, & and " become entities, control
/// characters (which XML cannot hold) become spaces.
[[nodiscard]] std::string escape_markup(std::string_view text);

}  // namespace neurolens
