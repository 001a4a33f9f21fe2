/// \file
/// The direct solver on a CUDA device: the interface that a device implementation must meet.
/// Without one stub.cpp answers, and callers go on with the CPU.
#pragma once

#include <string>

#include "neurolens/engines/pde/poisson.hpp"

namespace neurolens::pde {

struct CudaAvailability {
  bool usable = false;
  std::string reason;  ///< Empty when usable; otherwise a sentence part such as "unavailable: ...".
};
[[nodiscard]] CudaAvailability cuda_availability();

/// PoissonPlan::solve on the device, same contract. Errors besides: unavailable.
Status cuda_solve(const PoissonPlan& plan, const Field& source, const Boundary& boundary, double t,
                  Field& u);

}  // namespace neurolens::pde
