// Rows of the right-hand side.
#include <algorithm>
#include <type_traits>

#include "direct/box.hpp"
#include "direct/one_sided.hpp"
#include "index.hpp"
#include "kernels/lane_transform.hpp"

namespace neurolens::pde {

// (1 + sum d_i^2 / 12) f on the unknown part of a row, into scratch.
template <class T>
template <class R>
void BasicBoxData<T>::apply_source_operator(int j, int k, R* scratch) const {
  const std::size_t n = box_.row_stride();
  R* centre = scratch + n + 16 + 1;  // one ghost on either side
  R* spare = scratch + 2 * (n + 16);
  const T* f = f_ + box_.offset(0, j, k);
  std::copy_n(f, n, centre);
  const int last = static_cast<int>(n) - 1;
  const auto extend = [&](int end, int inward) {
    if (box_.axis[0].kind == AxisKind::periodic)
      return static_cast<double>(f[end == 0 ? last - 1 : 1]);
    return beyond_end(last,
                      [&](int depth) { return static_cast<double>(f[end + depth * inward]); });
  };
  centre[-1] = static_cast<R>(extend(0, 1));
  centre[last + 1] = static_cast<R>(extend(last, -1));
  const R* neighbours[4];
  std::size_t count = 0;
  const auto take_spare = [&] {
    R* row = spare;
    spare += n + 16;
    return row;
  };
  const auto add_row = [&](const T* row) {
    if constexpr (std::is_same_v<R, T>) {
      neighbours[count++] = row;
    } else {
      R* copy = take_spare();
      std::copy_n(row, n, copy);
      neighbours[count++] = copy;
    }
  };
  const std::array<int, 3> position{0, j, k};
  for (int t = 1; t < box_.dimensions; ++t)
    for (const int direction : {-1, 1}) {
      std::array<int, 3> p = position;
      const int m = p[index(t)] + direction;
      const int top = box_.axis[index(t)].intervals;
      p[index(t)] = m;
      if (m >= 0 && m <= top) {
        add_row(f_ + box_.offset(0, p[1], p[2]));
        continue;
      }
      if (box_.axis[index(t)].kind == AxisKind::periodic) {
        p[index(t)] = m < 0 ? top - 1 : 1;
        add_row(f_ + box_.offset(0, p[1], p[2]));
        continue;
      }
      const auto at = [&](int depth) {
        p[index(t)] = m < 0 ? depth : top - depth;
        return f_ + box_.offset(0, p[1], p[2]);
      };
      R* ghost = take_spare();  // an edge of a 3-D box has two
      for (std::size_t i = 0; i < n; ++i)
        ghost[i] = static_cast<R>(
            beyond_end(top, [&](int depth) { return static_cast<double>(at(depth)[i]); }));
      neighbours[count++] = ghost;
    }
  const int first = box_.axis[0].first;
  for (std::size_t m = 0; m < count; ++m) neighbours[m] += first;
  kernels::smooth_row(index(box_.axis[0].count), centre + first, neighbours, count,
                      1.0 - box_.dimensions / 6.0, 1.0 / 12, scratch);
}

template <class T>
template <class R>
const R* BasicBoxData<T>::source_row(int j, int k, R* scratch) const {
  if (box_.order == 4) {
    apply_source_operator(j, k, scratch);
    return scratch;
  }
  const T* f = f_ + box_.offset(box_.axis[0].first, j, k);
  if constexpr (std::is_same_v<R, T>) {
    return f;
  } else {
    std::copy_n(f, box_.axis[0].count, scratch);
    return scratch;
  }
}

template <class T>
template <class R>
const R* BasicBoxData<T>::row_as(int j, int k, R* scratch, int left_out) const {
  const R* source = source_row(j, k, scratch);
  const int first = box_.axis[0].first;
  const auto n = index(box_.axis[0].count);
  const auto own = [&] {
    if (source != scratch) std::copy_n(source, n, scratch);
    source = scratch;
  };
  const auto subtract = [](R& from, double what) {
    from = static_cast<R>(static_cast<double>(from) - what);
  };
  if (shift_ != 0) {
    own();
    for (std::size_t i = 0; i < n; ++i) subtract(scratch[i], shift_);
  }
  const std::array<int, 3> p{0, j, k};
  for (int a = left_out; a < box_.dimensions; ++a) {
    const BoxAxis& axis = box_.axis[index(a)];
    for (int side = 0; side < 2; ++side) {
      const Face& face = this->face(a, side);
      if (!face.acts) continue;
      if (a == 0) {
        own();
        subtract(scratch[side == 0 ? 0 : n - 1], face.correction[face_offset(0, 0, j, k)]);
        continue;
      }
      const int layer = side == 0 ? axis.first : axis.first + axis.count - 1;
      if (p[index(a)] != layer) continue;
      own();
      const double* correction = face.correction.data() + face_offset(a, first, j, k);
      for (std::size_t i = 0; i < n; ++i) subtract(scratch[i], correction[i]);
    }
  }
  return source;
}

template const double* BasicBoxData<double>::row_as(int, int, double*, int) const;
template const float* BasicBoxData<float>::row_as(int, int, float*, int) const;
template const double* BasicBoxData<float>::row_as(int, int, double*, int) const;

}  // namespace neurolens::pde
