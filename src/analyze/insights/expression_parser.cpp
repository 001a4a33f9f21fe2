// Recursive descent over the grammar of expression.hpp. Types are checked while the tree is built,
// so that a comparison of a text with a number is refused with its place instead of never holding.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "expression.hpp"
#include "neurolens/base/text.hpp"

namespace neurolens::analyze {
namespace {

using Kind = Expression::Kind;

struct Function {
  std::string_view name;
  Kind kind;
  std::size_t fewest;
  std::size_t most;
};
constexpr std::array<Function, 10> kFunctions{{{"min", Kind::minimum, 2, 8},
                                               {"max", Kind::maximum, 2, 8},
                                               {"abs", Kind::absolute, 1, 1},
                                               {"log2", Kind::log2, 1, 1},
                                               {"sqrt", Kind::root, 1, 1},
                                               {"coalesce", Kind::coalesce, 2, 2},
                                               {"contains", Kind::contains, 2, 2},
                                               {"starts_with", Kind::starts_with, 2, 2},
                                               {"ends_with", Kind::ends_with, 2, 2},
                                               {"known", Kind::known, 1, 1}}};

struct UnitFactor {
  std::string_view name;
  double factor;
};
constexpr std::array<UnitFactor, 9> kUnits{{{"ns", 1},
                                            {"us", 1e3},
                                            {"ms", 1e6},
                                            {"s", 1e9},
                                            {"B", 1},
                                            {"KiB", 0x1p10},
                                            {"MiB", 0x1p20},
                                            {"GiB", 0x1p30},
                                            {"%", 0.01}}};

std::string_view type_word(RuleType type) {
  if (type == RuleType::boolean) return "true or false";
  return type == RuleType::number ? "a number" : "a text";
}

bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool continues_name(char c) {
  return starts_name(c) || is_digit(c) || c == '.';
}

}  // namespace

/// One compilation. A failed step returns nullopt with the fault set; the first fault wins.
class ExpressionParser {
 public:
  ExpressionParser(std::string_view text, const RuleNames& names, ExpressionFault& fault)
      : text_(text), names_(names), fault_(fault) {}

  std::optional<Expression> parse(std::optional<RuleType> wanted) {
    if (text_.size() > kMaxExpressionText)
      return fail(0, "The expression is longer than 4,096 bytes."), std::nullopt;
    const auto root = parse_or();
    if (!root) return std::nullopt;
    skip_space();
    if (at_ < text_.size())
      return fail(at_, "Something stands behind the end of the expression."), std::nullopt;
    if (wanted && root->type != *wanted) {
      fail(0, "The expression must give " + std::string(type_word(*wanted)) + ", it gives " +
                  std::string(type_word(root->type)) + ".");
      return std::nullopt;
    }
    out_.root_ = root->node;
    out_.type_ = root->type;
    return std::move(out_);
  }

 private:
  struct Typed {
    std::uint32_t node = 0;
    RuleType type = RuleType::boolean;
    std::size_t offset = 0;
  };
  using Step = std::optional<Typed>;

  Step fail(std::size_t offset, std::string message) {
    if (fault_.message.empty()) fault_ = {offset, std::move(message)};
    return std::nullopt;
  }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  bool take(std::string_view token) {
    skip_space();
    if (!text_.substr(at_).starts_with(token)) return false;
    if (starts_name(token[0]) && at_ + token.size() < text_.size() &&
        continues_name(text_[at_ + token.size()]))
      return false;
    at_ += token.size();
    return true;
  }

  Step make(Kind kind, std::vector<std::uint32_t> children, RuleType type, std::size_t offset,
            double number = 0, std::string text = {}) {
    if (out_.nodes_.size() >= kMaxExpressionNodes)
      return fail(offset, "The expression has more than 1,000 parts.");
    out_.nodes_.push_back({kind, number, std::move(text), std::move(children)});
    return Typed{static_cast<std::uint32_t>(out_.nodes_.size() - 1), type, offset};
  }

  bool require(const Typed& operand, RuleType type, std::string_view what) {
    if (operand.type == type) return true;
    fail(operand.offset, std::string(what) + " needs " + std::string(type_word(type)) +
                             ", this is " + std::string(type_word(operand.type)) + ".");
    return false;
  }

  Step parse_or() { return parse_chain("or", Kind::logical_or, &ExpressionParser::parse_and); }
  Step parse_and() { return parse_chain("and", Kind::logical_and, &ExpressionParser::parse_not); }

