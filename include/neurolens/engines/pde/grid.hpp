/// \file
/// Boxes, the points on them, and arrays of numbers at those points.
/// Layout everywhere: x varies fastest, then y, then z. Points include the boundary.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/base/units.hpp"

namespace neurolens::pde {

/// A regular grid on a box of 1, 2 or 3 dimensions.
struct Grid {
  int dimensions = 2;                    ///< 1, 2 or 3; further axes have one point.
  std::array<int, 3> points{3, 3, 1};    ///< Per axis, boundary included; >= 3 in used axes.
  std::array<double, 3> lower{0, 0, 0};  ///< Coordinates of the first points.
  std::array<double, 3> upper{1, 1, 1};  ///< Of the last points; > lower.

  /// A grid of `points[i]` points on [lower[i], upper[i]]. Errors: bad_request (number of axes),
  /// out_of_range (fewer than 3 points, empty or non-finite interval, points nearer than 1e-70 or
  /// farther apart than 1e70), too_large (over 2^40 points).
  [[nodiscard]] static Result<Grid> make(std::span<const int> points, std::span<const double> lower,
                                         std::span<const double> upper);
  /// `count` points per axis on [0, 1]^dimensions. Requires legal arguments.
  [[nodiscard]] static Grid unit(int dimensions, int count);

  [[nodiscard]] int intervals(int axis) const { return points[index_of(axis)] - 1; }
  /// Distance of neighbouring points.
  [[nodiscard]] double spacing(int axis) const {
    return (upper[index_of(axis)] - lower[index_of(axis)]) / intervals(axis);
  }
  [[nodiscard]] double coordinate(int axis, int i) const {
    return i == intervals(axis) ? upper[index_of(axis)] : lower[index_of(axis)] + spacing(axis) * i;
  }
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(points[0]) * static_cast<std::size_t>(points[1]) *
           static_cast<std::size_t>(points[2]);
  }
  /// "80x80".
  [[nodiscard]] std::string text() const;
  friend bool operator==(const Grid&, const Grid&) = default;

 private:
  static constexpr std::size_t index_of(int axis) { return static_cast<std::size_t>(axis); }
};

/// Errors: as Grid::make.
[[nodiscard]] Status check(const Grid& grid);

/// Whether so many f64 arrays on the grid fit into this machine's memory: systems that hand out
/// memory they do not have would end the process instead. Errors: out_of_memory.
[[nodiscard]] Status check_memory(const Grid& grid, double arrays);

namespace detail {
/// 64-byte aligned memory, huge pages for large blocks where the system has them; throws bad_alloc.
void* allocate_aligned(std::size_t bytes);
void free_aligned(void* block, std::size_t bytes) noexcept;
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}  // NOLINT
  T* allocate(std::size_t n) { return static_cast<T*>(allocate_aligned(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) noexcept { free_aligned(p, n * sizeof(T)); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};
}  // namespace detail

/// A vector of numbers aligned for SIMD.
template <class T>
using AlignedVector = std::vector<T, detail::AlignedAllocator<T>>;

/// How numbers at points are kept. f32 halves memory and holds 7 digits (24 bits, 1.2e-38 to
/// 3.4e38); what a solver computes in, and what its answer is worth, each solver says.
enum class Precision : std::uint8_t { f64, f32 };
/// "f64" or "f32".
[[nodiscard]] std::string_view to_string(Precision precision);

/// One number per point of a grid.
template <class T>
struct BasicField {
  Grid grid;
  AlignedVector<T> values;

  BasicField() = default;
  explicit BasicField(const Grid& g, T value = T{}) : grid(g), values(g.size(), value) {}
  [[nodiscard]] T& at(int x, int y = 0, int z = 0) { return values[offset(x, y, z)]; }
  [[nodiscard]] T at(int x, int y = 0, int z = 0) const { return values[offset(x, y, z)]; }
  [[nodiscard]] Bytes bytes() const {
    return Bytes{static_cast<std::int64_t>(values.size() * sizeof(T))};
  }

 private:
  [[nodiscard]] std::size_t offset(int x, int y, int z) const {
    return static_cast<std::size_t>(x) +
           static_cast<std::size_t>(grid.points[0]) *
               (static_cast<std::size_t>(y) +
                static_cast<std::size_t>(grid.points[1]) * static_cast<std::size_t>(z));
  }
};
using Field = BasicField<double>;
using FieldF32 = BasicField<float>;

/// The field rounded to, or widened from, single precision. Numbers beyond 3.4e38 become infinite.
[[nodiscard]] FieldF32 to_f32(const Field& field);
[[nodiscard]] Field to_f64(const FieldF32& field);

/// A field, or out_of_memory as an error instead of an exception.
[[nodiscard]] Result<Field> make_field(const Grid& grid);
[[nodiscard]] Result<FieldF32> make_field_f32(const Grid& grid);

}  // namespace neurolens::pde
