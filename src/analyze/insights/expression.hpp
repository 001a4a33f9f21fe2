/// \file
/// The expression language of rules: comparison, arithmetic, and / or / not over named values.
/// It has no loops, no assignment and no side effect; text, tree and depth are bounded when it is
/// compiled, so evaluation is bounded too.
///
/// Missing values: arithmetic with null is null, a division by zero is null, a comparison with null
/// is unknown. and / or / not carry "unknown" along (Kleene), and what is unknown in the end does
/// not hold: "x > 3" and "not (x > 3)" are both false while x is missing. `x is null`, `x is not
/// null`, `known(x)` and `coalesce(x, 0)` ask for it.
///
///   or     := and { "or" and }              cmp   := sum [ ("<"|"<="|">"|">="|"=="|"!=") sum
///   and    := not { "and" not }                          | "is" ["not"] "null" | ["not"] "in" list
///   ] not    := "not" not | cmp               sum   := term { ("+"|"-") term } list   := "["
///   literal {"," literal} "]" term  := unary { ("*"|"/") unary } unary  := "-" unary | number
///   [unit] | string | "true" | "false" | name | call | "(" or ")" unit   := "ns" "us" "ms" "s" "B"
///   "KiB" "MiB" "GiB" "%"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace neurolens::analyze {

/// A value of the language; monostate is null. Texts point into what they were taken from.
using RuleValue = std::variant<std::monostate, bool, double, std::string_view>;

enum class RuleType : std::uint8_t { boolean, number, text };

/// The names that an expression may use.
class RuleNames {
 public:
  virtual ~RuleNames() = default;
  struct Found {
    std::size_t slot = 0;
    RuleType type = RuleType::number;
  };
  /// nullopt for a name that is not known.
  [[nodiscard]] virtual std::optional<Found> find(std::string_view name) const = 0;
  /// All of them, for "did you mean".
  [[nodiscard]] virtual std::vector<std::string> all() const = 0;
};

/// Their values.
class RuleValues {
 public:
  virtual ~RuleValues() = default;
  [[nodiscard]] virtual RuleValue at(std::size_t slot) const = 0;
};

/// What is wrong with an expression, and where.
struct ExpressionFault {
  std::size_t offset = 0;  ///< Byte in the text.
  std::string message;
};

inline constexpr std::size_t kMaxExpressionText = 4096;
inline constexpr std::size_t kMaxExpressionNodes = 1000;
inline constexpr int kMaxExpressionDepth = 64;

/// A compiled expression. Immutable, cheap to copy by move, evaluated from any thread.
class Expression {
 public:
  /// Compiles `text`; in `fault` is what is wrong when the result is nullopt. `wanted`: the type
  /// that the whole must have; nullopt: any.
  [[nodiscard]] static std::optional<Expression> compile(std::string_view text,
                                                         const RuleNames& names,
                                                         std::optional<RuleType> wanted,
                                                         ExpressionFault& fault);

  [[nodiscard]] RuleValue evaluate(const RuleValues& values) const;
  /// True when the value is true: neither false nor unknown.
  [[nodiscard]] bool holds(const RuleValues& values) const;
  /// The number; nullopt when it is null or no number.
  [[nodiscard]] std::optional<double> number(const RuleValues& values) const;

  /// Slots of the names used, in order of first use.
  [[nodiscard]] const std::vector<std::size_t>& slots() const { return slots_; }
  [[nodiscard]] RuleType type() const { return type_; }
  /// The slot when the expression is nothing but a name.
  [[nodiscard]] std::optional<std::size_t> only_name() const;

  /// Kinds of tree nodes; the meaning of the children follows from the grammar.
  enum class Kind : std::uint8_t {
    number,
    text,
    boolean,
    name,
    negate,
    logical_not,
    logical_and,
    logical_or,
    add,
    subtract,
    multiply,
    divide,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    not_equal,
    is_null,
    is_not_null,
    in_list,
    not_in_list,
    minimum,
    maximum,
    absolute,
    log2,
    root,
    coalesce,
    contains,
    starts_with,
    ends_with,
    known
  };
  struct Node {
    Kind kind = Kind::number;
    double number = 0;
    std::string text;
    std::vector<std::uint32_t> children;
  };

 private:
  friend class ExpressionParser;
  [[nodiscard]] RuleValue value_of(std::uint32_t node, const RuleValues& values) const;
  [[nodiscard]] RuleValue logical(const Node& node, const RuleValues& values) const;
  [[nodiscard]] RuleValue compared(const Node& node, const RuleValues& values) const;
  [[nodiscard]] RuleValue calculated(const Node& node, const RuleValues& values) const;
  [[nodiscard]] RuleValue listed(const Node& node, const RuleValues& values) const;

  std::vector<Node> nodes_;
  std::uint32_t root_ = 0;
  std::vector<std::size_t> slots_;
  RuleType type_ = RuleType::boolean;
};

}  // namespace neurolens::analyze
