#include "reorder.hpp"

#include <algorithm>
#include <array>
#include <atomic>

#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr int kTile = 32;

struct Strides {
  std::array<std::size_t, 3> box{}, grid{};  // of the box's axes in either layout
};

Strides strides_of(const Box& box) {
  Strides out;
  std::array<int, 3> grid_points{1, 1, 1};
  for (int a = 0; a < box.dimensions; ++a)
    grid_points[index(box.user_axis[index(a)])] = box.points(a);
  for (int a = 0; a < 3; ++a) {
    const int user = box.user_axis[index(a)];
    std::size_t stride = 1;
    for (int b = 0; b < user; ++b) stride *= index(grid_points[index(b)]);
    out.grid[index(a)] = stride;
  }
  out.box = {1, box.row_stride(), box.plane_stride()};
  return out;
}

// A tile at a time, workers taking bands of tiles: axis 0, contiguous in the box, against the one
// that is contiguous in the grid.
template <class T>
void copy(const Box& box, bool to_box, const T* from, T* to, Workers& workers) {
  const Strides stride = strides_of(box);
  std::size_t second = 1;
  for (int a = 1; a < box.dimensions; ++a)
    if (box.user_axis[index(a)] == 0) second = index(a);
  const std::size_t third = 3 - second;
  const int n0 = box.points(0);
  const int n1 = box.points(static_cast<int>(second));
  const int bands = (n1 + kTile - 1) / kTile;
  const int all = bands * box.points(static_cast<int>(third));
  const auto band = [&](int number) {
    const int j0 = number % bands * kTile;
    const int j1 = std::min(n1, j0 + kTile);
    const auto k = index(number / bands);
    for (int i0 = 0; i0 < n0; i0 += kTile) {
      const std::size_t width = index(std::min(n0, i0 + kTile) - i0);
      for (int j = j0; j < j1; ++j) {
        const std::size_t in_box =
            index(i0) + index(j) * stride.box[second] + k * stride.box[third];
        const std::size_t in_grid =
            index(i0) * stride.grid[0] + index(j) * stride.grid[second] + k * stride.grid[third];
        const std::size_t step = stride.grid[0];
        if (to_box)
          for (std::size_t i = 0; i < width; ++i) to[in_box + i] = from[in_grid + i * step];
        else
          for (std::size_t i = 0; i < width; ++i) to[in_grid + i * step] = from[in_box + i];
      }
    }
  };
  std::atomic<int> next{0};
  workers.run([&](std::size_t) {
    for (int b = next++; b < all; b = next++) band(b);
  });
}

}  // namespace

void reorder(const Box& box, bool to_box, const double* from, double* to, Workers& workers) {
  copy(box, to_box, from, to, workers);
}
void reorder(const Box& box, bool to_box, const float* from, float* to, Workers& workers) {
  copy(box, to_box, from, to, workers);
}

}  // namespace neurolens::pde
