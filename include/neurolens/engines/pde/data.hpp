/// \file
/// What a problem is given: numbers at points, as a constant, a formula, a function or an array.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/engines/pde/expression.hpp"
#include "neurolens/engines/pde/grid.hpp"

namespace neurolens::pde {

/// A position and a time.
struct Point {
  double x = 0, y = 0, z = 0, t = 0;
};

/// A box of grid points: index range [first, last] per axis, both included.
struct Region {
  std::array<int, 3> first{0, 0, 0};
  std::array<int, 3> last{0, 0, 0};
  [[nodiscard]] std::size_t size() const;
};
/// All points of `grid`.
[[nodiscard]] Region whole(const Grid& grid);
/// The points of one face; `upper` selects the end of `axis`.
[[nodiscard]] Region face_region(const Grid& grid, int axis, bool upper);

/// A scalar given at the points of a grid or of a face. A value; copies are cheap. Thread-safe to
/// read.
class ScalarData {
 public:
  using Function = std::function<double(const Point&)>;
  /// Zero.
  ScalarData() = default;
  ScalarData(double constant) : data_(constant) {}                     // NOLINT: numbers are data
  ScalarData(Expression expression) : data_(std::move(expression)) {}  // NOLINT
  /// Called once per point, from one thread at a time.
  ScalarData(Function function) : data_(std::move(function)) {}  // NOLINT
  /// One number per point of the region that it will be asked for, x fastest.
  [[nodiscard]] static ScalarData array(std::vector<double> values);
  /// The same, kept in single precision.
  [[nodiscard]] static ScalarData array(std::vector<float> values);
  /// A formula in x, y, z, t. Errors: as Expression::parse.
  [[nodiscard]] static Result<ScalarData> parse(std::string_view text);

  /// Writes region.size() numbers, x fastest. Errors: bad_request (an array of another size),
  /// out_of_range (a value is not finite; `where` says at which point).
  Status fill(const Grid& grid, const Region& region, double t, double* out) const;
  /// The same, rounded to single precision; no copy in double precision is made. Errors besides:
  /// out_of_range for a value beyond 3.4e38.
  Status fill(const Grid& grid, const Region& region, double t, float* out) const;

  /// The value, where it is plain from the data that it is the same at all points and times.
  [[nodiscard]] std::optional<double> constant() const;
  [[nodiscard]] bool is_zero() const;
  /// Floating-point operations per point by the formula, a function call counted as one; 0 for
  /// other data.
  [[nodiscard]] int operations() const;
  /// True when values change with t.
  [[nodiscard]] bool depends_on_time() const;
  /// True when it can be evaluated on any grid (all but arrays).
  [[nodiscard]] bool is_function() const;
  /// The value at one point. Requires is_function().
  [[nodiscard]] double at(const Point& point) const;
  /// A text that is equal for equal content where that can be told, for cache keys; functions: "".
  [[nodiscard]] std::string key() const;

 private:
  using Array = std::shared_ptr<const std::vector<double>>;
  using ArrayF32 = std::shared_ptr<const std::vector<float>>;
  template <class T>
  Status copy_array(std::size_t needed, T* out) const;
  Status evaluate(const Grid& grid, const Region& region, double t, double* out) const;

  std::variant<double, Expression, Function, Array, ArrayF32> data_ = 0.0;
};

/// What holds on a face.
enum class ConditionKind : std::uint8_t {
  dirichlet,  ///< u = value
  neumann,    ///< du/dn = value, n pointing outward
  robin,      ///< alpha u + beta du/dn = value
  periodic    ///< both faces of the axis; value unused
};
[[nodiscard]] std::string_view to_string(ConditionKind kind);

struct FaceCondition {
  ConditionKind kind = ConditionKind::dirichlet;
  ScalarData value{};
  double alpha = 1;  ///< Robin only.
  double beta = 1;   ///< Robin only, != 0. alpha / beta >= 0 keeps the problem definite.
};

/// A condition per face: [axis][0 lower, 1 upper].
struct Boundary {
  std::array<std::array<FaceCondition, 2>, 3> face;
  /// The same condition on every face.
  [[nodiscard]] static Boundary all(const FaceCondition& condition);
};

/// "xmin", "xmax", "ymin", ...
[[nodiscard]] std::string face_name(int axis, bool upper);

/// Errors: bad_request for a periodic face without its partner, a Robin beta of 0 or non-finite
/// numbers.
[[nodiscard]] Status check(const Grid& grid, const Boundary& boundary);

}  // namespace neurolens::pde
