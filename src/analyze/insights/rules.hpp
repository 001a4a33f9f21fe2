/// \file
/// Rules in memory: compiled conditions and texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "neurolens/base/json.hpp"
#include "variables.hpp"

namespace neurolens::analyze {

/// A text with values filled in: "{op.name} takes {op.time_ns}". Braces hold an expression and,
/// behind a '|', the unit to show it in; "{{" and "}}" are braces.
class RuleText {
 public:
  /// Errors: parse_error with `where` empty; `offset` is the byte of the fault.
  [[nodiscard]] static std::optional<RuleText> compile(std::string_view text, RuleScope scope,
                                                       ExpressionFault& fault);
  [[nodiscard]] std::string fill(const Scene& scene) const;

 private:
  struct Piece {
    std::string text;  ///< Before the value.
    std::optional<Expression> value;
    std::string unit;
  };
  std::vector<Piece> pieces_;
};

struct Rule {
  std::string id;
  RuleScope scope = RuleScope::run;
  Expression when;
  Severity severity = Severity::notice;
  Confidence confidence = Confidence::medium;
  std::string basis;  ///< What the confidence rests on.
  RuleText title;
  RuleText message;
  std::optional<Expression> gain_ns;
  std::vector<std::size_t> evidence;  ///< Slots of variables.
  std::vector<RuleText> suggestions;
  RuleText next;
  std::vector<std::string> references;
  std::size_t limit = 3;
  /// It speaks of the measurement itself, so a bad measurement does not lower its confidence.
  bool judges_measurement = false;
};

struct RuleSet::Rules {
  std::vector<Rule> list;
};

/// What a rule file asks for: rules to add or replace, ids to drop.
struct RuleFile {
  std::vector<Rule> rules;
  std::vector<std::string> disabled;
};
[[nodiscard]] Result<RuleFile> read_rules(std::string_view yaml);

/// The text of rules/*.yaml, embedded when the program is built.
[[nodiscard]] std::vector<std::string_view> embedded_rules();

}  // namespace neurolens::analyze
