// layer_norm (Ba, Kiros, Hinton 2016) and batch_norm (Ioffe, Szegedy 2015).
#include <algorithm>
#include <cmath>

#include "factories.hpp"
#include "onnx_graph.hpp"

namespace neurolens::nn {
namespace {

// y = gamma (x - mean) / sqrt(var + eps) + beta over the last axis.
template <class T>
class LayerNorm final : public Layer<T> {
 public:
  explicit LayerNorm(double epsilon) : epsilon_(epsilon) {}
  std::string_view type() const override { return "layer_norm"; }
  Result<Shape> bind(const Shape& input) override {
    width_ = input.dims.back();
    lead_ = input.elements() / width_;
    return input;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back({prefix + "gamma", {{width_}}, Init::constant, 1.0});
    out.push_back({prefix + "beta", {{width_}}, Init::constant, 0.0});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * lead_ * 2);
    return c.used();
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    T* stats = reinterpret_cast<T*>(p.tape);
    const T* beta = p.params + width_;
    for (std::int64_t r = 0; r < p.rows * lead_; ++r, x += width_, y += width_) {
      T mean = 0, var = 0;
      for (std::int64_t i = 0; i < width_; ++i) mean += x[i];
      mean /= T(width_);
      for (std::int64_t i = 0; i < width_; ++i) var += (x[i] - mean) * (x[i] - mean);
      const T inverse = T(1) / std::sqrt(var / T(width_) + T(epsilon_));
      stats[2 * r] = mean, stats[2 * r + 1] = inverse;
      for (std::int64_t i = 0; i < width_; ++i)
        y[i] = (x[i] - mean) * inverse * p.params[i] + beta[i];
    }
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    const T* stats = reinterpret_cast<const T*>(p.tape);
    T* dgamma = p.grads;
    T* dbeta = p.grads + width_;
    if (!p.accumulate) std::fill_n(p.grads, 2 * width_, T(0));
    for (std::int64_t r = 0; r < p.rows * lead_; ++r, x += width_, dy += width_) {
      const T mean = stats[2 * r], inverse = stats[2 * r + 1];
      T sum = 0, dot = 0;
      for (std::int64_t i = 0; i < width_; ++i) {
        const T hat = (x[i] - mean) * inverse;
        const T d = dy[i] * p.params[i];
        dgamma[i] += dy[i] * hat;
        dbeta[i] += dy[i];
        sum += d, dot += d * hat;
      }
      if (dx == nullptr) continue;
      for (std::int64_t i = 0; i < width_; ++i) {
        const T hat = (x[i] - mean) * inverse;
        dx[i] = inverse * (dy[i] * p.params[i] - sum / T(width_) - hat * dot / T(width_));
      }
      dx += width_;
    }
  }
  Cost cost() const override { return {8 * lead_ * width_, lead_ * width_}; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    return graph.add("LayerNormalization",
                     {x, graph.tensor("gamma", {width_}, params),
                      graph.tensor("beta", {width_}, params + width_)},
                     {{"axis", std::int64_t{-1}}, {"epsilon", static_cast<float>(epsilon_)}});
  }

 private:
  double epsilon_;
  std::int64_t width_ = 0, lead_ = 1;
};

template <class T>
Result<LayerPtr<T>> make_layer_norm(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer layer_norm");
  c.text("type", "");
  const double epsilon = c.number("epsilon", 1e-5, 1e-12, 1.0);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<LayerNorm<T>>(epsilon));
}

