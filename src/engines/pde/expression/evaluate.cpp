// Formulas on blocks of points. What is the same for all points is computed once per block, and on
// a grid what depends on x alone once for all rows.
#include <algorithm>
#include <array>

#include "expression/program.hpp"

namespace neurolens::pde {
namespace {

using kernels::Op;
using kernels::Operand;
using kernels::operands_of;

constexpr std::size_t kBlock = 256;   // points per turn: the operands of most formulas stay in L1
constexpr std::size_t kShallow = 12;  // operands that fit on the stack of the machine

// One double and IEEE arithmetic: no vector needed. Equal to the vector form to the last bit.
bool apply_plain(Op op, double a, double b, double& out) {
  switch (op) {
    case Op::negate:
      out = -a;
      return true;
    case Op::add:
      out = a + b;
      return true;
    case Op::subtract:
      out = a - b;
      return true;
    case Op::multiply:
      out = a * b;
      return true;
    case Op::divide:
      out = a / b;
      return true;
    case Op::square:
      out = a * a;
      return true;
    default:
      return false;
  }
}

// Memory for the operands of one evaluation: on the machine's stack unless the formula is deep.
class Slots {
 public:
  explicit Slots(std::size_t depth) {
    values_ = few_values_.data();
    operands_ = few_operands_.data();
    if (depth <= kShallow) return;
    many_values_.resize(depth * kBlock);
    many_operands_.resize(depth);
    values_ = many_values_.data();
    operands_ = many_operands_.data();
  }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;
  [[nodiscard]] double* slot(std::size_t i) { return values_ + i * kBlock; }
  [[nodiscard]] Operand* operands() { return operands_; }

