// The product of small and medium matrices. Included once per target.
// Method: C is cut into panels of 4 (or 2) vectors and tiles of 6 rows; a tile lives in registers
// while the inner index runs, so an element is summed in order whatever the shape. B is read in
// place where its rows are contiguous and whole vectors; rows far apart are packed by the first
// tile that reads them; transposed operands and ragged right edges go through a packed panel on the
// stack beforehand, 128 inner steps at a time.
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

// How the left operand lies in memory.
enum class Left : std::uint8_t {
  strided,   // row i, inner step p at base[i * row + p * step]
  pointers,  // row i, inner step p at pointer[i][p * step]
  outer      // row i, inner step p at pointer[p][row + i]: the left factors of a step side by side
};

struct Rows {
  const float* base;
  std::int64_t row;
  std::int64_t step;
  const float* const* pointer;
};

// Where the sums of a tile start: what C holds, the bias (rows 0 apart), or nothing.
struct Start {
  const float* base;
  std::int64_t row;
};

// Rows [i, i + MR) of NV vectors of C, in registers over all inner steps. kPack: writes the vectors
// of B that it reads to `pack`, side by side.
template <Left kLeft, int MR, int NV, bool kPack = false>
HWY_INLINE void Tile(const Rows& left, std::int64_t i0, const float* HWY_RESTRICT b,
                     std::int64_t ldb, std::int64_t k, const Start& from, float* c,
                     std::int64_t ldc, float* HWY_RESTRICT pack) {
  const D d;
  const float* rows[MR];
  V acc[MR][NV];
  NEUROLENS_UNROLL
  for (int i = 0; i < MR; ++i) {
    if (kLeft == Left::strided) rows[i] = left.base + (i0 + i) * left.row;
    if (kLeft == Left::pointers) rows[i] = left.pointer[i0 + i];
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) acc[i][j] = hn::Zero(d);
  }
  if (from.base != nullptr) {
    const float* start = from.base + i0 * from.row;
    NEUROLENS_UNROLL
    for (int i = 0; i < MR; ++i, start += from.row) {
      NEUROLENS_UNROLL
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::LoadU(d, start + j * kLanes);
    }
  }
  const std::int64_t step = left.step;
  std::int64_t at = kLeft == Left::outer ? left.row + i0 : 0;
  for (std::int64_t p = 0; p < k; ++p, b += ldb) {
    V bv[NV];
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) {
      bv[j] = hn::LoadU(d, b + j * kLanes);
      if (kPack) hn::StoreU(bv[j], d, pack + j * kLanes);
    }
    if (kPack) pack += NV * kLanes;
    const float* factors = kLeft == Left::outer ? left.pointer[p] + at : nullptr;
    NEUROLENS_UNROLL
    for (int i = 0; i < MR; ++i) {
      const V av = hn::Set(d, kLeft == Left::outer ? factors[i] : rows[i][at]);
      NEUROLENS_UNROLL
      for (int j = 0; j < NV; ++j) acc[i][j] = hn::MulAdd(av, bv[j], acc[i][j]);
    }
    if (kLeft != Left::outer) at += step;
  }
  c += i0 * ldc;
  NEUROLENS_UNROLL
  for (int i = 0; i < MR; ++i) {
    asm volatile("" : "+r"(c));  // or all addresses are computed ahead of the loop and spilled
    NEUROLENS_UNROLL
    for (int j = 0; j < NV; ++j) hn::StoreU(acc[i][j], d, c + j * kLanes);
    c += ldc;
  }
}

// All m rows of a panel of NV vectors. `pack`, when not null, has room for the panel of B.
template <Left kLeft, int NV>
HWY_NOINLINE void Strip(const Rows& left, std::int64_t m, const float* b, std::int64_t ldb,
                        std::int64_t k, const Start& from, float* c, std::int64_t ldc,
                        float* pack) {
  std::int64_t i = 0;
  if (kLeft == Left::strided && pack != nullptr && m >= kTileRows) {
    Tile<kLeft, kTileRows, NV, true>(left, 0, b, ldb, k, from, c, ldc, pack);
    b = pack, ldb = NV * kLanes;
    i = kTileRows;
  }
  for (; i + kTileRows <= m; i += kTileRows)
    Tile<kLeft, kTileRows, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
  switch (m - i) {
    case 5:
      return Tile<kLeft, 5, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
    case 4:
      return Tile<kLeft, 4, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
    case 3:
      return Tile<kLeft, 3, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
    case 2:
      return Tile<kLeft, 2, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
    case 1:
      return Tile<kLeft, 1, NV>(left, i, b, ldb, k, from, c, ldc, nullptr);
    default:
      return;
  }
}

