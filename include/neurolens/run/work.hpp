/// \file
/// The work of ops in one number each: FLOPs and minimum bytes. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "neurolens/run/types.hpp"

namespace neurolens::run {

/// Matrix and vector FLOPs together; nullopt when one of them is not known.
[[nodiscard]] std::optional<std::int64_t> flops_of(const Cost& cost);
/// Minimum traffic in bytes, activations and weights together; nullopt when one is not known.
[[nodiscard]] std::optional<std::int64_t> bytes_of(const Cost& cost);

/// Of all ops per iteration; 0 without ops; nullopt when it is not known for one of them.
[[nodiscard]] std::optional<double> flops_of(const Run& run);
[[nodiscard]] std::optional<double> bytes_of(const Run& run);

}  // namespace neurolens::run
