// Any text either compiles or is refused with a column; what compiles evaluates without harm.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "neurolens/engines/pde/expression.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto e = neurolens::pde::Expression::parse({reinterpret_cast<const char*>(data), size});
  if (!e.ok()) {
    if (e.error().message.empty()) std::abort();
    return 0;
  }
  const double v[4] = {0.1, -2, 3, 0.5};
  const double single = e->evaluate(v);
  // A grid that holds the same point must hold the same value.
  const double x[11] = {-1, 0.3, 1e9, -1e300, 0, 5, 0.1, 7, 1e-9, 2, 3};
  const double y[2] = {1, -2};
  double out[22];
  e->evaluate_grid(x, y, {v + 2, 1}, 0.5, out);
  const double same = out[11 + 6];
  if (!(same == single) && !(std::isnan(same) && std::isnan(single))) std::abort();
  return 0;
}
