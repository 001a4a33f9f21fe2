// The product of small and medium matrices. Included once per target.
// Method: C is cut into panels of 4 (or 2) vectors and tiles of 6 rows; a tile lives in registers
// while the inner index runs, so an element is summed in order whatever the shape. B is read in
// place where its rows are contiguous and whole vectors; transposed operands and ragged right edges
// go through a packed panel on the stack, 128 inner steps at a time.
#if defined(NEUROLENS_KERNELS_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NEUROLENS_KERNELS_GEMM_INL_H_
#undef NEUROLENS_KERNELS_GEMM_INL_H_
#else
#define NEUROLENS_KERNELS_GEMM_INL_H_
#endif

#include <algorithm>

#include "simd/math-inl.h"

#undef NEUROLENS_UNROLL
#if HWY_COMPILER_GCC_ACTUAL
#define NEUROLENS_UNROLL _Pragma("GCC unroll 8")
#else
#define NEUROLENS_UNROLL _Pragma("clang loop unroll(full)")
#endif

HWY_BEFORE_NAMESPACE();
namespace neurolens::kernels {
namespace HWY_NAMESPACE {

constexpr int kTileRows = 6;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSSE3
constexpr int kTileVectors = 2;  // 16 registers: 12 sums, 2 of B, 1 of A
#else
constexpr int kTileVectors = 4;  // 32 registers: 24 sums, 4 of B
#endif
constexpr std::int64_t kPanel = kTileVectors * kLanes;
constexpr std::int64_t kChunk = 128;  // inner steps per packed panel: 32 KiB on AVX-512

// Rows of the left operand: row i, inner step p at base[i * row + p * step], or at pointer[i][p *
// step].
struct Rows {
  const float* base;
  std::int64_t row;
  std::int64_t step;
  const float* const* pointer;
  const float* at(std::int64_t i) const { return pointer != nullptr ? pointer[i] : base + i * row; }
};

template <int MR, int NV>
HWY_NOINLINE void Tile(const float* const* a, std::int64_t step, const float* HWY_RESTRICT b,
                       std::int64_t ldb, std::int64_t k, float* HWY_RESTRICT c, std::int64_t ldc,
                       bool load) {
  const D d;
  const float* rows[MR];
  V acc[MR][NV];
  NEUROLENS_UNROLL
  for (int i = 0; i < MR; ++i) {
    rows[i] = a[i];
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
  }
  if (load) {
    NEUROLENS_UNROLL
    for (int i = 0; i < MR; ++i) {
      NEUROLENS_UNROLL
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::LoadU(d, c + i * ldc + j * kLanes);
    }
  }
  std::int64_t at = 0;
  for (std::int64_t p = 0; p < k; ++p, at += step, b += ldb) {
    V bv[NV];
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) bv[j] = hn::LoadU(d, b + j * kLanes);
    NEUROLENS_UNROLL
    for (int i = 0; i < MR; ++i) {
      const V av = hn::Set(d, rows[i][at]);
      NEUROLENS_UNROLL
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(av, bv[j], acc[i][j]);
    }
  }
  // Keeps the compiler from computing 24 addresses ahead of the loop and spilling them.
  asm volatile("" : "+r"(c));
  NEUROLENS_UNROLL
  for (int i = 0; i < MR; ++i) {
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, c + i * ldc + j * kLanes);
  }
}

using TileFunction = void (*)(const float* const*, std::int64_t, const float*, std::int64_t,
                              std::int64_t, float*, std::int64_t, bool);

template <int NV>
inline TileFunction TileOf(int mr) {
  static constexpr TileFunction table[kTileRows] = {Tile<1, NV>, Tile<2, NV>, Tile<3, NV>,
                                                    Tile<4, NV>, Tile<5, NV>, Tile<6, NV>};
  return table[mr - 1];
}

inline TileFunction TileOf(int mr, int nv) {
#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_SSSE3
  if (nv == 4) return TileOf<4>(mr);
  if (nv == 3) return TileOf<3>(mr);
#endif
  return nv == 2 ? TileOf<2>(mr) : TileOf<1>(mr);
}

// Rows [0, m) x columns [n0, n0 + nr) of C, after the last inner step.
inline void Epilogue(const Gemm<float>& g, std::int64_t i0, std::int64_t m, std::int64_t n0,
                     std::int64_t nr) {
  const D d;
  for (std::int64_t i = i0; i < i0 + m; ++i) {
    const V scale = hn::Set(d, g.row_scale != nullptr ? g.row_scale[i] : 1.0f);
    for (std::int64_t j = 0; j < nr; j += kLanes) {
      const std::int64_t left = nr - j;
      const std::int64_t at = i * g.ldc + n0 + j;
      V v = LoadPart(g.c + at, left);
      if (g.bias != nullptr) v = hn::Add(v, LoadPart(g.bias + n0 + j, left));
      if (g.row_scale != nullptr) v = hn::Mul(v, scale);
      if (g.residual != nullptr) v = hn::Add(v, LoadPart(g.residual + at, left));
      v = Apply(g.activation, v);
      if (g.gradient_at != nullptr) {
        v = hn::Mul(v, Slope(g.gradient_of, hn::Zero(d), LoadPart(g.gradient_at + at, left)));
      }
      StorePart(v, g.c + at, left);
    }
  }
}

inline bool HasEpilogue(const Gemm<float>& g) {
  return g.bias != nullptr || g.row_scale != nullptr || g.residual != nullptr ||
         g.gradient_at != nullptr || g.activation != Activation::identity;
}

