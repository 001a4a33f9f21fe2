// Any text either compiles or is refused with a column; what compiles evaluates without harm.
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
  (void)e->evaluate(v);
  return 0;
}
