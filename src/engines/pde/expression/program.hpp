/// \file
/// A formula as code of a stack machine.
#pragma once

#include <string>
#include <vector>

#include "kernels/pointwise.hpp"
#include "neurolens/engines/pde/expression.hpp"

namespace neurolens::pde {

struct Instruction {
  kernels::Op op;
  std::uint8_t variable = 0;
  double number = 0;
};

struct Expression::Program {
  /// Code [begin, end) that leaves one value and depends on variable 0 alone.
  struct Part {
    std::size_t begin = 0, end = 0;
  };

  std::string text;
  std::vector<Instruction> code;
  std::size_t depth = 0;      ///< Most operands at a time.
  std::size_t variables = 0;  ///< Of which the formula may use some.
  std::vector<bool> used;
  std::vector<Part> rows;  ///< The largest parts that are the same for every row of a grid.

  /// Fills depth, used and rows from code.
  void analyse();
};

}  // namespace neurolens::pde
