// The standard cells: gru (Cho et al. 2014), cfc (Hasani et al. 2022, closed form with unit time
// step), ssm (diagonal state space, Gupta et al. 2022, real and normalised) and lif (leaky
// integrate-and-fire with a surrogate slope, Neftci et al. 2019).
#include <algorithm>
#include <cmath>

#include "cell.hpp"
#include "factories.hpp"
#include "onnx_graph.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

template <class T>
T logistic(T x) {
  return T(1) / (T(1) + std::exp(-x));
}

enum class Gate { gru, cfc };

// Cells of three gates with a common frame: gx = x Wx + bx, gh = h Wh + bh, then a pointwise rule.
// gru: r = s(.), z = s(.), n = tanh(gx_n + r gh_n), h' = (1-z) n + z h.
// cfc: f = tanh(.), g = tanh(.), t = s(.), h' = (1-t) f + t g.
template <class T, Gate kGate>
class GatedCell final : public Cell<T> {
 public:
  explicit GatedCell(std::int64_t units) : h_(units) {}
  std::string_view type() const override { return kGate == Gate::gru ? "gru" : "cfc"; }
  Status bind(std::int64_t inputs) override {
    inputs_ = inputs;
    return {};
  }
  std::int64_t outputs() const override { return h_; }
  std::int64_t state() const override { return h_; }
  std::int64_t gradient_state() const override { return h_; }
  void init_state(T* state) const override { std::fill_n(state, h_, T(0)); }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    const double scale = fan_in_scale(h_);
    out.push_back({prefix + "input_weight", {{inputs_, 3 * h_}}, Init::uniform, scale});
    out.push_back({prefix + "input_bias", {{3 * h_}}, Init::uniform, scale});
    out.push_back({prefix + "state_weight", {{h_, 3 * h_}}, Init::uniform, scale});
    out.push_back({prefix + "state_bias", {{3 * h_}}, Init::uniform, scale});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    (void)Tape(c, h_, rows);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * 3 * h_);
    c.take<T>(rows * 3 * h_);
    c.take<T>(rows * h_);
    return c.used();
  }
  void forward(const Pass<T>& p, const Step<T>& s) const override {
    Carver carver(p.tape);
    const Tape t(carver, h_, p.rows);
    for (std::int64_t r = 0; r < p.rows; ++r) std::copy_n(s.in[r], h_, t.h + r * h_);
    gates(p, s.x, s.ldx, inputs_, p.params, p.params + input_bias(), t.gx);
    gates(p, t.h, h_, h_, p.params + state_weight(), p.params + state_bias(), t.gh);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      T* gx = t.gx + r * 3 * h_;
      const T* gh = t.gh + r * 3 * h_;
      for (std::int64_t j = 0; j < h_; ++j) {
        T& a = gx[j];
        T& b = gx[h_ + j];
        T& c = gx[2 * h_ + j];
        T next;
        if constexpr (kGate == Gate::gru) {
          a = logistic(a + gh[j]);
          b = logistic(b + gh[h_ + j]);
          c = std::tanh(c + a * gh[2 * h_ + j]);
          next = (T(1) - b) * c + b * t.h[r * h_ + j];
        } else {
          a = std::tanh(a + gh[j]);
          b = std::tanh(b + gh[h_ + j]);
          c = logistic(c + gh[2 * h_ + j]);
          next = (T(1) - c) * a + c * b;
        }
        s.out[r][j] = next;
        s.y[r * s.ldy + j] = next;
      }
    }
  }
  void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const Tape t(tape_carver, h_, p.rows);
    T* dgx = carver.take<T>(p.rows * 3 * h_);
    T* dgh = carver.take<T>(p.rows * 3 * h_);
    T* dh = carver.take<T>(p.rows * h_);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t j = 0; j < h_; ++j) pointwise_back(t, g, r, j, dgx, dgh, dh);
    }
    product_tn(*p.k, inputs_, 3 * h_, p.rows, s.x, s.ldx, dgx, 3 * h_, p.grads, p.accumulate);
    p.k->column_sums(p.rows, 3 * h_, dgx, p.accumulate, p.grads + input_bias());
    product_tn(*p.k, h_, 3 * h_, p.rows, t.h, h_, dgh, 3 * h_, p.grads + state_weight(),
               p.accumulate);
    p.k->column_sums(p.rows, 3 * h_, dgh, p.accumulate, p.grads + state_bias());
    if (g.dx != nullptr)
      product_nt(*p.k, p.rows, inputs_, 3 * h_, dgx, 3 * h_, p.params, g.dx, g.lddx, g.add_dx);
    if (!g.wanted) return;
    product_nt(*p.k, p.rows, h_, 3 * h_, dgh, 3 * h_, p.params + state_weight(), dh, h_, true);
    std::copy_n(dh, p.rows * h_, g.dstate);
  }
  Cost cost() const override { return {6 * h_ * (inputs_ + h_) + 12 * h_, 7 * h_}; }
  std::string plan() const override { return "gemm + bias (x), gemm + bias (h), gates"; }
  std::vector<std::int64_t> onnx_state() const override { return {h_}; }
  Result<std::string> to_onnx(OnnxGraph& g, const std::string& x, std::vector<std::string>& h,
                              const T* params) const override {
    const auto gx = g.dense(x, inputs_, 3 * h_, params, params + input_bias());
    const auto gh = g.dense(h[0], h_, 3 * h_, params + state_weight(), params + state_bias());
    const auto part = [&](const std::string& v, std::int64_t i) {
      return g.add("Slice", {v, g.integers({i * h_}), g.integers({(i + 1) * h_}), g.integers({1})});
    };
    const auto both = [&](std::int64_t i) { return g.add("Add", {part(gx, i), part(gh, i)}); };
    const auto mix = [&](const std::string& from, const std::string& to, const std::string& share) {
      return g.add("Add", {from, g.add("Mul", {share, g.add("Sub", {to, from})})});
    };
    if constexpr (kGate == Gate::gru) {
      const auto r = g.add("Sigmoid", {both(0)}), z = g.add("Sigmoid", {both(1)});
      const auto n = g.add("Tanh", {g.add("Add", {part(gx, 2), g.add("Mul", {r, part(gh, 2)})})});
      h[0] = mix(n, h[0], z);
    } else {
      h[0] = mix(g.add("Tanh", {both(0)}), g.add("Tanh", {both(1)}), g.add("Sigmoid", {both(2)}));
    }
    return h[0];
  }

 private:
  struct Tape {
    T *h, *gx, *gh;  // state before; activated gates; the state's part
    Tape(Carver& c, std::int64_t units, std::int64_t rows)
        : h(c.take<T>(rows * units)),
          gx(c.take<T>(rows * 3 * units)),
          gh(c.take<T>(rows * 3 * units)) {}
  };
  std::int64_t input_bias() const { return inputs_ * 3 * h_; }
  std::int64_t state_weight() const { return input_bias() + 3 * h_; }
  std::int64_t state_bias() const { return state_weight() + 3 * h_ * h_; }
  void gates(const Pass<T>& p, const T* x, std::int64_t ldx, std::int64_t width, const T* w,
             const T* b, T* out) const {
    kernels::Gemm<T> g;
    g.m = p.rows, g.n = 3 * h_, g.k = width, g.a = x, g.lda = ldx, g.b = w, g.ldb = 3 * h_,
    g.c = out;
    g.ldc = 3 * h_, g.bias = b;
    p.k->gemm(g);
  }
  void pointwise_back(const Tape& t, const StepGradient<T>& g, std::int64_t r, std::int64_t j,
                      T* dgx, T* dgh, T* dh) const {
    const std::int64_t at = r * 3 * h_ + j;
    const T a = t.gx[at], b = t.gx[at + h_], c = t.gx[at + 2 * h_];
    T d = g.dy != nullptr ? g.dy[r * g.lddy + j] : T(0);
    if (g.arrives) d += g.dstate[r * h_ + j];
    T da, db, dc;
    if constexpr (kGate == Gate::gru) {
      dc = d * (T(1) - b) * (T(1) - c * c);
      db = d * (t.h[r * h_ + j] - c) * b * (T(1) - b);
      da = dc * t.gh[at + 2 * h_] * a * (T(1) - a);
      dh[r * h_ + j] = d * b;
      dgh[at + 2 * h_] = dc * a;
    } else {
      da = d * (T(1) - c) * (T(1) - a * a);
      db = d * c * (T(1) - b * b);
      dc = d * (b - a) * c * (T(1) - c);
      dh[r * h_ + j] = T(0);
      dgh[at + 2 * h_] = dc;
    }
    dgx[at] = da, dgx[at + h_] = db, dgx[at + 2 * h_] = dc;
    dgh[at] = da, dgh[at + h_] = db;
  }

  std::int64_t h_, inputs_ = 0;
};

