// Short spellings of matrix products on packed row-major arrays.
#pragma once

#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::nn {

// C (m x n) = or += A (m x k) B (k x n).
template <class T>
void product(const kernels::Kernels<T>& k, std::int64_t m, std::int64_t n, std::int64_t inner,
             const T* a, std::int64_t lda, const T* b, T* c, std::int64_t ldc,
             bool accumulate = false) {
  kernels::Gemm<T> g;
  g.m = m, g.n = n, g.k = inner;
  g.a = a, g.lda = lda, g.b = b, g.ldb = n, g.c = c, g.ldc = ldc;
  g.accumulate = accumulate;
  k.gemm(g);
}

// C (m x n) = or += A^T (stored k x m) B (k x n): how weight gradients arise.
template <class T>
void product_tn(const kernels::Kernels<T>& k, std::int64_t m, std::int64_t n, std::int64_t inner,
                const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T* c, bool accumulate) {
  kernels::Gemm<T> g;
  g.m = m, g.n = n, g.k = inner;
  g.a = a, g.lda = lda, g.transpose_a = true, g.b = b, g.ldb = ldb, g.c = c, g.ldc = n;
  g.accumulate = accumulate;
  k.gemm(g);
}

// C (m x n) = or += A (m x k) B^T (stored n x k): how input gradients arise.
template <class T>
void product_nt(const kernels::Kernels<T>& k, std::int64_t m, std::int64_t n, std::int64_t inner,
                const T* a, std::int64_t lda, const T* b, T* c, std::int64_t ldc,
                bool accumulate = false) {
  kernels::Gemm<T> g;
  g.m = m, g.n = n, g.k = inner;
  g.a = a, g.lda = lda, g.b = b, g.ldb = inner, g.transpose_b = true, g.c = c, g.ldc = ldc;
  g.accumulate = accumulate;
  k.gemm(g);
}

}  // namespace neurolens::nn