  Step parse_chain(std::string_view word, Kind kind, Step (ExpressionParser::*next)()) {
    Step left = (this->*next)();
    while (left && take(word)) {
      const Step right = (this->*next)();
      if (!right) return std::nullopt;
      if (!require(*left, RuleType::boolean, "\"" + std::string(word) + "\"") ||
          !require(*right, RuleType::boolean, "\"" + std::string(word) + "\""))
        return std::nullopt;
      left = make(kind, {left->node, right->node}, RuleType::boolean, left->offset);
    }
    return left;
  }

  /// Counts nesting for as long as it lives.
  struct Depth {
    explicit Depth(int& count) : count_(count) { ++count_; }
    ~Depth() { --count_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    int& count_;
  };

  Step parse_not() {
    skip_space();
    const Depth deeper(depth_);
    if (depth_ > kMaxExpressionDepth)
      return fail(at_, "The expression nests deeper than 64 levels.");
    const std::size_t offset = at_;
    if (!take("not")) return parse_comparison();
    const Step operand = parse_not();
    if (!operand || !require(*operand, RuleType::boolean, "\"not\"")) return std::nullopt;
    return make(Kind::logical_not, {operand->node}, RuleType::boolean, offset);
  }

  Step parse_comparison() {
    const Step left = parse_sum();
    if (!left) return std::nullopt;
    static constexpr std::array<std::pair<std::string_view, Kind>, 6> kOperators{
        {{"<=", Kind::less_equal},
         {">=", Kind::greater_equal},
         {"==", Kind::equal},
         {"!=", Kind::not_equal},
         {"<", Kind::less},
         {">", Kind::greater}}};
    for (const auto& [word, kind] : kOperators) {
      if (take(word)) return parse_compared(*left, word, kind);
    }
    if (take("is")) {
      const bool negated = take("not");
      if (!take("null")) return fail(at_, "\"is\" is followed by \"null\" or \"not null\".");
      return make(negated ? Kind::is_not_null : Kind::is_null, {left->node}, RuleType::boolean,
                  left->offset);
    }
    const std::size_t before = at_;
    const bool negated = take("not");
    if (take("in")) return parse_list(*left, negated ? Kind::not_in_list : Kind::in_list);
    at_ = before;
    return left;
  }

  Step parse_compared(const Typed& left, std::string_view word, Kind kind) {
    const Step right = parse_sum();
    if (!right) return std::nullopt;
    const std::string what = "\"" + std::string(word) + "\"";
    const bool equality = kind == Kind::equal || kind == Kind::not_equal;
    if (!equality && !require(left, RuleType::number, what)) return std::nullopt;
    if (!require(*right, left.type, what)) return std::nullopt;
    return make(kind, {left.node, right->node}, RuleType::boolean, left.offset);
  }

  Step parse_list(const Typed& left, Kind kind) {
    if (!take("[")) return fail(at_, "\"in\" is followed by a list: [\"Conv\", \"Gemm\"].");
    std::vector<std::uint32_t> children{left.node};
    do {
      skip_space();
      const Step item = parse_unary();
      if (!item) return std::nullopt;
      if (!require(*item, left.type, "The list")) return std::nullopt;
      children.push_back(item->node);
    } while (take(","));
    if (!take("]")) return fail(at_, "The list does not end with \"]\".");
    return make(kind, std::move(children), RuleType::boolean, left.offset);
  }

  Step parse_sum() {
    return parse_arithmetic({{{"+", Kind::add}, {"-", Kind::subtract}}},
                            &ExpressionParser::parse_term);
  }
  Step parse_term() {
    return parse_arithmetic({{{"*", Kind::multiply}, {"/", Kind::divide}}},
                            &ExpressionParser::parse_unary);
  }

  Step parse_arithmetic(std::array<std::pair<std::string_view, Kind>, 2> operators,
                        Step (ExpressionParser::*next)()) {
    Step left = (this->*next)();
    while (left) {
      const auto* chosen = std::find_if(operators.begin(), operators.end(),
                                        [&](const auto& op) { return take(op.first); });
      if (chosen == operators.end()) break;
      const Step right = (this->*next)();
      if (!right) return std::nullopt;
      const std::string what = "\"" + std::string(chosen->first) + "\"";
      if (!require(*left, RuleType::number, what) || !require(*right, RuleType::number, what))
        return std::nullopt;
      left = make(chosen->second, {left->node, right->node}, RuleType::number, left->offset);
    }
    return left;
  }

