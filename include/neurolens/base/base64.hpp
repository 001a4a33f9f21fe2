/// \file
/// Bytes as text, for documents that can hold text only.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens {

/// RFC 4648, with padding, without line breaks.
[[nodiscard]] std::string base64_encode(std::string_view bytes);

/// The bytes of such text. Errors: parse_error for a length or a character that does not belong
/// there.
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);

}  // namespace neurolens
