#include "direct/robin_pair.hpp"

#include <algorithm>
#include <cmath>

#include "direct/robin_modes.hpp"
#include "index.hpp"

namespace neurolens::pde {
namespace {

constexpr int kShortest = 192;  // intervals up to which an explicit basis costs less

// What one end of a line takes from u = 1 at either end: u_1 of u_{i-1} + d u_i + u_{i+1} = 0 with
// u_0 = 1, u_n = 0 (near) and with u_0 = 0, u_n = 1 (far). Requires |d| >= 2.
struct Response {
  double near = 0, far = 0;
};
Response response(double d, int intervals) {
  double factor = 0;   // 1 / pivot
  double product = 1;  // of all factors
  for (int i = 1; i < intervals; ++i) {
    const double next = 1 / (d - factor);
    product *= -next;
    const bool settled = next == factor;
    factor = next;
    if (settled) {
      product *= std::pow(-next, intervals - 1 - i);
      break;
    }
  }
  return {-factor, product};
}

}  // namespace

bool RobinPair::takes(const Box& box) {
  if (box.dimensions != 2 || !box.axis[0].robin() || !box.axis[1].robin()) return false;
  if (box.axis[0].intervals <= kShortest || box.c > 0 || box.has_nullspace()) return false;
  for (int a = 0; a < 2; ++a)
    for (const BoxEnd& end : box.axis[index(a)].end)
      if (!(end.ratio >= 0)) return false;
  return true;
}

// The same problem with u held on the open faces of x.
Boundary RobinPair::held(const Boundary& boundary) const {
  Boundary other = boundary;
  for (std::size_t side = 0; side < 2; ++side)
    if (open(side)) other.face[index(box_.user_axis[0])][side] = {ConditionKind::dirichlet, 0.0};
  return other;
}

Result<std::unique_ptr<RobinPair>> RobinPair::make(const Grid& grid, const Boundary& boundary,
                                                   double c, int order,
                                                   const std::array<int, 3>& user_axis) {
  std::unique_ptr<RobinPair> pair(new RobinPair);
  pair->box_ = make_box(grid, boundary, c, order, user_axis);
  const Boundary other = pair->held(boundary);
  NEUROLENS_ASSIGN(pair->inner_, DirectSolver::make(make_box(grid, other, c, order, user_axis)));
  NEUROLENS_TRY(pair->plan_modes());
  return pair;
}

Status RobinPair::plan_modes() {
  const BoxAxis& x = box_.axis[0];
  const BoxAxis& y = box_.axis[1];
  std::vector<double> symbol;
  if (!robin_modes(y, vectors_, symbol))
    return Error{Errc::internal, "Modes of a Robin axis need ratios >= 0.", ""};
  const std::size_t n = symbol.size();
  root_.assign(n, 1.0);
  root_.front() = std::sqrt(y.end[0].weight);
  root_.back() = std::sqrt(y.end[1].weight);
  coupling_.resize(n);
  for (auto& part : inverse_) part.assign(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    // B (u_{i-1} - 2 u_i + u_{i+1}) + A u_i along x, as in DirectSolver.
    const double across = symbol[k] / (y.h * y.h);
    const bool compact = box_.order == 4;
    const double mixed = compact ? (x.h * x.h + y.h * y.h) / 12 * across : 0;
    const double b = (1 - mixed) / (x.h * x.h) + (compact ? box_.c / 12 : 0);
    const double a = -across + box_.c * (compact ? 1 - symbol[k] / 12 : 1);
    coupling_[k] = b;
    const double least = 1e-13 / (x.h * x.h);
    const double divisor = std::fabs(b) < least ? least : b;
    const double d = a / divisor - 2;
    if (!(std::fabs(d) >= 2))
      return Error{Errc::refused, "Elimination along one axis is not safe for this operator.", ""};
    const Response r = response(d, x.intervals);
    std::array<double, 2> own{1, 1};
    std::array<double, 2> other{};
    for (std::size_t side = 0; side < 2; ++side) {
      if (!open(side)) continue;
      const BoxEnd& end = x.end[side];
      own[side] = b * (r.near - (1 + x.h * end.ratio)) / end.weight + a;
      if (open(1 - side)) other[side] = b * r.far / end.weight;
    }
    const double determinant = own[0] * own[1] - other[0] * other[1];
    if (!(std::fabs(determinant) > 1e-14 * std::fabs(own[0] * own[1])))
      return Error{Errc::refused, "The problem is singular or nearly so.", ""};
    // Rows differ by their weights only: kept symmetric by scaling what goes in.
    inverse_[0][k] = own[1] / determinant;
    inverse_[1][k] = -b * r.far / determinant;
    inverse_[2][k] = own[0] / determinant;
  }
  return {};
}

void RobinPair::to_modes(std::array<std::vector<double>, 4>& v) const {
  const std::size_t n = root_.size();
  for (auto& part : v)
    for (std::size_t i = 0; i < n; ++i) part[i] *= root_[i];
  std::array<std::vector<double>, 4> out;
  for (auto& part : out) part.assign(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    const double* row = vectors_.data() + k * n;
    // Four vectors and four places share a pass: the matrix is what is read.
    std::array<std::array<double, 4>, 4> sum{};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t p = 0; p < 4; ++p) sum[i % 4][p] += row[i] * v[p][i];
    for (std::size_t p = 0; p < 4; ++p)
      out[p][k] = (sum[0][p] + sum[1][p]) + (sum[2][p] + sum[3][p]);
  }
  v = std::move(out);
}

