/// \file
/// Random weights as a pure function of (seed, tensor, index). Private to this room.
#pragma once

#include <cstdint>
#include <span>

namespace neurolens::onnx::zoo {

/// Uniform in [centre - spread, centre + spread): standard deviation spread / sqrt(3).
struct Fill {
  float centre = 0;
  float spread = 0;
  bool trained = true;  ///< False for running statistics: not counted as parameters.
};

/// He's scale for a layer of `fan_in` inputs that is followed by a Relu (He, Zhang, Ren, Sun 2015):
/// variance 2 / fan_in.
[[nodiscard]] Fill he(std::int64_t fan_in);
/// Variance 1 / fan_in, for layers without a Relu (LeCun 1998).
[[nodiscard]] Fill lecun(std::int64_t fan_in);
/// Standard deviation `deviation` around 0.
[[nodiscard]] Fill around_zero(double deviation);

/// Elements first, first + 1, ... of tensor number `tensor`. `first` must be a multiple of 4.
/// Every value is one correctly rounded operation on an exact product, so compilers cannot change
/// it.
void fill_weights(std::uint64_t seed, std::uint64_t tensor, Fill fill, std::int64_t first,
                  std::span<float> out);

}  // namespace neurolens::onnx::zoo
