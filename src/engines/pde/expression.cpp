#include "neurolens/engines/pde/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "neurolens/base/text.hpp"

namespace neurolens::pde {
namespace {

constexpr std::size_t kBlock =
    128;  // points per turn of the stack machine: a stack of 40 stays in L1
constexpr std::size_t kLongest = 10'000;
constexpr int kDeepest = 200;

enum class Op : std::uint8_t {
  constant,
  variable,
  negate,
  add,
  subtract,
  multiply,
  divide,
  power,
  square,
  cube,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  exp,
  log,
  log10,
  log2,
  sqrt,
  cbrt,
  abs,
  floor,
  ceil,
  sign,
  step,
  erf,
  gamma,
  atan2,
  min,
  max,
  mod,
  hypot,
  select,
  clamp
};

struct Function {
  std::string_view name;
  Op op;
  int arguments;
};
constexpr Function kFunctions[] = {
    {"sin", Op::sin, 1},     {"cos", Op::cos, 1},     {"tan", Op::tan, 1},
    {"asin", Op::asin, 1},   {"acos", Op::acos, 1},   {"atan", Op::atan, 1},
    {"sinh", Op::sinh, 1},   {"cosh", Op::cosh, 1},   {"tanh", Op::tanh, 1},
    {"exp", Op::exp, 1},     {"log", Op::log, 1},     {"ln", Op::log, 1},
    {"log10", Op::log10, 1}, {"log2", Op::log2, 1},   {"sqrt", Op::sqrt, 1},
    {"cbrt", Op::cbrt, 1},   {"abs", Op::abs, 1},     {"floor", Op::floor, 1},
    {"ceil", Op::ceil, 1},   {"sign", Op::sign, 1},   {"step", Op::step, 1},
    {"erf", Op::erf, 1},     {"gamma", Op::gamma, 1}, {"atan2", Op::atan2, 2},
    {"min", Op::min, 2},     {"max", Op::max, 2},     {"mod", Op::mod, 2},
    {"hypot", Op::hypot, 2}, {"pow", Op::power, 2},   {"if", Op::select, 3},
    {"clamp", Op::clamp, 3}};

struct Instruction {
  Op op;
  std::uint8_t variable = 0;
  double number = 0;
};

int operands_of(Op op) {
  if (op == Op::constant || op == Op::variable) return 0;
  if (op == Op::select || op == Op::clamp) return 3;
  if (op == Op::negate || op == Op::square || op == Op::cube || (op >= Op::sin && op <= Op::gamma))
    return 1;
  return 2;
}

template <class F>
void map1(double* a, std::size_t n, F f) {
  for (std::size_t i = 0; i < n; ++i) a[i] = f(a[i]);
}
template <class F>
void map2(double* a, const double* b, std::size_t n, F f) {
  for (std::size_t i = 0; i < n; ++i) a[i] = f(a[i], b[i]);
}

void apply1(Op op, double* a, std::size_t n) {
  switch (op) {
    case Op::negate:
      map1(a, n, [](double v) { return -v; });
      break;
    case Op::square:
      map1(a, n, [](double v) { return v * v; });
      break;
    case Op::cube:
      map1(a, n, [](double v) { return v * v * v; });
      break;
    case Op::sin:
      map1(a, n, [](double v) { return std::sin(v); });
      break;
    case Op::cos:
      map1(a, n, [](double v) { return std::cos(v); });
      break;
    case Op::tan:
      map1(a, n, [](double v) { return std::tan(v); });
      break;
    case Op::asin:
      map1(a, n, [](double v) { return std::asin(v); });
      break;
    case Op::acos:
      map1(a, n, [](double v) { return std::acos(v); });
      break;
    case Op::atan:
      map1(a, n, [](double v) { return std::atan(v); });
      break;
    case Op::sinh:
      map1(a, n, [](double v) { return std::sinh(v); });
      break;
    case Op::cosh:
      map1(a, n, [](double v) { return std::cosh(v); });
      break;
    case Op::tanh:
      map1(a, n, [](double v) { return std::tanh(v); });
      break;
    case Op::exp:
      map1(a, n, [](double v) { return std::exp(v); });
      break;
    case Op::log:
      map1(a, n, [](double v) { return std::log(v); });
      break;
    case Op::log10:
      map1(a, n, [](double v) { return std::log10(v); });
      break;
    case Op::log2:
      map1(a, n, [](double v) { return std::log2(v); });
      break;
    case Op::sqrt:
      map1(a, n, [](double v) { return std::sqrt(v); });
      break;
    case Op::cbrt:
      map1(a, n, [](double v) { return std::cbrt(v); });
      break;
    case Op::abs:
      map1(a, n, [](double v) { return std::fabs(v); });
      break;
    case Op::floor:
      map1(a, n, [](double v) { return std::floor(v); });
      break;
    case Op::ceil:
      map1(a, n, [](double v) { return std::ceil(v); });
      break;
    case Op::sign:
      map1(a, n, [](double v) { return v > 0 ? 1.0 : (v < 0 ? -1.0 : v); });
      break;
    case Op::step:
      map1(a, n, [](double v) { return v >= 0 ? 1.0 : 0.0; });
      break;
    case Op::erf:
      map1(a, n, [](double v) { return std::erf(v); });
      break;
    case Op::gamma:
      map1(a, n, [](double v) { return std::tgamma(v); });
      break;
    default:
      break;
  }
}

void apply2(Op op, double* a, const double* b, std::size_t n) {
  switch (op) {
    case Op::add:
      map2(a, b, n, [](double u, double v) { return u + v; });
      break;
    case Op::subtract:
      map2(a, b, n, [](double u, double v) { return u - v; });
      break;
    case Op::multiply:
      map2(a, b, n, [](double u, double v) { return u * v; });
      break;
    case Op::divide:
      map2(a, b, n, [](double u, double v) { return u / v; });
      break;
    case Op::power:
      map2(a, b, n, [](double u, double v) { return std::pow(u, v); });
      break;
    case Op::less:
      map2(a, b, n, [](double u, double v) { return u < v ? 1.0 : 0.0; });
      break;
    case Op::less_equal:
      map2(a, b, n, [](double u, double v) { return u <= v ? 1.0 : 0.0; });
      break;
    case Op::greater:
      map2(a, b, n, [](double u, double v) { return u > v ? 1.0 : 0.0; });
      break;
    case Op::greater_equal:
      map2(a, b, n, [](double u, double v) { return u >= v ? 1.0 : 0.0; });
      break;
    case Op::equal:
      map2(a, b, n, [](double u, double v) { return u == v ? 1.0 : 0.0; });
      break;
    case Op::not_equal:
      map2(a, b, n, [](double u, double v) { return u != v ? 1.0 : 0.0; });
      break;
    case Op::atan2:
      map2(a, b, n, [](double u, double v) { return std::atan2(u, v); });
      break;
    case Op::min:
      map2(a, b, n, [](double u, double v) { return std::fmin(u, v); });
      break;
    case Op::max:
      map2(a, b, n, [](double u, double v) { return std::fmax(u, v); });
      break;
    case Op::mod:
      map2(a, b, n, [](double u, double v) { return u - v * std::floor(u / v); });
      break;
    case Op::hypot:
      map2(a, b, n, [](double u, double v) { return std::hypot(u, v); });
      break;
    default:
      break;
  }
}

void apply3(Op op, double* a, const double* b, const double* c, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    a[i] = op == Op::select ? (a[i] != 0 ? b[i] : c[i]) : std::fmin(std::fmax(a[i], b[i]), c[i]);
}

const std::vector<std::string>& space_and_time() {
  static const std::vector<std::string> names{"x", "y", "z", "t"};
  return names;
}

}  // namespace

struct Expression::Program {
  std::string text;
  std::vector<Instruction> code;
  std::size_t depth = 0;
  std::size_t variables = 0;
  std::vector<bool> used;
};

// Recursive descent; every method leaves the code of what it read at the end of `code_`.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, std::span<const std::string> variables)
      : text_(text), variables_(variables) {}

