/// \file
/// The arithmetic under the engines: one declaration per kernel, several backends behind it.
/// A backend is a table of functions. `reference` is plain, readable code (for float and for
/// double, so that gradients can be checked in double precision); `simd` is the same arithmetic in
/// vector registers, chosen at run time for the machine (AVX-512, AVX2, SSSE3; NEON on ARM).
///
/// Precision: every simd kernel agrees with the reference to the bound stated at the declaration.
/// Determinism: an output element is always summed in the order of its inner index, whatever the
/// number of rows, so a row's result does not depend on the rows beside it. Results differ in the
/// last bits between instruction sets (fused multiply-add or not).
/// Threads: every kernel is a pure function of its arguments; concurrent calls on disjoint outputs
/// are safe. Ownership: no kernel keeps a pointer or allocates memory.
/// Errors: none. Shapes are the caller's duty (assertions in debug builds).
#pragma once

#include <cstdint>

#include "neurolens/base/result.hpp"

namespace neurolens::kernels {

/// Pointwise functions. gelu is the tanh form; silu is x sigmoid(x).
enum class Activation : std::uint8_t { identity, relu, tanh, sigmoid, gelu, silu };

/// C = act(row_scale * (op(A) op(B) + C if accumulate + bias) + residual) * act'(gradient_at).
/// All matrices are row-major; op(A) is m x k, op(B) is k x n, C is m x n.
template <class T>
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  const T* a = nullptr;
  std::int64_t lda = 0;  ///< Elements between rows of A as stored.
  const T* b = nullptr;
  std::int64_t ldb = 0;
  T* c = nullptr;
  std::int64_t ldc = 0;
  bool transpose_a = false;  ///< A is stored k x m.
  bool transpose_b = false;  ///< B is stored n x k.
  bool accumulate = false;   ///< Adds to what C holds.
  // The fused epilogue; null and identity mean "leave out". Applied in this order.
  const T* bias = nullptr;       ///< [n], added to every row.
  const T* row_scale = nullptr;  ///< [m], multiplies a row (0 masks it).
  const T* residual = nullptr;   ///< m x n with ldc, added.
  Activation activation = Activation::identity;
  /// m x n with ldc: the *output* y of `gradient_of`; C is multiplied by its derivative there.
  /// Only relu, tanh and sigmoid can say their derivative by their output.
  const T* gradient_at = nullptr;
  Activation gradient_of = Activation::identity;
};

/// One Adam or AdamW step over a flat buffer (Kingma, Ba 2015; Loshchilov, Hutter 2019).
/// m <- b1 m + (1-b1) g; v <- b2 v + (1-b2) g^2;
/// p <- p (1 - lr wd) - step_size m / (sqrt(v) / sqrt_correction2 + epsilon).
template <class T>
struct Adam {
  std::int64_t n = 0;
  T* p = nullptr;
  const T* g = nullptr;
  T* m = nullptr;
  T* v = nullptr;
  T gradient_scale = 1;  ///< Multiplies g first: clipping and loss scaling cost no extra pass.
  T beta1 = T(0.9);
  T beta2 = T(0.999);
  T epsilon = T(1e-8);
  T step_size = 0;         ///< lr / (1 - beta1^t).
  T sqrt_correction2 = 1;  ///< sqrt(1 - beta2^t).
  T decay = 0;             ///< lr * weight decay (decoupled).
};

/// Stochastic gradient descent with momentum and decoupled weight decay:
/// v <- mu v + g; p <- p (1 - decay) - lr (nesterov ? g + mu v : v).
template <class T>
struct Sgd {
  std::int64_t n = 0;
  T* p = nullptr;
  const T* g = nullptr;
  T* velocity = nullptr;  ///< May be null when momentum is 0.
  T gradient_scale = 1;
  T learning_rate = 0;
  T momentum = 0;
  bool nesterov = false;
  T decay = 0;
};

/// Awake rows of the adaptive cell: one for each (stream of the batch, node). Any order is right;
/// rows of one node side by side are fastest.
template <class T>
struct AdaptiveRows {
  std::int64_t count = 0;
  std::int64_t hidden = 0;               ///< H.
  std::int64_t nodes = 0;                ///< N.
  const std::int32_t* node = nullptr;    ///< [count], in [0, N).
  const std::int32_t* stream = nullptr;  ///< [count], the row of the batch.
  const T* const* h = nullptr;           ///< [count], each H elements.
  T* const* h_next = nullptr;            ///< [count], each H elements; not the same as h.
};

