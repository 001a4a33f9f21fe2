// What is not fused computes the same, on odd sizes and with rows in any order.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {
namespace {

std::vector<float> noise(std::int64_t n, std::uint64_t seed, double scale = 1.0) {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (auto& v : x) v = static_cast<float>(scale * random.normal());
  return x;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want, double tolerance,
                 const char* what) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], tolerance * (1.0 + std::abs(want[i]))) << what << " at " << i;
}

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
  const std::int64_t nodes = 9, streams = 5, hidden = 33, size = nodes * hidden;
  const auto h = noise(streams * size, 1, 0.5), w = noise(hidden * hidden, 2, 0.2),
             b = noise(hidden, 3), u = noise(streams * hidden, 4), g = noise(size, 5),
             v = noise(size, 6, 0.3), beta = noise(nodes, 7), gain = noise(streams * nodes, 8),
             dactivity = noise(streams * nodes, 9);
  struct Out {
    std::vector<float> h, a, var, carry, q, dw, db, dg, dv, dbeta, du;
  } out[2];
  for (int backend = 0; backend < 2; ++backend) {
    const auto& k = backend == 0 ? reference_kernels<float>() : unfused_kernels();
    auto& o = out[backend];
    o.h = h, o.a.assign(streams * nodes, 0.25f), o.var.assign(streams * nodes, 0.5f);
    o.carry = noise(streams * size, 10), o.q.assign(streams * size, 0);
    o.dw = noise(hidden * hidden, 11), o.db = noise(hidden, 12), o.dg = noise(size, 13);
    o.dv = noise(size, 14), o.dbeta = noise(nodes, 15), o.du = noise(streams * hidden, 16);
    std::vector<std::int32_t> node, stream;
    std::vector<const float*> in;
    std::vector<float*> next, carry;
    for (std::int32_t s = 0; s < streams; ++s) {
      for (std::int32_t n = 0; n < nodes; ++n) {
        if ((n + s) % 3 == 0) continue;
        node.push_back(n), stream.push_back(s);
        in.push_back(h.data() + s * size + n * hidden);
        next.push_back(o.h.data() + s * size + n * hidden);
        carry.push_back(o.carry.data() + s * size + n * hidden);
      }
    }
    const AdaptiveRows<float> rows{static_cast<std::int64_t>(node.size()),
                                   hidden,
                                   nodes,
                                   node.data(),
                                   stream.data(),
                                   in.data(),
                                   next.data()};
    AdaptiveForward<float> f;
    f.rows = rows, f.gain = gain.data(), f.w = w.data(), f.b = b.data(), f.u = u.data();
    f.g = g.data(), f.alpha = 0.7f, f.v = v.data(), f.beta = beta.data();
    f.activity = o.a.data(), f.variance = o.var.data();
    k.adaptive_forward(f);
    AdaptiveBackward<float> back;
    back.rows = rows, back.activity = o.a.data(), back.dactivity = dactivity.data();
    back.u = u.data(), back.g = g.data(), back.alpha = 0.7f, back.v = v.data();
    back.carry = carry.data(), back.q = o.q.data(), back.dw_phase = o.dw.data();
    back.db_phase = o.db.data(), back.dg = o.dg.data(), back.dv = o.dv.data();
    back.dbeta = o.dbeta.data(), back.du = o.du.data();
    k.adaptive_backward(back);
  }
  expect_near(out[1].h, out[0].h, 1e-5, "h");
  expect_near(out[1].a, out[0].a, 1e-5, "a");
  expect_near(out[1].var, out[0].var, 1e-5, "variance");
  expect_near(out[1].carry, out[0].carry, 2e-5, "carry");
  expect_near(out[1].q, out[0].q, 2e-5, "q");
  expect_near(out[1].dw, out[0].dw, 1e-4, "dw");
  expect_near(out[1].db, out[0].db, 1e-4, "db");
  expect_near(out[1].dg, out[0].dg, 2e-5, "dg");
  expect_near(out[1].dv, out[0].dv, 2e-5, "dv");
  expect_near(out[1].dbeta, out[0].dbeta, 2e-5, "dbeta");
  expect_near(out[1].du, out[0].du, 1e-4, "du");
}

}  // namespace
}  // namespace neurolens::kernels