// Per channel (the first axis of a sample) over batch and space. Training uses the batch's
// statistics and moves the running ones; evaluation uses the running ones.
template <class T>
class BatchNorm final : public Layer<T> {
 public:
  BatchNorm(double epsilon, double momentum) : epsilon_(epsilon), momentum_(momentum) {}
  std::string_view type() const override { return "batch_norm"; }
  Result<Shape> bind(const Shape& input) override {
    channels_ = input.dims.front();
    space_ = input.elements() / channels_;
    return input;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back({prefix + "gamma", {{channels_}}, Init::constant, 1.0});
    out.push_back({prefix + "beta", {{channels_}}, Init::constant, 0.0});
  }
  std::int64_t buffer_elements() const override { return 2 * channels_; }
  void init_buffers(T* buffers) const override {
    std::fill_n(buffers, channels_, T(0));
    std::fill_n(buffers + channels_, channels_, T(1));
  }
  std::size_t tape_bytes(std::int64_t) const override {
    Carver c;
    c.take<T>(channels_ * 2);
    return c.used();
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    T* stats = reinterpret_cast<T*>(p.tape);
    const std::int64_t n = p.rows * space_;
    for (std::int64_t c = 0; c < channels_; ++c) {
      T mean = p.buffers != nullptr ? p.buffers[c] : T(0);
      T var = p.buffers != nullptr ? p.buffers[channels_ + c] : T(1);
      if (p.training) {
        mean = 0, var = 0;
        each(p.rows, c, [&](std::int64_t i) { mean += x[i]; });
        mean /= T(n);
        each(p.rows, c, [&](std::int64_t i) { var += (x[i] - mean) * (x[i] - mean); });
        var /= T(n);
        if (p.buffers != nullptr) {
          const T unbiased = n > 1 ? var * T(n) / T(n - 1) : var;
          p.buffers[c] += T(momentum_) * (mean - p.buffers[c]);
          p.buffers[channels_ + c] += T(momentum_) * (unbiased - p.buffers[channels_ + c]);
        }
      }
      const T inverse = T(1) / std::sqrt(var + T(epsilon_));
      stats[2 * c] = mean, stats[2 * c + 1] = inverse;
      const T gamma = p.params[c], beta = p.params[channels_ + c];
      each(p.rows, c, [&](std::int64_t i) { y[i] = (x[i] - mean) * inverse * gamma + beta; });
    }
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    const T* stats = reinterpret_cast<const T*>(p.tape);
    const T n = T(p.rows * space_);
    if (!p.accumulate) std::fill_n(p.grads, 2 * channels_, T(0));
    for (std::int64_t c = 0; c < channels_; ++c) {
      const T mean = stats[2 * c], inverse = stats[2 * c + 1], gamma = p.params[c];
      T sum = 0, dot = 0;
      each(p.rows, c,
           [&](std::int64_t i) { sum += dy[i], dot += dy[i] * (x[i] - mean) * inverse; });
      p.grads[c] += dot;
      p.grads[channels_ + c] += sum;
      if (dx == nullptr) continue;
      const T mean_sum = p.training ? sum / n : T(0), mean_dot = p.training ? dot / n : T(0);
      each(p.rows, c, [&](std::int64_t i) {
        dx[i] = gamma * inverse * (dy[i] - mean_sum - (x[i] - mean) * inverse * mean_dot);
      });
    }
  }
  Cost cost() const override { return {6 * channels_ * space_, channels_ * space_}; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T* buffers) const override {
    return graph.add("BatchNormalization",
                     {x, graph.tensor("gamma", {channels_}, params),
                      graph.tensor("beta", {channels_}, params + channels_),
                      graph.tensor("mean", {channels_}, buffers),
                      graph.tensor("variance", {channels_}, buffers + channels_)},
                     {{"epsilon", static_cast<float>(epsilon_)}});
  }

 private:
  template <class F>
  void each(std::int64_t rows, std::int64_t channel, F f) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t base = (r * channels_ + channel) * space_;
      for (std::int64_t s = 0; s < space_; ++s) f(base + s);
    }
  }
  double epsilon_, momentum_;
  std::int64_t channels_ = 0, space_ = 1;
};

template <class T>
Result<LayerPtr<T>> make_batch_norm(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer batch_norm");
  c.text("type", "");
  const double epsilon = c.number("epsilon", 1e-5, 1e-12, 1.0);
  const double momentum = c.number("momentum", 0.1, 0.0, 1.0);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<BatchNorm<T>>(epsilon, momentum));
}

}  // namespace

template <class T>
Status add_norm_layers(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("layer_norm", make_layer_norm<T>));
  return registry.add("batch_norm", make_batch_norm<T>);
}
template Status add_norm_layers(LayerRegistry<float>&);
template Status add_norm_layers(LayerRegistry<double>&);

}  // namespace neurolens::nn
