// The adaptive cell, second version. See docs/guides/nn.md for the equations.
// Asleep nodes cost next to nothing: the kernels only see lists of awake rows, and the state of a
// sleeper stays where it is.
#include <algorithm>
#include <array>
#include <cmath>

#include "cell.hpp"
#include "factories.hpp"
#include "legacy.hpp"
#include "neurolens/engines/nn/phase.hpp"
#include "onnx_graph.hpp"
#include "product.hpp"

namespace neurolens::nn {
namespace {

constexpr unsigned kGroups[4] = {0, 2, 3, 1};  // the awake phases; sleepers last
constexpr unsigned kAsleep = 1;                // a phase
constexpr unsigned kAwayBit = 2, kAway = 1u << kAwayBit, kPhase = kAway - 1;
constexpr std::int64_t kStreams = 8;  // whose rows are listed together

// Switches that change what a step costs, never its result: for measuring what they are worth.
struct AdaptiveLayout {
  bool compaction = true;  // false: sleepers are computed too, then masked
  bool by_node = true;     // false: rows as the batch brings them, stream after stream
};

template <class T>
class AdaptiveCell final : public Cell<T> {
 public:
  AdaptiveCell(std::int64_t nodes, std::int64_t hidden, PhaseOptions phases, AdaptiveLayout layout)
      : n_(nodes), h_(hidden), phases_(phases), layout_(layout) {}
  std::string_view type() const override { return "adaptive"; }
  Status bind(std::int64_t inputs) override {
    inputs_ = inputs;
    return {};
  }
  std::int64_t outputs() const override { return n_; }
  std::int64_t gradient_state() const override { return n_ * h_; }
  // hidden states; energy, stress, debt, phase, variance, activity; the stream's clock; for each
  // node, whether its hidden state lies on the other side of the stream's double buffer
  std::int64_t state() const override { return n_ * h_ + 7 * n_ + 1; }
  void init_state(T* state) const override {
    std::fill_n(state, this->state(), T(0));
    std::fill_n(state + energy(), n_, T(phases_.energy_start));
  }
  void settle_state(const T* present, const T* other, T* out) const override {
    std::copy_n(present, state(), out);
    for (std::int64_t n = 0; n < n_; ++n) {
      if (out[away() + n] != T(0)) std::copy_n(other + n * h_, h_, out + n * h_);
      out[away() + n] = T(0);
    }
  }
  void parameters(const std::string& prefix, std::vector<ParamSpec>& out) const override {
    out.push_back({prefix + "input_weight", {{inputs_, h_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "input_bias", {{h_}}, Init::uniform, fan_in_scale(inputs_)});
    out.push_back({prefix + "weight", {{h_, h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "bias", {{h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "view", {{n_, h_}}, Init::normal, 0.5, 1.0});
    out.push_back({prefix + "read_out", {{n_, h_}}, Init::uniform, fan_in_scale(h_)});
    out.push_back({prefix + "threshold", {{n_}}, Init::constant, 0.0});
    out.push_back({prefix + "phase_scale", {{4}}, Init::constant, 0.0});
    out.push_back({prefix + "alpha", {{1}}, Init::constant, 1.0});
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

  void forward(const Pass<T>& p, const Step<T>& s) const override {
    Carver carver(p.tape);
    const Tape t(carver, *this, p.rows);
    const Parameters w(p.params, *this);
    kernels::Gemm<T> g;
    g.m = p.rows, g.n = h_, g.k = inputs_, g.a = s.x, g.lda = s.ldx, g.b = w.input_weight,
    g.ldb = h_;
    g.c = t.u, g.ldc = h_, g.bias = w.input_bias;
    p.k->gemm(g);

    if (phases_.mode == PhaseMode::controller) load_phases(p, s, t);
    if (phases_.mode == PhaseMode::dial) draw_dial(p, s, t);
    if (phases_.mode != PhaseMode::off) {
      if (s.unchanged == Unchanged::stay) mark_away(p, s, t);
      std::fill_n(t.activity, p.rows * n_, T(0));  // the kernel writes those that are awake
    }
    list_awake(p, s, t);
    const std::int64_t count = t.begin[groups()];
    for (int k = 0; k < groups(); ++k) {
      std::fill(t.gain + t.begin[k], t.gain + t.begin[k + 1], T(1) + w.phase_scale[kGroups[k]]);
    }
    kernels::AdaptiveForward<T> f;
    f.rows = {count, h_, n_, t.node, t.stream, t.in, t.out};
    f.gain = t.gain, f.w = w.weight, f.b = w.bias, f.u = t.u, f.g = w.view, f.alpha = *w.alpha,
    f.v = w.read_out;
    f.beta = w.threshold, f.activity = t.activity;
    f.variance = phases_.mode == PhaseMode::controller ? t.variance : nullptr;
    p.k->adaptive_forward(f);
    finish(p, s, t);
  }

  void backward(const Pass<T>& p, const Step<T>& s, const StepGradient<T>& g) const override {
    Carver tape_carver(p.tape), carver(p.scratch);
    const Tape t(tape_carver, *this, p.rows);
    const Scratch x(carver, *this, p.rows);
    const Parameters w(p.params, *this);
    const Gradients d(p.grads, *this);
    if (!p.accumulate)
      std::fill_n(d.weight, d.end - d.weight, T(0));  // the input part is overwritten below
    std::fill_n(x.du, p.rows * h_, T(0));
    const bool carried = g.arrives || g.wanted;
    if (carried && !g.arrives) std::fill_n(g.dstate, p.rows * n_ * h_, T(0));

    kernels::AdaptiveBackward<T> b;
    b.activity = t.activity, b.dactivity = dense_dy(p, g, x), b.u = t.u, b.g = w.view,
    b.alpha = *w.alpha;
    b.v = w.read_out, b.dw_phase = x.dw, b.db_phase = x.db, b.dg = d.view, b.dv = d.read_out;
    b.dbeta = d.threshold, b.du = x.du;
    for (int k = 0; k < groups(); ++k) {
      const std::int64_t first = t.begin[k], count = t.begin[k + 1] - first;
      if (count == 0) continue;
      b.rows = {count, h_, n_, t.node + first, t.stream + first, t.in + first, t.out + first};
      b.q = g.wanted ? x.q : nullptr;
      b.carry = nullptr;
      const bool masked =
          kGroups[k] == kAsleep;  // sleepers: a gradient of 0 goes through everything
      if (masked) {
        std::fill_n(x.masked, p.rows * n_, T(0));
        b.dactivity = x.masked;
      }
      if (carried && !masked) {
        for (std::int64_t i = first; i < first + count; ++i) {
          x.carry[i] = g.dstate + (std::int64_t{t.stream[i]} * n_ + t.node[i]) * h_;
        }
        b.carry = x.carry + first;
      }
      std::fill_n(x.dw, h_ * h_, T(0));
      std::fill_n(x.db, h_, T(0));
      p.k->adaptive_backward(b);
      const T gain = T(1) + w.phase_scale[kGroups[k]];
      d.phase_scale[kGroups[k]] += dot(h_ * h_, w.weight, x.dw) + dot(h_, w.bias, x.db);
      p.k->axpy(h_ * h_, gain, x.dw, d.weight);
      p.k->axpy(h_, gain, x.db, d.bias);
      if (g.wanted && !masked) carry_through_weight(p, w.weight, gain, b, x);
    }
    *d.alpha += dot(p.rows * h_, x.du, t.u);
    for (std::int64_t i = 0; i < p.rows * h_; ++i) x.du[i] *= *w.alpha;
    product_tn(*p.k, inputs_, h_, p.rows, s.x, s.ldx, x.du, h_, d.input_weight, p.accumulate);
    p.k->column_sums(p.rows, h_, x.du, p.accumulate, d.input_bias);
    if (g.dx != nullptr)
      product_nt(*p.k, p.rows, inputs_, h_, x.du, h_, w.input_weight, g.dx, g.lddx, g.add_dx);
  }

  Cost cost() const override {
    const std::int64_t node = 2 * h_ * h_ + 8 * h_ + 2 * h_ + 1;
    return {2 * inputs_ * h_ + n_ * node, n_ * h_ + n_};
  }
  std::string plan() const override {
    const std::string rows = layout_.compaction ? ", rows compacted" : ", sleepers masked";
    const std::string mode = phases_.mode == PhaseMode::off    ? "all awake"
                             : phases_.mode == PhaseMode::dial ? "dial" + rows
                                                               : "controller" + rows;
    return std::string("gemm + bias (x), fused product + update + read-out per block (") + mode +
           (layout_.by_node ? "" : ", rows by stream") + ")";
  }
  std::vector<std::int64_t> onnx_state() const override { return {n_ * h_}; }
  Result<std::string> to_onnx(OnnxGraph& g, const std::string& x, std::vector<std::string>& h,
                              const T* params) const override {
    if (phases_.mode == PhaseMode::controller ||
        (phases_.mode == PhaseMode::dial && phases_.awake < 1)) {
      return Error{Errc::refused,
                   "An adaptive cell whose nodes sleep draws random numbers, which ONNX cannot "
                   "repeat. Export it with "
                   "phases mode \"off\".",
                   ""};
    }
    const Parameters w(params, *this);
    const auto u = g.dense(x, inputs_, h_, w.input_weight, w.input_bias);
    const auto u3 = g.add("Reshape", {u, g.integers({-1, 1, h_})});
    std::vector<T> view(w.view, w.view + n_ * h_);
    for (auto& value : view) value *= *w.alpha;
    const auto seen = g.add("Mul", {u3, g.tensor("view", {n_, h_}, view.data())});
    const auto before = g.add("Reshape", {h[0], g.integers({-1, n_, h_})});
    const auto z = g.dense(before, h_, h_, w.weight, w.bias);
    const auto gained = g.add("Mul", {z, g.scalar(1.0 + double(w.phase_scale[0]))});
    const auto next = g.add("Tanh", {g.add("Add", {g.add("Add", {before, gained}), seen})});
    h[0] = g.add("Reshape", {next, g.integers({-1, n_ * h_})});
    const auto read = g.add("Mul", {next, g.tensor("read_out", {n_, h_}, w.read_out)});
    const auto sum = g.add("ReduceSum", {read, g.integers({2})}, {{"keepdims", std::int64_t{0}}});
    return g.add("Sigmoid", {g.add("Add", {sum, g.tensor("threshold", {n_}, w.threshold)})});
  }

 private:
  template <class P>
  struct Parts {
    P *input_weight, *input_bias, *weight, *bias, *view, *read_out, *threshold, *phase_scale,
        *alpha, *end;
    Parts(P* at, const AdaptiveCell& c)
        : input_weight(at),
          input_bias(input_weight + c.inputs_ * c.h_),
          weight(input_bias + c.h_),
          bias(weight + c.h_ * c.h_),
          view(bias + c.h_),
          read_out(view + c.n_ * c.h_),
          threshold(read_out + c.n_ * c.h_),
          phase_scale(threshold + c.n_),
          alpha(phase_scale + 4),
          end(alpha + 1) {}
  };
  using Parameters = Parts<const T>;
  using Gradients = Parts<T>;

  struct Tape {
    T *u, *activity, *variance, *gain, *uniform;
    std::uint8_t* code;  // [rows][n]: the phase, plus kAway
    std::int32_t *node, *stream;
    const T** in;
    T** out;
    std::int64_t* begin;  // of each awake group in the lists, and the end
    Tape(Carver& c, const AdaptiveCell& a, std::int64_t rows)
        : u(c.take<T>(rows * a.h_)),
          activity(c.take<T>(rows * a.n_)),
          variance(c.take<T>(rows * a.n_)),
          gain(c.take<T>(rows * a.n_)),
          uniform(c.take<T>(a.n_)),
          code(c.take<std::uint8_t>(rows * a.n_)),
          node(c.take<std::int32_t>(rows * a.n_ + 1)),  // listing writes one beyond
          stream(c.take<std::int32_t>(rows * a.n_ + 1)),
          in(c.take<const T*>(rows * a.n_ + 1)),
          out(c.take<T*>(rows * a.n_ + 1)),
          begin(c.take<std::int64_t>(5)) {}
  };
  struct Scratch {
    T *dw, *db, *du, *dy, *q, *back, *masked;
    T** carry;
    Scratch(Carver& c, const AdaptiveCell& a, std::int64_t rows)
        : dw(c.take<T>(a.h_ * a.h_)),
          db(c.take<T>(a.h_)),
          du(c.take<T>(rows * a.h_)),
          dy(c.take<T>(rows * a.n_)),
          q(c.take<T>(rows * a.n_ * a.h_)),
          back(c.take<T>(64 * a.h_)),
          masked(c.take<T>(a.groups() > 3 ? rows * a.n_ : 0)),
          carry(c.take<T*>(rows * a.n_)) {}
  };
  std::int64_t energy() const { return n_ * h_; }
  std::int64_t away() const { return n_ * h_ + 6 * n_ + 1; }

  // Uniform numbers in [0, 1) for every node, a function of (seed, step, tick, stream, node).
  void draw(const Pass<T>& p, std::int64_t tick, std::int64_t row, std::uint32_t purpose,
            T* out) const {
    const std::uint64_t stream = p.stream(row);
    kernels::UniformDraws d;
    d.counter[1] = static_cast<std::uint32_t>(p.step);
    d.counter[2] = static_cast<std::uint32_t>(stream);
    d.counter[3] = static_cast<std::uint32_t>(stream >> 32) ^ static_cast<std::uint32_t>(tick << 8);
    d.key[0] = static_cast<std::uint32_t>(p.seed) ^ p.salt;
    d.key[1] = static_cast<std::uint32_t>(p.seed >> 32) ^ purpose;
    p.k->uniform(d, n_, out);
  }
  void load_phases(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const T* phase = s.in[r] + energy() + 3 * n_;
      std::uint8_t* code = t.code + r * n_;
      for (std::int64_t n = 0; n < n_; ++n) code[n] = static_cast<std::uint8_t>(phase[n]);
    }
  }
  // Marks the nodes whose hidden state lies on the other side.
  void mark_away(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const T* mark = s.in[r] + away();
      std::uint8_t* code = t.code + r * n_;
      for (std::int64_t n = 0; n < n_; ++n)
        code[n] = static_cast<std::uint8_t>(code[n] + kAway * static_cast<std::uint8_t>(mark[n]));
    }
  }
  void draw_dial(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    const double configured = p.training ? phases_.awake_training : phases_.awake;
    const T awake = T(std::clamp(p.awake >= 0 ? p.awake : configured, 0.0, 1.0));
    // The nodes with the smallest draws wake: the share is exact, the choice random.
    const auto count = static_cast<std::int64_t>(std::lround(double(awake) * double(n_)));
    for (std::int64_t r = 0; r < p.rows; ++r) {
      std::uint8_t* code = t.code + r * n_;
      draw(p, s.index, r, 0xA1u, t.uniform);
      const T limit = count < n_ ? nth_smallest(t.uniform, count, t.gain) : T(1);
      for (std::int64_t n = 0; n < n_; ++n)
        code[n] = static_cast<std::uint8_t>(t.uniform[n] < limit ? 0 : kAsleep);
    }
  }
  // The draw that `rank` others of the n_ lie below. A histogram narrows it down to one bin, whose
  // few members are then ordered; `few` has room for n_.
  T nth_smallest(const T* draws, std::int64_t rank, T* few) const {
    constexpr std::size_t kBins = 256;
    const auto bin_of = [](T u) {
      return static_cast<std::size_t>(static_cast<int>(u * T(kBins)));
    };
    std::array<std::int32_t, kBins> bins = {};
    for (std::int64_t i = 0; i < n_; ++i) ++bins[bin_of(draws[i])];
    std::size_t bin = 0;
    for (; rank >= bins[bin]; ++bin) rank -= bins[bin];
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      few[count] = draws[i];
      count += bin_of(draws[i]) == bin ? 1 : 0;
    }
    std::nth_element(few, few + rank, few + count);
    return few[rank];
  }
  // Awake phases, and the sleepers when they are not compacted away.
  int groups() const { return phases_.mode != PhaseMode::off && !layout_.compaction ? 4 : 3; }
  // Streams whose rows are listed together, node by node, when one row in `share` of all is listed.
  std::int64_t together(std::int64_t share) const {
    return layout_.by_node ? kStreams * std::max<std::int64_t>(share, 1) : 1;
  }
  // Phase by phase; within a phase some streams at a time, and the rows of one node in them side by
  // side: so the streams' part of the sums and the node's both stay in the first-level cache.
  void list_awake(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    std::int64_t count = 0;
    for (int k = 0; k < groups(); ++k) {
      t.begin[k] = count;
      const bool never = phases_.mode == PhaseMode::dial && kGroups[k] > kAsleep;
      if (phases_.mode != PhaseMode::off) {
        if (!never) count = list_group(p, s, t, kGroups[k], count);
      } else if (k == 0) {
        list_all(p, s, t);
        count = p.rows * n_;
      }
    }
    t.begin[groups()] = count;
  }
  void list_all(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    std::int64_t at = 0;
    const std::int64_t streams = together(1);
    for (std::int64_t first = 0; first < p.rows; first += streams) {
      const std::int64_t end = std::min(first + streams, p.rows);
      for (std::int64_t n = 0; n < n_; ++n) {
        for (std::int64_t r = first; r < end; ++r, ++at) {
          t.node[at] = static_cast<std::int32_t>(n);
          t.stream[at] = static_cast<std::int32_t>(r);
          t.in[at] = s.in[r] + n * h_;
          t.out[at] = s.out[r] + n * h_;
        }
      }
    }
  }
  // The rows of one phase. Every candidate is written; only those that count advance the list.
  std::int64_t list_group(const Pass<T>& p, const Step<T>& s, const Tape& t, unsigned phase,
                          std::int64_t count) const {
    std::int64_t members = 0;
    for (std::int64_t i = 0; i < p.rows * n_; ++i) members += (t.code[i] & kPhase) == phase ? 1 : 0;
    if (members == 0) return count;
    // Where few are awake, more streams make up for it.
    const std::int64_t streams = together(p.rows * n_ / members);
    for (std::int64_t first = 0; first < p.rows; first += streams) {
      const std::int64_t end = std::min(first + streams, p.rows);
      for (std::int64_t n = 0; n < n_; ++n) {
        const std::uint8_t* code = t.code + first * n_ + n;
        for (std::int64_t r = first; r < end; ++r, code += n_) {
          const auto here = reinterpret_cast<std::uintptr_t>(s.in[r] + n * h_);
          const auto there = reinterpret_cast<std::uintptr_t>(s.out[r] + n * h_);
          // Both change places when the state is away: without a branch, which nobody could
          // foresee.
          const std::uintptr_t away = (std::uintptr_t{*code} & kAway) >> kAwayBit;
          const std::uintptr_t change = (here ^ there) & (std::uintptr_t{0} - away);
          t.node[count] = static_cast<std::int32_t>(n);
          t.stream[count] = static_cast<std::int32_t>(r);
          t.in[count] = reinterpret_cast<const T*>(here ^ change);
          t.out[count] = reinterpret_cast<T*>(there ^ change);
          count += (*code & kPhase) == phase ? 1 : 0;
        }
      }
    }
    return count;
  }
  // Outputs, states of sleepers, and the controller's turn.
  void finish(const Pass<T>& p, const Step<T>& s, const Tape& t) const {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      const T* activity = t.activity + r * n_;
      const std::uint8_t* code = t.code + r * n_;
      std::copy_n(activity, n_, s.y + r * s.ldy);
      if (phases_.mode == PhaseMode::off) continue;  // the rest of the state is as it was at first
      for (std::int64_t n = 0; n < n_ && !layout_.compaction; ++n) {
        if ((code[n] & kPhase) == kAsleep) s.y[r * s.ldy + n] = T(0);
      }
      keep_sleepers(s, r, code);
      if (phases_.mode == PhaseMode::controller) control(p, s, t, r);
    }
  }
  void keep_sleepers(const Step<T>& s, std::int64_t r, const std::uint8_t* code) const {
    T* out = s.out[r];
    if (s.unchanged ==
        Unchanged::stay) {  // the sides change places, the awake write to the new one
      for (std::int64_t n = 0; n < n_; ++n) {
        const unsigned asleep = (code[n] & kPhase) == kAsleep ? 1 : 0;
        out[away() + n] = T(((code[n] & kAway) >> kAwayBit) ^ asleep);
      }
    }
    if (s.unchanged != Unchanged::copied) return;
    for (std::int64_t n = 0; n < n_; ++n) {
      if ((code[n] & kPhase) == kAsleep) std::copy_n(s.in[r] + n * h_, h_, out + n * h_);
    }
  }
  // The controller's numbers of row r, and the phases of the next step.
  void control(const Pass<T>& p, const Step<T>& s, const Tape& t, std::int64_t r) const {
    T* node_state = s.out[r] + energy();
    std::copy_n(s.in[r] + energy(), 6 * n_ + 1, node_state);
    const std::uint8_t* code = t.code + r * n_;
    std::copy_n(s.y + r * s.ldy, n_, node_state + 5 * n_);
    for (std::int64_t n = 0; n < n_; ++n) {
      const T fresh = t.variance[r * n_ + n], old = node_state[4 * n_ + n];
      node_state[4 * n_ + n] = (code[n] & kPhase) == kAsleep ? old : fresh;
    }
    T& clock = node_state[6 * n_];
    draw(p, s.index, r, 0xC0u, t.uniform);
    kernels::PhaseState<T> state{n_,
                                 node_state,
                                 node_state + n_,
                                 node_state + 2 * n_,
                                 node_state + 3 * n_,
                                 node_state + 5 * n_,
                                 node_state + 4 * n_,
                                 t.uniform};
    p.k->phase_step(make_rules<T>(phases_, double(clock)), state);
    clock += T(1);
  }
  const T* dense_dy(const Pass<T>& p, const StepGradient<T>& g, const Scratch& x) const {
    if (g.dy != nullptr && g.lddy == n_) return g.dy;
    for (std::int64_t r = 0; r < p.rows; ++r) {
      if (g.dy == nullptr) std::fill_n(x.dy + r * n_, n_, T(0));
      if (g.dy != nullptr) std::copy_n(g.dy + r * g.lddy, n_, x.dy + r * n_);
    }
    return x.dy;
  }
  static T dot(std::int64_t n, const T* a, const T* b) {
    T s[4] = {};
    std::int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
      for (std::int64_t l = 0; l < 4; ++l) s[l] += a[i + l] * b[i + l];
    }
    for (; i < n; ++i) s[0] += a[i] * b[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
  }
  // carry += gain q W^T, a block of rows at a time.
  void carry_through_weight(const Pass<T>& p, const T* weight, T gain,
                            const kernels::AdaptiveBackward<T>& b, const Scratch& x) const {
    for (std::int64_t r = 0; r < b.rows.count; r += 64) {
      const std::int64_t count = std::min<std::int64_t>(64, b.rows.count - r);
      product_nt(*p.k, count, h_, h_, b.q + r * h_, h_, weight, x.back, h_);
      for (std::int64_t i = 0; i < count; ++i) p.k->axpy(h_, gain, x.back + i * h_, b.carry[r + i]);
    }
  }

  std::int64_t n_, h_, inputs_ = 0;
  PhaseOptions phases_;
  AdaptiveLayout layout_;
};

template <class T>
Result<LayerPtr<T>> make_adaptive(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer adaptive");
  c.text("type", "");
  const auto nodes = c.integer("nodes", 100, 1, 1 << 20);
  const auto hidden = c.integer("hidden", 64, 1, 1 << 14);
  RecurrentOptions options;
  options.sequences = c.flag("return_sequences", false);
  options.ticks = c.integer("ticks", 1, 1, 1 << 16);
  AdaptiveLayout layout;
  layout.compaction = c.flag("compaction", true);
  layout.by_node = c.choice("row_order", {"node", "stream"}, 0) == 0;
  const json::Value* phases = c.member("phases");
  NEUROLENS_TRY(c.finish());
  PhaseOptions o;
  if (phases != nullptr) {
    NEUROLENS_ASSIGN(o, read_phases(*phases));
  }
  return make_recurrent<T>(std::make_unique<AdaptiveCell<T>>(nodes, hidden, o, layout), options);
}

template <class T>
Result<LayerPtr<T>> make_legacy(const LayerRegistry<T>&, const json::Value& node) {
  Config c(node, "layer adaptive_legacy");
  c.text("type", "");
  const auto nodes = c.integer("nodes", 100, 1, 1 << 20);
  const auto hidden = c.integer("hidden", 64, 1, 1 << 14);
  RecurrentOptions options;
  options.ticks = c.integer("ticks", 1, 1, 1 << 16);
  options.sequences = c.flag("return_sequences", false);
  NEUROLENS_TRY(c.finish());
  return make_recurrent<T>(make_legacy_cell<T>(nodes, hidden), options);
}

}  // namespace

template <class T>
Status add_adaptive_cells(LayerRegistry<T>& registry) {
  NEUROLENS_TRY(registry.add("adaptive", make_adaptive<T>));
  return registry.add("adaptive_legacy", make_legacy<T>);
}
template Status add_adaptive_cells(LayerRegistry<float>&);
template Status add_adaptive_cells(LayerRegistry<double>&);

}  // namespace neurolens::nn