// out[p][j] = B[k0 + p][n0 + j], zero beyond nr; `width` columns.
inline void PackPanel(const Gemm<float>& g, std::int64_t k0, std::int64_t kc, std::int64_t n0,
                      std::int64_t nr, std::int64_t width, float* HWY_RESTRICT out) {
  if (!g.transpose_b) {
    for (std::int64_t p = 0; p < kc; ++p, out += width) {
      const float* row = g.b + (k0 + p) * g.ldb + n0;
      for (std::int64_t j = 0; j < width; j += kLanes)
        StorePart(LoadPart(row + j, nr - j), out + j, kLanes);
    }
    return;
  }
  const hn::FixedTag<float, 4> d4;
  std::int64_t j = 0;
  for (; j + 4 <= nr; j += 4) {  // 4 x 4 blocks through registers
    const float* r0 = g.b + (n0 + j) * g.ldb + k0;
    const float* r1 = r0 + g.ldb;
    const float* r2 = r1 + g.ldb;
    const float* r3 = r2 + g.ldb;
    std::int64_t p = 0;
    for (; p + 4 <= kc; p += 4) {
      const auto a0 = hn::LoadU(d4, r0 + p), a1 = hn::LoadU(d4, r1 + p);
      const auto a2 = hn::LoadU(d4, r2 + p), a3 = hn::LoadU(d4, r3 + p);
      const auto l02 = hn::InterleaveLower(d4, a0, a2), h02 = hn::InterleaveUpper(d4, a0, a2);
      const auto l13 = hn::InterleaveLower(d4, a1, a3), h13 = hn::InterleaveUpper(d4, a1, a3);
      hn::StoreU(hn::InterleaveLower(d4, l02, l13), d4, out + (p + 0) * width + j);
      hn::StoreU(hn::InterleaveUpper(d4, l02, l13), d4, out + (p + 1) * width + j);
      hn::StoreU(hn::InterleaveLower(d4, h02, h13), d4, out + (p + 2) * width + j);
      hn::StoreU(hn::InterleaveUpper(d4, h02, h13), d4, out + (p + 3) * width + j);
    }
    for (; p < kc; ++p) {
      float* o = out + p * width + j;
      o[0] = r0[p], o[1] = r1[p], o[2] = r2[p], o[3] = r3[p];
    }
  }
  for (; j < width; ++j) {
    for (std::int64_t p = 0; p < kc; ++p)
      out[p * width + j] = j < nr ? g.b[(n0 + j) * g.ldb + k0 + p] : 0.0f;
  }
}

// A tile whose columns are not whole vectors goes through a small copy.
inline void RaggedTile(int mr, int nv, const float* const* a, std::int64_t step, const float* b,
                       std::int64_t ldb, std::int64_t k, float* c, std::int64_t ldc,
                       std::int64_t nr, bool load) {
  HWY_ALIGN float tile[kTileRows * kPanel];
  const std::int64_t width = nv * kLanes;
  if (load) {
    for (int i = 0; i < mr; ++i) {
      for (std::int64_t j = 0; j < width; j += kLanes) {
        hn::Store(LoadPart(c + i * ldc + j, nr - j), D(), tile + i * width + j);
      }
    }
  }
  TileOf(mr, nv)(a, step, b, ldb, k, tile, width, load);
  for (int i = 0; i < mr; ++i) {
    for (std::int64_t j = 0; j < nr; j += kLanes)
      StorePart(hn::Load(D(), tile + i * width + j), c + i * ldc + j, nr - j);
  }
}

// The product of `rows` (the left operand, in place of g.a) with g.b.
inline void Multiply(const Gemm<float>& g, const Rows& rows) {
  HWY_ALIGN float packed[kChunk * kPanel];
  const bool epilogue = HasEpilogue(g);
  for (std::int64_t n0 = 0; n0 < g.n; n0 += kPanel) {
    const std::int64_t nr = std::min(kPanel, g.n - n0);
    const int nv = static_cast<int>((nr + kLanes - 1) / kLanes);
    const bool whole = nr == nv * kLanes;
    // Rows far apart fall into few sets of the cache: pack them when several tiles reuse the panel.
    const bool far = g.ldb > kPanel && g.m > 2 * kTileRows;
    const bool direct = whole && !g.transpose_b && !far;
    const std::int64_t chunk = direct ? std::max<std::int64_t>(g.k, 1) : kChunk;
    for (std::int64_t k0 = 0; k0 < std::max<std::int64_t>(g.k, 1); k0 += chunk) {
      const std::int64_t kc = std::min(chunk, g.k - k0);
      const float* b = packed;
      std::int64_t ldb = nv * kLanes;
      if (direct) {
        b = g.b + k0 * g.ldb + n0;
        ldb = g.ldb;
      } else {
        PackPanel(g, k0, kc, n0, nr, ldb, packed);
      }
      const bool load = g.accumulate || k0 > 0;
      for (std::int64_t i = 0; i < g.m; i += kTileRows) {
        const int mr = static_cast<int>(std::min<std::int64_t>(kTileRows, g.m - i));
        const float* a[kTileRows];
        for (int t = 0; t < mr; ++t) a[t] = rows.at(i + t) + k0 * rows.step;
        float* c = g.c + i * g.ldc + n0;
        if (whole) {
          TileOf(mr, nv)(a, rows.step, b, ldb, kc, c, g.ldc, load);
        } else {
          RaggedTile(mr, nv, a, rows.step, b, ldb, kc, c, g.ldc, nr, load);
        }
        if (epilogue && k0 + kc >= g.k) Epilogue(g, i, mr, n0, nr);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#endif  // NEUROLENS_KERNELS_GEMM_INL_H_
