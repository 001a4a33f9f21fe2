/// \file
/// Points per axis are int, as users count them; arrays are indexed by std::size_t.
#pragma once

#include <cstddef>

namespace neurolens::pde {

/// `i` >= 0 as an index.
constexpr std::size_t index(int i) {
  return static_cast<std::size_t>(i);
}

}  // namespace neurolens::pde
