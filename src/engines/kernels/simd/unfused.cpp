// The same arithmetic with nothing fused: every operation is a pass of its own over whole arrays,
// as a framework does that calls one function after the other. Here to be measured against, and
// vectorised like its rivals so that the difference is the fusion and nothing else.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/unfused.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cstring>
#include <vector>

#include "simd/math-inl.h"
#include "tables.hpp"

#ifndef NEUROLENS_KERNELS_UNFUSED_WORKSPACE_
#define NEUROLENS_KERNELS_UNFUSED_WORKSPACE_
namespace neurolens::kernels {
// What lies between two passes. Packed arrays of [count][hidden], and one number per row.
struct UnfusedWorkspace {
  std::vector<float> h, z, d, row;
  void fit(std::int64_t count, std::int64_t hidden) {
    const auto elements = static_cast<std::size_t>(count * hidden);
    for (auto* part : {&h, &z, &d})
      if (part->size() < elements) part->resize(elements);
    if (row.size() < static_cast<std::size_t>(count)) row.resize(static_cast<std::size_t>(count));
  }
};
}  // namespace neurolens::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

// One pass: `f(row, column, elements left)` for every vector of a matrix.
template <class F>
HWY_INLINE void Pass(std::int64_t rows, std::int64_t columns, const F& f) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t j = 0; j < columns; j += kLanes) f(r, j, columns - j);
  }
}

void UnfusedEpilogue(const Gemm<float>& g, const Kernels<float>& base) {
  const D d;
  const auto pass = [&](const auto& f) HWY_ATTR {
    Pass(g.m, g.n, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
      float* c = g.c + r * g.ldc + j;
      StorePart(f(LoadPart(c, left), r, j, left), c, left);
    });
  };
  if (g.bias != nullptr) {
    pass([&](V c, std::int64_t, std::int64_t j, std::int64_t left)
             HWY_ATTR { return hn::Add(c, LoadPart(g.bias + j, left)); });
  }
  if (g.row_scale != nullptr) {
    pass([&](V c, std::int64_t r, std::int64_t, std::int64_t)
             HWY_ATTR { return hn::Mul(c, hn::Set(d, g.row_scale[r])); });
  }
  if (g.residual != nullptr) {
    pass([&](V c, std::int64_t r, std::int64_t j, std::int64_t left)
             HWY_ATTR { return hn::Add(c, LoadPart(g.residual + r * g.ldc + j, left)); });
  }
  if (g.activation != Activation::identity) {
    for (std::int64_t r = 0; r < g.m; ++r)
      base.activate(g.activation, g.n, g.c + r * g.ldc, g.c + r * g.ldc);
  }
  if (g.gradient_at != nullptr) {
    for (std::int64_t r = 0; r < g.m; ++r) {
      const float* y = g.gradient_at + r * g.ldc;
      base.activate_grad(g.gradient_of, g.n, y, y, g.c + r * g.ldc, g.c + r * g.ldc);
    }
  }
}

// out[r] = <x_r, y_node(r)>, and the same of x with ones when y is null.
void RowSums(const AdaptiveRows<float>& rows, const float* x, const float* y, float* out) {
  const D d;
  for (std::int64_t r = 0; r < rows.count; ++r) {
    V sum = hn::Zero(d);
    for (std::int64_t j = 0; j < rows.hidden; j += kLanes) {
      const std::int64_t left = rows.hidden - j;
      const V a = LoadPart(x + r * rows.hidden + j, left);
      sum = y == nullptr ? hn::Add(sum, a)
                         : hn::MulAdd(a, LoadPart(y + rows.node[r] * rows.hidden + j, left), sum);
    }
    out[r] = Total(sum);
  }
}

