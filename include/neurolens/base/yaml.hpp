/// \file
/// YAML for configurations: read into the same tree as JSON, with line and column on every node.
/// Core schema: null, booleans, integers, numbers; everything else, and everything quoted, is a
/// string. Anchors and aliases are resolved; their expansion is bounded (no "billion laughs").
#pragma once

#include <string_view>

#include "neurolens/base/json.hpp"

namespace neurolens::yaml {

/// Reads one YAML document. Errors: parse_error with "line L, column C" in `where`; duplicate keys
/// and more than 1,000,000 nodes after expansion are errors.
[[nodiscard]] Result<json::Value> parse(std::string_view text);

}  // namespace neurolens::yaml