  Step parse_unary() {
    skip_space();
    const Depth deeper(depth_);
    if (depth_ > kMaxExpressionDepth)
      return fail(at_, "The expression nests deeper than 64 levels.");
    const std::size_t offset = at_;
    if (take("-")) {
      const Step operand = parse_unary();
      if (!operand || !require(*operand, RuleType::number, "\"-\"")) return std::nullopt;
      return make(Kind::negate, {operand->node}, RuleType::number, offset);
    }
    if (take("(")) {
      const Step inner = parse_or();
      if (!inner) return std::nullopt;
      if (!take(")")) return fail(at_, "A \"(\" is not closed.");
      return inner;
    }
    if (offset >= text_.size()) return fail(offset, "The expression ends too early.");
    const char c = text_[offset];
    if (is_digit(c) || c == '.') return parse_number();
    if (c == '"' || c == '\'') return parse_text(c);
    if (starts_name(c)) return parse_name();
    return fail(offset, "Here a number, a text, a name or \"(\" is expected.");
  }

  Step parse_number() {
    const std::size_t offset = at_;
    double number = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error != std::errc{} || !std::isfinite(number))
      return fail(offset, "This is not a number that can be used.");
    at_ = static_cast<std::size_t>(end - text_.data());
    if (at_ < text_.size() && (starts_name(text_[at_]) || text_[at_] == '%')) {
      std::size_t stop = at_;
      while (stop < text_.size() && starts_name(text_[stop])) ++stop;
      if (text_[at_] == '%') stop = at_ + 1;
      const auto word = text_.substr(at_, stop - at_);
      const auto* unit =
          std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& u) { return u.name == word; });
      if (unit == kUnits.end())
        return fail(at_,
                    "This unit is not known; there are ns, us, ms, s, B, KiB, MiB, GiB and %.");
      number *= unit->factor;
      at_ = stop;
    }
    return make(Kind::number, {}, RuleType::number, offset, number);
  }

  Step parse_text(char quote) {
    const std::size_t offset = at_;
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return fail(offset, "A text is not closed.");
    std::string inner(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return make(Kind::text, {}, RuleType::text, offset, 0, std::move(inner));
  }

  Step parse_name() {
    const std::size_t offset = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    const std::string name(text_.substr(offset, at_ - offset));
    if (name == "true" || name == "false")
      return make(Kind::boolean, {}, RuleType::boolean, offset, name == "true" ? 1 : 0);
    if (take("(")) return parse_call(name, offset);
    const auto found = names_.find(name);
    if (!found) {
      auto known = names_.all();
      return fail(offset, "\"" + name + "\" is not known here." + did_you_mean(name, known));
    }
    if (std::find(out_.slots_.begin(), out_.slots_.end(), found->slot) == out_.slots_.end())
      out_.slots_.push_back(found->slot);
    return make(Kind::name, {}, found->type, offset, static_cast<double>(found->slot));
  }

  Step parse_call(const std::string& name, std::size_t offset) {
    const auto* function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                        [&](const auto& f) { return f.name == name; });
    if (function == kFunctions.end()) {
      std::vector<std::string> known;
      for (const auto& f : kFunctions) known.emplace_back(f.name);
      return fail(offset, "There is no function \"" + name + "\"." + did_you_mean(name, known));
    }
    std::vector<Typed> arguments;
    do {
      const Step argument = parse_or();
      if (!argument) return std::nullopt;
      arguments.push_back(*argument);
    } while (take(","));
    if (!take(")")) return fail(at_, "The arguments of \"" + name + "\" do not end with \")\".");
    return call(*function, arguments, offset);
  }

  Step call(const Function& function, const std::vector<Typed>& arguments, std::size_t offset) {
    const std::string name(function.name);
    if (arguments.size() < function.fewest || arguments.size() > function.most)
      return fail(offset, "\"" + name + "\" takes " + std::to_string(function.fewest) +
                              (function.most > function.fewest ? " or more" : "") + " values.");
    const bool about_text = function.kind == Kind::contains || function.kind == Kind::starts_with ||
                            function.kind == Kind::ends_with;
    const bool any_type = function.kind == Kind::known || function.kind == Kind::coalesce;
    const RuleType type = any_type     ? arguments[0].type
                          : about_text ? RuleType::text
                                       : RuleType::number;
    std::vector<std::uint32_t> children;
    for (const auto& argument : arguments) {
      if (!require(argument, type, "\"" + name + "\"")) return std::nullopt;
      children.push_back(argument.node);
    }
    const bool gives_truth = about_text || function.kind == Kind::known;
    return make(function.kind, std::move(children), gives_truth ? RuleType::boolean : type, offset);
  }

  std::string_view text_;
  const RuleNames& names_;
  ExpressionFault& fault_;
  Expression out_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

std::optional<Expression> Expression::compile(std::string_view text, const RuleNames& names,
                                              std::optional<RuleType> wanted,
                                              ExpressionFault& fault) {
  fault = {};
  return ExpressionParser(text, names, fault).parse(wanted);
}

}  // namespace neurolens::analyze
