/// \file
/// What tests of several backends share: noise, comparison, and the adaptive step on any rows.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {

inline std::vector<float> noise(std::int64_t n, std::uint64_t seed, double scale = 1.0) {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (auto& v : x) v = static_cast<float>(scale * random.normal());
  return x;
}

inline void expect_near(const std::vector<float>& got, const std::vector<float>& want,
                        double tolerance, const std::string& what) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * (1.0 + std::abs(want[i]))) << what << " at " << i;
  }
}

/// A row of an adaptive layer.
struct AwakeRow {
  std::int32_t node;
  std::int32_t stream;
};

/// One forward and one backward step of `k` on `awake` rows, and the same of the reference, which
/// it has to equal.
inline void expect_adaptive_step(const Kernels<float>& k, std::int64_t nodes, std::int64_t streams,
                                 std::int64_t hidden, const std::vector<AwakeRow>& awake) {
  const std::int64_t size = nodes * hidden;
  const auto h = noise(streams * size, 1, 0.5), w = noise(hidden * hidden, 2, 0.2),
             b = noise(hidden, 3);
  const auto u = noise(streams * hidden, 4), g = noise(size, 5), v = noise(size, 6, 0.3),
             beta = noise(nodes, 7);
  const auto gain = noise(streams * nodes, 8), dactivity = noise(streams * nodes, 9);
  struct Out {
    std::vector<float> h, a, var, carry, q, dw, db, dg, dv, dbeta, du;
  };
  const auto step = [&](const Kernels<float>& backend) {
    Out o;
    o.h = h;
    o.a.assign(static_cast<std::size_t>(streams * nodes), 0.25f);
    o.var.assign(static_cast<std::size_t>(streams * nodes), 0.5f);
    o.carry = noise(streams * size, 10);
    o.q.assign(static_cast<std::size_t>(streams * size), 0);
    o.dw = noise(hidden * hidden, 11), o.db = noise(hidden, 12), o.dg = noise(size, 13);
    o.dv = noise(size, 14), o.dbeta = noise(nodes, 15), o.du = noise(streams * hidden, 16);
    std::vector<std::int32_t> node, stream;
    std::vector<const float*> in;
    std::vector<float*> next, carry;
    for (const AwakeRow& row : awake) {
      const std::int64_t at = row.stream * size + row.node * hidden;
      node.push_back(row.node), stream.push_back(row.stream);
      in.push_back(h.data() + at);
      next.push_back(o.h.data() + at);
      carry.push_back(o.carry.data() + at);
    }
    const AdaptiveRows<float> rows{static_cast<std::int64_t>(node.size()),
                                   hidden,
                                   nodes,
                                   node.data(),
                                   stream.data(),
                                   in.data(),
                                   next.data()};
    backend.adaptive_forward({rows, gain.data(), w.data(), b.data(), u.data(), g.data(), 0.7f,
                              v.data(), beta.data(), o.a.data(), o.var.data()});
    backend.adaptive_backward({rows, o.a.data(), dactivity.data(), u.data(), g.data(), 0.7f,
                               v.data(), carry.data(), o.q.data(), o.dw.data(), o.db.data(),
                               o.dg.data(), o.dv.data(), o.dbeta.data(), o.du.data()});
    return o;
  };
  const Out want = step(reference_kernels<float>());
  const Out got = step(k);
  expect_near(got.h, want.h, 1e-5, "h");
  expect_near(got.a, want.a, 1e-5, "a");
  expect_near(got.var, want.var, 1e-5, "variance");
  expect_near(got.carry, want.carry, 2e-5, "carry");
  expect_near(got.q, want.q, 2e-5, "q");
  expect_near(got.dw, want.dw, 1e-4, "dw");
  expect_near(got.db, want.db, 1e-4, "db");
  expect_near(got.dg, want.dg, 2e-5, "dg");
  expect_near(got.dv, want.dv, 2e-5, "dv");
  expect_near(got.dbeta, want.dbeta, 2e-5, "dbeta");
  expect_near(got.du, want.du, 1e-4, "du");
}

}  // namespace neurolens::kernels
