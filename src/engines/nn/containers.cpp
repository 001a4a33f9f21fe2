// sequential and residual: layers made of layers.
#include <algorithm>

#include "factories.hpp"
#include "neurolens/probe/scope.hpp"
#include "onnx_graph.hpp"

namespace neurolens::nn {
namespace {

template <class T>
class Sequential : public Layer<T> {
 public:
  Sequential(std::vector<LayerPtr<T>> children, std::vector<std::string> places)
      : children_(std::move(children)), places_(std::move(places)) {}
  std::string_view type() const override { return "sequential"; }

  Result<Shape> bind(const Shape& input) override {
    Shape shape = input;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      auto out = children_[i]->bind(shape);
      if (!out.ok()) return misfit(i, std::move(out).error());
      shape = std::move(out).value();
      sizes_.push_back(shape.elements());
      const std::string label = std::to_string(i) + "." + std::string(children_[i]->type());
      forward_sites_.emplace_back((label + " forward").c_str(), "nn");
      backward_sites_.emplace_back((label + " backward").c_str(), "nn");
      param_offsets_.push_back(param_count_);
      state_offsets_.push_back(state_count_);
      buffer_offsets_.push_back(buffer_count_);
      param_count_ += children_[i]->parameter_count();
      state_count_ +=
          (children_[i]->state_elements() + 15) / 16 * 16;  // every child on a cache line
      buffer_count_ += children_[i]->buffer_elements();
    }
    return shape;
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    for (std::size_t i = 0; i < children_.size(); ++i)
      children_[i]->parameters(name(prefix, i), out);
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<Link>(count());
    for (std::size_t i = 0; i < children_.size(); ++i) {
      c.take<std::byte>(static_cast<std::int64_t>(children_[i]->tape_bytes(rows)));
      c.take<T>(rows * sizes_[i]);
    }
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * widest());
    c.take<T>(rows * widest());
    std::size_t most = 0;
    for (const auto& child : children_) most = std::max(most, child->scratch_bytes(rows));
    return c.used() + most;
  }
  std::int64_t state_elements() const override { return state_count_; }
  void init_state(T* state) const override {
    for (std::size_t i = 0; i < children_.size(); ++i)
      children_[i]->init_state(state + state_offsets_[i]);
  }
  void settle_state(const T* present, const T* other, T* out) const override {
    std::copy_n(present, state_count_, out);  // with the gaps between children
    for (std::size_t i = 0; i < children_.size(); ++i) {
      const std::int64_t at = state_offsets_[i];
      children_[i]->settle_state(present + at, other + at, out + at);
    }
  }
  std::int64_t buffer_elements() const override { return buffer_count_; }
  void init_buffers(T* buffers) const override {
    for (std::size_t i = 0; i < children_.size(); ++i)
      children_[i]->init_buffers(buffers + buffer_offsets_[i]);
  }

  void forward(const Pass<T>& p, const T* x, T* y) const override {
    Carver carver(p.tape);
    Link* links = carver.take<Link>(count());
    for (std::size_t i = 0; i < children_.size(); ++i) {
      links[i].tape =
          carver.take<std::byte>(static_cast<std::int64_t>(children_[i]->tape_bytes(p.rows)));
      T* own = carver.take<T>(p.rows * sizes_[i]);
      links[i].output = i + 1 == children_.size() ? y : own;
      const Pass<T> pass = child_pass(p, i, links[i].tape);
      const probe::Scope scope(forward_sites_[i]);
      children_[i]->forward(pass, x, links[i].output);
      x = links[i].output;
    }
  }
  void backward(const Pass<T>& p, const T* x, const T* y, T* dy, T* dx) const override {
    const Link* links = reinterpret_cast<const Link*>(p.tape);
    Carver carver(p.scratch);
    T* spare[2] = {carver.take<T>(p.rows * widest()), carver.take<T>(p.rows * widest())};
    for (std::size_t i = children_.size(); i-- > 0;) {
      const Pass<T> pass = child_pass(p, i, links[i].tape);
      const probe::Scope scope(backward_sites_[i]);
      const T* in = i == 0 ? x : links[i - 1].output;
      T* din = i == 0 ? dx : spare[i % 2];
      children_[i]->backward(pass, in, i + 1 == children_.size() ? y : links[i].output, dy, din);
      dy = din;
    }
  }
  Cost cost() const override {
    Cost total;
    for (const auto& child : children_) {
      const Cost c = child->cost();
      total.flops += c.flops, total.activations += c.activations;
    }
    return total;
  }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& input, const T* params,
                              const T* buffers) const override {
    std::string at = input;
    for (std::size_t i = 0; i < children_.size(); ++i) {
      auto out = children_[i]->to_onnx(graph, at, params + param_offsets_[i],
                                       buffers + buffer_offsets_[i]);
      if (!out.ok()) return std::move(out).error().at(places_[i]);
      at = std::move(out).value();
    }
    return at;
  }
  void visit(const std::string& prefix,
             std::vector<std::pair<std::string, const Layer<T>*>>& out) const override {
    for (std::size_t i = 0; i < children_.size(); ++i) children_[i]->visit(name(prefix, i), out);
  }

 protected:
  struct Link {
    std::byte* tape;
    T* output;
  };
  std::int64_t count() const { return static_cast<std::int64_t>(children_.size()); }
  std::int64_t widest() const { return *std::max_element(sizes_.begin(), sizes_.end()); }
  static std::string name(const std::string& prefix, std::size_t i) {
    return prefix + std::to_string(i) + ".";
  }

  Pass<T> child_pass(const Pass<T>& p, std::size_t i, std::byte* tape) const {
    Pass<T> pass = p;
    pass.params += param_offsets_[i];
    if (pass.grads != nullptr) pass.grads += param_offsets_[i];
    if (pass.buffers != nullptr) pass.buffers += buffer_offsets_[i];
    pass.state_offset += state_offsets_[i];
    pass.tape = tape;
    Carver carver;
    carver.take<T>(p.rows * widest());
    carver.take<T>(p.rows * widest());
    pass.scratch += carver.used();
    pass.salt = p.salt * 31 + static_cast<std::uint32_t>(i) + 1;
    return pass;
  }
  // "layer 1 (linear) cannot follow layer 0 (conv2d): it ..."
  Error misfit(std::size_t i, Error cause) const {
    if (cause.message.ends_with(".")) return cause;  // a child container has already said it
    const auto label = [&](std::size_t at) {
      return "layer " + std::to_string(at) + " (" + std::string(children_[at]->type()) + ")";
    };
    const std::string before = i == 0 ? "the input of the model" : label(i - 1);
    return Error{Errc::bad_request,
                 "The " + label(i) + " cannot follow " + before + ": it " + cause.message + ".",
                 places_[i]};
  }

  std::vector<LayerPtr<T>> children_;
  std::vector<std::string> places_;
  std::vector<probe::NamedSite> forward_sites_, backward_sites_;
  std::vector<std::int64_t> sizes_, param_offsets_, state_offsets_, buffer_offsets_;
  std::int64_t param_count_ = 0, state_count_ = 0, buffer_count_ = 0;
};