template <Left kLeft>
inline void AnyStrip(int nv, const Rows& left, std::int64_t m, const float* b, std::int64_t ldb,
                     std::int64_t k, const Start& from, float* c, std::int64_t ldc, float* pack) {
#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_SSSE3
  if (nv == 4) return Strip<kLeft, 4>(left, m, b, ldb, k, from, c, ldc, pack);
  if (nv == 3) return Strip<kLeft, 3>(left, m, b, ldb, k, from, c, ldc, pack);
#endif
  if (nv == 2) return Strip<kLeft, 2>(left, m, b, ldb, k, from, c, ldc, pack);
  return Strip<kLeft, 1>(left, m, b, ldb, k, from, c, ldc, pack);
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
      if (g.bias != nullptr && g.accumulate) v = hn::Add(v, LoadPart(g.bias + n0 + j, left));
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
  return (g.bias != nullptr && g.accumulate) || g.row_scale != nullptr || g.residual != nullptr ||
         g.gradient_at != nullptr || g.activation != Activation::identity;
}

// out[p][j] = in[j][p] for p < rows, j < columns.
inline void Transpose(const float* HWY_RESTRICT in, std::int64_t ldin, std::int64_t rows,
                      std::int64_t columns, float* HWY_RESTRICT out, std::int64_t ldout) {
  const hn::FixedTag<float, 4> d4;
  std::int64_t j = 0;
  for (; j + 4 <= columns; j += 4) {  // 4 x 4 blocks through registers
    const float* r0 = in + j * ldin;
    const float* r1 = r0 + ldin;
    const float* r2 = r1 + ldin;
    const float* r3 = r2 + ldin;
    float* o = out + j;
    std::int64_t p = 0;
    for (; p + 4 <= rows; p += 4, o += 4 * ldout) {
      const auto a0 = hn::LoadU(d4, r0 + p), a1 = hn::LoadU(d4, r1 + p);
      const auto a2 = hn::LoadU(d4, r2 + p), a3 = hn::LoadU(d4, r3 + p);
      const auto l02 = hn::InterleaveLower(d4, a0, a2), h02 = hn::InterleaveUpper(d4, a0, a2);
      const auto l13 = hn::InterleaveLower(d4, a1, a3), h13 = hn::InterleaveUpper(d4, a1, a3);
      hn::StoreU(hn::InterleaveLower(d4, l02, l13), d4, o);
      hn::StoreU(hn::InterleaveUpper(d4, l02, l13), d4, o + ldout);
      hn::StoreU(hn::InterleaveLower(d4, h02, h13), d4, o + 2 * ldout);
      hn::StoreU(hn::InterleaveUpper(d4, h02, h13), d4, o + 3 * ldout);
    }
    for (; p < rows; ++p, o += ldout) o[0] = r0[p], o[1] = r1[p], o[2] = r2[p], o[3] = r3[p];
  }
  for (; j < columns; ++j) {
    for (std::int64_t p = 0; p < rows; ++p) out[p * ldout + j] = in[j * ldin + p];
  }
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
  Transpose(g.b + n0 * g.ldb + k0, g.ldb, kc, nr, out, width);
  for (std::int64_t j = nr; j < width; ++j) {
    for (std::int64_t p = 0; p < kc; ++p) out[p * width + j] = 0.0f;
  }
}

// A strip whose columns are not whole vectors goes through a small copy, some rows at a time.
template <Left kLeft>
inline void RaggedStrip(int nv, const Rows& left, std::int64_t m, const float* b, std::int64_t k,
                        const Start& from, float* c, std::int64_t ldc, std::int64_t nr) {
  HWY_ALIGN float tile[kTileRows * kPanel];
  const std::int64_t width = nv * kLanes;
  for (std::int64_t i0 = 0; i0 < m; i0 += kTileRows) {
    const std::int64_t rows = std::min<std::int64_t>(kTileRows, m - i0);
    Start start{nullptr, width};
    if (from.base != nullptr) {
      start.base = tile;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < width; j += kLanes) {
          hn::Store(LoadPart(from.base + (i0 + i) * from.row + j, nr - j), D(),
                    tile + i * width + j);
        }
      }
    }
    Rows part = left;
    if (kLeft == Left::strided) part.base += i0 * left.row;
    if (kLeft == Left::pointers) part.pointer += i0;
    if (kLeft == Left::outer) part.row += i0;
    AnyStrip<kLeft>(nv, part, rows, b, width, k, start, tile, width, nullptr);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < nr; j += kLanes)
        StorePart(hn::Load(D(), tile + i * width + j), c + (i0 + i) * ldc + j, nr - j);
    }
  }
}

inline Start StartOf(const Gemm<float>& g, std::int64_t k0, std::int64_t n0) {
  if (g.accumulate || k0 > 0) return {g.c + n0, g.ldc};
  if (g.bias != nullptr) return {g.bias + n0, 0};
  return {nullptr, 0};
}

