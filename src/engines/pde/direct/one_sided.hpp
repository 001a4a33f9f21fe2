/// \file
/// Differences of smooth data at the end of a line, from the points there.
/// Each takes `v(m)`, the value m points away from the end, and uses up to five of them. Five give
/// an error below that of the compact stencil, so that faces do not add odd powers of h to the
/// leading term; a line of two or three intervals has fewer points and gets less.
#pragma once

namespace neurolens::pde {

/// The value one point beyond the end.
template <class V>
[[nodiscard]] double beyond_end(int intervals, const V& v) {
  if (intervals < 3) return 2 * v(0) - v(1);
  if (intervals < 4) return 4 * v(0) - 6 * v(1) + 4 * v(2) - v(3);
  return 5 * v(0) - 10 * v(1) + 10 * v(2) - 5 * v(3) + v(4);
}

/// Spacing times the outward derivative at the end.
template <class V>
[[nodiscard]] double slope_at_end(int intervals, const V& v) {
  if (intervals < 3) return 1.5 * v(0) - 2 * v(1) + 0.5 * v(2);
  if (intervals < 4) return (11 * v(0) - 18 * v(1) + 9 * v(2) - 2 * v(3)) / 6;
  return (25 * v(0) - 48 * v(1) + 36 * v(2) - 16 * v(3) + 3 * v(4)) / 12;
}

/// Spacing squared times the second derivative at the end.
template <class V>
[[nodiscard]] double curvature_at_end(int intervals, const V& v) {
  if (intervals < 3) return v(0) - 2 * v(1) + v(2);
  if (intervals < 4) return 2 * v(0) - 5 * v(1) + 4 * v(2) - v(3);
  return (35 * v(0) - 104 * v(1) + 114 * v(2) - 56 * v(3) + 11 * v(4)) / 12;
}

}  // namespace neurolens::pde
