#include "neurolens/engines/nn/model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "factories.hpp"
#include "neurolens/base/random.hpp"

namespace neurolens::nn {

template <class T>
Result<Network<T>> Network<T>::build(const json::Value& model, const Shape& input,
                                     const LayerRegistry<T>& registry) {
  Config c(model, "model");
  Network n;
  n.name_ = c.text("name", "model");
  n.seed_ = static_cast<std::uint64_t>(c.integer("seed", 1, 0, std::int64_t{1} << 62));
  const json::Value* layers = c.member("layers");
  if (layers == nullptr) c.fail(Errc::missing_key, "The model needs the key \"layers\".");
  NEUROLENS_TRY(c.finish());
  NEUROLENS_ASSIGN(n.root_, registry.make_sequence(*layers));
  n.input_ = input;
  NEUROLENS_ASSIGN(n.output_, n.root_->bind(input));
  n.root_->parameters("", n.specs_);
  n.params_ = Buffer<T>(static_cast<std::size_t>(n.root_->parameter_count()));
  n.buffers_ = Buffer<T>(static_cast<std::size_t>(n.root_->buffer_elements()));
  n.root_->init_buffers(n.buffers_.data());
  n.initialise(n.seed_);
  return n;
}

template <class T>
void Network<T>::initialise(std::uint64_t seed) {
  T* at = params_.data();
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const ParamSpec& s = specs_[i];
    Random random(seed, i);
    for (std::int64_t e = 0; e < s.shape.elements(); ++e, ++at) {
      if (s.init == Init::constant) *at = T(s.scale);
      if (s.init == Init::uniform) *at = T(s.mean + s.scale * (2 * random.uniform() - 1));
      if (s.init == Init::normal) *at = T(s.mean + s.scale * random.normal());
    }
  }
}

template <class T>
std::string Network<T>::name_of(std::int64_t index) const {
  for (const auto& s : specs_) {
    if (index < s.shape.elements()) return s.name;
    index -= s.shape.elements();
  }
  return "?";
}

template <class T>
std::string Network<T>::signature() const {
  std::string text = input_.text();
  for (const auto& s : specs_) text += " " + s.name + s.shape.text();
  return text;
}

template <class T>
StreamStates<T>::StreamStates(const Network<T>& network, std::int64_t count)
    : count_(count),
      elements_(network.root().state_elements()),
      stride_((elements_ + 15) / 16 * 16),
      root_(&network.root()),
      slots_(static_cast<std::size_t>(2 * count * stride_)),
      side_(static_cast<std::size_t>(count), 0) {
  reset_all();
}

template <class T>
const T* StreamStates<T>::present(std::int64_t stream) const {
  return slots_.data() + (2 * stream + side_[static_cast<std::size_t>(stream)]) * stride_;
}

template <class T>
T* StreamStates<T>::next(std::int64_t stream) {
  return slots_.data() + (2 * stream + 1 - side_[static_cast<std::size_t>(stream)]) * stride_;
}

template <class T>
void StreamStates<T>::commit(std::int64_t stream) {
  side_[static_cast<std::size_t>(stream)] ^= 1;
}

template <class T>
void StreamStates<T>::reset(std::int64_t stream) {
  root_->init_state(const_cast<T*>(present(stream)));
  root_->init_state(next(stream));  // parts that no step changes are right on both sides
}

template <class T>
void StreamStates<T>::reset_all() {
  for (std::int64_t s = 0; s < count_; ++s) reset(s);
}

template <class T>
std::vector<T> StreamStates<T>::save() const {
  std::vector<T> out(static_cast<std::size_t>(count_ * elements_));
  for (std::int64_t s = 0; s < count_; ++s) {
    const T* sides = slots_.data() + 2 * s * stride_;
    const T* other = sides + (present(s) == sides ? stride_ : 0);
    root_->settle_state(present(s), other, out.data() + s * elements_);
  }
  return out;
}