/// The adaptive cell's forward step over awake rows:
/// h' = tanh(h + gain (W h + b) + alpha g_n * u);  a = sigmoid(<v_n, h'> + beta_n).
/// W is stored input-major: z_j = sum_i h_i w[i * H + j].
template <class T>
struct AdaptiveForward {
  AdaptiveRows<T> rows;
  const T* gain = nullptr;  ///< [count], 1 + s_phase.
  const T* w = nullptr;     ///< H x H.
  const T* b = nullptr;     ///< [H].
  const T* u = nullptr;     ///< [streams][H], input currents.
  const T* g = nullptr;     ///< [N][H].
  T alpha = 1;
  const T* v = nullptr;     ///< [N][H].
  const T* beta = nullptr;  ///< [N].
  T* activity = nullptr;    ///< [streams][N]; awake ones are written.
  T* variance = nullptr;    ///< [streams][N] or null: Var_j(h'_j) of awake rows.
};

/// The step backwards over awake rows of *one phase* (they share gain and dw_phase).
/// q = (da_n a(1-a) v_n + carry) (1 - h'^2); all sums run over the listed rows:
/// dw_phase += h^T q; db_phase += q; dg_n += alpha q u; dv_n += da' h'; dbeta_n += da'; du += q
/// g_n. The caller turns dw_phase and db_phase into dW, db and ds (they are linear in 1 + s), and
/// scales du by alpha. `carry` (gradient of h', null when none) becomes the gradient of h without
/// the W part: carry <- q; the W part is a plain product that follows.
template <class T>
struct AdaptiveBackward {
  AdaptiveRows<T> rows;
  const T* activity = nullptr;   ///< [streams][N].
  const T* dactivity = nullptr;  ///< [streams][N], gradient of a.
  const T* u = nullptr;
  const T* g = nullptr;
  T alpha = 1;
  const T* v = nullptr;
  T* const* carry = nullptr;  ///< [count] rows of H elements, or null.
  T* q = nullptr;             ///< [count][H] or null: receives q when the caller needs it.
  T* dw_phase = nullptr;      ///< H x H.
  T* db_phase = nullptr;      ///< [H].
  T* dg = nullptr;            ///< [N][H].
  T* dv = nullptr;            ///< [N][H].
  T* dbeta = nullptr;         ///< [N].
  T* du = nullptr;            ///< [streams][H], accumulated, without alpha.
};

/// Numbers of the phase controller; see engines/nn/phase.hpp for their meaning and defaults.
template <class T>
struct PhaseRules {
  T log_table[4][4] = {};
  T base[4] = {};  ///< Cumulative base weights; an exploring node draws from them.
  T inverse_temperature = 1;
  T exploration = 0;
  T stress_limit = 0, debt_limit = 0, energy_low = 0, energy_high = 0, activity_low = 0,
    activity_high = 0;
  bool guards = true;
  T bias_energy = 0, bias_activity = 0, bias_stress = 0, bias_debt = 0;
  T circadian = 0;  ///< The present value of the circadian term (already multiplied by its gain).
  T stress_floor = 5, stress_activity = 2, stress_smoothing = T(0.3);
  T energy_decay = 0, energy_recovery = 0, energy_cost = 0, energy_max = 50;
  T debt_rate[4] = {};
  T debt_stressed_sleep = 0;
};

/// Node state of one stream, all [nodes]; phase holds 0 active, 1 sleep, 2 interactive, 3 inspired.
template <class T>
struct PhaseState {
  std::int64_t nodes = 0;
  T* energy = nullptr;
  T* stress = nullptr;
  T* debt = nullptr;
  T* phase = nullptr;
  const T* activity = nullptr;
  const T* variance = nullptr;
  const T* uniform = nullptr;  ///< One draw in [0, 1) for each node.
};

/// Uniform numbers by counter: word l of philox4x32({counter[0] + i, counter[1..3]}, key), its
/// upper 24 bits over 2^24, is number 4 i + l. The same on every backend, bit for bit.
struct UniformDraws {
  std::uint32_t counter[4] = {};
  std::uint32_t key[2] = {};
};

/// One backend. `T` is float or double.
template <class T>
struct Kernels {
  const char* name;  ///< Such as "reference" or "simd (AVX3)".

  /// Matrix product with fused epilogue. Relative error against the exact sum <= k 2^-23 (float).
  void (*gemm)(const Gemm<T>& args);

