/// \file
/// Where and how a file that should be an ONNX model is damaged. Private to this room.
/// protobuf only says that it could not read a message; this walks the wire format a second time,
/// along the messages of ONNX, and names the first field that does not fit.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/base/result.hpp"

namespace neurolens::onnx {

/// The error for `bytes`, which protobuf refused or which hold no graph.
[[nodiscard]] Error explain_damage(std::string_view bytes, const std::string& path);

/// Name of the format that `bytes` begin like, when it is a known one that is not ONNX; else empty.
[[nodiscard]] std::string_view foreign_format(std::string_view bytes);

}  // namespace neurolens::onnx
