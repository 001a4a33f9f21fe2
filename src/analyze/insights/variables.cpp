#include "variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "neurolens/base/figures.hpp"

namespace neurolens::analyze {

std::span<const Variable> variables() {
  static const std::vector<Variable> all = [] {
    std::vector<Variable> out;
    for (const auto part : {op_variables(), run_variables(), delta_variables()})
      out.insert(out.end(), part.begin(), part.end());
    return out;
  }();
  return all;
}

std::optional<RuleNames::Found> ScopeNames::find(std::string_view name) const {
  const auto all = variables();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name && (all[i].scopes & bit_of(scope_)) != 0) return Found{i, all[i].type};
  }
  return {};
}

std::vector<std::string> ScopeNames::all() const {
  std::vector<std::string> names;
  for (const auto& variable : variables()) {
    if ((variable.scopes & bit_of(scope_)) != 0) names.emplace_back(variable.name);
  }
  return names;
}

std::vector<RuleName> rule_names() {
  std::vector<RuleName> names;
  for (const auto& v : variables()) {
    std::string scopes;
    for (const auto scope : {RuleScope::op, RuleScope::run, RuleScope::delta}) {
      if ((v.scopes & bit_of(scope)) == 0) continue;
      if (!scopes.empty()) scopes += ", ";
      scopes += to_string(scope);
    }
    names.push_back(
        {std::string(v.name), std::move(scopes), std::string(v.unit), std::string(v.label)});
  }
  return names;
}

std::string text_of(const RuleValue& value, std::string_view unit) {
  if (std::holds_alternative<std::monostate>(value)) return "-";
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "yes" : "no";
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    constexpr std::size_t kLongest = 60;
    return elide_middle(*text, kLongest);
  }
  const double number = std::get<double>(value);
  if (unit == "ns") return format_time(number);
  if (unit == "bytes") return format_bytes(number);
  if (unit == "ratio") return fmt::format("{:.3g} %", 100 * number);
  if (unit == "factor") return fmt::format("{:.3g}x", number);
  if (unit == "flops_per_second") return format_rate(number, true);
  if (unit == "bytes_per_second") return format_rate(number, false);
  if (unit == "flops_per_byte") return fmt::format("{:.3g} FLOP/byte", number);
  if (unit == "hz") return fmt::format("{:.3g} GHz", number / 1e9);
  if (unit == "count" && number == static_cast<double>(static_cast<std::int64_t>(number)))
    return fmt::format("{}", static_cast<std::int64_t>(number));
  return fmt::format("{:.4g}", number);
}

}  // namespace neurolens::analyze