void UnfusedForward(const AdaptiveForward<float>& f, const Kernels<float>& base,
                    UnfusedWorkspace& w) {
  const D d;
  const AdaptiveRows<float>& rows = f.rows;
  const std::int64_t hidden = rows.hidden, all = rows.count * hidden;
  float *h = w.h.data(), *z = w.z.data(), *view = w.d.data(), *row = w.row.data();
  const auto bytes = static_cast<std::size_t>(hidden) * sizeof(float);
  for (std::int64_t r = 0; r < rows.count; ++r) std::memcpy(h + r * hidden, rows.h[r], bytes);
  Gemm<float> g;
  g.m = rows.count, g.n = hidden, g.k = hidden;
  g.a = h, g.lda = hidden, g.b = f.w, g.ldb = hidden, g.c = z, g.ldc = hidden;
  base.gemm(g);
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    float* at = z + r * hidden + j;
    StorePart(hn::Add(LoadPart(at, left), LoadPart(f.b + j, left)), at, left);
  });
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    float* at = z + r * hidden + j;
    StorePart(hn::Mul(LoadPart(at, left), hn::Set(d, f.gain[r])), at, left);
  });
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    StorePart(hn::Mul(LoadPart(f.g + rows.node[r] * hidden + j, left),
                      LoadPart(f.u + rows.stream[r] * hidden + j, left)),
              view + r * hidden + j, left);
  });
  base.axpy(all, 1.0f, z, h);
  base.axpy(all, f.alpha, view, h);
  base.activate(Activation::tanh, all, h, h);
  for (std::int64_t r = 0; r < rows.count; ++r) std::memcpy(rows.h_next[r], h + r * hidden, bytes);
  RowSums(rows, h, f.v, row);
  for (std::int64_t r = 0; r < rows.count; ++r) row[r] += f.beta[rows.node[r]];
  base.activate(Activation::sigmoid, rows.count, row, row);
  for (std::int64_t r = 0; r < rows.count; ++r)
    f.activity[rows.stream[r] * rows.nodes + rows.node[r]] = row[r];
  if (f.variance == nullptr) return;
  RowSums(rows, h, nullptr, row);
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    float* at = h + r * hidden + j;
    StorePart(hn::Sub(LoadPart(at, left), hn::Set(d, row[r] / static_cast<float>(hidden))), at,
              left);
  });
  base.multiply(all, h, h);
  RowSums(rows, h, nullptr, row);
  for (std::int64_t r = 0; r < rows.count; ++r)
    f.variance[rows.stream[r] * rows.nodes + rows.node[r]] = row[r] / static_cast<float>(hidden);
}

void UnfusedBackward(const AdaptiveBackward<float>& f, const Kernels<float>& base,
                     UnfusedWorkspace& w) {
  const D d;
  const AdaptiveRows<float>& rows = f.rows;
  const std::int64_t hidden = rows.hidden, all = rows.count * hidden;
  float *h = w.h.data(), *q = w.z.data(), *product = w.d.data(), *da = w.row.data();
  const auto bytes = static_cast<std::size_t>(hidden) * sizeof(float);
  for (std::int64_t r = 0; r < rows.count; ++r) {
    const std::int64_t at = rows.stream[r] * rows.nodes + rows.node[r];
    da[r] = f.dactivity[at] * f.activity[at] * (1.0f - f.activity[at]);
  }
  for (std::int64_t r = 0; r < rows.count; ++r) f.dbeta[rows.node[r]] += da[r];
  for (std::int64_t r = 0; r < rows.count; ++r) std::memcpy(h + r * hidden, rows.h_next[r], bytes);
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    StorePart(hn::Mul(hn::Set(d, da[r]), LoadPart(f.v + rows.node[r] * hidden + j, left)),
              q + r * hidden + j, left);
  });
  if (f.carry != nullptr) {
    for (std::int64_t r = 0; r < rows.count; ++r)
      base.axpy(hidden, 1.0f, f.carry[r], q + r * hidden);
  }
  base.activate_grad(Activation::tanh, all, h, h, q, q);
  // Sums over rows of one node or one stream.
  const auto add_rows = [&](const std::int32_t* to, const float* scale, const float* from,
                            float* out) HWY_ATTR {
    Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
      float* at = out + to[r] * hidden + j;
      const V factor = hn::Set(d, scale != nullptr ? scale[r] : 1.0f);
      StorePart(hn::MulAdd(factor, LoadPart(from + r * hidden + j, left), LoadPart(at, left)), at,
                left);
    });
  };
  const auto multiply_rows = [&](const float* table, const std::int32_t* of) HWY_ATTR {
    Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
      StorePart(
          hn::Mul(LoadPart(q + r * hidden + j, left), LoadPart(table + of[r] * hidden + j, left)),
          product + r * hidden + j, left);
    });
  };
  add_rows(rows.node, da, h, f.dv);
  multiply_rows(f.u, rows.stream);
  Pass(rows.count, hidden, [&](std::int64_t r, std::int64_t j, std::int64_t left) HWY_ATTR {
    float* at = product + r * hidden + j;
    StorePart(hn::Mul(LoadPart(at, left), hn::Set(d, f.alpha)), at, left);
  });
  add_rows(rows.node, nullptr, product, f.dg);
  multiply_rows(f.g, rows.node);
  add_rows(rows.stream, nullptr, product, f.du);
  base.column_sums(rows.count, hidden, q, true, f.db_phase);
  for (std::int64_t r = 0; r < rows.count; ++r) std::memcpy(h + r * hidden, rows.h[r], bytes);
  Gemm<float> g;
  g.m = hidden, g.n = hidden, g.k = rows.count;
  g.a = h, g.lda = hidden, g.transpose_a = true, g.b = q, g.ldb = hidden;
  g.c = f.dw_phase, g.ldc = hidden, g.accumulate = true;
  base.gemm(g);
  if (f.q != nullptr) std::memcpy(f.q, q, static_cast<std::size_t>(all) * sizeof(float));
  for (std::int64_t r = 0; f.carry != nullptr && r < rows.count; ++r)
    std::memcpy(f.carry[r], q + r * hidden, bytes);
}

