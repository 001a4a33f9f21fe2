#include "tables.hpp"

#include <string>

namespace neurolens::kernels {
namespace {

Kernels<float> make_simd() {
  Kernels<float> table = reference_kernels<float>();  // what has no vector form stays readable
  fill_gemm(table);
  fill_elementwise(table);
  fill_optimizer(table);
  fill_adaptive(table);
  fill_phase(table);
  static const std::string name = std::string("simd (") + simd_target_name() + ")";
  table.name = name.c_str();
  return table;
}

Kernels<float> make_bf16() {
  Kernels<float> table = simd_kernels();
  fill_gemm_bf16(table);
  static const std::string name = std::string("bf16 (") + simd_target_name() + ")";
  table.name = name.c_str();
  return table;
}

}  // namespace

const Kernels<float>& simd_kernels() {
  static const Kernels<float> table = make_simd();
  return table;
}

const Kernels<float>& bf16_kernels() {
  static const Kernels<float> table = make_bf16();
  return table;
}

template <>
const Kernels<float>& default_kernels<float>() {
  return simd_kernels();
}
template <>
const Kernels<double>& default_kernels<double>() {
  return reference_kernels<double>();
}

}  // namespace neurolens::kernels
