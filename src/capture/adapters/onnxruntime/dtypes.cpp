#include "adapters/onnxruntime/dtypes.hpp"

#include <array>
#include <utility>

namespace neurolens::capture {
namespace {

/// By ONNX's number.
constexpr std::array<const char*, 27> kNames{
    "undefined",  "f32",    "u8",         "i8",  "u16", "i16",    "i32",    "i64",  "string",
    "bool",       "f16",    "f64",        "u32", "u64", "c64",    "c128",   "bf16", "f8e4m3fn",
    "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "u4",  "i4",  "f4e2m1", "f8e8m0", "u2",   "i2"};

}  // namespace

onnx::DType onnx_dtype(std::string_view run_name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == run_name) return static_cast<onnx::DType>(i);
  }
  return onnx::DType::undefined;
}

std::string run_dtype(onnx::DType type) {
  const auto number = static_cast<std::int32_t>(type);
  if (number < 0 || static_cast<std::size_t>(number) >= kNames.size()) {
    return "type" + std::to_string(number);
  }
  return kNames[static_cast<std::size_t>(number)];
}

std::string run_dtype_of_trace(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 22> kTraceNames{
      {{"float", "f32"},
       {"double", "f64"},
       {"float16", "f16"},
       {"bfloat16", "bf16"},
       {"int8", "i8"},
       {"int16", "i16"},
       {"int32", "i32"},
       {"int64", "i64"},
       {"uint8", "u8"},
       {"uint16", "u16"},
       {"uint32", "u32"},
       {"uint64", "u64"},
       {"bool", "bool"},
       {"string", "string"},
       {"int4", "i4"},
       {"uint4", "u4"},
       {"complex64", "c64"},
       {"complex128", "c128"},
       {"float8e4m3fn", "f8e4m3fn"},
       {"float8e4m3fnuz", "f8e4m3fnuz"},
       {"float8e5m2", "f8e5m2"},
       {"float8e5m2fnuz", "f8e5m2fnuz"}}};
  for (const auto& [trace, mine] : kTraceNames) {
    if (trace == name) return mine;
  }
  return std::string(name);
}

}  // namespace neurolens::capture
