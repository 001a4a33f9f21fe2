// Rule files: YAML in, compiled rules out, every fault with its line and column.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "neurolens/base/text.hpp"
#include "neurolens/base/yaml.hpp"
#include "rules.hpp"

namespace neurolens::analyze {
namespace {

constexpr std::array<std::string_view, 16> kKeys{
    "id",          "scope", "when",       "severity", "confidence",
    "basis",       "title", "message",    "gain_ns",  "evidence",
    "suggestions", "next",  "references", "limit",    "judges_measurement",
    "enabled"};

struct Place {
  int line = 0;
  int column = 0;
};

std::string to_text(const Place& place) {
  return fmt::format("line {}, column {}", place.line, place.column);
}

class RuleReader {
 public:
  explicit RuleReader(std::string_view yaml) {
    for (const auto line : split(yaml, '\n')) lines_.push_back(line);
  }

  Result<RuleFile> read(const json::Value& root) {
    const json::Array* list = nullptr;
    if (root.is_object()) {
      for (const auto& [key, value] : *root.as_object()) {
        if (key != "rules")
          return fault(value, Errc::unknown_key,
                       fmt::format("A rule file has one key, \"rules\"; \"{}\" is not known.",
                                   printable(key)));
        list = value.as_array();
      }
    }
    if (list == nullptr)
      return fault(root, Errc::wrong_type,
                   "A rule file is a mapping with a list called \"rules\".");
    RuleFile out;
    std::vector<std::string> seen;
    for (const auto& item : *list) {
      NEUROLENS_TRY(check_keys(item));
      NEUROLENS_ASSIGN(const std::string id, text(item, "id"));
      NEUROLENS_TRY(check_id(item, id, seen));
      seen.push_back(id);
      const json::Value* enabled = item.find("enabled");
      if (enabled != nullptr && !enabled->is_bool())
        return fault(*enabled, Errc::wrong_type, "\"enabled\" is true or false.");
      if (enabled != nullptr && !*enabled->as_bool()) {
        out.disabled.push_back(id);
        continue;
      }
      NEUROLENS_ASSIGN(Rule rule, read_rule(item, id));
      out.rules.push_back(std::move(rule));
    }
    return out;
  }

 private:
  static Error fault(const json::Value& node, Errc code, std::string message) {
    return Error{code, std::move(message),
                 to_text({std::max(node.line, 1), std::max(node.column, 1)})};
  }

  /// Where byte `offset` of the scalar `node` stands in the file. Exact for scalars on one line and
  /// for block scalars ('|' and '>'), whose lines are joined by one byte each.
  [[nodiscard]] Place place_in(const json::Value& node, std::size_t offset) const {
    Place place{node.line, node.column};
    if (node.line < 1 || static_cast<std::size_t>(node.line) > lines_.size()) return {1, 1};
    const auto line = lines_[static_cast<std::size_t>(node.line - 1)];
    const auto column = static_cast<std::size_t>(node.column - 1);
    const char first = column < line.size() ? line[column] : ' ';
    if (first != '|' && first != '>') {
      const int quote = first == '"' || first == '\'' ? 1 : 0;
      return {place.line, place.column + quote + static_cast<int>(offset)};
    }
    for (auto i = static_cast<std::size_t>(node.line); i < lines_.size(); ++i) {
      const std::size_t indent = lines_[i].find_first_not_of(' ');
      if (indent == std::string_view::npos) continue;
      const std::size_t length = lines_[i].size() - indent;
      if (offset <= length) return {static_cast<int>(i) + 1, static_cast<int>(indent + offset) + 1};
      offset -= length + 1;
    }
    return place;
  }

  [[nodiscard]] Error expression_fault(const json::Value& node,
                                       const ExpressionFault& found) const {
    return Error{Errc::parse_error, found.message, to_text(place_in(node, found.offset))};
  }