template <class T>
Status StreamStates<T>::load(std::span<const T> values) {
  if (static_cast<std::int64_t>(values.size()) != count_ * elements_) {
    return Error{Errc::bad_request,
                 "The saved stream states belong to another model or number of streams.", ""};
  }
  for (std::int64_t s = 0; s < count_; ++s) {
    const T* from = values.data() + s * elements_;
    std::copy_n(from, elements_, const_cast<T*>(present(s)));
    std::copy_n(from, elements_, next(s));
  }
  return {};
}

template <class T>
Plan<T>::Plan(const Network<T>& network, std::int64_t rows, const kernels::Kernels<T>& kernels)
    : network_(network),
      kernels_(kernels),
      rows_(rows),
      state_in_(static_cast<std::size_t>(rows)),
      state_out_(static_cast<std::size_t>(rows)) {
  const auto carve = [&](Carver c) {
    output_ = c.take<T>(rows * network.output().elements());
    tape_ = c.take<std::byte>(static_cast<std::int64_t>(network.root().tape_bytes(rows)));
    scratch_ = c.take<std::byte>(static_cast<std::int64_t>(network.root().scratch_bytes(rows)));
    return c.used();
  };
  arena_ = Buffer<std::byte>(carve(Carver()));
  carve(Carver(arena_.data()));
}

template <class T>
const T* Plan<T>::forward(std::int64_t rows, const T* x, bool training, const PassOptions& options,
                          StreamStates<T>* states, T* buffers) {
  assert(rows <= rows_);
  pass_ = {};
  pass_.k = &kernels_;
  pass_.rows = rows;
  pass_.training = training;
  pass_.seed = options.seed, pass_.step = options.step, pass_.streams = options.streams;
  pass_.awake = options.awake;
  pass_.params = network_.params().data();
  pass_.tape = tape_, pass_.scratch = scratch_;
  // Evaluation reads the running statistics and never writes them.
  pass_.buffers =
      buffers != nullptr || training ? buffers : const_cast<T*>(network_.buffers().data());
  if (states != nullptr && states->elements() > 0) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto stream = static_cast<std::int64_t>(pass_.stream(r));
      state_in_[static_cast<std::size_t>(r)] = states->present(stream);
      state_out_[static_cast<std::size_t>(r)] = states->next(stream);
    }
    pass_.state_in = state_in_.data(), pass_.state_out = state_out_.data();
  }
  x_ = x;
  network_.root().forward(pass_, x, output_);
  return output_;
}

template <class T>
void Plan<T>::backward(T* doutput, T* grads, bool accumulate, T* dx) {
  pass_.grads = grads;
  pass_.accumulate = accumulate;
  network_.root().backward(pass_, x_, output_, doutput, dx);
}

std::string explain(const Network<float>& network, std::int64_t rows,
                    const kernels::Kernels<float>& kernels) {
  std::string out = fmt::format("plan of \"{}\": {} rows of {}, kernels {}\n\n", network.name(),
                                rows, network.input().text(), kernels.name);
  out += fmt::format("{:<10} {:<16} {:>12} {:>12} {:>12}  {}\n", "layer", "type", "parameters",
                     "MFLOP fwd", "tape KiB", "kernels");
  std::vector<std::pair<std::string, const Layer<float>*>> layers;
  network.root().visit("", layers);
  for (const auto& [name, layer] : layers) {
    const double mflop = static_cast<double>(layer->cost().flops * rows) * 1e-6;
    const double kib = static_cast<double>(layer->tape_bytes(rows)) / 1024.0;
    out += fmt::format("{:<10} {:<16} {:>12} {:>12.3f} {:>12.1f}  {}\n", name, layer->type(),
                       layer->parameter_count(), mflop, kib, layer->plan());
  }
  const Plan<float> plan(network, rows, kernels);
  out += fmt::format(
      "\nparameters {}, state per stream {}, arena {:.1f} KiB allocated once; a step allocates "
      "nothing\n",
      network.params().size(), network.root().state_elements(),
      static_cast<double>(plan.arena_bytes()) / 1024.0);
  return out;
}

template class Network<float>;
template class Network<double>;
template class StreamStates<float>;
template class StreamStates<double>;
template class Plan<float>;
template class Plan<double>;

}  // namespace neurolens::nn
