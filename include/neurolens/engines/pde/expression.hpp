/// \file
/// Formulas such as "exp(-40*((x-.3)^2+(y-.5)^2))", parsed safely and evaluated on many points at
/// once. Grammar: numbers; variables; pi, e; + - * / ^ (right-associative, binds tighter than unary
/// minus); comparisons < <= > >= == != giving 1 or 0; calls. There are no loops, no assignments and
/// no access to anything outside: an expression cannot do harm, and its cost is bounded by its
/// length. Evaluation runs a stack machine over blocks of points with SIMD forms of the elementary
/// functions (within 4 units in the last place; a point's value does not depend on its neighbours).
/// Limits: 10,000 characters, depth 200.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"

namespace neurolens::pde {

/// A compiled formula. A value; copies share the program. Safe to use from several threads.
class Expression {
 public:
  /// Compiles `text` in terms of `variables` (at most 64 names).
  /// Errors: parse_error with "column C" in `where` and, for an unknown name, the nearest known
  /// ones.
  [[nodiscard]] static Result<Expression> parse(std::string_view text,
                                                std::span<const std::string> variables);
  /// In terms of x, y, z, t.
  [[nodiscard]] static Result<Expression> parse(std::string_view text);

  /// out[i] = value with variable v at inputs[v][steps[v] * i], steps 0 (the same for all) or 1.
  /// One entry per variable in `inputs` and `steps`; inputs of unused variables may be null.
  void evaluate(std::span<const double* const> inputs, std::span<const std::uint8_t> steps,
                std::size_t count, double* out) const;
  /// out[i + nx (j + ny k)] = value at (x[i], y[j], z[k], t), for a formula in x, y, z, t. Parts
  /// that depend on x alone are computed once for all rows, other parts without x once per row.
  void evaluate_grid(std::span<const double> x, std::span<const double> y,
                     std::span<const double> z, double t, double* out) const;
  /// The value at one point; `values` has one entry per variable.
  [[nodiscard]] double evaluate(std::span<const double> values) const;

  /// Whether the formula mentions variable `index`.
  [[nodiscard]] bool uses(std::size_t index) const;
  [[nodiscard]] const std::string& text() const;
  /// Floating-point operations per point, a function call counted as one.
  [[nodiscard]] std::size_t operations() const;

 private:
  struct Program;
  explicit Expression(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  friend class ExpressionParser;
  std::shared_ptr<const Program> program_;
};

}  // namespace neurolens::pde