// h' = a h + sqrt(1 - a^2) (x B), a = exp(-exp(rate));  y = h' C + x D + d.
template <class T>
class SsmCell final : public Cell<T> {
 public:
  SsmCell(std::int64_t states, std::int64_t units) : s_(states), o_(units) {}
  std::string_view type() const override { return "ssm"; }
  Status bind(std::int64_t inputs) override {
    inputs_ = inputs;
    return {};
  }
  std::int64_t outputs() const override { return o_; }
  std::int64_t state() const override { return s_; }
  std::int64_t gradient_state() const override { return s_; }
  void init_state(T* state) const override { std::fill_n(state, s_, T(0)); }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    // exp(-exp(-3 +- 2)): memories between about 3 and 150 steps.
    out.push_back({prefix + "rate", {{s_}}, Init::uniform, 2.0, -3.0});
    out.push_back({prefix + "input", {{inputs_, s_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "output", {{s_, o_}}, Init::uniform, fan_in_scale(s_)});
    out.push_back({prefix + "skip", {{inputs_, o_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "bias", {{o_}}, Init::constant, 0.0});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    (void)Tape(c, s_, rows);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * o_);
    c.take<T>(rows * s_);
    c.take<T>(rows * s_);
    return c.used();
  }
  void forward(const Pass<T>& p, const Step<T>& s) const override {
    Carver carver(p.tape);
    const Tape t(carver, s_, p.rows);
    product(*p.k, p.rows, s_, inputs_, s.x, s.ldx, p.params + s_, t.u, s_);
    for (std::int64_t j = 0; j < s_; ++j) {
      const T a = std::exp(-std::exp(p.params[j]));
      const T gain = std::sqrt(T(1) - a * a);
      for (std::int64_t r = 0; r < p.rows; ++r) {
        t.h[r * s_ + j] = a * s.in[r][j] + gain * t.u[r * s_ + j];
        s.out[r][j] = t.h[r * s_ + j];
      }
    }
    product(*p.k, p.rows, o_, s_, t.h, s_, p.params + output(), s.y, s.ldy);
    product(*p.k, p.rows, o_, inputs_, s.x, s.ldx, p.params + skip(), s.y, s.ldy, true);
    for (std::int64_t r = 0; r < p.rows; ++r)
      p.k->axpy(o_, T(1), p.params + bias(), s.y + r * s.ldy);
  }
  void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const Tape t(tape_carver, s_, p.rows);
    T* dy = carver.take<T>(p.rows * o_);
    T* dh = carver.take<T>(p.rows * s_);
    T* du = carver.take<T>(p.rows * s_);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t j = 0; j < o_; ++j)
        dy[r * o_ + j] = g.dy != nullptr ? g.dy[r * g.lddy + j] : T(0);
    }
    product_tn(*p.k, s_, o_, p.rows, t.h, s_, dy, o_, p.grads + output(), p.accumulate);
    product_tn(*p.k, inputs_, o_, p.rows, s.x, s.ldx, dy, o_, p.grads + skip(), p.accumulate);
    p.k->column_sums(p.rows, o_, dy, p.accumulate, p.grads + bias());
    if (g.arrives) std::copy_n(g.dstate, p.rows * s_, dh);
    product_nt(*p.k, p.rows, s_, o_, dy, o_, p.params + output(), dh, s_, g.arrives);
    for (std::int64_t j = 0; j < s_; ++j) {
      const T rate = std::exp(p.params[j]);
      const T a = std::exp(-rate);
      const T gain = std::sqrt(T(1) - a * a);
      T da = 0;
      for (std::int64_t r = 0; r < p.rows; ++r) {
        const T d = dh[r * s_ + j];
        da += d * (s.in[r][j] - a / gain * t.u[r * s_ + j]);
        du[r * s_ + j] = d * gain;
        if (g.wanted) g.dstate[r * s_ + j] = d * a;
      }
      p.grads[j] = (p.accumulate ? p.grads[j] : T(0)) - da * a * rate;
    }
    product_tn(*p.k, inputs_, s_, p.rows, s.x, s.ldx, du, s_, p.grads + s_, p.accumulate);
    if (g.dx == nullptr) return;
    product_nt(*p.k, p.rows, inputs_, s_, du, s_, p.params + s_, g.dx, g.lddx, g.add_dx);
    product_nt(*p.k, p.rows, inputs_, o_, dy, o_, p.params + skip(), g.dx, g.lddx, true);
  }
  Cost cost() const override {
    return {2 * (inputs_ * s_ + s_ * o_ + inputs_ * o_) + 3 * s_, 2 * s_ + o_};
  }
  std::string plan() const override { return "gemm (x), decay, gemm (h), gemm (skip)"; }
  std::vector<std::int64_t> onnx_state() const override { return {s_}; }
  Result<std::string> to_onnx(OnnxGraph& g, const std::string& x, std::vector<std::string>& h,
                              const T* params) const override {
    std::vector<float> a, gain;
    for (std::int64_t j = 0; j < s_; ++j) {
      const double decay = std::exp(-std::exp(double(params[j])));
      a.push_back(static_cast<float>(decay));
      gain.push_back(static_cast<float>(std::sqrt(1 - decay * decay)));
    }
    const T* none = nullptr;
    const auto u = g.add(
        "Mul", {g.dense(x, inputs_, s_, params + s_, none), g.tensor("gain", {s_}, gain.data())});
    h[0] = g.add("Add", {g.add("Mul", {h[0], g.tensor("decay", {s_}, a.data())}), u});
    return g.add("Add", {g.dense(h[0], s_, o_, params + output(), none),
                         g.dense(x, inputs_, o_, params + skip(), params + bias())});
  }

 private:
  struct Tape {
    T *u, *h;
    Tape(Carver& c, std::int64_t states, std::int64_t rows)
        : u(c.take<T>(rows * states)), h(c.take<T>(rows * states)) {}
  };
  std::int64_t output() const { return s_ + inputs_ * s_; }
  std::int64_t skip() const { return output() + s_ * o_; }
  std::int64_t bias() const { return skip() + inputs_ * o_; }
  std::int64_t s_, o_, inputs_ = 0;
};

