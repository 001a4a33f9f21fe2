/// \file
/// Quantities that carry their unit in the type: a bare number never crosses a room.
/// All are thin wrappers over one number; arithmetic is defined within a unit, conversion is
/// explicit.
#pragma once

#include <compare>
#include <cstdint>

namespace neurolens {

/// An amount of `Rep` in the unit named by `Tag`.
template <class Tag, class Rep>
struct Quantity {
  Rep count{};

  constexpr Quantity() = default;
  constexpr explicit Quantity(Rep value) : count(value) {}
  friend constexpr auto operator<=>(const Quantity&, const Quantity&) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity(a.count + b.count);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity(a.count - b.count);
  }
  friend constexpr Quantity operator*(Quantity a, Rep factor) { return Quantity(a.count * factor); }
  constexpr Quantity& operator+=(Quantity other) {
    count += other.count;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    count -= other.count;
    return *this;
  }
};

using Nanoseconds =
    Quantity<struct NanosecondsTag, std::int64_t>;  ///< A duration or an instant on a stated clock.
using Bytes = Quantity<struct BytesTag, std::int64_t>;  ///< A size in memory or on disk.
using Flops = Quantity<struct FlopsTag,
                       std::int64_t>;  ///< Floating-point operations; a multiply-add counts 2.

}  // namespace neurolens
