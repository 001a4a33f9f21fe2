// Runs a cell over a sequence: samples [length, inputs], or [inputs] for a number of ticks.
// Gradients run through the whole sequence of a pass and are cut between passes (truncated
// back-propagation through as many steps as the pass has).
#include <algorithm>

#include "cell.hpp"
#include "onnx_graph.hpp"

namespace neurolens::nn {
namespace {

template <class T>
class Recurrent final : public Layer<T> {
 public:
  Recurrent(std::unique_ptr<Cell<T>> cell, RecurrentOptions options)
      : cell_(std::move(cell)), options_(options) {}
  std::string_view type() const override { return cell_->type(); }

  Result<Shape> bind(const Shape& input) override {
    if (input.rank() > 2) {
      return Error{Errc::bad_request,
                   "needs samples [length, inputs] or [inputs], not " + input.text(), ""};
    }
    sequence_ = input.rank() == 2;
    if (sequence_ && options_.ticks > 1) {
      return Error{Errc::bad_request, "has \"ticks\", which are for samples that are no sequence",
                   ""};
    }
    steps_ = sequence_ ? input.dims[0] : options_.ticks;
    inputs_ = input.dims.back();
    NEUROLENS_TRY(cell_->bind(inputs_));
    initial_.assign(static_cast<std::size_t>(cell_->state()), T(0));
    cell_->init_state(initial_.data());
    if (options_.sequences) return Shape{{steps_, cell_->outputs()}};
    return Shape{{cell_->outputs()}};
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    cell_->parameters(prefix, out);
  }
  std::int64_t state_elements() const override { return cell_->state(); }
  void init_state(T* state) const override { std::copy(initial_.begin(), initial_.end(), state); }

  void settle_state(const T* present, const T* other, T* out) const override {
    cell_->settle_state(present, other, out);
  }

  std::size_t tape_bytes(std::int64_t rows) const override {
    Carver c;
    (void)Tape(c, *this, rows);
    return c.used();
  }
  std::size_t scratch_bytes(std::int64_t rows) const override {
    Carver c;
    c.take<T>(rows * cell_->gradient_state());
    return c.used() + cell_->scratch_bytes(rows);
  }

  void forward(const Pass<T>& p, const T* x, T* y) const override {
    Carver carver(p.tape);
    const Tape tape(carver, *this, p.rows);
    connect_states(p, tape);
    Pass<T> pass = p;
    for (std::int64_t t = 0; t < steps_; ++t) {
      pass.tape = tape.cell + static_cast<std::size_t>(t) * cell_->tape_bytes(p.rows);
      cell_->forward(pass, step(p, tape, t, x, y));
    }
  }
  void backward(const Pass<T>& p, const T* x, const T* y, T* dy, T* dx) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const Tape tape(tape_carver, *this, p.rows);
    const std::int64_t n = p.rows * cell_->gradient_state();
    T* dstate = carver.take<T>(n);
    Pass<T> pass = p;
    pass.scratch = p.scratch + carver.used();
    if (steps_ > 1) std::fill_n(dstate, n, T(0));
    for (std::int64_t t = steps_; t-- > 0;) {
      const bool last = t + 1 == steps_;
      pass.tape = tape.cell + static_cast<std::size_t>(t) * cell_->tape_bytes(p.rows);
      pass.accumulate = p.accumulate || !last;
      StepGradient<T> g;
      if (options_.sequences) g.dy = dy + t * cell_->outputs(), g.lddy = steps_ * cell_->outputs();
      if (!options_.sequences && last) g.dy = dy, g.lddy = cell_->outputs();
      g.dstate = steps_ > 1 ? dstate : nullptr;
      g.arrives = !last;
      g.wanted = t > 0;
      if (dx != nullptr) {
        g.dx = sequence_ ? dx + t * inputs_ : dx;
        g.lddx = sequence_ ? steps_ * inputs_ : inputs_;
        g.add_dx = !sequence_ && !last;
      }
      cell_->backward(pass, step(p, tape, t, x, const_cast<T*>(y)), g);
    }
  }
  Cost cost() const override {
    const Cost one = cell_->cost();
    return {one.flops * steps_, one.activations * steps_};
  }
  std::string plan() const override {
    return std::to_string(steps_) + " x { " + cell_->plan() + " }";
  }

