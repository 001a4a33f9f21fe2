/// \file
/// The residual of a field that no solver has at hand any more, such as one that was rounded.
#pragma once

#include "multigrid/system.hpp"
#include "neurolens/base/result.hpp"

namespace neurolens::pde {

/// max |b - A u| / max |b|, Dirichlet values moved over to b, in double precision; absolute when b
/// is 0. Takes a and c anew, because solvers keep the operator each in its own layout. `b` holds
/// the source and is used up; `u` gets its Dirichlet values. Errors: those of ScalarData::fill.
[[nodiscard]] Result<double> true_residual(const EllipticSystem& system, const ScalarData& a,
                                           const ScalarData& c,
                                           const std::vector<FaceAction>& actions, Field& b,
                                           Field& u);

}  // namespace neurolens::pde
