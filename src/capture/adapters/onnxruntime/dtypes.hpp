/// \file
/// Names of element types: the runtime's, ONNX's numbers, and the Run's short ones.
#pragma once

#include <string>
#include <string_view>

#include "neurolens/onnx/types.hpp"

namespace neurolens::capture {

/// The Run's name of an element type: "f32", "i64", "bool", "string", "f8e4m3fn"...
[[nodiscard]] std::string run_dtype(onnx::DType type);
/// From the names that the runtime's profiler writes: "float", "int64", "float16", "string"...
/// Unknown names stay as they are.
[[nodiscard]] std::string run_dtype_of_trace(std::string_view name);
/// The reverse of run_dtype(); DType::undefined for a name that it does not give.
[[nodiscard]] onnx::DType onnx_dtype(std::string_view run_name);

}  // namespace neurolens::capture
