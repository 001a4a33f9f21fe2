// How the parts of the simd backend meet: every part fills its own entries of the table.
#pragma once

#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {

void fill_gemm(Kernels<float>& table);
void fill_gemm_bf16(Kernels<float>& table);
void fill_elementwise(Kernels<float>& table);
void fill_optimizer(Kernels<float>& table);
void fill_adaptive(Kernels<float>& table);
void fill_phase(Kernels<float>& table);
const char* simd_target_name();

}  // namespace neurolens::kernels
