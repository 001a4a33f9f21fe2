// The residual of the discrete system. Away from faces the sums over 5 to 19 points are taken
// straight; next to them by second differences of one axis at a time, which know the ends.
#include <algorithm>
#include <cmath>
#include <limits>

#include "direct/box.hpp"
#include "index.hpp"
#include "kernels/norms.hpp"

namespace neurolens::pde {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

bool fixed(const BoxEnd& end) {
  return end.kind == ConditionKind::dirichlet;
}

using Place = std::array<int, 3>;

// The operator without known values: these are in the corrections of the right-hand side, so that
// Dirichlet points count 0 here.
template <class T>
class Stencil {
 public:
  Stencil(const Box& box, const T* u) : b_(box), u_(u), centre_(box.c) {
    const std::array<std::size_t, 3> stride{1, box.row_stride(), box.plane_stride()};
    for (std::size_t a = 0; a < index(box.dimensions); ++a) {
      step_[a] = static_cast<std::ptrdiff_t>(stride[a]);
      inverse_[a] = 1 / (box.axis[a].h * box.axis[a].h);
      pair_[a] = own_[a] = inverse_[a] + (compact() ? box.c / 12 : 0.0);
      centre_ -= 2 * own_[a];
    }
    if (!compact()) return;
    for (std::size_t a = 0; a < index(box.dimensions); ++a)
      for (std::size_t t = 0; t < a; ++t) {
        const double x = (inverse_[a] + inverse_[t]) / 12;  // (h_a^2 + h_t^2) / (12 h_a^2 h_t^2)
        cross_[a][t] = x;
        pair_[a] -= 2 * x;
        pair_[t] -= 2 * x;
        centre_ += 4 * x;
      }
  }

  // True when every neighbour along the slower axes is an unknown (or the axis is periodic inside).
  [[nodiscard]] bool plain_row(int j, int k) const {
    const Place line{0, j, k};
    for (int a = 1; a < b_.dimensions; ++a)
      if (!plain(a, line[index(a)])) return false;
    return true;
  }
  [[nodiscard]] bool plain(int a, int m) const {
    const BoxAxis& axis = b_.axis[index(a)];
    const bool below_top = fixed(axis.end[1]) || axis.kind == AxisKind::periodic;
    return m - 1 >= (fixed(axis.end[0]) ? 1 : 0) && m + 1 <= axis.intervals - (below_top ? 1 : 0);
  }

  // At points of a plain row all of whose neighbours are plain; (0, j, k) is `at`.
  [[nodiscard]] kernels::PointSum<T> inside(const T* at) const {
    kernels::PointSum<T> sum;
    const auto add = [&](std::ptrdiff_t from, double centre, double side) {
      sum.rows[sum.count] = at + from;
      sum.centre[sum.count] = centre;
      sum.side[sum.count++] = side;
    };
    add(0, centre_, pair_[0]);
    const int d = b_.dimensions;
    for (std::size_t a = 1; a < index(d); ++a)
      for (const int side : {-1, 1}) add(side * step_[a], pair_[a], cross_[a][0]);
    for (const int y : {-1, 1})
      for (const int z : {-1, 1})
        if (d > 2 && compact()) add(y * step_[1] + z * step_[2], cross_[2][1], 0);
    return sum;
  }

  [[nodiscard]] double anywhere(const Place& p) const {
    const auto value = [this](const Place& q) {
      return static_cast<double>(u_[b_.offset(q[0], q[1], q[2])]);
    };
    double sum = b_.c * value(p);
    for (int a = 0; a < b_.dimensions; ++a) {
      sum += own_[index(a)] * difference(a, p, value);
      for (int t = 0; compact() && t < a; ++t)
        sum += cross_[index(a)][index(t)] *
               difference(a, p, [&](const Place& q) { return difference(t, q, value); });
    }
    return sum;
  }

 private:
  [[nodiscard]] bool compact() const { return b_.order == 4; }