  Result<Expression> run() {
    if (text_.size() > kLongest)
      return Error{Errc::too_large,
                   fmt::format("An expression has at most {} characters.", kLongest), ""};
    comparison();
    skip_space();
    if (!failed_ && at_ < text_.size())
      fail(fmt::format("Unexpected '{}'.", printable(text_.substr(at_, 1))));
    if (failed_) return std::move(error_);
    auto program = std::make_shared<Expression::Program>();
    program->text = text_;
    program->code = std::move(code_);
    program->variables = variables_.size();
    program->used.assign(variables_.size(), false);
    std::size_t depth = 0;
    for (const Instruction& i : program->code) {
      if (i.op == Op::variable) program->used[i.variable] = true;
      depth = depth + 1 - static_cast<std::size_t>(operands_of(i.op));
      program->depth = std::max(program->depth, depth);
    }
    return Expression(std::move(program));
  }

 private:
  void fail(std::string message, std::size_t place) {
    if (failed_) return;
    failed_ = true;
    error_ = Error{Errc::parse_error, std::move(message), fmt::format("column {}", place + 1)};
  }
  void fail(std::string message) { fail(std::move(message), at_); }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n'))
      ++at_;
  }
  bool take(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  // Folds operations on constants as they are emitted.
  void emit(Op op) {
    if (failed_) return;
    const auto operands = static_cast<std::size_t>(operands_of(op));
    bool constant = operands > 0 && code_.size() >= operands;
    for (std::size_t i = 0; constant && i < operands; ++i)
      constant = code_[code_.size() - 1 - i].op == Op::constant;
    if (!constant) {
      code_.push_back({op});
      return;
    }
    std::array<double, 3> value{};
    for (std::size_t i = 0; i < operands; ++i) value[i] = code_[code_.size() - operands + i].number;
    if (operands == 1) apply1(op, value.data(), 1);
    if (operands == 2) apply2(op, value.data(), value.data() + 1, 1);
    if (operands == 3) apply3(op, value.data(), value.data() + 1, value.data() + 2, 1);
    code_.resize(code_.size() - operands);
    code_.push_back({Op::constant, 0, value[0]});
  }

  void comparison() {
    sum();
    for (;;) {
      Op op{};
      if (take("<="))
        op = Op::less_equal;
      else if (take(">="))
        op = Op::greater_equal;
      else if (take("=="))
        op = Op::equal;
      else if (take("!="))
        op = Op::not_equal;
      else if (take("<"))
        op = Op::less;
      else if (take(">"))
        op = Op::greater;
      else
        return;
      sum();
      emit(op);
      if (failed_) return;
    }
  }
  void sum() {
    product();
    while (!failed_) {
      if (take("+")) {
        product();
        emit(Op::add);
      } else if (take("-")) {
        product();
        emit(Op::subtract);
      } else
        return;
    }
  }
  void product() {
    unary();
    while (!failed_) {
      if (take("**")) {
        fail("Powers are written with ^.");
        return;
      }
      if (take("*")) {
        unary();
        emit(Op::multiply);
      } else if (take("/")) {
        unary();
        emit(Op::divide);
      } else
        return;
    }
  }
  void unary() {
    if (++depth_ > kDeepest) fail(fmt::format("Nested deeper than {} levels.", kDeepest));
    if (!failed_) {
      if (take("-")) {
        unary();
        emit(Op::negate);
      } else if (take("+"))
        unary();
      else
        power();
    }
    --depth_;
  }
  void power() {
    primary();
    if (failed_ || !take("^")) return;
    unary();  // right-associative, and 2^-x is allowed
    if (failed_) return;
    if (code_.back().op == Op::constant && code_.size() > 1 &&
        code_[code_.size() - 2].op != Op::constant) {
      const double exponent = code_.back().number;
      if (exponent == 2.0 || exponent == 3.0) {
        code_.pop_back();
        emit(exponent == 2.0 ? Op::square : Op::cube);
        return;
      }
    }
    emit(Op::power);
  }
  void primary() {
    skip_space();
    if (at_ >= text_.size()) return fail("The expression ends where a value is expected.");
    const char c = text_[at_];
    if (take("(")) {
      comparison();
      if (!failed_ && !take(")")) fail("A ')' is missing.");
      return;
    }
    if ((c >= '0' && c <= '9') || c == '.') return number();
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return name();
    fail(fmt::format("Unexpected '{}'.", printable(text_.substr(at_, 1))));
  }
  void number() {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc{}) return fail("This is not a number.");
    at_ = static_cast<std::size_t>(end - text_.data());
    code_.push_back({Op::constant, 0, value});
  }
  void name() {
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'))
      ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    for (std::size_t v = 0; v < variables_.size(); ++v)
      if (variables_[v] == word) {
        code_.push_back({Op::variable, static_cast<std::uint8_t>(v), 0});
        return;
      }
    if (word == "pi") return code_.push_back({Op::constant, 0, std::numbers::pi});
    if (word == "e") return code_.push_back({Op::constant, 0, std::numbers::e});
    for (const Function& f : kFunctions)
      if (f.name == word) return call(f, start);
    std::vector<std::string> known(variables_.begin(), variables_.end());
    known.emplace_back("pi");
    known.emplace_back("e");
    for (const Function& f : kFunctions) known.emplace_back(f.name);
    std::string variables;
    for (const std::string& v : variables_) variables += (variables.empty() ? "" : ", ") + v;
    fail(fmt::format("Unknown name \"{}\".{} Variables here: {}.", printable(word),
                     did_you_mean(word, known), variables.empty() ? "none" : variables),
         start);
  }
  void call(const Function& f, std::size_t start) {
    if (!take("("))
      return fail(fmt::format("{} is a function: write {}(...).", f.name, f.name), start);
    for (int i = 0; i < f.arguments && !failed_; ++i) {
      if (i > 0 && !take(","))
        return fail(fmt::format("{} takes {} arguments.", f.name, f.arguments), start);
      comparison();
    }
    if (failed_) return;
    if (!take(")")) {
      const bool more = at_ < text_.size() && text_[at_] == ',';
      return fail(more ? fmt::format("{} takes {} argument{}.", f.name, f.arguments,
                                     f.arguments == 1 ? "" : "s")
                       : std::string("A ')' is missing."),
                  more ? start : at_);
    }
    emit(f.op);
  }

  std::string_view text_;
  std::span<const std::string> variables_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;
  Error error_;
  std::vector<Instruction> code_;
};

