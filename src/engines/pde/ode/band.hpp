/// \file
/// Small linear algebra of boundary-value problems: elimination with partial pivoting, dense and
/// banded.
#pragma once

#include <cstddef>
#include <vector>

namespace neurolens::pde {

/// Solves the dense n x n system a x = b for `columns` right-hand sides, row-major, in place: b
/// becomes x. False when a is singular or not finite.
bool solve_dense(std::size_t n, std::size_t columns, std::vector<double>& a,
                 std::vector<double>& b);

/// An n x n matrix of lower and upper bandwidth w each, with room for the fill of pivoting.
class Band {
 public:
  Band(std::size_t n, std::size_t w) : n_(n), w_(w), width_(3 * w + 1), a_(n * width_, 0.0) {}
  /// Entry of row r and column c, |r - c| <= w.
  double& at(std::size_t r, std::size_t c) { return a_[r * width_ + (c + w_ - r)]; }
  /// Eliminates in place, b becomes the solution. False when singular or not finite.
  bool solve(std::vector<double>& b);

 private:
  std::size_t n_, w_, width_;
  std::vector<double> a_;
};

}  // namespace neurolens::pde
