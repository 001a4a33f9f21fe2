/// \file
/// Rules over what was measured: what to do, ranked by the time to be won.
///
/// A rule is data (rules/*.yaml, embedded): a condition in a small safe expression language over
/// `op.*`, `features.*`, `run.*`, `delta.*` and `host.*`, a message with values filled in, an
/// estimate of the time to be won, suggestions and a next step; see docs/guides/rules.md. A value
/// that was not collected is null, and a condition that rests on it does not hold: a rule is silent
/// rather than wrong. The estimated gain is an upper bound: what would be won if the op reached its
/// ceiling.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "neurolens/analyze/compare.hpp"
#include "neurolens/analyze/critical_path.hpp"
#include "neurolens/analyze/summary.hpp"
#include "neurolens/base/result.hpp"
#include "neurolens/run/types.hpp"

namespace neurolens::analyze {

/// What a rule looks at, one after the other: ops of the plan, the Run as a whole, or groups of
/// aligned ops of a comparison.
enum class RuleScope : std::uint8_t { op, run, delta };
enum class Severity : std::uint8_t { info, notice, warning, critical };
enum class Confidence : std::uint8_t { low, medium, high };
[[nodiscard]] std::string_view to_string(RuleScope scope) noexcept;
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;
[[nodiscard]] std::string_view to_string(Confidence confidence) noexcept;

/// One number (or text) that a finding rests on.
struct Evidence {
  std::string name;   ///< In the expression language: "op.roof_ratio".
  std::string label;  ///< In words: "share of its roof".
  std::variant<std::monostate, bool, double, std::string> value;  ///< monostate: not collected.
  std::string unit;  ///< "ns", "bytes", "ratio", "count", ... "text" or "none".
  std::string text;  ///< The value for people: "72 %". "-" when not collected.
};

/// Something worth doing or knowing. Texts may hold names that a model's author chose.
struct Insight {
  std::string rule;  ///< Id of the rule.
  std::string title;
  std::string message;
  RuleScope scope = RuleScope::run;
  Severity severity = Severity::info;
  Confidence confidence = Confidence::medium;
  std::string confidence_reason;
  std::optional<double> gain_ns;     ///< Per iteration, >= 0, at most; nullopt: no estimate.
  std::optional<double> gain_ratio;  ///< Of an iteration.
  std::vector<run::OpId> ops;        ///< Of the judged Run.
  std::vector<Evidence> evidence;
  std::vector<std::string> suggestions;
  std::string next_step;
  std::vector<std::string> references;
};

/// Checked rules, ready to apply. A value; copies share the rules.
class RuleSet {
 public:
  /// The rules that come with the program.
  [[nodiscard]] static const RuleSet& builtin();
  /// No rules.
  RuleSet();
  /// These rules with those of `yaml` added; a rule with a known id replaces the old one, one with
  /// `enabled: false` removes it. Errors: parse_error, unknown_key, wrong_type, missing_key,
  /// duplicate_name, all with "line L, column C" in `where` and close known names in the message.
  [[nodiscard]] Result<RuleSet> with(std::string_view yaml) const;
  /// Ids in the order in which rules are applied.
  [[nodiscard]] std::vector<std::string> ids() const;

  struct Rules;
  [[nodiscard]] const Rules& rules() const { return *rules_; }

 private:
  std::shared_ptr<const Rules> rules_;
};

/// What rules may look at. Everything must outlive the call only.
struct InsightInput {
  const run::Run& run;
  const Summary& summary;
  const run::Run* baseline = nullptr;  ///< With `comparison`, or neither.
  const Comparison* comparison = nullptr;
  std::string run_path = "RUN";  ///< Named in next steps.
  /// dataflow(run) where the caller has it already; nullptr: it is computed.
  const std::vector<DataflowEdge>* edges = nullptr;
};

/// Applies every rule. By gain, largest first; findings without a gain behind, by severity; ties in
/// the order of rules. A rule names at most its `limit` ops one by one and sums up the others.
/// Pure: no clock, no file; same input, same answer. O(ops x rules of scope op).
[[nodiscard]] std::vector<Insight> find_insights(const InsightInput& input, const RuleSet& rules);

/// Time that a group of aligned ops lost (won when negative), ns per iteration: a side without ops
/// counts 0. nullopt when a side has ops whose time was not collected. Pure.
[[nodiscard]] std::optional<double> lost_ns(const OpChange& change);

/// A name of the expression language, for documentation and completion.
struct RuleName {
  std::string name;
  std::string scopes;  ///< "op, run".
  std::string unit;
  std::string meaning;
};
[[nodiscard]] std::vector<RuleName> rule_names();

}  // namespace neurolens::analyze
