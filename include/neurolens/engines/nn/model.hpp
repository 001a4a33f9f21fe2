/// \file
/// A network with its parameters, the plan that executes it without allocating, and the state of
/// streams.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/engines/nn/layer.hpp"
#include "neurolens/engines/nn/registry.hpp"

namespace neurolens::nn {

/// Layers bound to an input shape, and the flat buffer of their parameters. Movable.
template <class T>
class Network {
 public:
  /// Builds `{name, seed, layers}`. Parameters are drawn from `seed`: the same on every machine.
  /// Errors: those of the registry; bad_request naming both layers when shapes do not fit.
  [[nodiscard]] static Result<Network> build(
      const json::Value& model, const Shape& input,
      const LayerRegistry<T>& registry = builtin_layers<T>());

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] const Shape& input() const { return input_; }
  [[nodiscard]] const Shape& output() const { return output_; }
  [[nodiscard]] const Layer<T>& root() const { return *root_; }
  /// In storage order.
  [[nodiscard]] const std::vector<ParamSpec>& specs() const { return specs_; }
  [[nodiscard]] std::span<T> params() { return {params_.data(), params_.size()}; }
  [[nodiscard]] std::span<const T> params() const { return {params_.data(), params_.size()}; }
  /// Running statistics.
  [[nodiscard]] std::span<T> buffers() { return {buffers_.data(), buffers_.size()}; }
  [[nodiscard]] std::span<const T> buffers() const { return {buffers_.data(), buffers_.size()}; }
  /// Draws all parameters anew.
  void initialise(std::uint64_t seed);
  /// The tensor that element `index` of the flat buffer belongs to, such as "0.weight".
  [[nodiscard]] std::string name_of(std::int64_t index) const;
  /// A text that is equal for networks whose parameters can be exchanged: names and shapes.
  [[nodiscard]] std::string signature() const;

 private:
  std::string name_;
  std::uint64_t seed_ = 0;
  Shape input_, output_;
  LayerPtr<T> root_;
  std::vector<ParamSpec> specs_;
  Buffer<T> params_, buffers_;
};

/// State of `count` streams, double-buffered: a pass reads the present and writes the next, which
/// becomes the present at commit(). So evaluation leaves no trace unless asked to, and a bad step
/// can be dropped. Layers may leave what did not change where it is and mark it so: the present
/// side alone need not be the whole state; save() puts it together. Not thread-safe.
template <class T>
class StreamStates {
 public:
  StreamStates(const Network<T>& network, std::int64_t count);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] const T* present(std::int64_t stream) const;
  [[nodiscard]] T* next(std::int64_t stream);
  /// Makes the next state of `stream` the present one.
  void commit(std::int64_t stream);
  void reset(std::int64_t stream);
  void reset_all();
  /// Every stream's present state, in order; count() * elements() values.
  [[nodiscard]] std::vector<T> save() const;
  /// Errors: bad_request when the size differs.
  Status load(std::span<const T> values);

 private:
  std::int64_t count_, elements_, stride_;
  const Layer<T>* root_;
  Buffer<T> slots_;
  std::vector<std::uint8_t> side_;
};

/// What one pass gets besides its input. All optional.
struct PassOptions {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  const std::uint64_t* streams = nullptr;  ///< [rows].
  double awake = -1;                       ///< Share of awake nodes; < 0: as configured.
};

/// An execution plan: every piece of memory a pass needs, laid out ahead for at most `rows`
/// samples. forward and backward do not allocate. One plan serves one thread at a time; plans of
/// one network run side by side. Keeps a reference to the network.
template <class T>
class Plan {
 public:
  Plan(const Network<T>& network, std::int64_t rows, const kernels::Kernels<T>& kernels);

  /// Output [rows][output elements], valid until the next forward. `states`, when given, are read
  /// by stream id and their next side is written (the caller commits). `buffers` (running
  /// statistics) are moved when training and not null.
  const T* forward(std::int64_t rows, const T* x, bool training, const PassOptions& options = {},
                   StreamStates<T>* states = nullptr, T* buffers = nullptr);
  /// Gradients of the last forward. `doutput` is overwritten; `dx` may be null.
  void backward(T* doutput, T* grads, bool accumulate, T* dx = nullptr);

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::size_t arena_bytes() const { return arena_.size(); }

 private:
  const Network<T>& network_;
  const kernels::Kernels<T>& kernels_;
  std::int64_t rows_;
  Buffer<std::byte> arena_;
  T* output_ = nullptr;
  std::byte* tape_ = nullptr;
  std::byte* scratch_ = nullptr;
  std::vector<const T*> state_in_;
  std::vector<T*> state_out_;
  Pass<T> pass_;
  const T* x_ = nullptr;
};

/// The plan as text: every layer with parameters, work, memory and the kernels chosen.
[[nodiscard]] std::string explain(const Network<float>& network, std::int64_t rows,
                                  const kernels::Kernels<float>& kernels);

}  // namespace neurolens::nn
