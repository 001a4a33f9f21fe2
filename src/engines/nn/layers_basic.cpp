// linear, activation, dropout, flatten, embedding, position.
#include <algorithm>
#include <cmath>

#include "factories.hpp"
#include "neurolens/base/random.hpp"
#include "onnx_graph.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

using kernels::Activation;

// y = act(x W + b) on the last axis; W is stored [in][out].
template <class T>
class Linear final : public Layer<T> {
 public:
  Linear(std::int64_t units, Activation activation, bool bias)
      : units_(units), activation_(activation), bias_(bias) {}
  std::string_view type() const override { return "linear"; }
  Result<Shape> bind(const Shape& input) override {
    inputs_ = input.dims.back();
    lead_ = input.elements() / inputs_;
    Shape out = input;
    out.dims.back() = units_;
    return out;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    const double scale = fan_in_scale(inputs_);
    out.push_back({prefix + "weight", {{inputs_, units_}}, Init::uniform, scale});
    if (bias_) out.push_back({prefix + "bias", {{units_}}, Init::uniform, scale});
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    kernels::Gemm<T> g;
    g.m = p.rows * lead_, g.n = units_, g.k = inputs_;
    g.a = x, g.lda = inputs_, g.b = p.params, g.ldb = units_, g.c = y, g.ldc = units_;
    g.bias = bias_ ? p.params + inputs_ * units_ : nullptr;
    g.activation = activation_;
    p.k->gemm(g);
  }
  void backward(const Pass<T>& p, const T* x, const T* y, T* dy, T* dx) const override {
    const std::int64_t m = p.rows * lead_;
    // The fused functions say their slope by their output alone.
    if (activation_ != Activation::identity)
      p.k->activate_grad(activation_, m * units_, y, y, dy, dy);
    product_tn(*p.k, inputs_, units_, m, x, inputs_, dy, units_, p.grads, p.accumulate);
    if (bias_) p.k->column_sums(m, units_, dy, p.accumulate, p.grads + inputs_ * units_);
    if (dx != nullptr) product_nt(*p.k, m, inputs_, units_, dy, units_, p.params, dx, inputs_);
  }
  Cost cost() const override { return {lead_ * units_ * (2 * inputs_ + 1), lead_ * units_}; }
  std::string plan() const override {
    std::string text = "gemm";
    if (bias_) text += " + bias";
    if (activation_ != Activation::identity)
      text += " + " + activation_names()[static_cast<std::size_t>(activation_)];
    return text;
  }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    const auto y =
        graph.dense(x, inputs_, units_, params, bias_ ? params + inputs_ * units_ : nullptr);
    return onnx_activation(graph, static_cast<int>(activation_), y);
  }

 private:
  std::int64_t units_, inputs_ = 0, lead_ = 1;
  Activation activation_;
  bool bias_;
};

template <class T>
Result<LayerPtr<T>> make_linear(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer linear");
  c.text("type", "");
  const auto units = c.required("units", 1, 1 << 24);
  const auto activation = read_activation(c, "activation", Activation::identity);
  const bool bias = c.flag("bias", true);
  if (activation == Activation::gelu || activation == Activation::silu) {
    c.fail(Errc::bad_request,
           "The layer linear fuses relu, tanh and sigmoid; put gelu and silu into a layer of type "
           "activation.");
  }
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Linear<T>>(units, activation, bias));
}

template <class T>
class Pointwise final : public Layer<T> {
 public:
  explicit Pointwise(Activation kind) : kind_(kind) {}
  std::string_view type() const override { return "activation"; }
  Result<Shape> bind(const Shape& input) override {
    n_ = input.elements();
    return input;
  }
  void parameters(const std::string&, std::vector<ParamSpec>&) const override {}
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    p.k->activate(kind_, p.rows * n_, x, y);
  }
  void backward(const Pass<T>& p, const T* x, const T* y, T* dy, T* dx) const override {
    if (dx != nullptr) p.k->activate_grad(kind_, p.rows * n_, x, y, dy, dx);
  }
  Cost cost() const override { return {n_, n_}; }
  std::string plan() const override { return activation_names()[static_cast<std::size_t>(kind_)]; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T*,
                              const T*) const override {
    return onnx_activation(graph, static_cast<int>(kind_), x);
  }

 private:
  Activation kind_;
  std::int64_t n_ = 0;
};

