#include "neurolens/engines/pde/grid.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

namespace neurolens::pde {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr double kMostPoints = 1.1e12;
// Squares of spacings, and products of these with coefficients, must stay numbers.
constexpr double kLeastSpacing = 1e-70;
constexpr double kMostSpacing = 1e70;

// 0 where the system does not say.
double memory_bytes() {
#ifdef _SC_PHYS_PAGES
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
#else
  return 0;
#endif
}

Error too_much(const Grid& grid, double bytes) {
  const double has = memory_bytes();
  return {Errc::out_of_memory,
          fmt::format("{} points need {:.1f} GB{}. Use fewer points.", grid.text(), bytes * 1e-9,
                      has > 0 ? fmt::format("; this machine has {:.1f} GB", has * 1e-9) : ""),
          ""};
}

template <class T>
Result<BasicField<T>> make(const Grid& grid) {
  NEUROLENS_TRY(check(grid));
  const double arrays = sizeof(T) / 8.0;
  NEUROLENS_TRY(check_memory(grid, arrays));
  try {
    return BasicField<T>(grid);
  } catch (const std::bad_alloc&) {
    return too_much(grid, arrays * 8 * static_cast<double>(grid.size()));
  }
}
}  // namespace

std::string_view to_string(Precision precision) {
  return precision == Precision::f32 ? "f32" : "f64";
}

Status check(const Grid& grid) {
  if (grid.dimensions < 1 || grid.dimensions > 3)
    return Error{Errc::bad_request, "A grid has 1, 2 or 3 axes.", ""};
  double total = 1;
  for (int axis = 0; axis < 3; ++axis) {
    const auto i = static_cast<std::size_t>(axis);
    if (axis >= grid.dimensions) {
      if (grid.points[i] != 1)
        return Error{Errc::bad_request, "Axes beyond the dimensions must have one point.", ""};
      continue;
    }
    if (grid.points[i] < 3)
      return Error{Errc::out_of_range,
                   fmt::format("Axis {} has {} points; at least 3 are needed, boundary included.",
                               "xyz"[axis], grid.points[i]),
                   ""};
    if (!std::isfinite(grid.lower[i]) || !std::isfinite(grid.upper[i]) ||
        !(grid.upper[i] > grid.lower[i]))
      return Error{Errc::out_of_range,
                   fmt::format("Axis {} spans [{}, {}], which is not an interval.", "xyz"[axis],
                               grid.lower[i], grid.upper[i]),
                   ""};
    const double h = grid.spacing(axis);
    if (!(h > kLeastSpacing && h < kMostSpacing))
      return Error{Errc::out_of_range,
                   fmt::format("Points on axis {} are {:.3g} apart; the bounds are {:.0g} and "
                               "{:.0g}. Choose another unit of length.",
                               "xyz"[axis], h, kLeastSpacing, kMostSpacing),
                   ""};
    total *= grid.points[i];
  }
  if (total > kMostPoints)
    return Error{Errc::too_large, fmt::format("{:.3g} points exceed the bound of 1.1e12.", total),
                 ""};
  return {};
}

Status check_memory(const Grid& grid, double arrays) {
  const double bytes = arrays * 8 * static_cast<double>(grid.size());
  const double has = memory_bytes();
  if (has > 0 && bytes > has) return too_much(grid, bytes);
  return {};
}

Result<Grid> Grid::make(std::span<const int> points, std::span<const double> lower,
                        std::span<const double> upper) {
  if (points.empty() || points.size() > 3 || lower.size() != points.size() ||
      upper.size() != points.size())
    return Error{Errc::bad_request, "A grid needs 1 to 3 axes with a lower and an upper end each.",
                 ""};
  Grid grid;
  grid.dimensions = static_cast<int>(points.size());
  grid.points = {1, 1, 1};
  grid.lower = {0, 0, 0};
  grid.upper = {1, 1, 1};
  for (std::size_t i = 0; i < points.size(); ++i) {
    grid.points[i] = points[i];
    grid.lower[i] = lower[i];
    grid.upper[i] = upper[i];
  }
  NEUROLENS_TRY(check(grid));
  return grid;
}

Grid Grid::unit(int dimensions, int count) {
  Grid grid;
  grid.dimensions = dimensions;
  grid.points = {count, dimensions > 1 ? count : 1, dimensions > 2 ? count : 1};
  return grid;
}

std::string Grid::text() const {
  std::string result = std::to_string(points[0]);
  for (int axis = 1; axis < dimensions; ++axis)
    result += "x" + std::to_string(points[static_cast<std::size_t>(axis)]);
  return result;
}

namespace detail {
void* allocate_aligned(std::size_t bytes) {
  const bool large = bytes >= 2 * kHugePage;
  const std::size_t alignment = large ? kHugePage : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (large) (void)madvise(block, rounded, MADV_HUGEPAGE);  // advice only
#endif
  return block;
}
void free_aligned(void* block, std::size_t) noexcept {
  std::free(block);
}
}  // namespace detail

FieldF32 to_f32(const Field& field) {
  FieldF32 result(field.grid);
  for (std::size_t i = 0; i < field.values.size(); ++i)
    result.values[i] = static_cast<float>(field.values[i]);
  return result;
}

Field to_f64(const FieldF32& field) {
  Field result(field.grid);
  for (std::size_t i = 0; i < field.values.size(); ++i)
    result.values[i] = static_cast<double>(field.values[i]);
  return result;
}

Result<Field> make_field(const Grid& grid) {
  return make<double>(grid);
}
Result<FieldF32> make_field_f32(const Grid& grid) {
  return make<float>(grid);
}

}  // namespace neurolens::pde
