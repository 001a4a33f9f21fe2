#include "expression.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace neurolens::analyze {
namespace {

/// x = 4, y = 0.5, t = "Conv", yes = true; nothing, silence and unsure are null.
class Names final : public RuleNames, public RuleValues {
 public:
  [[nodiscard]] std::optional<Found> find(std::string_view name) const override {
    for (std::size_t i = 0; i < kCount; ++i) {
      if (kNames[i] == name) return Found{i, kTypes[i]};
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> all() const override {
    return {std::begin(kNames), std::end(kNames)};
  }
  [[nodiscard]] RuleValue at(std::size_t slot) const override {
    const RuleValue values[kCount] = {4.0, 0.5, std::string_view("Conv"), true, {}, {}, {}};
    return values[slot];
  }

 private:
  static constexpr std::size_t kCount = 7;
  static constexpr std::string_view kNames[kCount] = {"x",       "y",       "t",     "yes",
                                                      "nothing", "silence", "unsure"};
  static constexpr RuleType kTypes[kCount] = {RuleType::number,  RuleType::number, RuleType::text,
                                              RuleType::boolean, RuleType::number, RuleType::text,
                                              RuleType::boolean};
};

/// "true", "false", "null", a number or a text; "? OFFSET: MESSAGE" when it does not compile.
std::string result(const std::string& text) {
  const Names names;
  ExpressionFault fault;
  const auto compiled = Expression::compile(text, names, {}, fault);
  if (!compiled) return "? " + std::to_string(fault.offset) + ": " + fault.message;
  const RuleValue value = compiled->evaluate(names);
  if (std::holds_alternative<std::monostate>(value)) return "null";
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* word = std::get_if<std::string_view>(&value)) return std::string(*word);
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.6g", std::get<double>(value));
  return buffer;
}

TEST(Expression, CalculatesLikeAPocketCalculator) {
  EXPECT_EQ(result("1 + 2 * 3"), "7");
  EXPECT_EQ(result("(1 + 2) * 3"), "9");
  EXPECT_EQ(result("8 / 2 / 2"), "2");
  EXPECT_EQ(result("8 - 2 - 2"), "4");
  EXPECT_EQ(result("-x + 1"), "-3");
  EXPECT_EQ(result("- - 3"), "3");
  EXPECT_EQ(result("min(3, x, 9)"), "3");
  EXPECT_EQ(result("max(3, x)"), "4");
  EXPECT_EQ(result("abs(-2) + log2(8) + sqrt(9)"), "8");
  EXPECT_EQ(result("10us + 1ms"), "1.01e+06");
  EXPECT_EQ(result("30% + 2KiB + 1s"), "1e+09");
  EXPECT_EQ(result("1.5e3"), "1500");
}

TEST(Expression, ComparesAndCombines) {
  EXPECT_EQ(result("x > 3"), "true");
  EXPECT_EQ(result("x >= 4 and x <= 4"), "true");
  EXPECT_EQ(result("x != 4 or t == 'Conv'"), "true");
  EXPECT_EQ(result("not x > 3"), "false");
  EXPECT_EQ(result("not yes or yes"), "true");
  EXPECT_EQ(result("true or true and false"), "true");  // and binds tighter
  EXPECT_EQ(result("t in [\"Gemm\", \"Conv\"]"), "true");
  EXPECT_EQ(result("t not in [\"Gemm\"]"), "true");
  EXPECT_EQ(result("x in [1, -4, 4]"), "true");
  EXPECT_EQ(result("contains(t, 'on') and starts_with(t, 'C') and ends_with(t, 'v')"), "true");
  EXPECT_EQ(result("1 < 2 == true"), "? 6: Something stands behind the end of the expression.");
}

// What was not collected decides nothing, in whatever way it is asked.
TEST(Expression, IsUnknownWhereAValueIsMissing) {
  for (const char* text :
       {"nothing > 3", "nothing < 3", "nothing == 3", "nothing != 3", "not (nothing > 3)",
        "nothing + 1", "nothing * 0", "-nothing", "min(nothing, 1)", "abs(nothing)",
        "silence == 'a'", "silence in ['a']", "silence not in ['a']", "contains(silence, 'a')",
        "unsure and yes", "unsure or x > 9", "not unsure", "yes and nothing > 1"}) {
    EXPECT_EQ(result(text), "null") << text;
  }
  EXPECT_EQ(result("nothing > 3 or yes"), "true");
  EXPECT_EQ(result("nothing > 3 and x > 9"), "false");
  EXPECT_EQ(result("nothing is null"), "true");
  EXPECT_EQ(result("x is null"), "false");
  EXPECT_EQ(result("x is not null and not known(nothing)"), "true");
  EXPECT_EQ(result("coalesce(nothing, 7) + coalesce(x, 7)"), "11");
}

TEST(Expression, GivesNullWhereMathematicsHasNoNumber) {
  for (const char* text : {"1 / 0", "0 / 0", "x / (y - 0.5)", "log2(0)", "log2(-1)", "sqrt(-1)",
                           "1e308 * 10", "1 / 0 > 3", "max(1, 1 / 0)"}) {
    EXPECT_EQ(result(text), "null") << text;
  }
}

TEST(Expression, HoldsOnlyWhenTrue) {
  const Names names;
  ExpressionFault fault;
  const auto holds = [&](const char* text) {
    return Expression::compile(text, names, RuleType::boolean, fault)->holds(names);
  };
  EXPECT_TRUE(holds("yes"));
  EXPECT_FALSE(holds("nothing > 1"));
  EXPECT_FALSE(holds("not (nothing > 1)"));
}

TEST(Expression, NamesFaultAndPlace) {
  EXPECT_EQ(result("x > "), "? 4: The expression ends too early.");
  EXPECT_EQ(result(""), "? 0: The expression ends too early.");
  EXPECT_EQ(result("x > 'a'"), "? 4: \">\" needs a number, this is a text.");
  EXPECT_EQ(result("t > 1"), "? 0: \">\" needs a number, this is a text.");
  EXPECT_EQ(result("t == 1"), "? 5: \"==\" needs a text, this is a number.");
  EXPECT_EQ(result("x and yes"), "? 0: \"and\" needs true or false, this is a number.");
  EXPECT_EQ(result("not x"), "? 4: \"not\" needs true or false, this is a number.");
  EXPECT_EQ(result("(x > 1"), "? 6: A \"(\" is not closed.");
  EXPECT_EQ(result("'abc"), "? 0: A text is not closed.");
  EXPECT_EQ(result("x = 3"), "? 2: Something stands behind the end of the expression.");
  EXPECT_EQ(result("3 parsecs"), "? 2: Something stands behind the end of the expression.");
  EXPECT_EQ(result("3parsecs"),
            "? 1: This unit is not known; there are ns, us, ms, s, B, KiB, MiB, GiB and %.");
  EXPECT_EQ(result("x is 3"), "? 5: \"is\" is followed by \"null\" or \"not null\".");
  EXPECT_EQ(result("t in 'Conv'"), "? 5: \"in\" is followed by a list: [\"Conv\", \"Gemm\"].");
  EXPECT_EQ(result("t in ['Conv', 3]"), "? 14: The list needs a text, this is a number.");
  EXPECT_EQ(result("nothin > 1"), "? 0: \"nothin\" is not known here. Did you mean \"nothing\"?");
  EXPECT_EQ(result("1 + mn(1, 2)"), "? 4: There is no function \"mn\". Did you mean \"min\"?");
  EXPECT_EQ(result("min(1)"), "? 0: \"min\" takes 2 or more values.");
  EXPECT_EQ(result("x; y"), "? 1: Something stands behind the end of the expression.");
  EXPECT_EQ(result("1e999"), "? 0: This is not a number that can be used.");
}

TEST(Expression, IsBoundedInTextPartsAndDepth) {
  EXPECT_EQ(result(std::string(5000, ' ') + "1"),
            "? 0: The expression is longer than 4,096 bytes.");
  std::string wide = "1";
  for (int i = 0; i < 1500; ++i) wide += "+1";
  EXPECT_NE(result(wide).find("more than 1,000 parts"), std::string::npos);
  EXPECT_NE(result(std::string(500, '(') + "1").find("deeper than 64"), std::string::npos);
  EXPECT_NE(result(std::string(500, '-') + "1").find("deeper than 64"), std::string::npos);
  std::string nots;
  for (int i = 0; i < 500; ++i) nots += "not ";
  EXPECT_NE(result(nots + "yes").find("deeper than 64"), std::string::npos);
}

TEST(Expression, TellsWhichNamesItUses) {
  const Names names;
  ExpressionFault fault;
  const auto e = Expression::compile("y > 1 and x > y", names, {}, fault);
  EXPECT_EQ(e->slots(), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(e->only_name(), std::nullopt);
  EXPECT_EQ(Expression::compile("x", names, {}, fault)->only_name(), 0U);
}

}  // namespace
}  // namespace neurolens::analyze