// v' = decay v (1 - s) + x W + s R + b;  s' = [v' >= 1]; the slope of the step is taken as
// (k/2) / (1 + k |v'-1|)^2. `smooth` replaces the step itself by the integral of that slope.
template <class T>
class LifCell final : public Cell<T> {
 public:
  LifCell(std::int64_t units, double decay, double slope, bool smooth)
      : h_(units), decay_(T(decay)), slope_(T(slope)), smooth_(smooth) {}
  std::string_view type() const override { return "lif"; }
  Status bind(std::int64_t inputs) override {
    inputs_ = inputs;
    return {};
  }
  std::int64_t outputs() const override { return h_; }
  std::int64_t state() const override { return 2 * h_; }
  std::int64_t gradient_state() const override { return 2 * h_; }
  void init_state(T* state) const override { std::fill_n(state, 2 * h_, T(0)); }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back(
        {prefix + "input_weight", {{inputs_, h_}}, Init::uniform, 2 * fan_in_scale(inputs_)});
    out.push_back({prefix + "state_weight", {{h_, h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "bias", {{h_}}, Init::constant, 0.1});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * h_);
    c.take<T>(rows * h_);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * h_);
    c.take<T>(rows * h_);
    return c.used();
  }
  void forward(const Pass<T>& p, const Step<T>& s) const override {
    Carver carver(p.tape);
    T* spikes = carver.take<T>(p.rows * h_);  // before
    T* v = carver.take<T>(p.rows * h_);       // after
    for (std::int64_t r = 0; r < p.rows; ++r) std::copy_n(s.in[r] + h_, h_, spikes + r * h_);
    product(*p.k, p.rows, h_, inputs_, s.x, s.ldx, p.params, v, h_);
    product(*p.k, p.rows, h_, h_, spikes, h_, p.params + inputs_ * h_, v, h_, true);
    const T* bias = p.params + (inputs_ + h_) * h_;
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t j = 0; j < h_; ++j) {
        T& potential = v[r * h_ + j];
        potential += decay_ * s.in[r][j] * (T(1) - spikes[r * h_ + j]) + bias[j];
        s.out[r][j] = potential;
        s.out[r][h_ + j] = s.y[r * s.ldy + j] = spike(potential);
      }
    }
  }
  void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const T* spikes = tape_carver.take<T>(p.rows * h_);
    const T* v = tape_carver.take<T>(p.rows * h_);
    T* dv = carver.take<T>(p.rows * h_);
    T* ds = carver.take<T>(p.rows * h_);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t j = 0; j < h_; ++j) {
        const std::int64_t at = r * h_ + j;
        T dspike = g.dy != nullptr ? g.dy[r * g.lddy + j] : T(0);
        T dpotential = 0;
        if (g.arrives)
          dspike += g.dstate[r * 2 * h_ + h_ + j], dpotential = g.dstate[r * 2 * h_ + j];
        const T u = T(1) + slope_ * std::abs(v[at] - T(1));
        dv[at] = dpotential + dspike * slope_ / (T(2) * u * u);
        ds[at] = -decay_ * s.in[r][j] * dv[at];
      }
    }
    product_tn(*p.k, inputs_, h_, p.rows, s.x, s.ldx, dv, h_, p.grads, p.accumulate);
    product_tn(*p.k, h_, h_, p.rows, spikes, h_, dv, h_, p.grads + inputs_ * h_, p.accumulate);
    p.k->column_sums(p.rows, h_, dv, p.accumulate, p.grads + (inputs_ + h_) * h_);
    if (g.dx != nullptr)
      product_nt(*p.k, p.rows, inputs_, h_, dv, h_, p.params, g.dx, g.lddx, g.add_dx);
    if (!g.wanted) return;
    product_nt(*p.k, p.rows, h_, h_, dv, h_, p.params + inputs_ * h_, ds, h_, true);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t j = 0; j < h_; ++j) {
        g.dstate[r * 2 * h_ + j] = decay_ * (T(1) - spikes[r * h_ + j]) * dv[r * h_ + j];
        g.dstate[r * 2 * h_ + h_ + j] = ds[r * h_ + j];
      }
    }
  }
  Cost cost() const override { return {2 * h_ * (inputs_ + h_) + 6 * h_, 2 * h_}; }
  std::string plan() const override { return "gemm (x), gemm (spikes), threshold"; }
  std::vector<std::int64_t> onnx_state() const override { return {h_, h_}; }
  Result<std::string> to_onnx(OnnxGraph& g, const std::string& x, std::vector<std::string>& h,
                              const T* params) const override {
    if (smooth_)
      return Error{Errc::refused, "A lif cell with \"smooth\" cannot be written as ONNX.", ""};
    const T* none = nullptr;
    const auto quiet = g.add("Sub", {g.scalar(1), h[1]});
    const auto kept = g.add("Mul", {g.add("Mul", {h[0], quiet}), g.scalar(double(decay_))});
    const auto in = g.dense(x, inputs_, h_, params, params + (inputs_ + h_) * h_);
    const auto back = g.dense(h[1], h_, h_, params + inputs_ * h_, none);
    h[0] = g.add("Add", {g.add("Add", {in, back}), kept});
    h[1] = g.add("Cast", {g.add("GreaterOrEqual", {h[0], g.scalar(1)})}, {{"to", std::int64_t{1}}});
    return h[1];
  }

 private:
  T spike(T v) const {
    if (!smooth_) return v >= T(1) ? T(1) : T(0);
    const T u = slope_ * (v - T(1));
    return T(0.5) * (T(1) + u / (T(1) + std::abs(u)));
  }
  std::int64_t h_, inputs_ = 0;
  T decay_, slope_;
  bool smooth_;
};

