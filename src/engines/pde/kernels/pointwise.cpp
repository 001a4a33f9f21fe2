#include "kernels/pointwise.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pointwise.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/pointwise-inl.hpp"

#if HWY_ONCE
namespace neurolens::pde::kernels {

HWY_EXPORT(apply_impl);
HWY_EXPORT(all_finite_impl);
void apply(Op op, std::size_t n, Operand a, Operand b, Operand c, double* out) {
  HWY_DYNAMIC_DISPATCH(apply_impl)(op, n, a, b, c, out);
}
bool all_finite(std::size_t n, const double* values) {
  return HWY_DYNAMIC_DISPATCH(all_finite_impl)(n, values);
}

}  // namespace neurolens::pde::kernels
#endif
