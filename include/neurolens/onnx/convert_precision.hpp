/// \file
/// A single-precision model rewritten to compute in a 16-bit format.
///
/// Every float32 of the graph becomes the target type: initialisers, constants, declared types
/// (inputs and outputs included), and attributes that name a type. Numbers are rounded to nearest,
/// ties to even; finite ones beyond the range become the largest finite number (masks of -1e9 stay
/// masks) and are counted. Inputs that an operator defines as float32 only (scales of Resize, boxes
/// of NonMaxSuppression) keep their float32 value: by a copy of the constant, or by a Cast.
/// Whether a runtime has the kernels is for the runtime to say.
#pragma once

#include <cstdint>

#include "neurolens/base/result.hpp"
#include "neurolens/onnx/model.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::onnx {

/// Nearest float16 and bfloat16 of `value`, ties to even, subnormal numbers included. Infinities
/// and NaN stay; finite values beyond the range become the largest finite one.
[[nodiscard]] std::uint16_t to_float16_bits(float value);
[[nodiscard]] std::uint16_t to_bfloat16_bits(float value);

/// What convert_precision() made.
struct ConvertedModel {
  Model model;
  std::int64_t tensors = 0;  ///< Constants that were rewritten.
  std::int64_t clamped = 0;  ///< Numbers that were beyond the range.
};

/// Converts `model` to `target`: DType::float16 or DType::bfloat16. External data move into the
/// message. Errors: bad_request for another target or a model without its weights; unavailable for
/// a quantised model, for operators of ai.onnx.ml (their results are float32), and for a model
/// that holds no float32 at all; those of reading external data.
[[nodiscard]] Result<ConvertedModel> convert_precision(const Model& model, DType target);

}  // namespace neurolens::onnx
