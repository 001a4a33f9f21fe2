// Any bytes either are an array whose shape fits its numbers, and come back from being written the
// same, or are refused with a sentence.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "neurolens/engines/pde/field_io.hpp"

using namespace neurolens::pde;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto array = from_npy({reinterpret_cast<const char*>(data), size});
  if (!array.ok()) {
    if (array.error().message.empty()) std::abort();
    return 0;
  }
  // In single precision: the same numbers rounded, or refused as too large.
  const auto single = from_npy_f32({reinterpret_cast<const char*>(data), size});
  if (!single.ok() && array->stored == Precision::f32) std::abort();
  for (std::size_t i = 0; single.ok() && i < array->values.size(); ++i)
    if (std::isfinite(single->values[i]) != std::isfinite(array->values[i])) std::abort();
  std::size_t count = 1;
  for (const std::size_t n : array->shape) count *= n;
  if (count != array->values.size()) std::abort();
  if (array->shape.empty() || array->shape.size() > 3 || count == 0) return 0;
  Grid grid;
  grid.dimensions = static_cast<int>(array->shape.size());
  grid.points = {1, 1, 1};
  for (std::size_t a = 0; a < array->shape.size(); ++a)
    grid.points[a] = static_cast<int>(array->shape[array->shape.size() - 1 - a]);
  Field field(grid);
  std::memcpy(field.values.data(), array->values.data(), count * sizeof(double));
  const auto again = from_npy(to_npy(field));
  if (!again.ok() || again->shape != array->shape) std::abort();
  if (std::memcmp(again->values.data(), array->values.data(), count * sizeof(double)) != 0)
    std::abort();
  return 0;
}
