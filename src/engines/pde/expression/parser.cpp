// The grammar of formulas: text to code.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "expression/program.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::pde {
namespace {

using kernels::Op;
using kernels::operands_of;

constexpr std::size_t kLongest = 10'000;
constexpr int kDeepest = 200;

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

const std::vector<std::string>& space_and_time() {
  static const std::vector<std::string> names{"x", "y", "z", "t"};
  return names;
}

}  // namespace

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
    program->analyse();
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
    kernels::apply(op, 1, {value.data()}, {value.data() + 1}, {value.data() + 2}, value.data());
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

}  // namespace neurolens::pde