RecurrentOptions read_options(Config& c) {
  RecurrentOptions o;
  o.sequences = c.flag("return_sequences", false);
  o.ticks = c.integer("ticks", 1, 1, 1 << 16);
  return o;
}

template <class T, Gate kGate>
Result<LayerPtr<T>> make_gated(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, kGate == Gate::gru ? "layer gru" : "layer cfc");
  c.text("type", "");
  const auto units = c.required("units", 1, 1 << 16);
  const auto options = read_options(c);
  NEUROLENS_TRY(c.finish());
  return make_recurrent<T>(std::make_unique<GatedCell<T, kGate>>(units), options);
}

template <class T>
Result<LayerPtr<T>> make_ssm(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer ssm");
  c.text("type", "");
  const auto units = c.required("units", 1, 1 << 16);
  const auto states = c.integer("states", units, 1, 1 << 20);
  const auto options = read_options(c);
  NEUROLENS_TRY(c.finish());
  return make_recurrent<T>(std::make_unique<SsmCell<T>>(states, units), options);
}

template <class T>
Result<LayerPtr<T>> make_lif(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer lif");
  c.text("type", "");
  const auto units = c.required("units", 1, 1 << 16);
  const double decay = c.number("decay", 0.9, 0.0, 1.0);
  const double slope = c.number("slope", 4.0, 0.01, 1000.0);
  const bool smooth = c.flag("smooth", false);
  const auto options = read_options(c);
  NEUROLENS_TRY(c.finish());
  return make_recurrent<T>(std::make_unique<LifCell<T>>(units, decay, slope, smooth), options);
}

}  // namespace

template <class T>
Status add_cells(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("gru", make_gated<T, Gate::gru>));
  NEUROLENS_TRY(registry.add("cfc", make_gated<T, Gate::cfc>));
  NEUROLENS_TRY(registry.add("ssm", make_ssm<T>));
  NEUROLENS_TRY(registry.add("lif", make_lif<T>));
  return add_adaptive_cells(registry);
}
template Status add_cells(LayerRegistry<float>&);
template Status add_cells(LayerRegistry<double>&);

}  // namespace neurolens::nn