// Every arithmetic operation of Adam as a pass, with the gradient and the root kept in between.
void UnfusedAdam(const Adam<float>& a, float* g, float* root) {
  const D d;
  const auto pass = [&](float* out, const auto& f) HWY_ATTR {
    for (std::int64_t i = 0; i < a.n; i += kLanes) StorePart(f(i, a.n - i), out + i, a.n - i);
  };
  const auto load = [](const float* p, std::int64_t i, std::int64_t left)
                        HWY_ATTR { return LoadPart(p + i, left); };
  const auto scaled = [&](float* out, const float* from, float by) HWY_ATTR {
    pass(out, [&](std::int64_t i, std::int64_t left)
                  HWY_ATTR { return hn::Mul(load(from, i, left), hn::Set(d, by)); });
  };
  const auto add = [&](float* out, float by, const float* from) HWY_ATTR {
    pass(out, [&](std::int64_t i, std::int64_t left) HWY_ATTR {
      return hn::MulAdd(hn::Set(d, by), load(from, i, left), load(out, i, left));
    });
  };
  scaled(g, a.g, a.gradient_scale);
  scaled(a.m, a.m, a.beta1);
  add(a.m, 1.0f - a.beta1, g);
  pass(root, [&](std::int64_t i, std::int64_t left)
                 HWY_ATTR { return hn::Mul(load(g, i, left), load(g, i, left)); });
  scaled(a.v, a.v, a.beta2);
  add(a.v, 1.0f - a.beta2, root);
  pass(root, [&](std::int64_t i, std::int64_t left) HWY_ATTR {
    return hn::MulAdd(hn::Sqrt(load(a.v, i, left)), hn::Set(d, 1.0f / a.sqrt_correction2),
                      hn::Set(d, a.epsilon));
  });
  pass(root, [&](std::int64_t i, std::int64_t left)
                 HWY_ATTR { return hn::Div(load(a.m, i, left), load(root, i, left)); });
  if (a.decay != 0) scaled(a.p, a.p, 1.0f - a.decay);
  add(a.p, -a.step_size, root);
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace neurolens::kernels {
HWY_EXPORT(UnfusedEpilogue);
HWY_EXPORT(UnfusedForward);
HWY_EXPORT(UnfusedBackward);
HWY_EXPORT(UnfusedAdam);

namespace {

using Table = const Kernels<float>& (*)();

UnfusedWorkspace& workspace(std::int64_t count, std::int64_t hidden) {
  thread_local UnfusedWorkspace kept;
  kept.fit(count, hidden);
  return kept;
}

template <Table base>
void plain_gemm(const Gemm<float>& g) {
  static const auto epilogue = &HWY_DYNAMIC_DISPATCH(UnfusedEpilogue);
  Gemm<float> bare = g;
  bare.bias = bare.row_scale = bare.residual = bare.gradient_at = nullptr;
  bare.activation = Activation::identity;
  base().gemm(bare);
  epilogue(g, base());
}

template <Table base>
void plain_forward(const AdaptiveForward<float>& f) {
  static const auto forward = &HWY_DYNAMIC_DISPATCH(UnfusedForward);
  forward(f, base(), workspace(f.rows.count, f.rows.hidden));
}

template <Table base>
void plain_backward(const AdaptiveBackward<float>& f) {
  static const auto backward = &HWY_DYNAMIC_DISPATCH(UnfusedBackward);
  backward(f, base(), workspace(f.rows.count, f.rows.hidden));
}

void plain_adam(const Adam<float>& a) {
  static const auto adam = &HWY_DYNAMIC_DISPATCH(UnfusedAdam);
  UnfusedWorkspace& w = workspace(a.n, 1);
  adam(a, w.h.data(), w.z.data());
}

template <Table base>
Kernels<float> make_unfused(const char* name) {
  Kernels<float> table = base();
  table.name = name;
  table.gemm = plain_gemm<base>;
  table.adam = plain_adam;
  table.adaptive_forward = plain_forward<base>;
  table.adaptive_backward = plain_backward<base>;
  return table;
}

}  // namespace

const Kernels<float>& unfused_kernels(bool bf16) {
  static const Kernels<float> f32 = make_unfused<simd_kernels>("simd, nothing fused");
  static const Kernels<float> half = make_unfused<bf16_kernels>("bf16, nothing fused");
  return bf16 ? half : f32;
}

}  // namespace neurolens::kernels
#endif  // HWY_ONCE
