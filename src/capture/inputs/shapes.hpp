/// \file
/// Chooses the shapes of a model's inputs: what the request says, then names of free dimensions,
/// then documented defaults (docs/guides/profiling.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/capture/request.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::capture {

/// An input to be fed.
struct InputSpec {
  std::string name;
  onnx::TypeInfo type;
};

struct ResolvedShapes {
  std::vector<std::vector<std::int64_t>> dims;  ///< Per input; of a sequence: of its elements.
  std::map<std::string, std::int64_t> symbols;  ///< Free dimensions by name.
  bool batch_used = false;                      ///< Some dimension took the batch size...
  bool sequence_used = false;                   ///< ...the sequence length.
};

/// `given` holds the dimensions of inputs whose content comes from a file.
/// Errors: bad_request for an unknown name, a wrong rank, a size that contradicts the model, a
/// dimension with two sizes, an input of unknown rank, and --batch or --sequence without effect.
[[nodiscard]] Result<ResolvedShapes> resolve_shapes(
    const std::vector<InputSpec>& inputs, const CaptureRequest& request,
    const std::map<std::string, std::vector<std::int64_t>>& given);

/// The tensor type inside: of a tensor itself, of a sequence's or optional's element.
[[nodiscard]] const onnx::TypeInfo* tensor_inside(const onnx::TypeInfo& type);

/// "1x3x224x224"; "scalar" without dimensions.
[[nodiscard]] std::string describe_dims(const std::vector<std::int64_t>& dims);

}  // namespace neurolens::capture
