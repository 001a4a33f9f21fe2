/// \file
/// Trained networks as ONNX models (opset 17), so that other runtimes can serve them.
/// Every layer is written in inference form; a recurrence is unrolled over its steps from the
/// initial state. Layers that draw random numbers (an adaptive cell whose nodes sleep) and the
/// legacy cell are refused: ONNX cannot repeat them.
#pragma once

#include <string>

#include "neurolens/base/result.hpp"
#include "neurolens/engines/nn/data.hpp"
#include "neurolens/engines/nn/model.hpp"

namespace neurolens::nn {

/// The bytes of an ONNX file with input "x" [N, ...] and output "y" [N, ...], both float32.
/// `standard`, when given, is the model's first step: it then takes samples as they are in the
/// data. Errors: refused, naming the layer.
[[nodiscard]] Result<std::string> to_onnx(const Network<float>& network,
                                          const Standard* standard = nullptr);

}  // namespace neurolens::nn