void RobinPair::from_modes(std::array<std::vector<double>, 2>& v) const {
  const std::size_t n = root_.size();
  std::array<std::vector<double>, 2> out;
  for (auto& part : out) part.assign(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    const double* row = vectors_.data() + k * n;
    const double low = v[0][k];
    const double high = v[1][k];
    for (std::size_t i = 0; i < n; ++i) {
      out[0][i] += low * row[i];
      out[1][i] += high * row[i];
    }
  }
  for (auto& part : out)
    for (std::size_t i = 0; i < n; ++i) part[i] /= root_[i];
  v = std::move(out);
}

Status RobinPair::solve(const BoxData& data, const Grid& grid, const Boundary& boundary,
                        const double* f, double t, double* u, Workers& workers) const {
  const BoxAxis& x = box_.axis[0];
  const BoxAxis& y = box_.axis[1];
  const auto n = index(y.count);
  BoxData inner;
  NEUROLENS_TRY(inner.prepare(inner_->box(), grid, held(boundary), f, t));
  // Corners belong to a Dirichlet face of y where there is one.
  std::array<std::vector<double>, 2> face;
  for (std::size_t side = 0; side < 2; ++side) {
    face[side].assign(index(box_.points(1)), 0.0);
    const std::size_t at = side == 0 ? 0 : index(x.intervals);
    if (y.end[0].kind == ConditionKind::dirichlet) face[side].front() = data.values(1, 0)[at];
    if (y.end[1].kind == ConditionKind::dirichlet) face[side].back() = data.values(1, 1)[at];
    if (open(side)) inner.set_values(0, static_cast<int>(side), face[side]);
  }
  NEUROLENS_TRY(inner_->solve(inner, u, workers));
  // What the faces' equations lack: right-hand sides, and neighbours, in modes of y.
  std::array<std::vector<double>, 4> lack;
  for (auto& part : lack) part.assign(n, 0.0);
  std::vector<double> scratch(4 * (box_.row_stride() + 16));
  for (std::size_t j = 0; j < n; ++j) {
    const int row = y.first + static_cast<int>(j);
    const double* rhs = data.row(row, 0, scratch.data());
    const double* at = u + box_.offset(0, row, 0);
    if (open(0)) lack[0][j] = rhs[0];
    if (open(1)) lack[1][j] = rhs[x.count - 1];
    lack[2][j] = at[1];
    lack[3][j] = at[x.intervals - 1];
  }
  to_modes(lack);
  std::array<std::vector<double>, 2> value;
  for (auto& part : value) part.assign(n, 0.0);
  for (std::size_t k = 0; k < n; ++k) {
    const double w0 = x.end[0].weight;
    const double w1 = x.end[1].weight;
    const double low = open(0) ? lack[0][k] - coupling_[k] * lack[2][k] / w0 : 0;
    const double high = open(1) ? lack[1][k] - coupling_[k] * lack[3][k] / w1 : 0;
    value[0][k] = inverse_[0][k] * low;
    value[1][k] = inverse_[2][k] * high;
    if (!open(0) || !open(1)) continue;
    value[0][k] += inverse_[1][k] * high / w0;
    value[1][k] += inverse_[1][k] * low / w1;
  }
  from_modes(value);
  for (std::size_t side = 0; side < 2; ++side) {
    if (!open(side)) continue;
    std::copy(value[side].begin(), value[side].end(), face[side].begin() + y.first);
    inner.set_values(0, static_cast<int>(side), face[side]);
  }
  NEUROLENS_TRY(inner_->solve(inner, u, workers));
  inner.finish(u);
  return {};
}

std::size_t RobinPair::plan_bytes() const {
  return inner_->plan_bytes() + (vectors_.size() + 5 * root_.size()) * sizeof(double);
}

std::string RobinPair::description() const {
  return inner_->description() + ", twice around the equations of the faces along " +
         "xyz"[box_.user_axis[0]];
}

PhaseCost RobinPair::cost() const {
  const PhaseCost one = inner_->cost();
  const auto matrix = static_cast<std::int64_t>(vectors_.size());
  return {Flops{2 * one.flops.count + 12 * matrix}, Bytes{2 * one.bytes.count + 16 * matrix}};
}

}  // namespace neurolens::pde