 private:
  alignas(64) std::array<double, kShallow * kBlock> few_values_;  // not initialised: 24 KiB
  std::array<Operand, kShallow> few_operands_;
  std::vector<double> many_values_;
  std::vector<Operand> many_operands_;
  double* values_;
  Operand* operands_;
};

// Runs code on one block; the value is left in `top`. `enter(i, operand)` may supply the value of
// the part that begins at instruction i and says where that part ends, or returns 0.
template <class Enter>
Operand run_block(const std::vector<Instruction>& code, std::size_t begin, std::size_t end,
                  std::span<const Operand> variables, std::size_t n, Slots& slots,
                  const Enter& enter) {
  Operand* const stack = slots.operands();
  std::size_t top = 0;
  for (std::size_t i = begin; i < end; ++i) {
    Operand ready;
    if (const std::size_t after = enter(i, ready); after != 0) {
      stack[top++] = ready;
      i = after - 1;
      continue;
    }
    const Instruction& in = code[i];
    if (in.op == Op::constant) {
      stack[top++] = {&in.number, true};
      continue;
    }
    if (in.op == Op::variable) {
      stack[top++] = variables[in.variable];
      continue;
    }
    const auto count = static_cast<std::size_t>(operands_of(in.op));
    std::array<Operand, 3> with{};
    std::array<double, 3> scalar{};
    bool uniform = true;
    for (std::size_t k = 0; k < count; ++k) {
      with[k] = stack[top - count + k];
      uniform = uniform && with[k].uniform;
      if (!with[k].uniform) continue;
      scalar[k] = *with[k].values;  // its slot may be the one that is written
      with[k].values = &scalar[k];
    }
    top -= count;
    double* out = slots.slot(top);
    // A value that lies in this slot is an operand of this very operation: it may be overwritten.
    if (!uniform || !apply_plain(in.op, *with[0].values, count > 1 ? *with[1].values : 0, *out))
      kernels::apply(in.op, uniform ? 1 : n, with[0], with[1], with[2], out);
    stack[top++] = {out, uniform};
  }
  return stack[top - 1];
}

void deliver(const Operand& value, std::size_t n, double* out) {
  if (value.uniform)
    std::fill_n(out, n, *value.values);
  else
    std::copy_n(value.values, n, out);
}

constexpr auto kNoParts = [](std::size_t, Operand&) { return std::size_t{0}; };

}  // namespace

void Expression::Program::analyse() {
  used.assign(variables, false);
  depth = 0;
  struct Value {
    std::size_t begin;
    bool only_first;  // of the variables
    bool moving;      // uses any
  };
  std::vector<Value> stack;
  std::vector<Part> found;
  const auto take = [&](const Value& v, std::size_t end) {
    // A lone variable or constant needs no cache.
    if (v.only_first && v.moving && end - v.begin > 1) found.push_back({v.begin, end});
  };
  for (std::size_t i = 0; i < code.size(); ++i) {
    const Instruction& in = code[i];
    Value value{i, true, false};
    if (in.op == Op::variable) {
      used[in.variable] = true;
      value.only_first = in.variable == 0;
      value.moving = true;
    }
    const auto count = static_cast<std::size_t>(operands_of(in.op));
    for (std::size_t k = 0; k < count; ++k) {
      const Value& v = stack[stack.size() - count + k];
      value.begin = std::min(value.begin, v.begin);
      value.only_first = value.only_first && v.only_first;
      value.moving = value.moving || v.moving;
    }
    if (!value.only_first)
      for (std::size_t k = 0; k < count; ++k) {
        const std::size_t at = stack.size() - count + k;
        take(stack[at], k + 1 < count ? stack[at + 1].begin : i);
      }
    stack.resize(stack.size() - count);
    stack.push_back(value);
    depth = std::max(depth, stack.size());
  }
  if (!stack.empty()) take(stack.back(), code.size());
  std::sort(found.begin(), found.end(),
            [](const Part& a, const Part& b) { return a.begin < b.begin; });
  rows = std::move(found);
}

void Expression::evaluate(std::span<const double* const> inputs,
                          std::span<const std::uint8_t> steps, std::size_t count,
                          double* out) const {
  const Program& p = *program_;
  Slots slots(p.depth);
  std::vector<Operand> variables(p.variables);
  for (std::size_t start = 0; start < count; start += kBlock) {
    const std::size_t n = std::min(kBlock, count - start);
    for (std::size_t v = 0; v < p.variables; ++v)
      variables[v] = {inputs[v] == nullptr ? nullptr : inputs[v] + (steps[v] != 0 ? start : 0),
                      steps[v] == 0};
    deliver(run_block(p.code, 0, p.code.size(), variables, n, slots, kNoParts), n, out + start);
  }
}

double Expression::evaluate(std::span<const double> values) const {
  const Program& p = *program_;
  Slots slots(p.depth);
  std::array<Operand, kShallow> few;
  std::vector<Operand> many;
  std::span<Operand> variables(few.data(), std::min(values.size(), few.size()));
  if (values.size() > few.size()) {
    many.resize(values.size());
    variables = many;
  }
  for (std::size_t v = 0; v < values.size(); ++v) variables[v] = {&values[v], true};
  return *run_block(p.code, 0, p.code.size(), variables, 1, slots, kNoParts).values;
}

void Expression::evaluate_grid(std::span<const double> x, std::span<const double> y,
                               std::span<const double> z, double t, double* out) const {
  const Program& p = *program_;
  Slots slots(p.depth);
  std::vector<Operand> variables(p.variables);
  const auto bind = [&](std::size_t v, const double* at, bool uniform) {
    if (v < p.variables) variables[v] = {at, uniform};
  };
  // What depends on x alone, for the whole row.
  std::vector<double> kept(p.rows.size() * x.size());
  for (std::size_t part = 0; part < p.rows.size(); ++part)
    for (std::size_t start = 0; start < x.size(); start += kBlock) {
      const std::size_t n = std::min(kBlock, x.size() - start);
      bind(0, x.data() + start, false);
      deliver(
          run_block(p.code, p.rows[part].begin, p.rows[part].end, variables, n, slots, kNoParts), n,
          kept.data() + part * x.size() + start);
    }
  bind(3, &t, true);
  for (const double& zk : z)
    for (const double& yj : y) {
      bind(1, &yj, true);
      bind(2, &zk, true);
      for (std::size_t start = 0; start < x.size(); start += kBlock) {
        const std::size_t n = std::min(kBlock, x.size() - start);
        bind(0, x.data() + start, false);
        std::size_t part = 0;  // the next of them
        const auto enter = [&](std::size_t i, Operand& ready) -> std::size_t {
          if (part == p.rows.size() || p.rows[part].begin != i) return 0;
          ready = {kept.data() + part * x.size() + start, false};
          return p.rows[part++].end;
        };
        deliver(run_block(p.code, 0, p.code.size(), variables, n, slots, enter), n, out);
        out += n;
      }
    }
}

bool Expression::uses(std::size_t index) const {
  return program_->used[index];
}
const std::string& Expression::text() const {
  return program_->text;
}
std::size_t Expression::operations() const {
  return static_cast<std::size_t>(
      std::count_if(program_->code.begin(), program_->code.end(),
                    [](const Instruction& i) { return operands_of(i.op) > 0; }));
}

}  // namespace neurolens::pde
