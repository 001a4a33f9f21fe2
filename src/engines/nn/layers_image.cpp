// conv2d (as a matrix product over unfolded patches) and pooling. Samples are [channels, height,
// width].
#include <algorithm>
#include <limits>

#include "factories.hpp"
#include "onnx_graph.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

struct Window {
  std::int64_t kernel = 3, stride = 1, padding = 0;
  std::int64_t channels = 0, height = 0, width = 0, out_height = 0, out_width = 0;

  Status fit(const Shape& input) {
    if (input.rank() != 3) {
      return Error{Errc::bad_request,
                   "needs samples of the form [channels, height, width], not " + input.text(), ""};
    }
    channels = input.dims[0], height = input.dims[1], width = input.dims[2];
    if (kernel > height + 2 * padding || kernel > width + 2 * padding) {
      return Error{
          Errc::bad_request,
          "has a kernel of " + std::to_string(kernel) + " that does not fit into " + input.text(),
          ""};
    }
    out_height = (height + 2 * padding - kernel) / stride + 1;
    out_width = (width + 2 * padding - kernel) / stride + 1;
    return {};
  }
  [[nodiscard]] std::int64_t outputs() const { return out_height * out_width; }
};

template <class T>
class Conv2d final : public Layer<T> {
 public:
  Conv2d(std::int64_t filters, Window window, bool bias)
      : filters_(filters), w_(window), bias_(bias) {}
  std::string_view type() const override { return "conv2d"; }
  Result<Shape> bind(const Shape& input) override {
    NEUROLENS_TRY(w_.fit(input));
    return Shape{{filters_, w_.out_height, w_.out_width}};
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    const double scale = fan_in_scale(patch());
    out.push_back(
        {prefix + "weight", {{filters_, w_.channels, w_.kernel, w_.kernel}}, Init::uniform, scale});
    if (bias_) out.push_back({prefix + "bias", {{filters_}}, Init::uniform, scale});
  }
  std::size_t scratch_bytes(std::int64_t) const override {
    Carver c;
    c.take<T>(patch() * w_.outputs());
    return c.used();
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    T* columns = reinterpret_cast<T*>(p.scratch);
    const T* bias = p.params + filters_ * patch();
    for (std::int64_t r = 0; r < p.rows; ++r) {
      T* out = y + r * filters_ * w_.outputs();
      unfold(x + r * image(), columns);
      product(*p.k, filters_, w_.outputs(), patch(), p.params, patch(), columns, out, w_.outputs());
      if (!bias_) continue;
      for (std::int64_t f = 0; f < filters_; ++f) {
        for (std::int64_t i = 0; i < w_.outputs(); ++i) out[f * w_.outputs() + i] += bias[f];
      }
    }
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    T* columns = reinterpret_cast<T*>(p.scratch);
    T* dbias = p.grads + filters_ * patch();
    if (bias_ && !p.accumulate) std::fill_n(dbias, filters_, T(0));
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const T* d = dy + r * filters_ * w_.outputs();
      unfold(x + r * image(), columns);
      product_nt(*p.k, filters_, patch(), w_.outputs(), d, w_.outputs(), columns, p.grads, patch(),
                 p.accumulate || r > 0);
      for (std::int64_t f = 0; bias_ && f < filters_; ++f) {
        dbias[f] += T(p.k->sum(w_.outputs(), d + f * w_.outputs()));
      }
      if (dx == nullptr) continue;
      product_tn(*p.k, patch(), w_.outputs(), filters_, p.params, patch(), d, w_.outputs(), columns,
                 false);
      fold(columns, dx + r * image());
    }
  }
  Cost cost() const override {
    return {filters_ * w_.outputs() * (2 * patch() + 1), filters_ * w_.outputs()};
  }
  std::string plan() const override { return "unfold, gemm + bias"; }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T* params,
                              const T*) const override {
    std::vector<std::string> inputs = {
        x, graph.tensor("weight", {filters_, w_.channels, w_.kernel, w_.kernel}, params)};
    if (bias_) inputs.push_back(graph.tensor("bias", {filters_}, params + filters_ * patch()));
    using Ints = std::vector<std::int64_t>;
    return graph.add("Conv", inputs,
                     {{"kernel_shape", Ints{w_.kernel, w_.kernel}},
                      {"strides", Ints{w_.stride, w_.stride}},
                      {"pads", Ints{w_.padding, w_.padding, w_.padding, w_.padding}}});
  }

 private:
  std::int64_t patch() const { return w_.channels * w_.kernel * w_.kernel; }
  std::int64_t image() const { return w_.channels * w_.height * w_.width; }

  // f(row of columns, output position, image offset or -1 in the padding)
  template <class F>
  void walk(F f) const {
    std::int64_t row = 0;
    for (std::int64_t c = 0; c < w_.channels; ++c) {
      for (std::int64_t ky = 0; ky < w_.kernel; ++ky) {
        for (std::int64_t kx = 0; kx < w_.kernel; ++kx, ++row) {
          for (std::int64_t oy = 0; oy < w_.out_height; ++oy) {
            const std::int64_t iy = oy * w_.stride - w_.padding + ky;
            for (std::int64_t ox = 0; ox < w_.out_width; ++ox) {
              const std::int64_t ix = ox * w_.stride - w_.padding + kx;
              const bool inside = iy >= 0 && iy < w_.height && ix >= 0 && ix < w_.width;
              f(row * w_.outputs() + oy * w_.out_width + ox,
                inside ? (c * w_.height + iy) * w_.width + ix : std::int64_t{-1});
            }
          }
        }
      }
    }
  }
  void unfold(const T* x, T* columns) const {
    walk([&](std::int64_t at, std::int64_t from) { columns[at] = from >= 0 ? x[from] : T(0); });
  }
  void fold(const T* columns, T* dx) const {
    std::fill_n(dx, image(), T(0));
    walk([&](std::int64_t at, std::int64_t from) {
      if (from >= 0) dx[from] += columns[at];
    });
  }

  std::int64_t filters_;
  Window w_;
  bool bias_;
};