// The left operand from inner step k0 on; `shifted` has room for m pointers when kLeft needs them.
template <Left kLeft>
inline Rows After(const Rows& left, std::int64_t k0, std::int64_t m, const float** shifted) {
  Rows rows = left;
  if (kLeft == Left::strided) rows.base += k0 * left.step;
  if (kLeft == Left::outer) rows.pointer += k0;
  if (kLeft == Left::pointers && k0 > 0) {
    for (std::int64_t i = 0; i < m; ++i) shifted[i] = left.pointer[i] + k0 * left.step;
    rows.pointer = shifted;
  }
  return rows;
}

// C = A B^T with few rows of A: as the transpose of B A^T, because turning A and C around moves
// fewer elements than turning B. Worth it from one vector of rows on; nothing may start the sums.
inline bool WorthTurning(const Gemm<float>& g) {
  return g.transpose_b && !g.transpose_a && !g.accumulate && g.bias == nullptr &&
         g.m % kLanes == 0 && g.n >= 8 * g.m && g.k >= 4 * kLanes;
}

inline void MultiplyTurned(const Gemm<float>& g) {
  constexpr std::int64_t kStrip = 8 * kTileRows;  // columns of C at a time
  HWY_ALIGN float packed[kChunk * kPanel];
  HWY_ALIGN float turned[kStrip * kPanel];
  for (std::int64_t m0 = 0; m0 < g.m; m0 += kPanel) {
    const std::int64_t width = std::min(kPanel, g.m - m0);
    const int nv = static_cast<int>(width / kLanes);
    for (std::int64_t k0 = 0; k0 < g.k; k0 += kChunk) {
      const std::int64_t kc = std::min(kChunk, g.k - k0);
      Transpose(g.a + m0 * g.lda + k0, g.lda, kc, width, packed, width);
      for (std::int64_t n0 = 0; n0 < g.n; n0 += kStrip) {
        const std::int64_t nr = std::min(kStrip, g.n - n0);
        float* c = g.c + m0 * g.ldc + n0;
        if (k0 > 0) Transpose(c, g.ldc, nr, width, turned, width);
        const Rows rows{g.b + n0 * g.ldb + k0, g.ldb, 1, nullptr};
        AnyStrip<Left::strided>(nv, rows, nr, packed, width, kc,
                                Start{k0 > 0 ? turned : nullptr, width}, turned, width, nullptr);
        Transpose(turned, width, width, nr, c, g.ldc);
      }
    }
    if (!HasEpilogue(g)) continue;
    for (std::int64_t n0 = 0; n0 < g.n; n0 += kPanel)
      Epilogue(g, m0, width, n0, std::min(kPanel, g.n - n0));
  }
}

// The product of `left` (in place of g.a) with g.b. With Left::pointers m is at most kMostPointers.
constexpr std::int64_t kMostPointers = 128;
template <Left kLeft>
inline void Multiply(const Gemm<float>& g, const Rows& left) {
  HWY_ALIGN float packed[kChunk * kPanel];
  const float* shifted[kMostPointers];
  const bool epilogue = HasEpilogue(g);
  for (std::int64_t n0 = 0; n0 < g.n; n0 += kPanel) {
    const std::int64_t nr = std::min(kPanel, g.n - n0);
    const int nv = static_cast<int>((nr + kLanes - 1) / kLanes);
    const bool whole = nr == nv * kLanes;
    // Rows far apart fall into few sets of the cache: packed when several tiles reuse the panel.
    const bool far = g.ldb > kPanel && g.m > kTileRows;
    const bool direct = whole && !g.transpose_b;
    const std::int64_t chunk = direct && !far ? std::max<std::int64_t>(g.k, 1) : kChunk;
    for (std::int64_t k0 = 0; k0 < std::max<std::int64_t>(g.k, 1); k0 += chunk) {
      const std::int64_t kc = std::min(chunk, g.k - k0);
      const Start start = StartOf(g, k0, n0);
      const Rows rows = After<kLeft>(left, k0, g.m, shifted);
      if (direct) {
        AnyStrip<kLeft>(nv, rows, g.m, g.b + k0 * g.ldb + n0, g.ldb, kc, start, g.c + n0, g.ldc,
                        far ? packed : nullptr);
      } else {
        PackPanel(g, k0, kc, n0, nr, nv * kLanes, packed);
        if (whole) {
          AnyStrip<kLeft>(nv, rows, g.m, packed, nr, kc, start, g.c + n0, g.ldc, nullptr);
        } else {
          RaggedStrip<kLeft>(nv, rows, g.m, packed, kc, start, g.c + n0, g.ldc, nr);
        }
      }
      if (epilogue && k0 + kc >= g.k) Epilogue(g, 0, g.m, n0, nr);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace neurolens::kernels
HWY_AFTER_NAMESPACE();

#endif  // NEUROLENS_KERNELS_GEMM_INL_H_
