/// \file
/// The names that rules may use: one table gives type, unit, meaning and value.
#pragma once

#include <span>
#include <string_view>

#include "expression.hpp"
#include "scene.hpp"

namespace neurolens::analyze {

inline constexpr unsigned kInOp = 1;
inline constexpr unsigned kInRun = 2;
inline constexpr unsigned kInDelta = 4;
inline constexpr unsigned kEverywhere = kInOp | kInRun | kInDelta;
[[nodiscard]] constexpr unsigned bit_of(RuleScope scope) {
  return 1U << static_cast<unsigned>(scope);
}

struct Variable {
  std::string_view name;
  unsigned scopes = kEverywhere;
  RuleType type = RuleType::number;
  std::string_view unit;  ///< "ns", "bytes", "ratio", "count", ..., "text", "none".
  std::string_view label;
  RuleValue (*value)(const Scene&) = nullptr;
};

/// All of them; slots are indices into this.
[[nodiscard]] std::span<const Variable> variables();
[[nodiscard]] std::span<const Variable> op_variables();
[[nodiscard]] std::span<const Variable> run_variables();
[[nodiscard]] std::span<const Variable> delta_variables();

/// The names of one scope.
class ScopeNames final : public RuleNames {
 public:
  explicit ScopeNames(RuleScope scope) : scope_(scope) {}
  [[nodiscard]] std::optional<Found> find(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> all() const override;

 private:
  RuleScope scope_;
};

/// Their values in one scene.
class SceneValues final : public RuleValues {
 public:
  explicit SceneValues(const Scene& scene) : scene_(scene) {}
  [[nodiscard]] RuleValue at(std::size_t slot) const override {
    return variables()[slot].value(scene_);
  }

 private:
  const Scene& scene_;
};

/// "3.11 ms", "72 %", "yes"; "-" for null.
[[nodiscard]] std::string text_of(const RuleValue& value, std::string_view unit);

/// Helpers of the tables.
[[nodiscard]] inline RuleValue value_of(const std::optional<double>& number) {
  return number ? RuleValue(*number) : RuleValue();
}
[[nodiscard]] inline RuleValue value_of(const std::optional<std::int64_t>& number) {
  return number ? RuleValue(static_cast<double>(*number)) : RuleValue();
}
[[nodiscard]] inline RuleValue value_of(const std::optional<std::string>& text) {
  return text ? RuleValue(std::string_view(*text)) : RuleValue();
}
[[nodiscard]] inline RuleValue part_of(double part, double whole) {
  return whole > 0 ? RuleValue(part / whole) : RuleValue();
}

}  // namespace neurolens::analyze