// y = x + f(x).
template <class T>
class Residual final : public Sequential<T> {
 public:
  using Sequential<T>::Sequential;
  std::string_view type() const override { return "residual"; }
  Result<Shape> bind(const Shape& input) override {
    NEUROLENS_ASSIGN(const Shape out, Sequential<T>::bind(input));
    if (!(out == input)) {
      return Error{Errc::bad_request,
                   "adds its input " + input.text() + " to an inner result of shape " + out.text(),
                   ""};
    }
    return out;
  }
  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * this->sizes_.back());
    return Sequential<T>::tape_bytes(rows) + c.used();
  }
  void forward(const Pass<T>& p, const T* x, T* y) const override {
    T* inner = inner_output(p);
    const std::int64_t n = p.rows * this->sizes_.back();
    Sequential<T>::forward(p, x, inner);
    for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] + inner[i];
  }
  void backward(const Pass<T>& p, const T* x, const T*, T* dy, T* dx) const override {
    const T* inner = inner_output(p);
    if (dx == nullptr) {
      Sequential<T>::backward(p, x, inner, dy, nullptr);
      return;
    }
    const std::int64_t n = p.rows * this->sizes_.back();
    T* saved = reinterpret_cast<T*>(p.scratch + Sequential<T>::scratch_bytes(p.rows));
    std::copy_n(dy, n, saved);  // dy is overwritten on the way
    Sequential<T>::backward(p, x, inner, dy, dx);
    p.k->axpy(n, T(1), saved, dx);
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * this->sizes_.back());
    return Sequential<T>::scratch_bytes(rows) + c.used();
  }
  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& input, const T* params,
                              const T* buffers) const override {
    NEUROLENS_ASSIGN(const std::string inner,
                     Sequential<T>::to_onnx(graph, input, params, buffers));
    return graph.add("Add", {input, inner});
  }

 private:
  T* inner_output(const Pass<T>& p) const {
    return reinterpret_cast<T*>(p.tape + Sequential<T>::tape_bytes(p.rows));
  }
};

template <class T, template <class> class Container>
Result<LayerPtr<T>> make_container(const LayerRegistry<T>& registry, const json::Value& node) {
  Config c(node, "container");
  c.text("type", "");
  const json::Value* layers = c.member("layers");
  if (layers == nullptr) c.fail(Errc::missing_key, "A container needs the key \"layers\".");
  NEUROLENS_TRY(c.finish());
  const auto* list = layers->as_array();
  if (list == nullptr || list->empty()) {
    return Error{Errc::wrong_type, "\"layers\" must be a list with at least one layer.",
                 place_of(*layers)};
  }
  std::vector<LayerPtr<T>> children;
  std::vector<std::string> places;
  for (const auto& child : *list) {
    NEUROLENS_ASSIGN(auto layer, registry.make(child));
    children.push_back(std::move(layer));
    places.push_back(place_of(child));
  }
  return LayerPtr<T>(std::make_unique<Container<T>>(std::move(children), std::move(places)));
}

}  // namespace

template <class T>
LayerPtr<T> make_sequential(std::vector<LayerPtr<T>> children, std::vector<std::string> places) {
  return std::make_unique<Sequential<T>>(std::move(children), std::move(places));
}
template LayerPtr<float> make_sequential(std::vector<LayerPtr<float>>, std::vector<std::string>);
template LayerPtr<double> make_sequential(std::vector<LayerPtr<double>>, std::vector<std::string>);

template <class T>
Status add_containers(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("sequential", make_container<T, Sequential>));
  return registry.add("residual", make_container<T, Residual>);
}
template Status add_containers(LayerRegistry<float>&);
template Status add_containers(LayerRegistry<double>&);

}  // namespace neurolens::nn