  Result<std::string> to_onnx(OnnxGraph& graph, const std::string& input, const T* params,
                              const T*) const override {
    std::vector<std::string> h, outputs;
    for (const auto width : cell_->onnx_state()) h.push_back(zero_state(graph, input, width));
    for (std::int64_t t = 0; t < steps_; ++t) {
      std::string x = input;
      if (sequence_) {
        x = graph.add("Gather", {input, graph.integers({t})}, {{"axis", std::int64_t{1}}});
        x = graph.add("Reshape", {x, graph.integers({-1, inputs_})});
      }
      NEUROLENS_ASSIGN(std::string y, cell_->to_onnx(graph, x, h, params));
      if (options_.sequences)
        y = graph.add("Reshape", {y, graph.integers({-1, 1, cell_->outputs()})});
      outputs.push_back(std::move(y));
    }
    if (!options_.sequences) return outputs.back();
    return graph.add("Concat", outputs, {{"axis", std::int64_t{1}}});
  }

 private:
  struct Tape {
    T** state;        // [(steps + 1)][rows] pointers
    T* own;           // states of this pass
    std::byte* cell;  // [steps]
    T* last;          // [rows][outputs]: where outputs that nobody keeps go
    Tape(Carver& c, const Recurrent& r, std::int64_t rows)
        : state(c.take<T*>((r.steps_ + 1) * rows)),
          own(c.take<T>((r.steps_ + 1) * rows * r.padded_state())),
          cell(c.take<std::byte>(r.steps_ * static_cast<std::int64_t>(r.cell_->tape_bytes(rows)))),
          last(c.take<T>(rows * r.cell_->outputs())) {}
  };
  std::int64_t padded_state() const { return (cell_->state() + 15) / 16 * 16; }

  // Ends of the sequence are the stream's own memory when the pass has streams.
  void connect_states(const Pass<T>& p, const Tape& tape) const {
    for (std::int64_t t = 0; t <= steps_; ++t) {
      for (std::int64_t r = 0; r < p.rows; ++r) {
        T*& at = tape.state[t * p.rows + r];
        at = tape.own + (t * p.rows + r) * padded_state();
        if (t == 0 && p.state_in != nullptr) at = const_cast<T*>(p.state_in[r]) + p.state_offset;
        if (t == 0 && p.state_in == nullptr) std::copy(initial_.begin(), initial_.end(), at);
        if (t == steps_ && p.state_out != nullptr) at = p.state_out[r] + p.state_offset;
      }
    }
  }
  Step<T> step(const Pass<T>& p, const Tape& tape, std::int64_t t, const T* x, T* y) const {
    Step<T> s;
    s.index = t;
    s.x = sequence_ ? x + t * inputs_ : x;
    s.ldx = sequence_ ? steps_ * inputs_ : inputs_;
    s.in = tape.state + t * p.rows;
    s.out = tape.state + (t + 1) * p.rows;
    if (t + 1 == steps_ && p.state_out == nullptr) s.unchanged = Unchanged::dropped;
    if (steps_ == 1 && p.state_out != nullptr) s.unchanged = Unchanged::stay;
    s.y = options_.sequences ? y + t * cell_->outputs() : (t + 1 == steps_ ? y : tape.last);
    s.ldy = options_.sequences ? steps_ * cell_->outputs() : cell_->outputs();
    return s;
  }
  // Zeros [N, width], with N taken from the input.
  std::string zero_state(OnnxGraph& graph, const std::string& input, std::int64_t width) const {
    const std::string flat =
        graph.add("Reshape", {input, graph.integers({-1, sequence_ ? steps_ * inputs_ : inputs_})});
    const std::vector<float> zeros(
        static_cast<std::size_t>((sequence_ ? steps_ : 1) * inputs_ * width), 0.0f);
    return graph.add(
        "MatMul",
        {flat, graph.tensor("zeros", {(sequence_ ? steps_ : 1) * inputs_, width}, zeros.data())});
  }

  std::unique_ptr<Cell<T>> cell_;
  RecurrentOptions options_;
  bool sequence_ = false;
  std::int64_t steps_ = 1, inputs_ = 0;
  std::vector<T> initial_;
};

}  // namespace

template <class T>
LayerPtr<T> make_recurrent(std::unique_ptr<Cell<T>> cell, RecurrentOptions options) {
  return std::make_unique<Recurrent<T>>(std::move(cell), options);
}
template LayerPtr<float> make_recurrent(std::unique_ptr<Cell<float>>, RecurrentOptions);
template LayerPtr<double> make_recurrent(std::unique_ptr<Cell<double>>, RecurrentOptions);

}  // namespace neurolens::nn