Result<Expression> Expression::parse(std::string_view text,
                                     std::span<const std::string> variables) {
  return ExpressionParser(text, variables).run();
}

Result<Expression> Expression::parse(std::string_view text) {
  return parse(text, space_and_time());
}

void Expression::evaluate(std::span<const double* const> inputs,
                          std::span<const std::uint8_t> steps, std::size_t count,
                          double* out) const {
  std::vector<double> stack(program_->depth * kBlock);
  for (std::size_t start = 0; start < count; start += kBlock) {
    const std::size_t n = std::min(kBlock, count - start);
    double* top = stack.data() - kBlock;  // the topmost operand
    for (const Instruction& i : program_->code) {
      switch (operands_of(i.op)) {
        case 0: {
          top += kBlock;
          const double* in = i.op == Op::constant ? &i.number : inputs[i.variable];
          const bool moving = i.op == Op::variable && steps[i.variable] != 0;
          if (moving)
            std::copy_n(in + start, n, top);
          else
            std::fill_n(top, n, *in);
          break;
        }
        case 1:
          apply1(i.op, top, n);
          break;
        case 2:
          top -= kBlock;
          apply2(i.op, top, top + kBlock, n);
          break;
        default:
          top -= 2 * kBlock;
          apply3(i.op, top, top + kBlock, top + 2 * kBlock, n);
      }
    }
    std::copy_n(top, n, out + start);
  }
}

double Expression::evaluate(std::span<const double> values) const {
  std::vector<const double*> inputs;
  for (const double& v : values) inputs.push_back(&v);
  const std::vector<std::uint8_t> steps(values.size(), 0);
  double result = 0;
  evaluate(inputs, steps, 1, &result);
  return result;
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
