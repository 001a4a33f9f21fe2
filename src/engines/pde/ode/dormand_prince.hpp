/// \file
/// The explicit Runge-Kutta pair of Dormand and Prince (1980), order 5(4), with Shampine's (1986)
/// continuous extension of order 4 and the stiffness test of Hairer and Wanner (Solving ODEs II,
/// IV.2).
#pragma once

#include "neurolens/engines/pde/ode.hpp"

namespace neurolens::pde {

/// Continues `result` from (t, y) over the output times from `next` on. Returns true when it
/// stopped because the problem is stiff (only if `detect_stiffness`); t, y and next then say where
/// to go on.
Result<bool> run_dormand_prince(const OdeProblem& problem, const OdeOptions& options,
                                bool detect_stiffness, double& t, std::vector<double>& y,
                                std::size_t& next, OdeResult& result);

/// CVODE by the method of options (adams or bdf), same contract, never stops for stiffness.
Status run_cvode(const OdeProblem& problem, const OdeOptions& options, bool stiff, double t,
                 std::vector<double> y, std::size_t next, OdeResult& result);

}  // namespace neurolens::pde
