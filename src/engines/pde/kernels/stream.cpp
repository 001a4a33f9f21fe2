#include "kernels/stream.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/stream.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/stream-inl.hpp"

#if HWY_ONCE
namespace neurolens::pde::kernels {

HWY_EXPORT(stream_pass_impl);
HWY_EXPORT(stream_apply_impl);
HWY_EXPORT(stream_restrict_impl);
StreamResidual stream_pass(const StreamPass& pass) {
  return HWY_DYNAMIC_DISPATCH(stream_pass_impl)(pass);
}
void stream_apply(const StreamPass& pass) {
  HWY_DYNAMIC_DISPATCH(stream_apply_impl)(pass);
}
double stream_restrict(const StreamPass& pass, const StreamRows<double>& coarse) {
  return HWY_DYNAMIC_DISPATCH(stream_restrict_impl)(pass, coarse);
}
HWY_EXPORT(stream_dense_impl);
void stream_dense(std::size_t n, std::size_t stride, const float* matrix, const float* in,
                  float* out) {
  HWY_DYNAMIC_DISPATCH(stream_dense_impl)(n, stride, matrix, in, out);
}

}  // namespace neurolens::pde::kernels
#endif
