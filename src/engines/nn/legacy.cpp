// u = W_in x + b_in;  stress = max(5 - e, 0) + 2 a + Var h, smoothed by .3;
// h' = tanh(h + m ((1 + s_phase)(W h + b) + 0.1 u));  a' = sigmoid(w1 mean h' + w2 mean u + b_a);
// e' = clamp(.99 e + m r (w_e . h' + b_e), 0, 50), r = 1 - .1 clamp(stress / 10, 0, 1).
// Deterministic: no exploration and no table; a node keeps its phase until a guard moves it.
// The energy head gets no gradient, as in the original.
#include "legacy.hpp"

#include <algorithm>
#include <cmath>

#include "factories.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

template <class T>
class LegacyCell final : public Cell<T> {
 public:
  LegacyCell(std::int64_t nodes, std::int64_t hidden) : n_(nodes), h_(hidden) {}
  std::string_view type() const override { return "adaptive_legacy"; }
  Status bind(std::int64_t inputs) override {
    inputs_ = inputs;
    return {};
  }
  std::int64_t outputs() const override { return n_; }
  // hidden; energy, activity, smoothed stress, debt, phase
  std::int64_t state() const override { return n_ * h_ + 5 * n_; }
  std::int64_t gradient_state() const override { return n_ * h_; }
  void init_state(T* state) const override {
    std::fill_n(state, this->state(), T(0));
    std::fill_n(state + n_ * h_, n_, T(10));
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back({prefix + "input_weight", {{inputs_, h_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "input_bias", {{h_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "weight", {{h_, h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "bias", {{h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "phase_scale", {{4}}, Init::constant, 0.0});
    out.push_back({prefix + "read_out", {{3}}, Init::normal, 0.1, 1.0});  // w1, w2, b_a
    out.push_back({prefix + "energy_weight", {{h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "energy_bias", {{1}}, Init::constant, 0.0});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * h_);
    c.take<T>(rows * n_);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * h_);
    c.take<T>(h_);
    return c.used();
  }
  void forward(const Pass<T>& p, const Step<T>& s) const override {
    Carver carver(p.tape);
    T* u = carver.take<T>(p.rows * h_);
    T* activity = carver.take<T>(p.rows * n_);
    const Parts<const T> w(p.params, *this);
    product(*p.k, p.rows, h_, inputs_, s.x, s.ldx, w.input_weight, u, h_);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      T mean_u = 0;
      for (std::int64_t j = 0; j < h_; ++j)
        u[r * h_ + j] += w.input_bias[j], mean_u += u[r * h_ + j] / T(h_);
      for (std::int64_t n = 0; n < n_; ++n) {
        s.y[r * s.ldy + n] = activity[r * n_ + n] =
            node(w, s.in[r], s.out[r], n, u + r * h_, mean_u);
      }
    }
  }
  void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const T* u = tape_carver.take<T>(p.rows * h_);
    const T* activity = tape_carver.take<T>(p.rows * n_);
    T* du = carver.take<T>(p.rows * h_);
    T* q = carver.take<T>(h_);
    const Parts<const T> w(p.params, *this);
    const Parts<T> d(p.grads, *this);
    if (!p.accumulate) std::fill_n(d.weight, d.end - d.weight, T(0));
    std::fill_n(du, p.rows * h_, T(0));
    for (std::int64_t r = 0; r < p.rows; ++r) {
      T mean_u = 0;
      for (std::int64_t j = 0; j < h_; ++j) mean_u += u[r * h_ + j] / T(h_);
      for (std::int64_t n = 0; n < n_; ++n) {
        const T a = activity[r * n_ + n];
        const T da = (g.dy != nullptr ? g.dy[r * g.lddy + n] : T(0)) * a * (T(1) - a);
        T* carry = g.dstate != nullptr ? g.dstate + (r * n_ + n) * h_ : nullptr;
        node_back(w, d, s.in[r], s.out[r], n, da, mean_u, g.arrives, g.wanted, carry, du + r * h_,
                  q);
      }
    }
    product_tn(*p.k, inputs_, h_, p.rows, s.x, s.ldx, du, h_, d.input_weight, p.accumulate);
    p.k->column_sums(p.rows, h_, du, p.accumulate, d.input_bias);
    if (g.dx != nullptr)
      product_nt(*p.k, p.rows, inputs_, h_, du, h_, w.input_weight, g.dx, g.lddx, g.add_dx);
  }
  Cost cost() const override {
    return {2 * inputs_ * h_ + n_ * (2 * h_ * h_ + 12 * h_), n_ * h_ + n_};
  }
  std::string plan() const override { return "reference loops (an oracle, not fast)"; }

 private:
  template <class P>
  struct Parts {
    P *input_weight, *input_bias, *weight, *bias, *phase_scale, *read_out, *energy_weight,
        *energy_bias, *end;
    Parts(P* at, const LegacyCell& c)
        : input_weight(at),
          input_bias(input_weight + c.inputs_ * c.h_),
          weight(input_bias + c.h_),
          bias(weight + c.h_ * c.h_),
          phase_scale(bias + c.h_),
          read_out(phase_scale + 4),
          energy_weight(read_out + 3),
          energy_bias(energy_weight + c.h_),
          end(energy_bias + 1) {}
  };

  static int next_phase(int phase, T stress, T debt, T e, T a) {
    if (stress > T(5) || debt > T(0.6) || e < T(2)) return 1;
    if (e > T(20) && a < T(0.3)) return 3;
    if (a > T(0.7)) return 2;
    return phase;
  }

  T node(const Parts<const T>& w, const T* in, T* out, std::int64_t n, const T* u, T mean_u) const {
    const T* h = in + n * h_;
    T* next = out + n * h_;
    const std::int64_t e = n_ * h_ + n, a = e + n_, k = a + n_, debt = k + n_, phase = debt + n_;
    T mean = 0, var = 0;
    for (std::int64_t j = 0; j < h_; ++j) mean += h[j] / T(h_);
    for (std::int64_t j = 0; j < h_; ++j) var += (h[j] - mean) * (h[j] - mean) / T(h_);
    const T stress = std::max(T(5) - in[e], T(0)) + T(2) * in[a] + var;
    out[k] = T(0.3) * stress + T(0.7) * in[k];
    const int now = static_cast<int>(in[phase]);
    const T m = now == 1 ? T(0) : T(1);
    T head = *w.energy_bias, mean_next = 0;
    for (std::int64_t j = 0; j < h_; ++j) {
      T z = w.bias[j];
      for (std::int64_t i = 0; i < h_; ++i) z += h[i] * w.weight[i * h_ + j];
      next[j] = std::tanh(h[j] + m * ((T(1) + w.phase_scale[now]) * z + T(0.1) * u[j]));
      head += w.energy_weight[j] * next[j];
      mean_next += next[j] / T(h_);
    }
    const T r = T(1) - T(0.1) * std::clamp(stress / T(10), T(0), T(1));
    out[e] = std::clamp(T(0.99) * in[e] + m * r * head, T(0), T(50));
    out[a] =
        T(1) /
        (T(1) + std::exp(-(w.read_out[0] * mean_next + w.read_out[1] * mean_u + w.read_out[2])));
    const T rate[4] = {T(0.05), stress > T(5) ? T(-0.07) : T(-0.1), T(0.03), T(0)};
    out[debt] = std::clamp(in[debt] + rate[now], T(0), T(1));
    out[phase] = T(next_phase(now, out[k], out[debt], out[e], out[a]));
    return out[a];
  }

  void node_back(const Parts<const T>& w, const Parts<T>& d, const T* in, const T* out,
                 std::int64_t n, T da, T mean_u, bool arrives, bool wanted, T* carry, T* du,
                 T* q) const {
    const T* h = in + n * h_;
    const T* next = out + n * h_;
    const int now = static_cast<int>(in[n_ * h_ + 4 * n_ + n]);
    const T m = now == 1 ? T(0) : T(1);
    T mean_next = 0;
    for (std::int64_t j = 0; j < h_; ++j) mean_next += next[j] / T(h_);
    d.read_out[0] += da * mean_next, d.read_out[1] += da * mean_u, d.read_out[2] += da;
    const T gain = m * (T(1) + w.phase_scale[now]);
    for (std::int64_t j = 0; j < h_; ++j) {
      T gh = da * w.read_out[0] / T(h_);
      if (arrives) gh += carry[j];
      q[j] = gh * (T(1) - next[j] * next[j]);
      d.bias[j] += gain * q[j];
      du[j] += m * T(0.1) * q[j] + da * w.read_out[1] / T(h_);
      T z = w.bias[j];
      for (std::int64_t i = 0; i < h_; ++i) {
        z += h[i] * w.weight[i * h_ + j];
        d.weight[i * h_ + j] += gain * q[j] * h[i];
      }
      d.phase_scale[now] += m * q[j] * z;
    }
    if (!wanted) return;
    for (std::int64_t i = 0; i < h_; ++i) {
      T back = q[i];
      for (std::int64_t j = 0; j < h_; ++j) back += gain * q[j] * w.weight[i * h_ + j];
      carry[i] = back;
    }
  }

  std::int64_t n_, h_, inputs_ = 0;
};

}  // namespace

template <class T>
std::unique_ptr<Cell<T>> make_legacy_cell(std::int64_t nodes, std::int64_t hidden) {
  return std::make_unique<LegacyCell<T>>(nodes, hidden);
}
template std::unique_ptr<Cell<float>> make_legacy_cell(std::int64_t, std::int64_t);
template std::unique_ptr<Cell<double>> make_legacy_cell(std::int64_t, std::int64_t);

}  // namespace neurolens::nn