template <class T>
Result<LayerPtr<T>> make_activation(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer activation");
  c.text("type", "");
  const auto kind = read_activation(c, "function", Activation::relu);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Pointwise<T>>(kind));
}

// Zeroes elements with probability `rate` in training and scales the rest by 1 / (1 - rate). The
// mask is a function of (seed, step, stream, layer, element): it is drawn again going backwards.
template <class T>
class Dropout final : public Layer<T> {
 public:
  explicit Dropout(double rate) : rate_(rate) {}
  std::string_view type() const override { return "dropout"; }
  Result<Shape> bind(const Shape& input) override {
    n_ = input.elements();
    return input;
  }
  void parameters(const std::string&, std::vector<ParamSpec>&) const override {}
  void forward(const Pass<T>& p, const T* x, T* y) const override { mask(p, x, y); }
  void backward(const Pass<T>& p, const T*, const T*, T* dy, T* dx) const override {
    if (dx != nullptr) mask(p, dy, dx);
  }
  Cost cost() const override { return {n_, n_}; }
  Result<std::string> to_onnx(OnnxGraph&, const std::string& x, const T*, const T*) const override {
    return x;
  }

 private:
  void mask(const Pass<T>& p, const T* in, T* out) const {
    if (!p.training || rate_ == 0) {
      if (in != out) std::copy_n(in, p.rows * n_, out);
      return;
    }
    const auto limit = static_cast<std::uint32_t>(rate_ * 4294967296.0);
    const T scale = T(1.0 / (1.0 - rate_));
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const std::uint64_t stream = p.stream(r);
      for (std::int64_t i = 0; i < n_; i += 4) {
        const auto words = philox4x32(
            {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(p.step),
             static_cast<std::uint32_t>(stream), 0xD0000000u ^ p.salt},
            {static_cast<std::uint32_t>(p.seed), static_cast<std::uint32_t>(p.seed >> 32)});
        for (std::int64_t l = 0; l < 4 && i + l < n_; ++l) {
          const std::int64_t at = r * n_ + i + l;
          out[at] = words[static_cast<std::size_t>(l)] < limit ? T(0) : in[at] * scale;
        }
      }
    }
  }

  double rate_;
  std::int64_t n_ = 0;
};

template <class T>
Result<LayerPtr<T>> make_dropout(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer dropout");
  c.text("type", "");
  const double rate = c.number("rate", 0.5, 0.0, 0.99);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Dropout<T>>(rate));
}

// Gives a sample another shape; the elements stay in order.
template <class T>
class Reshape final : public Layer<T> {
 public:
  Reshape(std::string name, std::vector<std::int64_t> dims)
      : name_(std::move(name)), dims_(std::move(dims)) {}
  std::string_view type() const override { return name_; }
  Result<Shape> bind(const Shape& input) override {
    n_ = input.elements();
    Shape out{dims_.empty() ? std::vector<std::int64_t>{n_} : dims_};
    if (out.elements() != n_) {
      return Error{Errc::bad_request,
                   "cannot give the shape " + out.text() + " to " + std::to_string(n_) +
                       " elements " + input.text(),
                   ""};
    }
    out_ = out;
    return out;
  }
  void parameters(const std::string&, std::vector<ParamSpec>&) const override {}
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    std::copy_n(x, p.rows * n_, y);
  }
  void backward(const Pass<T>& p, const T*, const T*, T* dy, T* dx) const override {
    if (dx != nullptr) std::copy_n(dy, p.rows * n_, dx);
  }
  Cost cost() const override { return {0, n_}; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T*,
                              const T*) const override {
    std::vector<std::int64_t> dims = {-1};
    dims.insert(dims.end(), out_.dims.begin(), out_.dims.end());
    return graph.add("Reshape", {x, graph.integers(dims)});
  }

 private:
  std::string name_;
  std::vector<std::int64_t> dims_;
  Shape out_;
  std::int64_t n_ = 0;
};

template <class T>
Result<LayerPtr<T>> make_flatten(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer flatten");
  c.text("type", "");
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Reshape<T>>("flatten", std::vector<std::int64_t>{}));
}

