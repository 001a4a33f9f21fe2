// The readable backend: what every other backend must equal. Written for clarity; order of sums as
// the interface promises.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "neurolens/base/random.hpp"
#include "neurolens/engines/kernels/kernels.hpp"

namespace neurolens::kernels {
namespace {

template <class T>
T sigmoid(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

template <class T>
T gelu_inner(T x) {
  return T(0.7978845608028654) * (x + T(0.044715) * x * x * x);
}

template <class T>
T apply(Activation kind, T x) {
  switch (kind) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return std::max(x, T(0));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::gelu:
      return T(0.5) * x * (T(1) + std::tanh(gelu_inner(x)));
    case Activation::silu:
      return x * sigmoid(x);
  }
  return x;
}

// The derivative from the input x and the output y.
template <class T>
T slope(Activation kind, T x, T y) {
  switch (kind) {
    case Activation::identity:
      return T(1);
    case Activation::relu:
      return y > 0 ? T(1) : T(0);
    case Activation::tanh:
      return T(1) - y * y;
    case Activation::sigmoid:
      return y * (T(1) - y);
    case Activation::gelu: {
      const T t = std::tanh(gelu_inner(x));
      const T inner = T(0.7978845608028654) * (T(1) + T(3 * 0.044715) * x * x);
      return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * inner;
    }
    case Activation::silu: {
      const T s = sigmoid(x);
      return s + x * s * (T(1) - s);
    }
  }
  return T(1);
}

template <class T>
void gemm(const Gemm<T>& g) {
  for (std::int64_t i = 0; i < g.m; ++i) {
    for (std::int64_t j = 0; j < g.n; ++j) {
      T sum = 0;
      for (std::int64_t p = 0; p < g.k; ++p) {
        const T a = g.transpose_a ? g.a[p * g.lda + i] : g.a[i * g.lda + p];
        const T b = g.transpose_b ? g.b[j * g.ldb + p] : g.b[p * g.ldb + j];
        sum += a * b;
      }
      const std::int64_t at = i * g.ldc + j;
      if (g.accumulate) sum += g.c[at];
      if (g.bias != nullptr) sum += g.bias[j];
      if (g.row_scale != nullptr) sum *= g.row_scale[i];
      if (g.residual != nullptr) sum += g.residual[at];
      sum = apply(g.activation, sum);
      if (g.gradient_at != nullptr) sum *= slope(g.gradient_of, T(0), g.gradient_at[at]);
      g.c[at] = sum;
    }
  }
}

template <class T>
void activate(Activation kind, std::int64_t n, const T* x, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = apply(kind, x[i]);
}

template <class T>
void activate_grad(Activation kind, std::int64_t n, const T* x, const T* y, const T* dy, T* dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * slope(kind, x[i], y[i]);
}

template <class T>
void exponential(std::int64_t n, const T* x, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = std::exp(x[i]);
}

template <class T>
void softmax(std::int64_t rows, std::int64_t classes, const T* x, T* p) {
  for (std::int64_t r = 0; r < rows; ++r, x += classes, p += classes) {
    const T top = *std::max_element(x, x + classes);
    T sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += p[c] = std::exp(x[c] - top);
    for (std::int64_t c = 0; c < classes; ++c) p[c] /= sum;
  }
}

template <class T>
void softmax_xent(std::int64_t rows, std::int64_t classes, const T* x, const std::int32_t* labels,
                  T scale, T* loss, T* dx) {
  for (std::int64_t r = 0; r < rows; ++r, x += classes) {
    const T top = *std::max_element(x, x + classes);
    T sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(x[c] - top);
    loss[r] = std::log(sum) + top - x[labels[r]];
    if (dx == nullptr) continue;
    for (std::int64_t c = 0; c < classes; ++c) {
      dx[c] = scale * (std::exp(x[c] - top) / sum - (c == labels[r] ? T(1) : T(0)));
    }
    dx += classes;
  }
}

template <class T>
double sum(std::int64_t n, const T* x) {
  double s = 0;
  for (std::int64_t i = 0; i < n; ++i) s += double(x[i]);
  return s;
}

template <class T>
double sum_squares(std::int64_t n, const T* x) {
  double s = 0;
  for (std::int64_t i = 0; i < n; ++i) s += double(x[i]) * double(x[i]);
  return s;
}

template <class T>
void column_sums(std::int64_t rows, std::int64_t columns, const T* x, bool accumulate, T* out) {
  if (!accumulate) std::fill(out, out + columns, T(0));
  for (std::int64_t r = 0; r < rows; ++r, x += columns) {
    for (std::int64_t c = 0; c < columns; ++c) out[c] += x[c];
  }
}

template <class T>
void axpy(std::int64_t n, T alpha, const T* x, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += alpha * x[i];
}

template <class T>
void multiply(std::int64_t n, const T* x, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= x[i];
}

template <class T>
std::int64_t first_not_finite(std::int64_t n, const T* x) {
  for (std::int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) return i;
  }
  return -1;
}

template <class T>
void adam(const Adam<T>& a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    const T g = a.g[i] * a.gradient_scale;
    a.m[i] = a.beta1 * a.m[i] + (T(1) - a.beta1) * g;
    a.v[i] = a.beta2 * a.v[i] + (T(1) - a.beta2) * g * g;
    const T root = std::sqrt(a.v[i]) / a.sqrt_correction2 + a.epsilon;
    a.p[i] = a.p[i] * (T(1) - a.decay) - a.step_size * a.m[i] / root;
  }
}

