#include "neurolens/engines/pde/data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/pointwise.hpp"
#include "neurolens/base/hash.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kSlab = 16384;  // numbers in double precision on their way to single

bool all_finite(std::size_t n, const double* values) {
  return kernels::all_finite(n, values);
}
bool all_finite(std::size_t n, const float* values) {
  unsigned bad = 0;  // x - x is 0 for finite x and NaN otherwise
  for (std::size_t i = 0; i < n; ++i) bad |= values[i] - values[i] == 0 ? 0U : 1U;
  return bad == 0;
}

template <class T>
Status check_finite(const Grid& grid, const Region& region, const T* values) {
  if (all_finite(region.size(), values)) return {};
  std::size_t at = 0;
  for (int z = region.first[2]; z <= region.last[2]; ++z)
    for (int y = region.first[1]; y <= region.last[1]; ++y)
      for (int x = region.first[0]; x <= region.last[0]; ++x, ++at)
        if (!std::isfinite(values[at])) {
          std::string where = fmt::format("x={:.6g}", grid.coordinate(0, x));
          if (grid.dimensions > 1) where += fmt::format(" y={:.6g}", grid.coordinate(1, y));
          if (grid.dimensions > 2) where += fmt::format(" z={:.6g}", grid.coordinate(2, z));
          return Error{
              Errc::out_of_range,
              fmt::format("The value is {}{}; all data must be finite numbers.", values[at],
                          std::is_same_v<T, float> && std::isinf(values[at])
                              ? " in single precision (largest: 3.4e38)"
                              : ""),
              where};
        }
  return {};
}

void fill_expression(const Expression& expression, const Grid& grid, const Region& region, double t,
                     double* out) {
  std::array<std::vector<double>, 3> at;
  for (int a = 0; a < 3; ++a) {
    const auto axis = static_cast<std::size_t>(a);
    for (int i = region.first[axis]; i <= region.last[axis]; ++i)
      at[axis].push_back(a < grid.dimensions ? grid.coordinate(a, i) : 0.0);
  }
  expression.evaluate_grid(at[0], at[1], at[2], t, out);
}

void fill_function(const ScalarData::Function& function, const Grid& grid, const Region& region,
                   double t, double* out) {
  for (int k = region.first[2]; k <= region.last[2]; ++k)
    for (int j = region.first[1]; j <= region.last[1]; ++j)
      for (int i = region.first[0]; i <= region.last[0]; ++i)
        *out++ = function({grid.coordinate(0, i), grid.dimensions > 1 ? grid.coordinate(1, j) : 0.0,
                           grid.dimensions > 2 ? grid.coordinate(2, k) : 0.0, t});
}

}  // namespace

std::size_t Region::size() const {
  std::size_t n = 1;
  for (std::size_t a = 0; a < 3; ++a) n *= static_cast<std::size_t>(last[a] - first[a] + 1);
  return n;
}

Region whole(const Grid& grid) {
  Region region;
  for (std::size_t a = 0; a < 3; ++a) region.last[a] = grid.points[a] - 1;
  return region;
}

Region face_region(const Grid& grid, int axis, bool upper) {
  Region region = whole(grid);
  const auto a = static_cast<std::size_t>(axis);
  region.first[a] = region.last[a] = upper ? grid.points[a] - 1 : 0;
  return region;
}

ScalarData ScalarData::array(std::vector<double> values) {
  ScalarData result;
  result.data_ = std::make_shared<const std::vector<double>>(std::move(values));
  return result;
}

Result<ScalarData> ScalarData::parse(std::string_view text) {
  NEUROLENS_ASSIGN(Expression expression, Expression::parse(text));
  return ScalarData(std::move(expression));
}

ScalarData ScalarData::array(std::vector<float> values) {
  ScalarData result;
  result.data_ = std::make_shared<const std::vector<float>>(std::move(values));
  return result;
}

// Arrays only.
template <class T>
Status ScalarData::copy_array(std::size_t needed, T* out) const {
  const auto copy = [&](const auto& values) -> Status {
    if (values.size() != needed)
      return Error{Errc::bad_request,
                   fmt::format("An array of {} numbers was given where {} are needed.",
                               values.size(), needed),
                   ""};
    std::transform(values.begin(), values.end(), out,
                   [](auto value) { return static_cast<T>(value); });
    return {};
  };
  if (const auto* single = std::get_if<ArrayF32>(&data_)) return copy(**single);
  return copy(*std::get<Array>(data_));
}

// All data but their being finite.
Status ScalarData::evaluate(const Grid& grid, const Region& region, double t, double* out) const {
  if (const auto* number = std::get_if<double>(&data_)) {
    std::fill_n(out, region.size(), *number);
  } else if (const auto* expression = std::get_if<Expression>(&data_)) {
    fill_expression(*expression, grid, region, t, out);
  } else if (const auto* function = std::get_if<Function>(&data_)) {
    fill_function(*function, grid, region, t, out);
  } else {
    return copy_array(region.size(), out);
  }
  return {};
}