template <class T>
Result<LayerPtr<T>> make_reshape(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer reshape");
  c.text("type", "");
  std::vector<std::int64_t> dims;
  for (const double d : c.numbers("shape")) {
    if (!(d >= 1 && d <= 1e9))
      c.fail(Errc::out_of_range, "The extents of a reshape must be whole and at least 1.");
    dims.push_back(static_cast<std::int64_t>(d));
  }
  if (dims.empty())
    c.fail(Errc::missing_key, "The layer reshape needs \"shape\": a list of extents.");
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Reshape<T>>("reshape", dims));
}

// Rows of a table by id; ids arrive as whole numbers, and those outside [0, size) take row 0.
template <class T>
class Embedding final : public Layer<T> {
 public:
  Embedding(std::int64_t size, std::int64_t width) : size_(size), width_(width) {}
  std::string_view type() const override { return "embedding"; }
  Result<Shape> bind(const Shape& input) override {
    n_ = input.elements();
    Shape out = input;
    out.dims.push_back(width_);
    return out;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back(
        {prefix + "table", {{size_, width_}}, Init::normal, 1.0 / std::sqrt(double(width_))});
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    for (std::int64_t i = 0; i < p.rows * n_; ++i)
      std::copy_n(p.params + row(x[i]), width_, y + i * width_);
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    if (!p.accumulate) std::fill_n(p.grads, size_ * width_, T(0));
    for (std::int64_t i = 0; i < p.rows * n_; ++i)
      p.k->axpy(width_, T(1), dy + i * width_, p.grads + row(x[i]));
    if (dx != nullptr) std::fill_n(dx, p.rows * n_, T(0));  // ids have no gradient
  }
  Cost cost() const override { return {0, n_ * width_}; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    const auto ids = graph.add("Cast", {x}, {{"to", std::int64_t{7}}});
    return graph.add("Gather", {graph.tensor("table", {size_, width_}, params), ids},
                     {{"axis", std::int64_t{0}}});
  }

 private:
  std::int64_t row(T id) const {
    const auto at = static_cast<std::int64_t>(id);
    return (at >= 0 && at < size_ ? at : 0) * width_;
  }
  std::int64_t size_, width_, n_ = 0;
};

template <class T>
Result<LayerPtr<T>> make_embedding(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer embedding");
  c.text("type", "");
  const auto size = c.required("size", 1, 1 << 24);
  const auto width = c.required("width", 1, 1 << 16);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Embedding<T>>(size, width));
}

// Adds a trainable offset to every element of a sample: positions of a sequence.
template <class T>
class Position final : public Layer<T> {
 public:
  std::string_view type() const override { return "position"; }
  Result<Shape> bind(const Shape& input) override {
    shape_ = input;
    return input;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back({prefix + "offset", shape_, Init::normal, 0.02});
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    const std::int64_t n = shape_.elements();
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t i = 0; i < n; ++i) y[r * n + i] = x[r * n + i] + p.params[i];
    }
  }
  void backward(const Pass<T>& p, const T*, const T*, T* dy, T* dx) const override {
    p.k->column_sums(p.rows, shape_.elements(), dy, p.accumulate, p.grads);
    if (dx != nullptr) std::copy_n(dy, p.rows * shape_.elements(), dx);
  }
  Cost cost() const override { return {shape_.elements(), shape_.elements()}; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    return graph.add("Add", {x, graph.tensor("offset", shape_.dims, params)});
  }

 private:
  Shape shape_;
};

template <class T>
Result<LayerPtr<T>> make_position(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer position");
  c.text("type", "");
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Position<T>>());
}

}  // namespace

template <class T>
Status add_basic_layers(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("linear", make_linear<T>));
  NEUROLENS_TRY(registry.add("activation", make_activation<T>));
  NEUROLENS_TRY(registry.add("dropout", make_dropout<T>));
  NEUROLENS_TRY(registry.add("flatten", make_flatten<T>));
  NEUROLENS_TRY(registry.add("reshape", make_reshape<T>));
  NEUROLENS_TRY(registry.add("embedding", make_embedding<T>));
  return registry.add("position", make_position<T>);
}
template Status add_basic_layers(LayerRegistry<float>&);
template Status add_basic_layers(LayerRegistry<double>&);

}  // namespace neurolens::nn
