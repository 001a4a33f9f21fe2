/// \file
/// What is said when arithmetic leaves the range of numbers.
#pragma once

#include "neurolens/base/result.hpp"

namespace neurolens::pde {

inline Error overflowed() {
  return {
      Errc::out_of_range,
      "Sums overflowed: numbers of this size leave the range of f64 (1.8e308). Scale the source "
      "and the boundary values down.",
      ""};
}

}  // namespace neurolens::pde
