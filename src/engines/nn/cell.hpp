// A cell is one step of a recurrence; Recurrent (recurrent.cpp) runs it over a sequence as a layer.
// The state of a stream is one flat array; its first `gradient_state()` elements carry gradients.
#pragma once

#include <algorithm>

#include "neurolens/engines/nn/registry.hpp"

namespace neurolens::nn {

// What becomes of parts of the state that a step does not change.
enum class Unchanged : std::uint8_t {
  copied,   // from `in` to `out`
  stay,     // in and out are the two sides of a stream: may stay where they are, marked as such
  dropped,  // nobody reads the state after this step
};

// One step of `rows` streams: the arrays that both directions share. Rows of x, y are ld apart.
template <class T>
struct Step {
  std::int64_t index = 0;  // within the sequence
  const T* x = nullptr;
  std::int64_t ldx = 0;
  const T* const* in = nullptr;  // [rows] states before
  T* const* out = nullptr;       // [rows] states after; never the same memory
  Unchanged unchanged = Unchanged::copied;
  T* y = nullptr;
  std::int64_t ldy = 0;
};

template <class T>
struct StepGradient {
  const T* dy = nullptr;  // null: no gradient arrives at this step's output
  std::int64_t lddy = 0;
  T* dstate = nullptr;   // [rows][gradient_state]: of `out` on entry, of `in` on return
  bool arrives = false;  // false: dstate is zero on entry (the last step)
  bool wanted = false;   // false: the gradient of `in` is not needed (the first step)
  T* dx = nullptr;       // null: not wanted
  std::int64_t lddx = 0;
  bool add_dx = false;  // adds to dx
};

template <class T>
class Cell {
 public:
  virtual ~Cell() = default;
  virtual std::string_view type() const = 0;
  virtual Status bind(std::int64_t inputs) = 0;
  virtual std::int64_t outputs() const = 0;
  virtual std::int64_t state() const = 0;
  virtual std::int64_t gradient_state() const = 0;
  virtual void init_state(T* state) const = 0;
  virtual void settle_state(const T* present, const T* other, T* out) const {
    (void)other;
    std::copy_n(present, state(), out);
  }
  virtual void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const = 0;
  virtual std::size_t tape_bytes(std::int64_t rows) const = 0;  // per step
  virtual std::size_t scratch_bytes(std::int64_t rows) const = 0;
  // p.params, p.grads, p.tape (of this step), p.scratch are the cell's own.
  virtual void forward(const Pass<T>& p, const Step<T>& s) const = 0;
  virtual void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const = 0;
  virtual Cost cost() const = 0;
  virtual std::string plan() const { return {}; }
  // One step in ONNX: `h` holds the names of the state values and is advanced; returns y's name.
  virtual Result<std::string> to_onnx(OnnxGraph& graph, const std::string& x,
                                      std::vector<std::string>& h, const T* params) const {
    (void)graph, (void)x, (void)h, (void)params;
    return Error{Errc::refused,
                 "The cell \"" + std::string(type()) + "\" cannot be written as ONNX.", ""};
  }
  // Widths of the state values that to_onnx starts from, all zero at first.
  virtual std::vector<std::int64_t> onnx_state() const { return {}; }
};

struct RecurrentOptions {
  bool sequences = false;  // give every step's output, not the last one's
  std::int64_t ticks = 1;  // steps with the same input when a sample is no sequence
};

template <class T>
LayerPtr<T> make_recurrent(std::unique_ptr<Cell<T>> cell, RecurrentOptions options);

template <class T>
Status add_adaptive_cells(LayerRegistry<T>& registry);

}  // namespace neurolens::nn