template <class T>
void sgd(const Sgd<T>& s) {
  for (std::int64_t i = 0; i < s.n; ++i) {
    const T g = s.g[i] * s.gradient_scale;
    T step = g;
    if (s.velocity != nullptr) {
      s.velocity[i] = s.momentum * s.velocity[i] + g;
      step = s.nesterov ? g + s.momentum * s.velocity[i] : s.velocity[i];
    }
    s.p[i] = s.p[i] * (T(1) - s.decay) - s.learning_rate * step;
  }
}

template <class T>
void gather_rows(std::int64_t rows, std::int64_t width, const std::int32_t* index, const T* src,
                 T* dst) {
  for (std::int64_t r = 0; r < rows; ++r)
    std::copy_n(src + index[r] * width, width, dst + r * width);
}

template <class T>
void scatter_rows(std::int64_t rows, std::int64_t width, const std::int32_t* index, const T* src,
                  T* dst) {
  for (std::int64_t r = 0; r < rows; ++r)
    std::copy_n(src + r * width, width, dst + index[r] * width);
}

template <class T>
void adaptive_forward(const AdaptiveForward<T>& f) {
  const std::int64_t hidden = f.rows.hidden;
  for (std::int64_t r = 0; r < f.rows.count; ++r) {
    const std::int64_t node = f.rows.node[r];
    const T* h = f.rows.h[r];
    T* next = f.rows.h_next[r];
    const T* u = f.u + f.rows.stream[r] * hidden;
    T read_out = f.beta[node];
    T mean = 0;
    for (std::int64_t j = 0; j < hidden; ++j) {
      T z = f.b[j];
      for (std::int64_t i = 0; i < hidden; ++i) z += h[i] * f.w[i * hidden + j];
      next[j] = std::tanh(h[j] + f.gain[r] * z + f.alpha * f.g[node * hidden + j] * u[j]);
      read_out += f.v[node * hidden + j] * next[j];
      mean += next[j] / T(hidden);
    }
    const std::int64_t at = f.rows.stream[r] * f.rows.nodes + node;
    f.activity[at] = sigmoid(read_out);
    if (f.variance == nullptr) continue;
    T var = 0;
    for (std::int64_t j = 0; j < hidden; ++j) var += (next[j] - mean) * (next[j] - mean);
    f.variance[at] = var / T(hidden);
  }
}

template <class T>
void adaptive_backward(const AdaptiveBackward<T>& f) {
  const std::int64_t hidden = f.rows.hidden;
  for (std::int64_t r = 0; r < f.rows.count; ++r) {
    const std::int64_t node = f.rows.node[r];
    const std::int64_t at = f.rows.stream[r] * f.rows.nodes + node;
    const T* next = f.rows.h_next[r];
    const T* u = f.u + f.rows.stream[r] * hidden;
    T* du = f.du + f.rows.stream[r] * hidden;
    const T da = f.dactivity[at] * f.activity[at] * (T(1) - f.activity[at]);
    f.dbeta[node] += da;
    for (std::int64_t j = 0; j < hidden; ++j) {
      const T gh = da * f.v[node * hidden + j] + (f.carry != nullptr ? f.carry[r][j] : T(0));
      const T q = gh * (T(1) - next[j] * next[j]);
      if (f.carry != nullptr) f.carry[r][j] = q;
      if (f.q != nullptr) f.q[r * hidden + j] = q;
      f.db_phase[j] += q;
      f.dv[node * hidden + j] += da * next[j];
      f.dg[node * hidden + j] += f.alpha * q * u[j];
      du[j] += q * f.g[node * hidden + j];
      for (std::int64_t i = 0; i < hidden; ++i) f.dw_phase[i * hidden + j] += f.rows.h[r][i] * q;
    }
  }
}