Window read_window(Config& c, std::int64_t kernel, std::int64_t stride) {
  Window w;
  w.kernel = c.integer("kernel", kernel, 1, 1024);
  w.stride = c.integer("stride", stride > 0 ? stride : w.kernel, 1, 1024);
  w.padding = c.integer("padding", 0, 0, 1024);
  if (w.padding >= w.kernel)
    c.fail(Errc::out_of_range, "The padding must be smaller than the kernel.");
  return w;
}

template <class T>
Result<LayerPtr<T>> make_conv2d(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer conv2d");
  c.text("type", "");
  const auto filters = c.required("filters", 1, 1 << 16);
  const Window w = read_window(c, 3, 1);
  const bool bias = c.flag("bias", true);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Conv2d<T>>(filters, w, bias));
}

// Maximum or mean of windows; `global` takes the whole image.
template <class T>
class Pool final : public Layer<T> {
 public:
  Pool(bool maximum, bool global, Window window) : maximum_(maximum), global_(global), w_(window) {}
  std::string_view type() const override { return maximum_ ? "max_pool" : "avg_pool"; }
  Result<Shape> bind(const Shape& input) override {
    if (global_ && input.rank() == 3) {
      if (input.dims[1] != input.dims[2]) {
        return Error{Errc::bad_request,
                     "needs square images when it is global, not " + input.text(), ""};
      }
      w_.kernel = input.dims[1], w_.stride = 1, w_.padding = 0;
    }
    NEUROLENS_TRY(w_.fit(input));
    return Shape{{w_.channels, w_.out_height, w_.out_width}};
  }
  void parameters(const std::string&, std::vector<ParamSpec>&) const override {}
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    each(p.rows, [&](std::int64_t plane, std::int64_t oy, std::int64_t ox, std::int64_t at) {
      if (maximum_) {
        y[at] = x[plane + winner(x + plane, oy, ox)];
        return;
      }
      T sum = 0;
      window(oy, ox, [&](std::int64_t i) { sum += x[plane + i]; });
      y[at] = sum / T(w_.kernel * w_.kernel);
    });
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, p.rows * w_.channels * w_.height * w_.width, T(0));
    each(p.rows, [&](std::int64_t plane, std::int64_t oy, std::int64_t ox, std::int64_t at) {
      if (maximum_) {
        dx[plane + winner(x + plane, oy, ox)] += dy[at];
        return;
      }
      const T share = dy[at] / T(w_.kernel * w_.kernel);
      window(oy, ox, [&](std::int64_t i) { dx[plane + i] += share; });
    });
  }
  Cost cost() const override {
    const std::int64_t n = w_.channels * w_.outputs();
    return {n * w_.kernel * w_.kernel, n};
  }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x, const T*,
                              const T*) const override {
    using Ints = std::vector<std::int64_t>;
    std::vector<OnnxAttribute> attributes = {
        {"kernel_shape", Ints{w_.kernel, w_.kernel}},
        {"strides", Ints{w_.stride, w_.stride}},
        {"pads", Ints{w_.padding, w_.padding, w_.padding, w_.padding}}};
    if (!maximum_) attributes.push_back({"count_include_pad", std::int64_t{1}});
    return graph.add(maximum_ ? "MaxPool" : "AveragePool", {x}, attributes);
  }

 private:
  template <class F>
  void each(std::int64_t rows, F f) const {
    std::int64_t at = 0;
    for (std::int64_t plane = 0; plane < rows * w_.channels; ++plane) {
      for (std::int64_t oy = 0; oy < w_.out_height; ++oy) {
        for (std::int64_t ox = 0; ox < w_.out_width; ++ox)
          f(plane * w_.height * w_.width, oy, ox, at++);
      }
    }
  }
  template <class F>
  void window(std::int64_t oy, std::int64_t ox, F f) const {
    for (std::int64_t ky = 0; ky < w_.kernel; ++ky) {
      const std::int64_t iy = oy * w_.stride - w_.padding + ky;
      for (std::int64_t kx = 0; kx < w_.kernel; ++kx) {
        const std::int64_t ix = ox * w_.stride - w_.padding + kx;
        if (iy >= 0 && iy < w_.height && ix >= 0 && ix < w_.width) f(iy * w_.width + ix);
      }
    }
  }
  std::int64_t winner(const T* x, std::int64_t oy, std::int64_t ox) const {
    std::int64_t best = -1;
    window(oy, ox, [&](std::int64_t i) {
      if (best < 0 || x[i] > x[best]) best = i;
    });
    return best;
  }

  bool maximum_, global_;
  Window w_;
};

template <class T, bool kMaximum>
Result<LayerPtr<T>> make_pool(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, kMaximum ? "layer max_pool" : "layer avg_pool");
  c.text("type", "");
  const bool global = c.flag("global", false);
  const Window w = read_window(c, 2, 0);
  NEUROLENS_TRY(c.finish());
  return LayerPtr<T>(std::make_unique<Pool<T>>(kMaximum, global, w));
}

}  // namespace

template <class T>
Status add_image_layers(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("conv2d", make_conv2d<T>));
  NEUROLENS_TRY(registry.add("max_pool", make_pool<T, true>));
  return registry.add("avg_pool", make_pool<T, false>);
}
template Status add_image_layers(LayerRegistry<float>&);
template Status add_image_layers(LayerRegistry<double>&);

}  // namespace neurolens::nn
