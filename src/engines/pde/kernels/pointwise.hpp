/// \file
/// The operations of formulas on arrays of points, vectorised.
/// Elementary functions are within 4 units in the last place; arguments outside the range of the
/// vector form (large angles, overflow, not finite) are given to the C library one by one. The
/// result for a point does not depend on its neighbours, on n or on alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace neurolens::pde::kernels {

enum class Op : std::uint8_t {
  constant,
  variable,
  negate,
  add,
  subtract,
  multiply,
  divide,
  power,
  square,
  cube,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  exp,
  log,
  log10,
  log2,
  sqrt,
  cbrt,
  abs,
  floor,
  ceil,
  sign,
  step,
  erf,
  gamma,
  atan2,
  min,
  max,
  mod,
  hypot,
  select,
  clamp
};

/// Operands of an operation: 0 to 3.
[[nodiscard]] constexpr int operands_of(Op op) {
  if (op == Op::constant || op == Op::variable) return 0;
  if (op == Op::select || op == Op::clamp) return 3;
  if (op == Op::negate || op == Op::square || op == Op::cube || (op >= Op::sin && op <= Op::gamma))
    return 1;
  return 2;
}

/// An operand: n numbers, or one for all points.
struct Operand {
  const double* values = nullptr;
  bool uniform = false;
};

/// out[i] = op(a[i], b[i], c[i]) for i < n; operands that `op` does not have are not read. `out`
/// may be an operand. Reads and writes nothing beyond n.
void apply(Op op, std::size_t n, Operand a, Operand b, Operand c, double* out);

/// Whether all n values are finite.
[[nodiscard]] bool all_finite(std::size_t n, const double* values);

}  // namespace neurolens::pde::kernels
