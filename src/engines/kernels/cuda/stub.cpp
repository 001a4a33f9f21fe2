// Stands in for the CUDA backend in builds without it.
#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {

Result<const Kernels<float>*> cuda_kernels() {
  return Error{Errc::unavailable,
               "The GPU kernels are unavailable: this program was built without CUDA. Use the cpu "
               "device, or build "
               "with the preset `cuda` on a machine with the CUDA toolkit.",
               ""};
}

}  // namespace neurolens::kernels
