#include "kernels/evolve.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/evolve.cpp"
#include <hwy/foreach_target.h>
// foreach_target first
#include <hwy/highway.h>

#include "kernels/evolve-inl.hpp"

#if HWY_ONCE
namespace neurolens::pde::kernels {

HWY_EXPORT(diffuse_row_impl);
HWY_EXPORT(transport_row_impl);
HWY_EXPORT(combine_impl);

void diffuse_row(std::size_t first, std::size_t last, const NeighbourRows& rows,
                 const Conductances& a, const double* source, double* out) {
  HWY_DYNAMIC_DISPATCH(diffuse_row_impl)(first, last, rows, a, source, out);
}
void transport_row(std::size_t first, std::size_t last, const NeighbourRows& rows,
                   const double* velocity, bool nonlinear, double* out) {
  HWY_DYNAMIC_DISPATCH(transport_row_impl)(first, last, rows, velocity, nonlinear, out);
}
double combine(std::size_t n, const Term* terms, std::size_t count, double* out) {
  return HWY_DYNAMIC_DISPATCH(combine_impl)(n, terms, count, out);
}

}  // namespace neurolens::pde::kernels
#endif
