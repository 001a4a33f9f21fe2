#include "expression.hpp"

#include <algorithm>
#include <cmath>

namespace neurolens::analyze {
namespace {

RuleValue finite(double number) {
  return std::isfinite(number) ? RuleValue(number) : RuleValue();
}

std::optional<double> as_number(const RuleValue& value) {
  const auto* number = std::get_if<double>(&value);
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<bool> as_truth(const RuleValue& value) {
  const auto* truth = std::get_if<bool>(&value);
  return truth ? std::optional(*truth) : std::nullopt;
}

bool is_null(const RuleValue& value) {
  return std::holds_alternative<std::monostate>(value);
}

bool ordered(Expression::Kind kind, double a, double b) {
  switch (kind) {
    case Expression::Kind::less:
      return a < b;
    case Expression::Kind::less_equal:
      return a <= b;
    case Expression::Kind::greater:
      return a > b;
    default:
      return a >= b;
  }
}

RuleValue arithmetic(Expression::Kind kind, double a, double b) {
  switch (kind) {
    case Expression::Kind::add:
      return finite(a + b);
    case Expression::Kind::subtract:
      return finite(a - b);
    case Expression::Kind::multiply:
      return finite(a * b);
    default:
      return b == 0 ? RuleValue() : finite(a / b);
  }
}

bool text_test(Expression::Kind kind, std::string_view text, std::string_view part) {
  if (kind == Expression::Kind::contains) return text.find(part) != std::string_view::npos;
  return kind == Expression::Kind::starts_with ? text.starts_with(part) : text.ends_with(part);
}

}  // namespace

RuleValue Expression::logical(const Node& node, const RuleValues& values) const {
  const auto left = as_truth(value_of(node.children[0], values));
  if (node.kind == Kind::logical_not) return left ? RuleValue(!*left) : RuleValue();
  const bool decisive = node.kind == Kind::logical_or;
  if (left == decisive) return decisive;
  const auto right = as_truth(value_of(node.children[1], values));
  if (right == decisive) return decisive;
  return left && right ? RuleValue(!decisive) : RuleValue();
}

RuleValue Expression::compared(const Node& node, const RuleValues& values) const {
  const RuleValue a = value_of(node.children[0], values);
  const RuleValue b = value_of(node.children[1], values);
  if (is_null(a) || is_null(b)) return {};
  if (node.kind == Kind::equal) return a == b;
  if (node.kind == Kind::not_equal) return a != b;
  const auto x = as_number(a);
  const auto y = as_number(b);
  return x && y ? RuleValue(ordered(node.kind, *x, *y)) : RuleValue();
}

RuleValue Expression::listed(const Node& node, const RuleValues& values) const {
  const RuleValue wanted = value_of(node.children[0], values);
  if (is_null(wanted)) return {};
  bool found = false;
  for (std::size_t i = 1; i < node.children.size(); ++i)
    found = found || value_of(node.children[i], values) == wanted;
  return found == (node.kind == Kind::in_list);
}

RuleValue Expression::calculated(const Node& node, const RuleValues& values) const {
  const RuleValue first = value_of(node.children[0], values);
  if (node.kind == Kind::coalesce)
    return is_null(first) ? value_of(node.children[1], values) : first;
  if (node.kind == Kind::contains || node.kind == Kind::starts_with ||
      node.kind == Kind::ends_with) {
    const RuleValue second = value_of(node.children[1], values);
    const auto* text = std::get_if<std::string_view>(&first);
    const auto* part = std::get_if<std::string_view>(&second);
    return text && part ? RuleValue(text_test(node.kind, *text, *part)) : RuleValue();
  }
  auto x = as_number(first);
  if (!x) return {};
  if (node.kind == Kind::negate) return -*x;
  if (node.kind == Kind::absolute) return std::abs(*x);
  if (node.kind == Kind::log2) return *x > 0 ? finite(std::log2(*x)) : RuleValue();
  if (node.kind == Kind::root) return *x >= 0 ? finite(std::sqrt(*x)) : RuleValue();
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    const auto y = as_number(value_of(node.children[i], values));
    if (!y) return {};
    if (node.kind != Kind::minimum && node.kind != Kind::maximum)
      return arithmetic(node.kind, *x, *y);
    x = node.kind == Kind::minimum ? std::min(*x, *y) : std::max(*x, *y);
  }
  return *x;
}

RuleValue Expression::value_of(std::uint32_t index, const RuleValues& values) const {
  const Node& node = nodes_[index];
  switch (node.kind) {
    case Kind::number:
      return node.number;
    case Kind::text:
      return std::string_view(node.text);
    case Kind::boolean:
      return node.number != 0;
    case Kind::name:
      return values.at(static_cast<std::size_t>(node.number));
    case Kind::logical_not:
    case Kind::logical_and:
    case Kind::logical_or:
      return logical(node, values);
    case Kind::less:
    case Kind::less_equal:
    case Kind::greater:
    case Kind::greater_equal:
    case Kind::equal:
    case Kind::not_equal:
      return compared(node, values);
    case Kind::is_null:
      return is_null(value_of(node.children[0], values));
    case Kind::is_not_null:
    case Kind::known:
      return !is_null(value_of(node.children[0], values));
    case Kind::in_list:
    case Kind::not_in_list:
      return listed(node, values);
    default:
      return calculated(node, values);
  }
}

RuleValue Expression::evaluate(const RuleValues& values) const {
  return value_of(root_, values);
}

bool Expression::holds(const RuleValues& values) const {
  return as_truth(evaluate(values)).value_or(false);
}

std::optional<double> Expression::number(const RuleValues& values) const {
  return as_number(evaluate(values));
}

std::optional<std::size_t> Expression::only_name() const {
  const Node& node = nodes_[root_];
  if (node.kind != Kind::name) return {};
  return static_cast<std::size_t>(node.number);
}

}  // namespace neurolens::analyze