  /// y = act(x). Maximum error of float simd: tanh, sigmoid 2.5e-7 absolute; gelu, silu 1e-6 (1 +
  /// |x|).
  void (*activate)(Activation kind, std::int64_t n, const T* x, T* y);
  /// dx = dy act'(x), with y = act(x) at hand.
  void (*activate_grad)(Activation kind, std::int64_t n, const T* x, const T* y, const T* dy,
                        T* dx);
  /// y = exp(x). Relative error of float simd <= 3e-7 for x in [-87, 88]; clamped outside.
  void (*exp)(std::int64_t n, const T* x, T* y);

  /// Softmax of each row; `p` may be `x`.
  void (*softmax)(std::int64_t rows, std::int64_t classes, const T* x, T* p);
  /// loss[r] = -log softmax(x_r)[label_r]; dx = scale (softmax(x) - onehot) when dx is not null.
  /// Labels lie in [0, classes).
  void (*softmax_xent)(std::int64_t rows, std::int64_t classes, const T* x,
                       const std::int32_t* labels, T scale, T* loss, T* dx);

  /// Sum and sum of squares, in double.
  double (*sum)(std::int64_t n, const T* x);
  double (*sum_squares)(std::int64_t n, const T* x);
  /// out[j] (+)= sum_i x[i][j], rows in order.
  void (*column_sums)(std::int64_t rows, std::int64_t columns, const T* x, bool accumulate, T* out);
  /// y += alpha x.
  void (*axpy)(std::int64_t n, T alpha, const T* x, T* y);
  /// y *= x.
  void (*multiply)(std::int64_t n, const T* x, T* y);
  /// The index of the first element that is not finite, or -1.
  std::int64_t (*first_not_finite)(std::int64_t n, const T* x);

  void (*adam)(const Adam<T>& args);
  void (*sgd)(const Sgd<T>& args);

  /// dst[i] = src[index[i]], rows of `width` elements.
  void (*gather_rows)(std::int64_t rows, std::int64_t width, const std::int32_t* index,
                      const T* src, T* dst);
  /// dst[index[i]] = src[i]. Indices are distinct.
  void (*scatter_rows)(std::int64_t rows, std::int64_t width, const std::int32_t* index,
                       const T* src, T* dst);

  void (*adaptive_forward)(const AdaptiveForward<T>& args);
  void (*adaptive_backward)(const AdaptiveBackward<T>& args);
  /// Stress, energy and rest debt, then the next phase of every node.
  void (*phase_step)(const PhaseRules<T>& rules, const PhaseState<T>& state);
  /// out[0, n) in [0, 1).
  void (*uniform)(const UniformDraws& draws, std::int64_t n, T* out);
};

/// The readable backend. Lives as long as the process.
template <class T>
[[nodiscard]] const Kernels<T>& reference_kernels();
template <>
const Kernels<float>& reference_kernels<float>();
template <>
const Kernels<double>& reference_kernels<double>();

/// The widest instruction set that this machine has.
[[nodiscard]] const Kernels<float>& simd_kernels();
/// As simd_kernels(), but `gemm` rounds both operands to bfloat16 (nearest even) and accumulates in
/// float: relative error of a product of two operands <= 2^-8.
[[nodiscard]] const Kernels<float>& bf16_kernels();
/// simd_kernels() or, with `bf16`, bf16_kernels(), with nothing fused: epilogues, the adaptive step
/// and Adam go over their arrays once per operation, at the same vector width. Slower and equal:
/// what fusion is worth is measured against it. Unlike the others it keeps memory between calls,
/// per thread, as large as the largest call.
[[nodiscard]] const Kernels<float>& unfused_kernels(bool bf16 = false);
/// Errors: unavailable in a build without CUDA; the sentence says what to do.
[[nodiscard]] Result<const Kernels<float>*> cuda_kernels();

/// What engines use unless told otherwise: simd for float, reference for double.
template <class T>
[[nodiscard]] const Kernels<T>& default_kernels();
template <>
const Kernels<float>& default_kernels<float>();
template <>
const Kernels<double>& default_kernels<double>();

/// Measured peak of fused multiply-adds from registers on one core, in FLOP per second; takes about
/// `milliseconds`. The yardstick of "share of peak".
[[nodiscard]] double measure_fma_peak(int milliseconds = 20);

}  // namespace neurolens::kernels
