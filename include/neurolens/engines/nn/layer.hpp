/// \file
/// What a layer is: a function of one batch with parameters, and its derivative.
/// A layer object is a description without mutable state: everything that changes lives in the
/// Pass, so one network can run in several threads at once. `T` is float (training) or double
/// (gradient checks). Order of calls: bind once; then any number of forward, each followed by at
/// most one backward with the same Pass memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/result.hpp"
#include "neurolens/engines/kernels/kernels.hpp"
#include "neurolens/engines/nn/tensor.hpp"

namespace neurolens::nn {

class OnnxGraph;  // onnx_export.hpp

/// How a parameter starts: constant; uniform in +-scale; normal with deviation scale (plus `mean`).
enum class Init : std::uint8_t { constant, uniform, normal };

/// One named tensor among the parameters.
struct ParamSpec {
  std::string name;  ///< Path such as "2.weight".
  Shape shape;
  Init init = Init::constant;
  double scale = 0;  ///< Constant: the value.
  double mean = 0;   ///< Added to uniform and normal draws.
};

/// Work of one sample, forward.
struct Cost {
  std::int64_t flops = 0;        ///< A multiply-add counts 2; tanh, exp and their kind count 1.
  std::int64_t activations = 0;  ///< Elements written.
};

/// One execution over `rows` samples: where everything that changes lives. Not owned.
template <class T>
struct Pass {
  const kernels::Kernels<T>* k = nullptr;
  std::int64_t rows = 0;
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;                  ///< Key of random draws, with the stream ids.
  const std::uint64_t* streams = nullptr;  ///< [rows] ids; null means 0, 1, 2, ...
  const T* params = nullptr;               ///< Of this layer.
  T* grads = nullptr;                      ///< Of this layer.
  bool accumulate = false;                 ///< Adds to grads instead of overwriting them.
  std::byte* tape = nullptr;               ///< Kept from forward to backward; tape_bytes(rows).
  std::byte* scratch = nullptr;            ///< Any content; scratch_bytes(rows).
  /// [rows] pointers to the stream state before and after; null: the layer starts from its initial
  /// state.
  const T* const* state_in = nullptr;
  T* const* state_out = nullptr;
  std::int64_t state_offset = 0;  ///< Of this layer within a stream's state.
  T* buffers = nullptr;           ///< Running statistics of this layer; written when training.
  std::uint32_t salt = 0;         ///< Tells layers apart in random draws; containers set it.
  double awake = -1;              ///< Overrides the share of awake nodes; < 0: as configured.

  [[nodiscard]] std::uint64_t stream(std::int64_t row) const {
    return streams != nullptr ? streams[row] : static_cast<std::uint64_t>(row);
  }
};

/// REQUIRED unless marked OPTIONAL.
template <class T>
class Layer {
 public:
  virtual ~Layer() = default;
  /// The registry's name.
  [[nodiscard]] virtual std::string_view type() const = 0;
  /// Fixes the input shape of one sample; returns the output shape.
  /// Errors: bad_request when the layer cannot take that shape (the caller names both layers).
  virtual Result<Shape> bind(const Shape& input) = 0;
  /// Appends the parameters in the order of their storage, names prefixed with `prefix`.
  virtual void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const = 0;
  virtual void forward(const Pass<T>& pass, const T* x, T* y) const = 0;
  /// From dL/dy to dL/dx (`dx` null: not wanted) and the gradients. `dy` may be overwritten.
  virtual void backward(const Pass<T>& pass, const T* x, const T* y, T* dy, T* dx) const = 0;
  [[nodiscard]] virtual Cost cost() const = 0;

  /// OPTIONAL. Memory for `rows` samples.
  [[nodiscard]] virtual std::size_t tape_bytes(std::int64_t rows) const {
    (void)rows;
    return 0;
  }
  [[nodiscard]] virtual std::size_t scratch_bytes(std::int64_t rows) const {
    (void)rows;
    return 0;
  }
  /// OPTIONAL. Elements of state per stream, and their start.
  [[nodiscard]] virtual std::int64_t state_elements() const { return 0; }
  virtual void init_state(T* state) const { (void)state; }
  /// OPTIONAL. Copies a stream's state to `out` in one piece. For layers that leave what a step did
  /// not change on the other side of the stream's double buffer (see StreamStates).
  virtual void settle_state(const T* present, const T* other, T* out) const {
    (void)other;
    std::copy_n(present, state_elements(), out);
  }
  /// OPTIONAL. Elements of running statistics, and their start.
  [[nodiscard]] virtual std::int64_t buffer_elements() const { return 0; }
  virtual void init_buffers(T* buffers) const { (void)buffers; }
  /// OPTIONAL. One line for the plan: which kernels, what is fused.
  [[nodiscard]] virtual std::string plan() const { return {}; }
  /// OPTIONAL. Writes the layer in inference form; returns the name of its output value.
  /// Errors: refused, when ONNX cannot say it.
  virtual Result<std::string> to_onnx(OnnxGraph& graph, const std::string& input, const T* params,
                                      const T* buffers) const;
  /// OPTIONAL. Children of a container with their parameter offsets, for listings.
  virtual void visit(const std::string& prefix,
                     std::vector<std::pair<std::string, const Layer<T>*>>& out) const {
    out.emplace_back(prefix, this);
  }

  [[nodiscard]] std::int64_t parameter_count() const {
    std::vector<ParamSpec> specs;
    parameters("", specs);
    std::int64_t n = 0;
    for (const auto& s : specs) n += s.shape.elements();
    return n;
  }
};

template <class T>
using LayerPtr = std::unique_ptr<Layer<T>>;

}  // namespace neurolens::nn