  static Status check_keys(const json::Value& item) {
    if (!item.is_object()) return fault(item, Errc::wrong_type, "A rule is a mapping.");
    static const std::vector<std::string> known(kKeys.begin(), kKeys.end());
    for (const auto& [key, value] : *item.as_object()) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        return fault(
            value, Errc::unknown_key,
            fmt::format("A rule has no key \"{}\".{}", printable(key), did_you_mean(key, known)));
    }
    return {};
  }

  static Status check_id(const json::Value& item, const std::string& id,
                         const std::vector<std::string>& seen) {
    const bool legal =
        !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
    if (!legal)
      return fault(*item.find("id"), Errc::out_of_range,
                   "An id has 1 to 64 lower-case letters, digits and \"-\".");
    if (std::find(seen.begin(), seen.end(), id) != seen.end())
      return fault(*item.find("id"), Errc::duplicate_name,
                   fmt::format("The file has two rules called \"{}\".", id));
    return {};
  }

  static Result<std::string> text(const json::Value& item, std::string_view key) {
    const json::Value* node = item.find(key);
    if (node == nullptr)
      return fault(item, Errc::missing_key, fmt::format("The rule lacks \"{}\".", key));
    if (node->as_string() == nullptr)
      return fault(*node, Errc::wrong_type, fmt::format("\"{}\" is a text.", key));
    return *node->as_string();
  }

  template <class Enum>
  static Result<Enum> word(const json::Value& item, std::string_view key, Enum fallback,
                           std::initializer_list<Enum> values) {
    if (item.find(key) == nullptr) return fallback;
    NEUROLENS_ASSIGN(const std::string given, text(item, key));
    std::vector<std::string> known;
    for (const Enum value : values) {
      if (given == to_string(value)) return value;
      known.emplace_back(to_string(value));
    }
    return fault(*item.find(key), Errc::out_of_range,
                 fmt::format("\"{}\" is one of {}.{}", key, fmt::join(known, ", "),
                             did_you_mean(given, known)));
  }

  Result<Expression> expression(const json::Value& item, std::string_view key, RuleScope scope,
                                RuleType type) const {
    const json::Value* node = item.find(key);
    if (node == nullptr)
      return fault(item, Errc::missing_key, fmt::format("The rule lacks \"{}\".", key));
    std::string source;
    if (node->is_number()) {
      source = shortest(*node->as_double());
    } else if (node->is_bool()) {
      source = *node->as_bool() ? "true" : "false";
    } else {
      NEUROLENS_ASSIGN(source, text(item, key));
    }
    ExpressionFault found;
    auto compiled = Expression::compile(source, ScopeNames(scope), type, found);
    if (!compiled) return expression_fault(*node, found);
    return std::move(*compiled);
  }

  Result<RuleText> filled(const json::Value& node, RuleScope scope) const {
    if (node.as_string() == nullptr)
      return fault(node, Errc::wrong_type, "Here a text is expected.");
    ExpressionFault found;
    auto compiled = RuleText::compile(*node.as_string(), scope, found);
    if (!compiled) return expression_fault(node, found);
    return std::move(*compiled);
  }

  Result<RuleText> filled(const json::Value& item, std::string_view key, RuleScope scope,
                          bool required) const {
    const json::Value* node = item.find(key);
    if (node != nullptr) return filled(*node, scope);
    if (required) return fault(item, Errc::missing_key, fmt::format("The rule lacks \"{}\".", key));
    return RuleText{};
  }

  /// The items of the list `key`; none when it is absent.
  static Result<const json::Array*> list(const json::Value& item, std::string_view key) {
    static const json::Array kNone;
    const json::Value* node = item.find(key);
    if (node == nullptr) return &kNone;
    if (!node->is_array())
      return fault(*node, Errc::wrong_type, fmt::format("\"{}\" is a list of texts.", key));
    for (const auto& entry : *node->as_array()) {
      if (!entry.is_string())
        return fault(entry, Errc::wrong_type, fmt::format("\"{}\" is a list of texts.", key));
    }
    return node->as_array();
  }

