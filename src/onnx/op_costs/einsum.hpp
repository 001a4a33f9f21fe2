/// \file
/// FLOPs of Einsum. Private to this folder.
#pragma once

#include <string_view>
#include <vector>

#include "op_costs/formula.hpp"

namespace neurolens::onnx::costs {

/// False for an equation that does not fit the operands, and for "...".
[[nodiscard]] bool count_einsum(std::string_view equation, const std::vector<Dims>& operands,
                                Count& count);

}  // namespace neurolens::onnx::costs
