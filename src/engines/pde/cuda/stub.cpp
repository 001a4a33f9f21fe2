#include "cuda/cuda_solver.hpp"

namespace neurolens::pde {

CudaAvailability cuda_availability() {
  return {false, "unavailable: built without CUDA"};
}

Status cuda_solve(const PoissonPlan&, const Field&, const Boundary&, double, Field&) {
  return Error{Errc::unavailable, "CUDA is unavailable: built without CUDA. Solve on the CPU.", ""};
}

}  // namespace neurolens::pde
