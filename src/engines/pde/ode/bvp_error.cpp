// What a finer mesh tells of the error of a boundary-value problem.
#include <algorithm>
#include <cmath>

#include "neurolens/engines/pde/ode.hpp"

namespace neurolens::pde {
namespace {

constexpr double kFall = 16;  // of an error of order 4 when intervals are halved

}  // namespace

std::optional<double> estimate_error(const BvpProblem& problem, const BvpOptions& options,
                                     const BvpResult& result) {
  BvpProblem finer = problem;
  finer.mesh.clear();
  finer.guess.clear();
  for (std::size_t i = 0; i < result.mesh.size(); ++i) {
    if (i > 0) {
      const double middle = (result.mesh[i - 1] + result.mesh[i]) / 2;
      finer.mesh.push_back(middle);
      finer.guess.push_back(result.at(middle));
    }
    finer.mesh.push_back(result.mesh[i]);
    finer.guess.push_back(result.y[i]);
  }
  BvpOptions o = options;
  o.tolerance = kCoarsestBvpTolerance;  // so that this mesh is not refined
  o.attention.progress = nullptr;
  const auto better = solve_bvp(finer, o);
  if (!better.ok() || better->mesh.size() != finer.mesh.size()) return {};
  double most = 0;
  for (std::size_t i = 0; i < result.mesh.size(); ++i)
    for (std::size_t k = 0; k < result.y[i].size(); ++k)
      most = std::max(most, std::fabs(result.y[i][k] - better->y[2 * i][k]));
  return most * kFall / (kFall - 1);
}

}  // namespace neurolens::pde