  // d^2 along an axis, of a function that vanishes where u is known.
  template <class Value>
  [[nodiscard]] double difference(int a, const Place& p, const Value& value) const {
    const BoxAxis& axis = b_.axis[index(a)];
    const int n = axis.intervals;
    const int m = p[index(a)];
    const auto at = [&](int position) {
      Place q = p;
      q[index(a)] = position;
      return value(q);
    };
    const double here = value(p);
    if (axis.kind == AxisKind::periodic)
      return at(m == 0 ? n - 1 : m - 1) - 2 * here + at(m + 1 == n ? 0 : m + 1);
    if (m == 0) return axis.end_difference(0, here, at(1));
    if (m == n) return axis.end_difference(1, here, at(n - 1));
    const double low = m == 1 && fixed(axis.end[0]) ? 0.0 : at(m - 1);
    const double high = m == n - 1 && fixed(axis.end[1]) ? 0.0 : at(m + 1);
    return low - 2 * here + high;
  }

  const Box& b_;
  const T* u_;
  std::array<std::ptrdiff_t, 3> step_{};
  std::array<double, 3> inverse_{};  // 1 / h^2
  std::array<double, 3> own_{};      // of d_a^2
  std::array<double, 3> pair_{};     // of the two neighbours along a
  std::array<std::array<double, 3>, 3> cross_{};
  double centre_;
};

}  // namespace

template <class T>
typename BasicBoxData<T>::Norms BasicBoxData<T>::norms(const T* u, std::size_t begin,
                                                       std::size_t end) const {
  Norms result;
  const Box& b = box_;
  const Stencil<T> stencil(b, u);
  std::vector<double> scratch(6 * (b.row_stride() + 16));
  const auto rows = index(b.axis[1].count);
  const int first = b.axis[0].first;
  // Half for every end at which a point lies, as in the sums that decide compatibility.
  const auto weight_of = [&](int a, int m) {
    const BoxAxis& axis = b.axis[index(a)];
    return a < b.dimensions && axis.kind != AxisKind::periodic && (m == 0 || m == axis.intervals)
               ? 0.5
               : 1.0;
  };
  for (std::size_t r = begin; r < end; ++r) {
    const int j = b.axis[1].first + static_cast<int>(r % rows);
    const int k = b.axis[2].first + static_cast<int>(r / rows);
    const double* rhs = row_as(j, k, scratch.data(), 0);
    const bool plain = stencil.plain_row(j, k);
    const double row_weight = weight_of(1, j) * weight_of(2, k);
    const auto one = [&](int m) {
      const int i = first + m;
      const double weight = row_weight * weight_of(0, i);
      const double target = rhs[m];
      const double rest = u == nullptr ? 0 : std::fabs(target - stencil.anywhere({i, j, k}));
      result.residual = std::max(result.residual, std::isfinite(rest) ? rest : kInfinite);
      result.rhs = std::max(result.rhs, std::fabs(target));
      result.sum += weight * target;
      result.weight += weight;
      result.magnitude += weight * std::fabs(target);
    };
    const int count = b.axis[0].count;
    const bool straight = plain && count > 2;  // all but the ends, which may see a face
    for (int m = 0; m < count; ++m) {
      if (straight && m == 1) m = count - 1;
      one(m);
    }
    if (!straight) continue;
    const auto points =
        u == nullptr ? kernels::PointSum<T>() : stencil.inside(u + b.offset(first, j, k));
    const kernels::RowNorms row = kernels::norms_row(1, index(count - 1), points, rhs);
    if (u != nullptr) result.residual = std::max(result.residual, row.residual);
    result.rhs = std::max(result.rhs, row.rhs);
    result.sum += row_weight * row.sum;
    result.weight += row_weight * (count - 2);
    result.magnitude += row_weight * row.magnitude;
  }
  return result;
}

template BasicBoxData<double>::Norms BasicBoxData<double>::norms(const double*, std::size_t,
                                                                 std::size_t) const;
template BasicBoxData<float>::Norms BasicBoxData<float>::norms(const float*, std::size_t,
                                                               std::size_t) const;

}  // namespace neurolens::pde
