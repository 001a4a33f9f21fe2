// Multi-head attention (Vaswani et al. 2017): softmax(Q K^T / sqrt(d)) V per head, on samples
// [length, width].
#include <algorithm>
#include <cmath>

#include "factories.hpp"
#include "onnx_graph.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

template <class T>
class Attention final : public Layer<T> {
 public:
  Attention(std::int64_t heads, bool causal) : heads_(heads), causal_(causal) {}
  std::string_view type() const override { return "attention"; }
  Result<Shape> bind(const Shape& input) override {
    if (input.rank() != 2 || input.dims[1] % heads_ != 0) {
      return Error{Errc::bad_request,
                   "needs samples [length, width] with a width that " + std::to_string(heads_) +
                       " heads divide, not " + input.text(),
                   ""};
    }
    length_ = input.dims[0], width_ = input.dims[1], head_ = width_ / heads_;
    return input;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    const double scale = fan_in_scale(width_);
    out.push_back({prefix + "qkv_weight", {{width_, 3 * width_}}, Init::uniform, scale});
    out.push_back({prefix + "qkv_bias", {{3 * width_}}, Init::constant, 0.0});
    out.push_back({prefix + "out_weight", {{width_, width_}}, Init::uniform, scale});
    out.push_back({prefix + "out_bias", {{width_}}, Init::constant, 0.0});
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    (void)Tape(c, *this, rows);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    (void)Scratch(c, *this, rows);
    return c.used();
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    Carver carver(p.tape);
    const Tape t(carver, *this, p.rows);
    const std::int64_t m = p.rows * length_;
    dense(p, m, width_, 3 * width_, x, p.params, p.params + qkv_bias(), t.qkv);
    const T scale = T(1) / std::sqrt(T(head_));
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t h = 0; h < heads_; ++h) {
        const T* q = t.qkv + r * length_ * 3 * width_ + h * head_;
        T* weights = t.weights + (r * heads_ + h) * length_ * length_;
        scores(p, q, weights, scale);
        kernels::Gemm<T> g;  // mixed = weights V
        g.m = length_, g.n = head_, g.k = length_;
        g.a = weights, g.lda = length_, g.b = q + 2 * width_, g.ldb = 3 * width_;
        g.c = t.mixed + r * length_ * width_ + h * head_, g.ldc = width_;
        p.k->gemm(g);
      }
    }
    dense(p, m, width_, width_, t.mixed, p.params + out_weight(), p.params + out_bias(), y);
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    Carver tape_carver(p.tape), scratch_carver(p.scratch);
    const Tape t(tape_carver, *this, p.rows);
    const Scratch s(scratch_carver, *this, p.rows);
    const std::int64_t m = p.rows * length_;
    product_tn(*p.k, width_, width_, m, t.mixed, width_, dy, width_, p.grads + out_weight(),
               p.accumulate);
    p.k->column_sums(m, width_, dy, p.accumulate, p.grads + out_bias());
    product_nt(*p.k, m, width_, width_, dy, width_, p.params + out_weight(), s.dmixed, width_);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t h = 0; h < heads_; ++h) backward_head(p, t, s, r, h);
    }
    product_tn(*p.k, width_, 3 * width_, m, x, width_, s.dqkv, 3 * width_, p.grads, p.accumulate);
    p.k->column_sums(m, 3 * width_, s.dqkv, p.accumulate, p.grads + qkv_bias());
    if (dx != nullptr)
      product_nt(*p.k, m, width_, 3 * width_, s.dqkv, 3 * width_, p.params, dx, width_);
  }
  Cost cost() const override {
    return {length_ * (8 * width_ * width_ + 4 * length_ * width_) + heads_ * length_ * length_ * 4,
            length_ * 5 * width_};
  }
  std::string plan() const override {
    return "gemm (qkv), per head: gemm, softmax, gemm; gemm (out)";
  }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    const auto qkv = graph.dense(x, width_, 3 * width_, params, params + qkv_bias());
    const auto split = graph.add("Reshape", {qkv, graph.integers({-1, length_, 3, heads_, head_})});
    using Ints = std::vector<std::int64_t>;
    const auto part = [&](std::int64_t which,
                          Ints order) {  // [N, L, heads, head] in the given order
      const auto one =
          graph.add("Gather", {split, graph.integers({which})}, {{"axis", std::int64_t{2}}});
      const auto flat = graph.add("Reshape", {one, graph.integers({-1, length_, heads_, head_})});
      return graph.add("Transpose", {flat}, {{"perm", std::move(order)}});
    };
    auto s = graph.add("MatMul", {part(0, {0, 2, 1, 3}), part(1, {0, 2, 3, 1})});
    s = graph.add("Mul", {s, graph.scalar(1.0 / std::sqrt(double(head_)))});
    if (causal_) {
      std::vector<float> mask(static_cast<std::size_t>(length_ * length_), 0.0f);
      for (std::int64_t i = 0; i < length_; ++i) {
        std::fill_n(mask.begin() + i * length_ + i + 1, length_ - i - 1, -1e30f);
      }
      s = graph.add("Add", {s, graph.tensor("mask", {length_, length_}, mask.data())});
    }
    s = graph.add("Softmax", {s}, {{"axis", std::int64_t{-1}}});
    auto y = graph.add("MatMul", {s, part(2, {0, 2, 1, 3})});
    y = graph.add("Transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}});
    y = graph.add("Reshape", {y, graph.integers({-1, length_, width_})});
    return graph.dense(y, width_, width_, params + out_weight(), params + out_bias());
  }

 private:
  struct Tape {
    T *qkv, *weights, *mixed;
    Tape(Carver& c, const Attention& a, std::int64_t rows)
        : qkv(c.take<T>(rows * a.length_ * 3 * a.width_)),
          weights(c.take<T>(rows * a.heads_ * a.length_ * a.length_)),
          mixed(c.take<T>(rows * a.length_ * a.width_)) {}
  };
  struct Scratch {
    T *dmixed, *dqkv, *dweights;
    Scratch(Carver& c, const Attention& a, std::int64_t rows)
        : dmixed(c.take<T>(rows * a.length_ * a.width_)),
          dqkv(c.take<T>(rows * a.length_ * 3 * a.width_)),
          dweights(c.take<T>(a.length_ * a.length_)) {}
  };
  std::int64_t qkv_bias() const { return 3 * width_ * width_; }
  std::int64_t out_weight() const { return qkv_bias() + 3 * width_; }
  std::int64_t out_bias() const { return out_weight() + width_ * width_; }

  static void dense(const Pass<T>& p, std::int64_t m, std::int64_t in, std::int64_t out, const T* x,
                    const T* w, const T* b, T* y) {
    kernels::Gemm<T> g;
    g.m = m, g.n = out, g.k = in, g.a = x, g.lda = in, g.b = w, g.ldb = out, g.c = y, g.ldc = out,
    g.bias = b;
    p.k->gemm(g);
  }
  // weights = softmax(scale Q K^T), a row may look at itself and at earlier rows when causal.
  void scores(const Pass<T>& p, const T* q, T* weights, T scale) const {
    kernels::Gemm<T> g;
    g.m = length_, g.n = length_, g.k = head_;
    g.a = q, g.lda = 3 * width_, g.b = q + width_, g.ldb = 3 * width_, g.transpose_b = true;
    g.c = weights, g.ldc = length_;
    p.k->gemm(g);
    for (std::int64_t i = 0; i < length_; ++i) {
      T* row = weights + i * length_;
      const std::int64_t seen = causal_ ? i + 1 : length_;
      for (std::int64_t j = 0; j < seen; ++j) row[j] *= scale;
      p.k->softmax(1, seen, row, row);
      std::fill(row + seen, row + length_, T(0));
    }
  }
  void backward_head(const Pass<T>& p, const Tape& t, const Scratch& s, std::int64_t r,
                     std::int64_t h) const {
    const std::int64_t at = r * length_ * 3 * width_ + h * head_;
    const T* q = t.qkv + at;
    T* dq = s.dqkv + at;
    const T* weights = t.weights + (r * heads_ + h) * length_ * length_;
    const T* dmixed = s.dmixed + r * length_ * width_ + h * head_;
    kernels::Gemm<T> g;  // dV = weights^T dmixed
    g.m = length_, g.n = head_, g.k = length_, g.transpose_a = true;
    g.a = weights, g.lda = length_, g.b = dmixed, g.ldb = width_, g.c = dq + 2 * width_,
    g.ldc = 3 * width_;
    p.k->gemm(g);
    g = {};  // dweights = dmixed V^T
    g.m = length_, g.n = length_, g.k = head_, g.transpose_b = true;
    g.a = dmixed, g.lda = width_, g.b = q + 2 * width_, g.ldb = 3 * width_, g.c = s.dweights,
    g.ldc = length_;
    p.k->gemm(g);
    const T scale = T(1) / std::sqrt(T(head_));
    for (std::int64_t i = 0; i < length_; ++i) {  // through softmax and scale
      T dot = 0;
      for (std::int64_t j = 0; j < length_; ++j)
        dot += s.dweights[i * length_ + j] * weights[i * length_ + j];
      for (std::int64_t j = 0; j < length_; ++j) {
        T& d = s.dweights[i * length_ + j];
        d = scale * weights[i * length_ + j] * (d - dot);
      }
    }
    g = {};  // dQ = dweights K
    g.m = length_, g.n = head_, g.k = length_;
    g.a = s.dweights, g.lda = length_, g.b = q + width_, g.ldb = 3 * width_, g.c = dq,
    g.ldc = 3 * width_;
    p.k->gemm(g);
    g.transpose_a = true, g.b = q, g.c = dq + width_;  // dK = dweights^T Q
    p.k->gemm(g);
  }

  std::int64_t heads_, length_ = 0, width_ = 0, head_ = 0;
  bool causal_;
};

template <class T>
Result<LayerPtr<T>> make_attention(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer attention");
  c.text("type", "");
  const auto heads = c.integer("heads", 1, 1, 1024);
  const bool causal = c.flag("causal", false);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Attention<T>>(heads, causal));
}

}  // namespace

template <class T>
Status add_attention_layers(LayerRegistry<T>& registry) {
  return registry.add("attention", make_attention<T>);
}
template Status add_attention_layers(LayerRegistry<float>&);
template Status add_attention_layers(LayerRegistry<double>&);

}  // namespace neurolens::nn
