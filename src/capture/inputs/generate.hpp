/// \file
/// Content for inputs that the user did not supply: seeded, of the right type, within the value
/// rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inputs/shapes.hpp"
#include "inputs/value_rules.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/onnx/types.hpp"

namespace neurolens::capture {

/// What to try. The later ones are for inputs whose meaning the rules do not know and which the
/// backend refused.
enum class Filling : std::uint8_t {
  generated,  ///< By the rules; otherwise floats in [-1, 1), integers 0 or 1, masks 1.
  zeros,      ///< As above, but integers and bools without a rule are 0.
  ones,       ///< The same with 1.
};

/// One tensor with `dims`. Errors: refused for element types that cannot be generated (by name).
[[nodiscard]] Result<onnx::Tensor> generate_tensor(const std::string& name, onnx::DType type,
                                                   const std::vector<std::int64_t>& dims,
                                                   const std::optional<ValueRule>& rule,
                                                   Filling filling, std::uint64_t seed);

/// Reads a file given by --input: .npy (version 1 to 3, C order or Fortran order) or .pb
/// (TensorProto). Errors: those of reading; parse_error; wrong_type for a dtype that ONNX does not
/// have.
[[nodiscard]] Result<onnx::Tensor> read_input_file(const std::string& path);

/// The .npy format, from memory.
[[nodiscard]] Result<onnx::Tensor> parse_npy(std::string_view bytes);

}  // namespace neurolens::capture