  Result<std::vector<std::size_t>> evidence(const json::Value& item, const Rule& rule) const {
    std::vector<std::size_t> slots;
    NEUROLENS_ASSIGN(const json::Array* names, list(item, "evidence"));
    const ScopeNames known(rule.scope);
    for (const auto& entry : *names) {
      const auto found = known.find(*entry.as_string());
      if (!found) {
        const auto all = known.all();
        return expression_fault(
            entry, {0, fmt::format("\"{}\" is not known here.{}", printable(*entry.as_string()),
                                   did_you_mean(*entry.as_string(), all))});
      }
      slots.push_back(found->slot);
    }
    return slots.empty() ? rule.when.slots() : slots;
  }

  Result<Rule> read_rule(const json::Value& item, const std::string& id) const {
    Rule rule;
    rule.id = id;
    NEUROLENS_ASSIGN(rule.scope, word(item, "scope", RuleScope::run,
                                      {RuleScope::op, RuleScope::run, RuleScope::delta}));
    NEUROLENS_ASSIGN(rule.when, expression(item, "when", rule.scope, RuleType::boolean));
    NEUROLENS_ASSIGN(rule.severity, word(item, "severity", Severity::notice,
                                         {Severity::info, Severity::notice, Severity::warning,
                                          Severity::critical}));
    NEUROLENS_ASSIGN(rule.confidence,
                     word(item, "confidence", Confidence::medium,
                          {Confidence::low, Confidence::medium, Confidence::high}));
    if (item.find("basis") != nullptr) {
      NEUROLENS_ASSIGN(rule.basis, text(item, "basis"));
    }
    NEUROLENS_ASSIGN(rule.title, filled(item, "title", rule.scope, true));
    NEUROLENS_ASSIGN(rule.message, filled(item, "message", rule.scope, true));
    NEUROLENS_ASSIGN(rule.next, filled(item, "next", rule.scope, false));
    if (item.find("gain_ns") != nullptr) {
      NEUROLENS_ASSIGN(rule.gain_ns, expression(item, "gain_ns", rule.scope, RuleType::number));
    }
    NEUROLENS_ASSIGN(rule.evidence, evidence(item, rule));
    NEUROLENS_ASSIGN(const json::Array* suggestions, list(item, "suggestions"));
    for (const auto& entry : *suggestions) {
      NEUROLENS_ASSIGN(RuleText suggestion, filled(entry, rule.scope));
      rule.suggestions.push_back(std::move(suggestion));
    }
    NEUROLENS_ASSIGN(const json::Array* references, list(item, "references"));
    for (const auto& entry : *references) rule.references.push_back(*entry.as_string());
    NEUROLENS_TRY(read_numbers(item, rule));
    return rule;
  }

  static Status read_numbers(const json::Value& item, Rule& rule) {
    if (const json::Value* limit = item.find("limit")) {
      const auto number = limit->as_int();
      if (!number || *number < 1 || *number > 1000)
        return fault(*limit, Errc::out_of_range, "\"limit\" is a whole number from 1 to 1000.");
      rule.limit = static_cast<std::size_t>(*number);
    }
    if (const json::Value* judges = item.find("judges_measurement")) {
      if (!judges->is_bool())
        return fault(*judges, Errc::wrong_type, "\"judges_measurement\" is true or false.");
      rule.judges_measurement = *judges->as_bool();
    }
    return {};
  }

  std::vector<std::string_view> lines_;
};

}  // namespace

Result<RuleFile> read_rules(std::string_view yaml) {
  constexpr std::size_t kLargest = std::size_t{1} << 20;
  if (yaml.size() > kLargest)
    return Error{Errc::too_large, "A rule file may have at most 1 MiB.", ""};
  NEUROLENS_ASSIGN(const json::Value root, yaml::parse(yaml));
  return RuleReader(yaml).read(root);
}

}  // namespace neurolens::analyze
