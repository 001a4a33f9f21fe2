// What is not fused computes the same, on odd sizes and with rows in any order.
#include <gtest/gtest.h>

#include <vector>

#include "kernels_test_support.hpp"

namespace neurolens::kernels {
namespace {

TEST(Unfused, AProductAndItsEpilogueEqualTheReference) {
  const std::int64_t m = 7, n = 37, k = 21, ldc = n + 3;
  const auto a = noise(m * k, 1), b = noise(k * n, 2), bias = noise(n, 3), scale = noise(m, 4),
             residual = noise(m * ldc, 5), at = noise(m * ldc, 6);
  auto want = noise(m * ldc, 7);
  auto got = want;
  Gemm<float> g;
  g.m = m, g.n = n, g.k = k, g.a = a.data(), g.lda = k, g.b = b.data(), g.ldb = n, g.ldc = ldc;
  g.accumulate = true, g.bias = bias.data(), g.row_scale = scale.data();
  g.residual = residual.data(), g.activation = Activation::tanh;
  g.gradient_at = at.data(), g.gradient_of = Activation::sigmoid;
  g.c = want.data();
  reference_kernels<float>().gemm(g);
  g.c = got.data();
  unfused_kernels().gemm(g);
  expect_near(got, want, 2e-5, "c");
  g.c = got.data();
  unfused_kernels(true).gemm(g);  // bf16 rounds its operands, so it must differ from float
  EXPECT_NE(got, want);
}

TEST(Unfused, AdamEqualsTheReference) {
  const std::int64_t n = 133;
  std::vector<float> p[2] = {noise(n, 1), noise(n, 1)}, m[2] = {noise(n, 2), noise(n, 2)}, v[2];
  const auto g = noise(n, 4);
  for (int backend = 0; backend < 2; ++backend) {
    v[backend].assign(static_cast<std::size_t>(n), 0.3f);
    const auto& k = backend == 0 ? reference_kernels<float>() : unfused_kernels();
    for (int step = 0; step < 3; ++step) {
      Adam<float> a{n, p[backend].data(), g.data(), m[backend].data(), v[backend].data(), 0.5f};
      a.step_size = 0.1f, a.sqrt_correction2 = 0.7f, a.decay = 0.02f;
      k.adam(a);
    }
  }
  expect_near(p[1], p[0], 1e-5, "p");
  expect_near(m[1], m[0], 1e-5, "m");
  expect_near(v[1], v[0], 1e-5, "v");
}

TEST(Unfused, TheAdaptiveStepEqualsTheReferenceWithRowsInAnyOrder) {
  const std::int32_t nodes = 9, streams = 5;
  std::vector<AwakeRow> awake;
  for (std::int32_t s = 0; s < streams; ++s) {
    for (std::int32_t n = 0; n < nodes; ++n) {
      if ((n + s) % 3 != 0) awake.push_back({n, s});
    }
  }
  expect_adaptive_step(unfused_kernels(), nodes, streams, 33, awake);
}

}  // namespace
}  // namespace neurolens::kernels