// The first guard that holds decides the next phase; -1 when none does.
template <class T>
int guard(const PhaseRules<T>& r, T stress, T debt, T energy, T activity) {
  if (!r.guards) return -1;
  if (stress > r.stress_limit || debt > r.debt_limit || energy < r.energy_low) return 1;
  if (energy > r.energy_high && activity < r.activity_low) return 3;
  if (activity > r.activity_high) return 2;
  return -1;
}

template <class T>
void phase_step(const PhaseRules<T>& r, const PhaseState<T>& s) {
  for (std::int64_t n = 0; n < s.nodes; ++n) {
    const int phase = static_cast<int>(s.phase[n]);
    const bool asleep = phase == 1;
    const T activity = asleep ? T(0) : s.activity[n];
    const T raw =
        std::max(r.stress_floor - s.energy[n], T(0)) + r.stress_activity * activity + s.variance[n];
    const T stress = r.stress_smoothing * raw + (T(1) - r.stress_smoothing) * s.stress[n];
    const T income = asleep ? r.energy_recovery : T(0);
    const T energy =
        std::clamp((T(1) - r.energy_decay) * s.energy[n] + income - r.energy_cost * activity, T(0),
                   r.energy_max);
    const T rate = asleep && stress > r.stress_limit ? r.debt_stressed_sleep : r.debt_rate[phase];
    const T debt = std::clamp(s.debt[n] + rate, T(0), T(1));
    s.stress[n] = stress;
    s.energy[n] = energy;
    s.debt[n] = debt;

    T u = s.uniform[n];
    if (u < r.exploration) {  // the rest of the draw is again uniform
      u /= r.exploration;
      s.phase[n] = T((u >= r.base[0]) + (u >= r.base[1]) + (u >= r.base[2]));
      continue;
    }
    u = (u - r.exploration) / (T(1) - r.exploration);
    const int forced = guard(r, stress, debt, energy, activity);
    if (forced >= 0) {
      s.phase[n] = T(forced);
      continue;
    }
    const T sleepy = r.bias_stress * stress + r.bias_debt * debt + r.circadian;
    const T bias[4] = {T(0), sleepy, r.bias_activity * activity,
                       r.bias_energy * energy / r.energy_max};
    T weight[4];
    for (int p = 0; p < 4; ++p)
      weight[p] = std::exp((r.log_table[phase][p] + bias[p]) * r.inverse_temperature);
    const T at = u * (weight[0] + weight[1] + weight[2] + weight[3]);
    const T two = weight[0] + weight[1];
    s.phase[n] = T((at >= weight[0]) + (at >= two) + (at >= two + weight[2]));
  }
}

template <class T>
void uniform(const UniformDraws& d, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto words = philox4x32({d.counter[0] + static_cast<std::uint32_t>(i / 4), d.counter[1],
                                   d.counter[2], d.counter[3]},
                                  {d.key[0], d.key[1]});
    out[i] = T(words[static_cast<std::size_t>(i % 4)] >> 8) * T(0x1p-24);
  }
}

template <class T>
Kernels<T> make_table() {
  return Kernels<T>{"reference",          gemm<T>,         activate<T>,
                    activate_grad<T>,     exponential<T>,  softmax<T>,
                    softmax_xent<T>,      sum<T>,          sum_squares<T>,
                    column_sums<T>,       axpy<T>,         multiply<T>,
                    first_not_finite<T>,  adam<T>,         sgd<T>,
                    gather_rows<T>,       scatter_rows<T>, adaptive_forward<T>,
                    adaptive_backward<T>, phase_step<T>,   uniform<T>};
}

}  // namespace

template <>
const Kernels<float>& reference_kernels<float>() {
  static const Kernels<float> table = make_table<float>();
  return table;
}
template <>
const Kernels<double>& reference_kernels<double>() {
  static const Kernels<double> table = make_table<double>();
  return table;
}

}  // namespace neurolens::kernels