Status ScalarData::fill(const Grid& grid, const Region& region, double t, double* out) const {
  NEUROLENS_TRY(evaluate(grid, region, t, out));
  return check_finite(grid, region, out);
}

Status ScalarData::fill(const Grid& grid, const Region& region, double t, float* out) const {
  if (!is_function()) {
    NEUROLENS_TRY(copy_array(region.size(), out));
    return check_finite(grid, region, out);
  }
  // Slab by slab, so that numbers in double precision never leave the cache.
  const auto count = [&](std::size_t a) {
    return static_cast<std::size_t>(region.last[a] - region.first[a] + 1);
  };
  const int rows = static_cast<int>(std::max<std::size_t>(1, kSlab / count(0)));
  std::vector<double> wide(count(0) * std::min(count(1), static_cast<std::size_t>(rows)));
  float* at = out;
  for (int z = region.first[2]; z <= region.last[2]; ++z)
    for (int y = region.first[1]; y <= region.last[1]; y += rows) {
      Region slab = region;
      slab.first[1] = y;
      slab.last[1] = std::min(region.last[1], y + rows - 1);
      slab.first[2] = slab.last[2] = z;
      NEUROLENS_TRY(evaluate(grid, slab, t, wide.data()));
      at = std::transform(wide.data(), wide.data() + slab.size(), at,
                          [](double value) { return static_cast<float>(value); });
    }
  return check_finite(grid, region, out);
}

std::optional<double> ScalarData::constant() const {
  if (const auto* number = std::get_if<double>(&data_)) return *number;
  const auto* expression = std::get_if<Expression>(&data_);
  if (expression == nullptr) return {};
  for (std::size_t v = 0; v < 4; ++v)
    if (expression->uses(v)) return {};
  return at({});
}

int ScalarData::operations() const {
  const auto* expression = std::get_if<Expression>(&data_);
  return expression != nullptr ? static_cast<int>(expression->operations()) : 0;
}

bool ScalarData::is_zero() const {
  const auto* number = std::get_if<double>(&data_);
  return number != nullptr && *number == 0;
}

bool ScalarData::depends_on_time() const {
  if (const auto* expression = std::get_if<Expression>(&data_)) return expression->uses(3);
  return std::holds_alternative<Function>(data_);
}

bool ScalarData::is_function() const {
  return !std::holds_alternative<Array>(data_) && !std::holds_alternative<ArrayF32>(data_);
}

double ScalarData::at(const Point& p) const {
  if (const auto* number = std::get_if<double>(&data_)) return *number;
  if (const auto* expression = std::get_if<Expression>(&data_)) {
    const double values[4] = {p.x, p.y, p.z, p.t};
    return expression->evaluate(values);
  }
  return std::get<Function>(data_)(p);
}

std::string ScalarData::key() const {
  if (const auto* number = std::get_if<double>(&data_)) return shortest(*number);
  if (const auto* expression = std::get_if<Expression>(&data_)) return expression->text();
  if (const auto* values = std::get_if<Array>(&data_))
    return sha256(
        {reinterpret_cast<const char*>((*values)->data()), (*values)->size() * sizeof(double)});
  if (const auto* values = std::get_if<ArrayF32>(&data_))
    return "f32 " + sha256({reinterpret_cast<const char*>((*values)->data()),
                            (*values)->size() * sizeof(float)});
  return "";
}

std::string_view to_string(ConditionKind kind) {
  switch (kind) {
    case ConditionKind::dirichlet:
      return "dirichlet";
    case ConditionKind::neumann:
      return "neumann";
    case ConditionKind::robin:
      return "robin";
    default:
      return "periodic";
  }
}

Boundary Boundary::all(const FaceCondition& condition) {
  Boundary boundary;
  for (auto& axis : boundary.face) axis = {condition, condition};
  return boundary;
}

std::string face_name(int axis, bool upper) {
  return fmt::format("{}{}", "xyz"[axis], upper ? "max" : "min");
}

Status check(const Grid& grid, const Boundary& boundary) {
  for (int axis = 0; axis < grid.dimensions; ++axis) {
    const auto& faces = boundary.face[static_cast<std::size_t>(axis)];
    if ((faces[0].kind == ConditionKind::periodic) != (faces[1].kind == ConditionKind::periodic))
      return Error{Errc::bad_request,
                   fmt::format("{} and {} must both be periodic or neither.",
                               face_name(axis, false), face_name(axis, true)),
                   ""};
    for (std::size_t side = 0; side < 2; ++side) {
      const FaceCondition& c = faces[side];
      if (c.kind != ConditionKind::robin) continue;
      if (!std::isfinite(c.alpha) || !std::isfinite(c.beta) || c.beta == 0)
        return Error{Errc::bad_request,
                     "A Robin condition alpha u + beta du/dn = value needs finite alpha and beta, "
                     "beta not 0. "
                     "With beta = 0 it is a Dirichlet condition.",
                     face_name(axis, side == 1)};
    }
  }
  return {};
}

}  // namespace neurolens::pde
